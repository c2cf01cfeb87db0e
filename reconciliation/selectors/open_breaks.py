"""Open breaks: how many there are for a person, and how they spread over classes and ages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import Count, Sum
from django.db.models.functions import Abs

from backoffice.organisation.models import LegalEntity, User
from backoffice.organisation.selectors import calendars, scope
from reconciliation.models import CLASSES, OPEN_STATES, Break

_MOST = 100
# Ageing buckets in business days; the last one has no end.
BUCKETS: tuple[tuple[str, int], ...] = (("0–1", 1), ("2–3", 3), ("4–7", 7), ("8–30", 30), ("> 30", 10**6))


@dataclass(frozen=True, slots=True)
class ClassLine:
    """Open breaks of one class: how many in each age bucket."""

    code: str
    title: str
    kind: str
    owner: str
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.counts)


def open_for(user: User) -> int:
    """Open breaks in the entities a person works in; counting stops at 100."""
    rows = Break.objects.filter(entity__in=scope.entity_ids(user), state__in=OPEN_STATES).order_by()
    return rows[:_MOST].count()


def by_class_and_age(entity_ids: Iterable[int], today: date) -> list[ClassLine]:
    """Open breaks by class and age, the classes in the order of their reconciliation."""
    wanted = list(entity_ids)
    home = dict(LegalEntity.objects.filter(pk__in=wanted).values_list("pk", "calendar"))
    rows = Break.objects.filter(entity__in=wanted, state__in=OPEN_STATES)
    grouped = rows.values("klass", "business_date", "entity_id").annotate(n=Count("pk")).order_by()
    ages: dict[tuple[str, date], int] = {}
    counts: dict[str, list[int]] = {}
    for row in grouped:
        key = (home[row["entity_id"]], row["business_date"])
        if key not in ages:
            ages[key] = calendars.age_in_business_days(*key, today)
        bucket = next(i for i, (_, limit) in enumerate(BUCKETS) if ages[key] <= limit)
        counts.setdefault(row["klass"], [0] * len(BUCKETS))[bucket] += row["n"]
    return [
        ClassLine(code, item.title, item.kind, item.owner, tuple(counts[code]))
        for code, item in CLASSES.items()
        if code in counts
    ]


def at_stake(entity_ids: Iterable[int]) -> list[tuple[str, Decimal]]:
    """The sum of open differences by currency, without sign."""
    rows = Break.objects.filter(entity__in=list(entity_ids), state__in=OPEN_STATES, amount__isnull=False)
    grouped = rows.exclude(currency="").values("currency").annotate(total=Sum(Abs("amount"))).order_by("currency")
    return [(row["currency"], row["total"]) for row in grouped]
