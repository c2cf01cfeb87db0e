"""How the lists of breaks and runs narrow."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.safestring import SafeString

from backoffice.ui import controls, filters
from reconciliation.models import CLASSES, OPEN_STATES, BreakState, Kind, RunState


class OpenOrState(filters.MultiChoice):
    """States; without a choice, the open ones: that is the work."""

    def __init__(self) -> None:
        super().__init__("state", "State", BreakState.choices)

    def control(self, name: str, data: QueryDict, error: str) -> SafeString:
        label = self.label if data.getlist(name) else f"{self.label}: open ones"
        return controls.multi(name, label, data.getlist(name), self.options, error=error)

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        return qs.filter(state__in=value or OPEN_STATES)


class BreakFilters(filters.Filters):
    state = OpenOrState()
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
