"""How much waits for a person: to decide, to change, to read."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from backoffice.approvals.models import Notice, Request, State
from backoffice.approvals.selectors.sight import held_of
from backoffice.kernel import clock
from backoffice.organisation.models import User
from backoffice.organisation.selectors import scope

_MOST = 100


def decidable(user: User, rows: QuerySet[Request]) -> QuerySet[Request]:
    """Those of the requests that this person may decide or execute now and has no part in."""
    held = held_of(user)
    deciding = Q(approve_permission__in=held) | Q(second_permission__in=held)
    wanted = Q(deciding, state=State.PENDING) | Q(state=State.APPROVED, execute_permission__in=held)
    open_ = rows.filter(wanted, expires_at__gt=clock.now(), entity__in=scope.entity_ids(user) if held else [])
    return open_.exclude(participations__person=user)


def waiting_for(user: User) -> int:
    """How many requests wait for this person's decision; counting stops at 100."""
    return decidable(user, Request.objects.all()).order_by()[:_MOST].count()


def returned_to(user: User) -> int:
    """How many of the person's own requests wait for a new version."""
    return Request.objects.filter(maker=user, state=State.RETURNED, replaced_by=None).order_by()[:_MOST].count()


def unread(user: User) -> int:
    """How many notices the person has not read."""
    return Notice.objects.filter(person=user, read_at=None).order_by()[:_MOST].count()
