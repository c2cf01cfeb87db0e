"""Open breaks: how many there are for a person, and the buckets of their ages."""

from __future__ import annotations

from datetime import date, timedelta

from django.db.models import Q

from backoffice.organisation.models import LegalEntity, User
from backoffice.organisation.selectors import calendars, scope
from reconciliation.models import OPEN_STATES, Break

_MOST = 100
# Ageing buckets in business days; the last one has no end.
BUCKETS: tuple[tuple[str, int], ...] = (("0–1", 1), ("2–3", 3), ("4–7", 7), ("8–30", 30), ("> 30", 10**6))


def open_for(user: User) -> int:
    """Open breaks in the entities a person works in; counting stops at 100."""
    rows = Break.objects.filter(entity__in=scope.entity_ids(user), state__in=OPEN_STATES).order_by()
    return rows[:_MOST].count()


def aged(label: str, today: date) -> Q:
    """Breaks of one of the buckets, by the business days of their entity's calendar up to and including `today`."""
    place = [name for name, _ in BUCKETS].index(label)
    least = BUCKETS[place - 1][1] + 1 if place else 0
    most = BUCKETS[place][1] if place + 1 < len(BUCKETS) else None
    found = Q(pk__in=[])
    entities: dict[str, list[int]] = {}
    for pk, calendar in LegalEntity.objects.values_list("pk", "calendar"):
        entities.setdefault(calendar, []).append(pk)
    for calendar, own in entities.items():
        span = Q(entity__in=own)
        if least:
            span &= Q(business_date__lt=_back(calendar, today, least))
        if most is not None:
            span &= Q(business_date__gte=_back(calendar, today, most + 1))
        found |= span
    return found


def _back(calendar: str, today: date, count: int) -> date:
    """The `count`-th newest business day, today among them: what is from before it is at least `count` days old."""
    return calendars.add_business_days(calendar, today + timedelta(days=1), -count)
