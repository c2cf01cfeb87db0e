"""How the list of grants narrows."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet

from backoffice.access.models import Kind
from backoffice.kernel import clock
from backoffice.organisation.duties import TITLES
from backoffice.ui import filters


class InForce(filters.Choice):
    """In force, or ended (what has run out has ended)."""

    def __init__(self) -> None:
        super().__init__("ended_at", "State", [("live", "in force"), ("ended", "ended")])

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        live = Q(ended_at=None) & (Q(until=None) | Q(until__gt=clock.now()))
        return qs.filter(live) if value == "live" else qs.filter(~live) if value == "ended" else qs


class GrantFilters(filters.Filters):
    state = InForce()
    role = filters.MultiChoice("role", "Role", list(TITLES.items()))
    kind = filters.MultiChoice("kind", "How", Kind.choices)
    user = filters.Prefix("user__username", "User name")
