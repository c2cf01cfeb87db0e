"""Business days of a calendar over a stretch of time, read once: ages of many rows cost one query."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from backoffice.organisation.selectors import calendars

# Enough for the ten business days of a chart and for every age bucket with an end (30 business days).
_LOOK_BACK = timedelta(days=100)


@dataclass(frozen=True, slots=True)
class Days:
    """All business days from some day on, oldest first."""

    days: tuple[date, ...]

    def age(self, since: date, until: date) -> int:
        """Business days after `since` up to and including `until`; 0 on the day itself."""
        return max(bisect_right(self.days, until) - bisect_right(self.days, since), 0)

    def before(self, day: date) -> date:
        """The last business day before `day`."""
        return max(found for found in self.days if found < day)

    def newest(self, until: date, count: int) -> list[date]:
        """The last `count` business days up to and including `until`, oldest first."""
        return [day for day in self.days if day <= until][-count:]

    def oldest_of_age(self, age: int, until: date) -> date:
        """The earliest day that is at most `age` business days old on `until`."""
        return [day for day in self.days if day <= until][-(age + 1)]


def of(names: Iterable[str], until: date, since: date | None = None) -> dict[str, Days]:
    """Calendars by name, with their business days from `since` (if that is long ago) to `until`."""
    first = min(since or until, until - _LOOK_BACK)
    return {name: Days(tuple(calendars.business_days(name, first, until))) for name in sorted(set(names))}
