"""Trade servers' clocks: wall time to UTC by a dated table of offsets.

A server stamps its deals with its own wall clock. Which offset was in force is looked up by the deal's own
time, never by the time of reading: a deal read again after the clocks changed must stay where it was.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db import transaction

from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import DomainError
from integrations.models import Connection, ServerClock
from integrations.records import Deal

# Many servers run seven hours ahead of New York, so that their midnight is the 17:00 close there.
NEW_YORK_CLOSE = "NY+7"


class BadClockRule(DomainError):
    """A clock rule that is neither NY+7, nor UTC+minutes, nor a zone of the time zone database."""


@dataclass(frozen=True)
class Clock:
    """A server's offsets, oldest first: (from this UTC moment, minutes ahead of UTC)."""

    changes: tuple[tuple[datetime, int], ...]

    @cached_property
    def _ends(self) -> list[datetime]:
        """Until which wall time each offset but the last holds; asked for every deal, so worked out once."""
        ends: list[datetime] = []
        for (_, minutes), (following, _) in pairwise(self.changes):
            end = following.astimezone(UTC).replace(tzinfo=None) + timedelta(minutes=minutes)
            ends.append(max([end, *ends[-1:]]))
        return ends

    @cached_property
    def _ahead(self) -> list[timedelta]:
        return [timedelta(minutes=minutes) for _, minutes in self.changes] or [timedelta(0)]

    def offset(self, wall: datetime) -> int:
        """Minutes ahead of UTC at a wall time (without zone).

        An hour that happens twice is taken as its first pass, one that is skipped by the clock change as
        before the change: both are rules, not guesses, and the same on every reading.
        """
        return self._ahead_at(wall) // timedelta(minutes=1)

    def _ahead_at(self, wall: datetime) -> timedelta:
        assert wall.tzinfo is None, "server wall time has no zone"
        return self._ahead[bisect.bisect_right(self._ends, wall)]

    def to_utc(self, wall: datetime) -> datetime:
        return (wall - self._ahead_at(wall)).replace(tzinfo=UTC)

    def utc_of(self, deal: Deal) -> datetime:
        """When a deal happened: by this table, or by the offset that came with it where the server has none."""
        if not self.changes:
            return (deal.server_time - timedelta(minutes=deal.utc_offset_minutes)).replace(tzinfo=UTC)
        return self.to_utc(deal.server_time)

    def to_wall(self, moment: datetime) -> datetime:
        """The server's wall clock at a UTC moment."""
        starts = [start for start, _ in self.changes]
        index = max(bisect.bisect_right(starts, moment) - 1, 0)
        minutes = self.changes[index][1] if self.changes else 0
        return (moment + timedelta(minutes=minutes)).astimezone(UTC).replace(tzinfo=None)


def clock_of(connection: Connection) -> Clock:
    rows = ServerClock.objects.filter(connection=connection).order_by("valid_from")
    return Clock(tuple(rows.values_list("valid_from", "offset_minutes")))


@transaction.atomic
def learn(*, actor: Actor, connection: Connection, server_now: datetime, offset_minutes: int) -> bool:
    """Note the offset a server reports now. Returns whether it is a change we had not in the table.

    The change is dated to the last full hour: clocks change on the hour, and we ask every few seconds.
    """
    clock = clock_of(connection)
    now = (server_now - timedelta(minutes=offset_minutes)).replace(tzinfo=UTC)
    if clock.changes and clock.to_wall(now) == server_now:
        return False
    start = now.replace(minute=0, second=0, microsecond=0) if clock.changes else datetime(1970, 1, 1, tzinfo=UTC)
    _, created = ServerClock.objects.get_or_create(
        connection=connection,
        valid_from=start,
        defaults={"offset_minutes": offset_minutes, "source": f"reported ({actor.label})"[:40]},
    )
    return created


@transaction.atomic
def set_rule(*, connection: Connection, rule: str, first: datetime, last: datetime) -> int:
    """Fill the table from a rule between two moments: "NY+7", "UTC+120", or a zone such as "Europe/Athens"."""
    rows = [
        ServerClock(connection=connection, valid_from=start, offset_minutes=minutes, source=f"rule {rule}"[:40])
        for start, minutes in changes(rule, first, last)
    ]
    ServerClock.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def changes(rule: str, first: datetime, last: datetime) -> Iterable[tuple[datetime, int]]:
    """When a rule's offset changes between two moments, and to what; the first row starts at 1970."""
    previous = _minutes(rule, first)
    yield datetime(1970, 1, 1, tzinfo=UTC), previous
    hour = first.replace(minute=0, second=0, microsecond=0)
    while hour <= last:
        minutes = _minutes(rule, hour)
        if minutes != previous:
            yield hour, minutes
            previous = minutes
        hour += timedelta(hours=1)


def _minutes(rule: str, moment: datetime) -> int:
    if rule.startswith("UTC"):
        try:
            return int(rule[3:] or "0")
        except ValueError as error:
            raise BadClockRule(f"{rule!r}: write UTC+120 for two hours ahead of UTC.") from error
    name, ahead = ("America/New_York", 420) if rule == NEW_YORK_CLOSE else (rule, 0)
    try:
        offset = moment.astimezone(ZoneInfo(name)).utcoffset()
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise BadClockRule(f"{rule!r} is not a zone: use NY+7, UTC+minutes, or a name like Europe/Athens.") from error
    assert offset is not None
    return int(offset.total_seconds() // 60) + ahead
