"""How much waits for a person's decision."""

from __future__ import annotations

from django.db.models import Q

from backoffice.approvals.models import Request, State
from backoffice.organisation.models import User
from backoffice.organisation.selectors import scope

_MOST = 100


def waiting_for(user: User) -> int:
    """Open requests that this person may decide or execute and has no part in; counting stops at 100."""
    held = [p for p in _permissions() if scope.may(user, p)]
    if not held:
        return 0
    wanted = Q(state=State.PENDING, approve_permission__in=held) | Q(state=State.APPROVED, execute_permission__in=held)
    rows = Request.objects.filter(wanted, entity__in=scope.entity_ids(user)).exclude(participations__person=user)
    return rows.order_by()[:_MOST].count()


def _permissions() -> set[str]:
    rows = Request.objects.filter(state__in=[State.PENDING, State.APPROVED]).order_by()
    pairs = rows.values_list("approve_permission", "execute_permission").distinct()
    return {name for pair in pairs for name in pair if name}
