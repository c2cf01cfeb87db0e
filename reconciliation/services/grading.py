"""How much each open break matters and until when it has to be taken and closed, by the newest rule `breaks`.

Severity is the higher of two: what is at stake, in the entity's reporting currency at today's rate, and how many
business days ago it was. The limits of a class and a severity run from the moment the severity was reached; a break
that becomes worse never gets more time by it. A difference in a currency without a rate counts as high until then.
Done at the end of every run and once an hour; what is graded as it should be is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache, partial
from typing import Any

from django.db import transaction

from backoffice.kernel import bulk, clock
from backoffice.kernel.actor import System
from backoffice.organisation.models import LegalEntity
from backoffice.organisation.selectors import calendars, currencies
from reconciliation.models import OPEN_STATES, Break, Rule, Severity
from reconciliation.models.runs import BREAKS
from reconciliation.services import statements

_ACTOR = System("grade breaks")
_RATE_DAYS = 31


@dataclass(frozen=True, slots=True)
class Grades:
    """A version of the rule. Amounts in major units of the reporting currency, ages in business days, limits as
    written: "4h" are hours, "2d" business days."""

    amounts: Mapping[Severity, Decimal]
    ages: Mapping[Severity, int]
    own: Mapping[str, Mapping[str, str]]
    resolve: Mapping[str, Mapping[str, str]]

    @classmethod
    def of(cls, rule: Rule) -> Grades:
        given = rule.parameters
        return cls(
            amounts={Severity[name]: Decimal(least) for name, least in given["amount_tiers"].items()},
            ages={Severity[name]: int(least) for name, least in given["age_tiers"].items()},
            own=given["own"],
            resolve=given["resolve"],
        )

    def by_age(self, days: int) -> Severity:
        """What an age alone makes of a break."""
        return max((one for one, least in self.ages.items() if days >= least), default=Severity.LOW)

    def by_amount(self, amount: Decimal) -> Severity:
        """What an amount alone makes of a break."""
        return max((one for one, least in self.amounts.items() if abs(amount) >= least), default=Severity.LOW)


def limit(limits: Mapping[str, Mapping[str, str]], klass: str, severity: Severity) -> str:
    """The limit of a class, or of all others where the class has none of its own for this severity."""
    return limits.get(klass, {}).get(severity.name) or limits[""][severity.name]


def after(start: datetime, span: str, calendar: str) -> datetime:
    """`start` and so many hours ("4h"), or the same time of day so many business days later ("2d")."""
    number, unit = int(span[:-1]), span[-1]
    if unit == "h":
        return start + timedelta(hours=number)
    return datetime.combine(calendars.add_business_days(calendar, start.date(), number), start.timetz())


@transaction.atomic
def grade(*, entity_id: int | None = None, now: datetime | None = None) -> int:
    """Grade the open breaks of an entity, or of all; returns how many are graded otherwise than before."""
    moment = now or clock.now()
    rule = Rule.objects.filter(kind=BREAKS).order_by("-version")[0]
    graded = 0
    entities = LegalEntity.objects.filter(pk__in=Break.objects.filter(state__in=OPEN_STATES).values("entity_id"))
    for entity in entities if entity_id is None else entities.filter(pk=entity_id):
        graded += _grade(entity, rule, moment)
    return graded


def _grade(entity: LegalEntity, rule: Rule, now: datetime) -> int:
    grades = Grades.of(rule)
    rows = Break.objects.filter(entity=entity, state__in=OPEN_STATES).order_by()
    days = list(rows.values_list("business_date", flat=True).distinct())
    ages = calendars.ages_in_business_days([(entity.calendar, day, now.date()) for day in days])
    rates = _rates(rows.exclude(amount=None).values_list("currency", flat=True).distinct(), entity, now)
    end = cache(partial(after, now, calendar=entity.calendar))
    limits = [
        (klass, severity, end(limit(grades.own, klass, severity)), end(limit(grades.resolve, klass, severity)))
        for klass in rows.values_list("klass", flat=True).distinct()
        for severity in Severity
    ]
    values: dict[str, Any] = {
        "entity": entity.pk,
        "rule": rule.pk,
        "now": now,
        "actor": _ACTOR.label,
        "open": bulk.array(OPEN_STATES),
        "days": days,
        "by_age": [int(grades.by_age(age)) for age in ages],
        "currencies": list(rates),
        "rates": list(rates.values()),
        "least": [grades.amounts.get(severity) for severity in Severity],
        "unknown": int(Severity.HIGH),
        "names": bulk.array(str(severity.label) for severity in Severity),
        "classes": bulk.array(row[0] for row in limits),
        "severities": [int(row[1]) for row in limits],
        "own": [row[2] for row in limits],
        "resolve": [row[3] for row in limits],
    }
    ((changed,),) = statements.rows(statements.text("grade_breaks.sql"), values)
    return int(changed)


def _rates(found: Iterable[str], entity: LegalEntity, now: datetime) -> dict[str, Decimal | None]:
    """How much of the reporting currency one of each is, by the newest rate of the last month; None without one."""
    rates: dict[str, Decimal | None] = {}
    for code in found:
        try:
            oldest = now.date() - timedelta(days=_RATE_DAYS)
            rates[code] = currencies.quoted(code, entity.reporting_currency_id, now.date(), oldest=oldest).rate
        except currencies.NoRate:
            rates[code] = None
    return rates
