"""How the list of requests narrows."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from backoffice.approvals.models import OPEN, State
from backoffice.ui import filters


class OpenOrState(filters.MultiChoice):
    """States; without a choice, the open ones: that is the work."""

    def __init__(self) -> None:
        super().__init__("state", "State", State.choices)

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        return qs.filter(state__in=value or OPEN)


class RequestFilters(filters.Filters):
    state = OpenOrState()
    mine = filters.Mine("maker", "Asked by me")
    asked = filters.MomentRange("requested_at", "Asked")
    entity = filters.Entities()
