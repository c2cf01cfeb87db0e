"""Business days: weekdays without a holiday of the calendar."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date, timedelta

from backoffice.organisation.models import Holiday

_SATURDAY = 5


def holidays(calendar: str, first: date, last: date) -> set[date]:
    return set(
        Holiday.objects.filter(calendar=calendar, date__gte=first, date__lte=last).values_list("date", flat=True)
    )


def business_days(calendar: str, first: date, last: date) -> list[date]:
    """All business days from `first` to `last`, both included."""
    closed = holidays(calendar, first, last)
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return [day for day in days if day.weekday() < _SATURDAY and day not in closed]


def add_business_days(calendar: str, start: date, count: int) -> date:
    """The `count`-th business day after `start` (before it, when negative). 0 gives `start` itself."""
    step = 1 if count >= 0 else -1
    span = abs(count) * 2 + 20
    closed = holidays(calendar, start - timedelta(days=span), start + timedelta(days=span))
    day, left = start, abs(count)
    while left:
        day += timedelta(days=step)
        if day.weekday() < _SATURDAY and day not in closed:
            left -= 1
    return day


def age_in_business_days(calendar: str, since: date, until: date) -> int:
    """Business days after `since` up to and including `until`; 0 on the day itself."""
    if until <= since:
        return 0
    return len(business_days(calendar, since + timedelta(days=1), until))


def ages_in_business_days(spans: Sequence[tuple[str, date, date]]) -> list[int]:
    """`age_in_business_days` of many (calendar, since, until), reading each calendar once."""
    days: dict[str, list[date]] = {}
    for calendar in {calendar for calendar, _, _ in spans}:
        own = [(since, until) for name, since, until in spans if name == calendar]
        days[calendar] = business_days(calendar, min(since for since, _ in own), max(until for _, until in own))
    return [
        max(bisect_right(days[calendar], until) - bisect_right(days[calendar], since), 0)
        for calendar, since, until in spans
    ]
