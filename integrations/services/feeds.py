"""Reading trade servers: the live feed with its overlap, account snapshots, listings of a day, single deals.

Each function talks to the network first, outside any transaction, and stores what came in one transaction
afterwards. A pull that fails changes nothing but the feed's state; one that is killed is simply repeated.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from django.db import transaction
from django.db.models import F

from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import DomainError
from integrations import records
from integrations.models import Connection, FeedState, ServerUser
from integrations.models.columns import SNAPSHOT, moment
from integrations.ports import Pulled, Raw, ServerError, TradeServer
from integrations.selectors import deals as deal_selectors
from integrations.services import clocks, commands, operations, raws
from integrations.services.connections import open_server
from integrations.services.facts import store_records
from integrations.services.store import BATCH, Row, Stored, lock_feed, store
from integrations.services.users import keep_group, keep_margins, keep_users

OVERLAP = timedelta(minutes=15)
# Servers' clocks run a little ahead of ours; deals of the next seconds are asked for too.
SLACK = timedelta(minutes=5)
# An empty answer where at least this many deals are known is a fault of the answer, not of the market.
SUSPICIOUS_FROM = 20
# Deals that a window no longer lists are asked for one by one; more than this is a listing gone wrong.
ASK_ONE_BY_ONE_MAX = 500


class FeedFailed(DomainError):
    """A trade server could not be read. The feed's state says since when; nothing was stored."""


@dataclass(frozen=True, slots=True)
class PullResult:
    """What one pull did: facts added and changed, deals found deleted, records that could not be read."""

    connection: str
    read: int
    new: int
    changed: int
    deleted: int
    rejected: Sequence[records.Rejected]
    server_now: datetime


@dataclass(frozen=True, slots=True)
class UsersRead:
    """What one reading of logins found: how many were read, and how many known or listed ones were not there."""

    connection: str
    read: int
    gone: int
    rejected: Sequence[records.Rejected]


def pull(*, actor: Actor, connection_id: int, since: datetime | None = None) -> PullResult:
    """Read what is new on a trade server, with an overlap, and store what differs from what we have.

    `since` (server wall time) widens the window, for a first load or a second look; it never moves the
    cursor back.
    """
    connection = Connection.objects.select_related("feed").get(pk=connection_id)
    _attempted(connection)
    try:
        server = open_server(connection)
        try:
            start = _start(connection.feed, since)
            known = deal_selectors.known_since(connection, start)
            pulled = server.deals(since=start, until=_far(connection))
            items = _with_vanished(server, connection, known, pulled)
        finally:
            server.close()
    except (ServerError, OSError) as error:
        raise _failed(connection, error) from error
    return _store_pull(actor, connection, pulled, items)


def snapshot_accounts(*, actor: Actor, connection_id: int, day: date) -> Stored:
    """Store what the server says every account has, as the end of business day `day`."""
    connection = Connection.objects.select_related("feed").get(pk=connection_id)
    try:
        server = open_server(connection)
        try:
            pulled = server.accounts()
        finally:
            server.close()
    except (ServerError, OSError) as error:
        raise _failed(connection, error) from error
    wall = clocks.clock_of(connection)
    now = clock.now()
    with transaction.atomic():
        lock_feed(connection)
        bodies = {f"{item.external_id}@{day}": item.body for item in pulled.items}
        ids = raws.keep_records(connection=connection, bodies=bodies, received_at=now, origin=f"accounts {day}")
        rows = []
        for item in pulled.items:
            assert isinstance(item.record, records.AccountState)
            said = list(SNAPSHOT.said_of(item.record))
            said[SNAPSHOT.said.index("business_date")] = str(day)
            taken = (moment(wall.to_utc(item.record.server_time)) + "+00",)
            rows.append(Row(tuple(said), taken, ids[f"{item.external_id}@{day}"], 0))
        stored = Stored()
        for start in range(0, len(rows), BATCH):
            stored += store(connection=connection, table=SNAPSHOT, rows=rows[start : start + BATCH], received_at=now)
        audit.record(
            actor=actor, action="feed.accounts_read", target=connection, data={"day": day, "accounts": len(rows)}
        )
    return stored


def pull_users(*, actor: Actor, connection_id: int, also: Iterable[int] = ()) -> UsersRead:
    """Read every login of a trade server, page by page, into the newest readings.

    Logins that left the configured groups, and those in `also`, are asked for by number. A page is stored when it
    comes; the reading counts as whole only at the end, so one that is killed or fails makes no login look gone.
    """
    connection = Connection.objects.select_related("feed").get(pk=connection_id)
    began = clock.now()
    known = set(ServerUser.objects.filter(connection=connection).values_list("login", flat=True))
    rejected: list[records.Rejected] = []
    read = 0
    try:
        server = open_server(connection)
        try:
            listed = server.logins()
            if not listed and len(known) >= SUSPICIOUS_FROM:
                raise ServerError(f"an empty answer where {len(known)} logins are known", retry=True)
            known |= set(also)
            pages = server.users([*listed, *sorted(known.difference(listed))])
            asked_at = clock.now()
            while (page := next(pages, None)) is not None:
                keep_users(connection=connection, users=page.users, asked_at=asked_at)
                read += len(page.users)
                rejected += page.rejected
                asked_at = clock.now()
            trouble = _read_margins(server, connection, sorted(known.union(listed)))
        finally:
            server.close()
    except (ServerError, OSError) as error:
        FeedState.objects.filter(connection=connection).update(users_error=str(error)[:2000])
        raise FeedFailed(f"The logins of {connection.name} could not be read: {error}") from error
    _users_read(connection, began, rejected, trouble)
    return UsersRead(connection.name, read, len(known.union(listed)) - read, rejected)


def _read_margins(server: TradeServer, connection: Connection, logins: Sequence[int]) -> str:
    """Margin of the logins and terms of their groups, for those who ask what another leverage would do. What cannot
    be read is not known, and said; it does not spoil the reading of the logins. Returns what went wrong."""
    try:
        asked_at = clock.now()
        for page in server.margins(logins):
            keep_margins(connection=connection, margins=page, asked_at=asked_at)
            asked_at = clock.now()
        names = ServerUser.objects.filter(connection=connection).order_by("group").values_list("group", flat=True)
        for name in list(names.distinct()):
            group, asked_at = server.group(name), clock.now()
            if group is not None:
                keep_group(connection=connection, group=group, asked_at=asked_at)
    except (ServerError, OSError) as error:
        return f"Margin could not be read: {error}"
    return ""


def _users_read(
    connection: Connection, began: datetime, rejected: Sequence[records.Rejected], trouble: str = ""
) -> None:
    """A whole reading; with logins that cannot be read it is not, since those would look gone."""
    notes = "\n".join([*(f"{r.raw}, {r.field}: {r.reason}" for r in rejected[:5]), *filter(None, [trouble])])
    with transaction.atomic():
        feed = FeedState.objects.select_for_update().get(connection=connection)
        if feed.users_error:
            commands.server_is_back(connection=connection)
            operations.server_is_back(connection=connection)
        feed.users_error = notes
        if not rejected:
            feed.users_read_at = max(feed.users_read_at, began) if feed.users_read_at else began
        feed.save(update_fields=["users_error", "users_read_at"])


def fetch_deal(*, actor: Actor, connection_id: int, ticket: int) -> Stored:
    """Ask the server for one deal and store what it says: the deal, a newer version, or that it is gone."""
    connection = Connection.objects.get(pk=connection_id)
    try:
        server = open_server(connection)
        try:
            found = server.deal(ticket)
        finally:
            server.close()
    except (ServerError, OSError) as error:
        raise FeedFailed(f"{connection.name} could not be asked: {error}") from error
    if found is None:
        known = deal_selectors.current_records(connection, [ticket]).get(ticket)
        if known is None:
            raise DomainError(f"Neither {connection.name} nor our books know a deal {ticket}.")
        found = _gone(known)
    with transaction.atomic():
        lock_feed(connection)
        stored = _keep(connection, [found], origin=f"asked for deal {ticket}")
        audit.record(
            actor=actor,
            action="feed.deal_fetched",
            target=connection,
            data={"ticket": ticket, "new": stored.new, "changed": stored.changed},
        )
    return stored


def _store_pull(actor: Actor, connection: Connection, pulled: Pulled, items: Sequence[Raw]) -> PullResult:
    now = clock.now()
    deleted = sum(1 for item in items if isinstance(item.record, records.Deal) and item.record.deleted)
    with transaction.atomic():
        lock_feed(connection)
        if not connection.settings.get("clock_rule"):
            clocks.learn(
                actor=actor,
                connection=connection,
                server_now=pulled.server_now,
                offset_minutes=pulled.utc_offset_minutes,
            )
        stored = _keep(connection, items, origin="deals")
        feed = FeedState.objects.select_for_update().get(connection=connection)
        reached = pulled.server_now.replace(tzinfo=UTC)
        feed.cursor = max(feed.cursor, reached) if feed.cursor else reached
        feed.last_success_at = now
        if feed.failures:
            commands.server_is_back(connection=connection)
            operations.server_is_back(connection=connection)
        feed.failures = 0
        feed.last_error = _trouble(connection, pulled)
        if stored.new or stored.changed:
            feed.last_fact_at = now
        feed.save()
    return PullResult(
        connection=connection.name,
        read=len(pulled.items),
        new=stored.new,
        changed=stored.changed,
        deleted=deleted,
        rejected=pulled.rejected,
        server_now=pulled.server_now,
    )


def _keep(connection: Connection, items: Iterable[Raw], *, origin: str) -> Stored:
    """Raw messages first, then the facts read from them; both only where they differ from the latest."""
    unique = {item.external_id: item for item in items}
    now = clock.now()
    bodies = {key: item.body for key, item in unique.items()}
    ids = raws.keep_records(connection=connection, bodies=bodies, received_at=now, origin=origin)
    ordered = sorted(unique.values(), key=lambda item: _order(item.record))
    return store_records(
        connection=connection,
        located=((item.record, ids[item.external_id], 0) for item in ordered),
        received_at=now,
    )


def _order(record: records.Deal | records.AccountState) -> tuple[datetime, int]:
    return record.server_time, record.ticket if isinstance(record, records.Deal) else record.login


def _start(feed: FeedState, since: datetime | None) -> datetime:
    """Server wall time from which to read: the cursor less the overlap, or further back where asked."""
    first = datetime.combine(date(2000, 1, 1), time())
    cursor = feed.cursor.replace(tzinfo=None) - OVERLAP if feed.cursor else None
    candidates = [moment for moment in (cursor, since) if moment is not None]
    return min(candidates) if candidates else first


def _far(connection: Connection) -> datetime:
    """A wall time safely after the server's now, by our clock and its offset table."""
    wall = clocks.clock_of(connection).to_wall(clock.now())
    return wall + SLACK + timedelta(days=1)


def _with_vanished(server: TradeServer, connection: Connection, known: set[int], pulled: Pulled) -> Sequence[Raw]:
    """The answer, plus a last version for each deal that we know in the window and the server has no more."""
    answered = {item.record.ticket for item in pulled.items if isinstance(item.record, records.Deal)}
    missing = sorted(known - answered - _unread(pulled))
    if not answered and len(known) >= SUSPICIOUS_FROM:
        raise ServerError(f"an empty answer where {len(known)} deals are known", retry=True)
    if len(missing) > ASK_ONE_BY_ONE_MAX:
        raise ServerError(f"{len(missing)} known deals are missing from the answer", retry=True)
    extra: list[Raw] = []
    before = deal_selectors.current_records(connection, missing)
    for ticket in missing:
        found = server.deal(ticket)
        extra.append(found if found is not None else _gone(before[ticket]))
    return [*pulled.items, *extra]


def _unread(pulled: Pulled) -> set[int]:
    """Tickets of records that came but could not be read: those deals are not gone."""
    found: set[int] = set()
    for rejected in pulled.rejected:
        try:
            ticket = json.loads(rejected.raw).get("Deal", "")
        except (ValueError, AttributeError):
            continue
        if str(ticket).isdigit():
            found.add(int(ticket))
    return found


def _gone(known: records.Deal) -> Raw:
    body = json.dumps({"Deal": str(known.ticket), "deleted": True}, sort_keys=True)
    return Raw(f"deal:{known.ticket}", body, replace(known, deleted=True))


def _trouble(connection: Connection, pulled: Pulled) -> str:
    """What a person should look at although the pull worked; empty when nothing."""
    notes = [f"line {r.line}, {r.field}: {r.reason}" for r in pulled.rejected[:5]]
    table = clocks.clock_of(connection)
    now = pulled.server_now - timedelta(minutes=pulled.utc_offset_minutes)
    if table.changes and table.to_wall(now.replace(tzinfo=UTC)) != pulled.server_now:
        expected = table.offset(pulled.server_now)
        notes.append(
            f"The server says its clock is {pulled.utc_offset_minutes} minutes ahead of UTC, "
            f"our table says {expected}. Check the clock rule of the connection."
        )
    return "\n".join(notes)


def _attempted(connection: Connection) -> None:
    FeedState.objects.filter(connection=connection).update(last_attempt_at=clock.now())


def _failed(connection: Connection, error: Exception) -> FeedFailed:
    FeedState.objects.filter(connection=connection).update(failures=F("failures") + 1, last_error=str(error)[:2000])
    return FeedFailed(f"{connection.name} could not be read: {error}")
