"""How the lists of breaks and runs narrow."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.utils.safestring import SafeString

from backoffice.kernel import clock
from backoffice.ui import controls, filters
from reconciliation.models import CLASSES, OPEN_STATES, BreakState, Kind, Rung, RunState, Severity, SuggestionState
from reconciliation.selectors.open_breaks import BUCKETS, aged


class OpenOrState(filters.MultiChoice):
    """States; without a choice, the open ones: that is the work."""

    def __init__(self) -> None:
        super().__init__("state", "State", BreakState.choices)

    def control(self, name: str, data: QueryDict, error: str) -> SafeString:
        label = self.label if data.getlist(name) else f"{self.label}: open ones"
        return controls.multi(name, label, data.getlist(name), self.options, error=error)

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        return qs.filter(state__in=value or OPEN_STATES)


class WhatItIsAbout(filters.Search):
    """Breaks by the reference or payout, the ticket or login they are about, or by their number."""

    def __init__(self) -> None:
        super().__init__(("refs", "contains"), hint="reference, ticket, login, break")

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        if not value:
            return qs
        found = Q(refs__contains={"reference": value.strip()})
        if value.strip().isascii() and value.strip().isdigit() and len(value) < 18:
            number = int(value)
            found |= Q(pk=number) | Q(refs__contains={"ticket": number}) | Q(refs__contains={"login": number})
        return qs.filter(found)


class MatchedReference(filters.Search):
    """Matches by the beginning of what they are about: a reference or a payout."""

    def __init__(self) -> None:
        super().__init__(("key", "startswith"), hint="reference, payout")

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        said = value.strip()
        return qs.filter(Q(key__startswith=f"ref:{said}") | Q(key__startswith=f"payout:{said}")) if said else qs


class Overdue(filters.YesNo):
    """Open breaks that nobody has taken in time, or that are not closed in time."""

    def __init__(self) -> None:
        super().__init__("overdue", "Overdue")

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        if not value:
            return qs
        late = Q(resolve_by__lte=clock.now()) | Q(assignee=None, own_by__lte=clock.now())
        over = Q(state__in=OPEN_STATES) & late
        return qs.filter(over) if value == "yes" else qs.exclude(pk__in=qs.filter(over).values("pk"))


class Ageing(filters.Choice):
    """Open breaks by their age in business days of their entity's calendar."""

    def __init__(self) -> None:
        super().__init__("business_date", "Age", [(label, f"{label} business days") for label, _ in BUCKETS])

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        return qs.filter(aged(value, clock.today()), state__in=OPEN_STATES) if value else qs


class BreakFilters(filters.Filters):
    search = WhatItIsAbout()
    state = OpenOrState()
    severity = filters.MultiChoice("severity", "Severity", [(str(value), label) for value, label in Severity.choices])
    overdue = Overdue()
    age = Ageing()
    kind = filters.Choice("kind", "Reconciliation", [(k.value, k.value) for k in Kind])
    klass = filters.MultiChoice("klass", "Class", [(c.code, c.title) for c in CLASSES.values()])
    day = filters.DateRange("business_date", "Business day")
    role = filters.Choice("owner_role", "Desk", [(r, r) for r in sorted({c.owner for c in CLASSES.values()})])
    mine = filters.Mine("assignee")
    entity = filters.Entities()


class RunFilters(filters.Filters):
    kind = filters.Choice("kind", "Reconciliation", [(k.value, k.value) for k in Kind])
    state = filters.MultiChoice("state", "State", RunState.choices)
    day = filters.DateRange("business_date", "Business day")
    entity = filters.Entities()


class ClientMoneyFilters(filters.Filters):
    day = filters.DateRange("as_of", "Close of")
    entity = filters.Entities()


class MatchFilters(filters.Filters):
    search = MatchedReference()
    rung = filters.MultiChoice("rung", "Rung", Rung.choices)
    made = filters.MomentRange("made_at", "Made")
    entity = filters.Entities()


class OpenOrDecided(filters.MultiChoice):
    """States; without a choice, the open ones: that is the work."""

    def __init__(self) -> None:
        super().__init__("state", "State", SuggestionState.choices)

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        return qs.filter(state__in=value or [SuggestionState.OPEN])


class SuggestionFilters(filters.Filters):
    search = filters.Prefix("reference", "Reference")
    state = OpenOrDecided()
    rung = filters.MultiChoice("rung", "Rung", Rung.choices)
    day = filters.DateRange("business_date", "Day")
    entity = filters.Entities()


class SettlementFilters(filters.Filters):
    payout = filters.Exact("payout_key", "Payout")
    day = filters.DateRange("business_date", "Day")
    entity = filters.Entities()
