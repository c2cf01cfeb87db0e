"""Business days of the demo and the clocks of its servers. Pure: no database, no clock of its own.

The calendar is TARGET2's: weekdays but 1 January, Good Friday, Easter Monday, 1 May, 25 and 26 December
(ECB, long-term calendar of TARGET closing days).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

CALENDAR = "TARGET"
HISTORY = 30
# History days that are read day by day and reconciled each night; the days before them are loaded at once.
NIGHTLY = 5
NEW_YORK = ZoneInfo("America/New_York")
ATHENS = ZoneInfo("Europe/Athens")
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
_AHEAD_OF_NEW_YORK = timedelta(hours=7)
_SATURDAY = 5


def easter(year: int) -> date:
    """Easter Sunday (the anonymous Gregorian algorithm)."""
    a, b, c = year % 19, year // 100, year % 100
    d, e = b // 4, b % 4
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = c // 4, c % 4
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)


def holidays(year: int) -> dict[date, str]:
    return {
        date(year, 1, 1): "New Year's Day",
        easter(year) - timedelta(days=2): "Good Friday",
        easter(year) + timedelta(days=1): "Easter Monday",
        date(year, 5, 1): "Labour Day",
        date(year, 12, 25): "Christmas Day",
        date(year, 12, 26): "26 December",
    }


def is_open(day: date) -> bool:
    return day.weekday() < _SATURDAY and day not in holidays(day.year)


def shifted(day: date, count: int) -> date:
    """The `count`-th business day after `day` (before it, when negative)."""
    step = timedelta(days=1 if count > 0 else -1)
    left = abs(count)
    while left:
        day += step
        left -= is_open(day)
    return day


@dataclass(frozen=True, slots=True)
class Days:
    """The live day and the business days before it, oldest first."""

    live: date
    history: Sequence[date]

    @classmethod
    def until(cls, live: date) -> Days:
        return cls(live, [shifted(live, -n) for n in range(HISTORY, 0, -1)])

    @property
    def all(self) -> Sequence[date]:
        return [*self.history, self.live]

    @property
    def nightly(self) -> Sequence[date]:
        return self.history[-NIGHTLY:]

    @property
    def bulk(self) -> Sequence[date]:
        return self.history[:-NIGHTLY]

    def back(self, count: int) -> date:
        """The business day `count` before the live day; 0 is the live day."""
        return self.all[-1 - count]

    @property
    def morning_after(self) -> date | None:
        """The calendar day after the live day, where it is one for business."""
        following = self.live + timedelta(days=1)
        return following if is_open(following) else None


def last_open(day: date) -> date:
    """`day` itself, or the last business day before it."""
    return day if is_open(day) else shifted(day, -1)


def utc(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), UTC)


def mt5_moment(day: date, minute: int, second: int = 0) -> datetime:
    """A minute of a day on the MT5 server's wall, which is seven hours ahead of New York's."""
    local = datetime.combine(day, time(), NEW_YORK) + timedelta(minutes=minute, seconds=second) - _AHEAD_OF_NEW_YORK
    return local.astimezone(UTC)


def mt5_wall(moment: datetime) -> datetime:
    """The MT5 server's wall clock, without a zone."""
    return (moment.astimezone(NEW_YORK) + _AHEAD_OF_NEW_YORK).replace(tzinfo=None)


def mt4_moment(day: date, minute: int, second: int = 0) -> datetime:
    """A minute of a day on the MT4 server's wall, which is Athens'."""
    local = datetime.combine(day, time(), ATHENS) + timedelta(minutes=minute, seconds=second)
    return local.astimezone(UTC)


def mt4_wall(moment: datetime) -> datetime:
    return moment.astimezone(ATHENS).replace(tzinfo=None)


def milliseconds(wall: datetime) -> int:
    """A wall time as MT5 writes it: milliseconds since 1970, counted as if the wall were UTC."""
    return (wall - datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)) // timedelta(milliseconds=1)


def clock_changes(zone: ZoneInfo, first: datetime, last: datetime) -> list[tuple[datetime, int]]:
    """When a zone's offset changes between two moments, and to how many minutes; hours are enough."""
    found: list[tuple[datetime, int]] = []
    moment = first.replace(minute=0, second=0, microsecond=0)
    before = moment.astimezone(zone).utcoffset()
    while moment <= last:
        offset = moment.astimezone(zone).utcoffset()
        assert offset is not None, "the zone is a real one"
        if offset != before:
            found.append((moment, int(offset.total_seconds() // 60)))
        before = offset
        moment += timedelta(hours=1)
    return found
