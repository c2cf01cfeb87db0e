"""How the lists of requests and rules narrow."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from backoffice.approvals.models import OPEN, State
from backoffice.ui import filters


class OpenOrState(filters.MultiChoice):
    """States; without a choice those named (`unsaid`): that is the work."""

    def __init__(self, *unsaid: State) -> None:
        super().__init__("state", "State", State.choices)
        self.unsaid = unsaid

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        return qs.filter(state__in=value or self.unsaid)


class RequestFilters(filters.Filters):
    state = OpenOrState(*OPEN)
    mine = filters.Mine("maker", "Asked by me")
    asked = filters.MomentRange("requested_at", "Asked")
    entity = filters.Entities()


class DecideFilters(filters.Filters):
    asked = filters.MomentRange("requested_at", "Asked")
    entity = filters.Entities()


class MyFilters(filters.Filters):
    state = OpenOrState(*OPEN, State.RETURNED)
    asked = filters.MomentRange("requested_at", "Asked")


class InForce(filters.YesNo):
    """Rules in force; on wish, those that ended, or both."""

    unsaid = "Yes"

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        return qs.filter(ended_at__isnull=value != "no")


class PolicyFilters(filters.Filters):
    in_force = InForce("ended_at", "In force")
    action = filters.Exact("action", "Action")
