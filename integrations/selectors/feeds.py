"""How each connection is doing: when it was last read, how far behind it is, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import models

from backoffice.kernel import clock
from integrations import registry
from integrations.models import Connection, ServerCommand, ServerUser
from integrations.models.users import OPEN

# A trade server is polled every few seconds; a file source is expected once a business day.
LATE_SERVER = timedelta(minutes=2)
LATE_FILE = timedelta(hours=30)


@dataclass(frozen=True, slots=True)
class FeedLine:
    """One feed for a person to read. `lag` is the time since the last successful reading."""

    connection_id: int
    name: str
    adapter: str
    title: str
    entity_id: int
    is_active: bool
    last_success_at: datetime | None
    last_fact_at: datetime | None
    lag: timedelta | None
    state: str
    trouble: str


@dataclass(frozen=True, slots=True)
class Logins:
    """What is known of a server's logins, and the commands that are not done: state code and count."""

    known: int
    read_at: datetime | None
    trouble: str
    commands: Sequence[tuple[str, int]]


def logins_of(connection: Connection) -> Logins:
    """Readings and commands of one trade server."""
    commands = ServerCommand.objects.filter(connection=connection, message__state__in=OPEN).order_by()
    counts = commands.values_list("message__state").annotate(count=models.Count("pk")).order_by("message__state")
    return Logins(
        known=ServerUser.objects.filter(connection=connection).count(),
        read_at=connection.feed.users_read_at,
        trouble=connection.feed.users_error,
        commands=list(counts),
    )


def servers_to_pull() -> list[int]:
    """Active connections that are read over the network."""
    return [
        pk
        for pk, adapter in Connection.objects.filter(is_active=True).values_list("pk", "adapter")
        if registry.is_server(adapter)
    ]


def feed_lines(entity_ids: Iterable[int]) -> Sequence[FeedLine]:
    """State of every connection of these entities, the ones in trouble first."""
    rows = Connection.objects.filter(entity_id__in=list(entity_ids)).select_related("feed")
    order = {"failing": 0, "late": 1, "never read": 2, "check": 3, "ok": 4, "paused": 5}
    return sorted((_line(row) for row in rows), key=lambda line: (order[line.state], line.name))


def _line(connection: Connection) -> FeedLine:
    feed = connection.feed
    lag = clock.now() - feed.last_success_at if feed.last_success_at else None
    limit = LATE_SERVER if registry.is_server(connection.adapter) else LATE_FILE
    if not connection.is_active:
        state = "paused"
    elif feed.failures:
        state = "failing"
    elif registry.is_gateway(connection.adapter):
        # Nothing is read from it: it is told to pay.
        state = "ok"
    elif lag is None:
        state = "never read"
    elif lag > limit:
        state = "late"
    else:
        state = "check" if feed.last_error else "ok"
    return FeedLine(
        connection_id=connection.pk,
        name=connection.name,
        adapter=connection.adapter,
        title=registry.title(connection.adapter),
        entity_id=connection.entity_id,
        is_active=connection.is_active,
        last_success_at=feed.last_success_at,
        last_fact_at=feed.last_fact_at,
        lag=lag,
        state=state,
        trouble=feed.last_error,
    )
