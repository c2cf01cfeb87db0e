"""Which requests a person may see: those of the entities they work in, and of these no more than is theirs to know.

A request is visible with approvals.view_request and the action's own `view` permission. Who asked, or holds one of
the permissions it waits for, sees it anyway.
"""

from __future__ import annotations

from typing import TypeVar

from django.db.models import BigIntegerField, CharField, Exists, Func, Model, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Cast

from backoffice.approvals import registry
from backoffice.approvals.models import Policy, Request
from backoffice.organisation.models import User
from backoffice.organisation.selectors import scope

M = TypeVar("M", bound=Model)
VIEW = "approvals.view_request"


def visible(user: User, rows: QuerySet[M], prefix: str = "") -> QuerySet[M]:
    """The rows this person may see; `prefix` leads from a row to its request ("request__")."""
    return scope.visible(user, rows, VIEW, f"{prefix}entity").filter(known_to(user, prefix))


def known_to(user: User, prefix: str = "") -> Q:
    views = [action.view for action in registry.all_actions() if action.view and scope.may(user, action.view)]
    mine = Q(**{f"{prefix}view_permission__in": ["", *views]}) | Q(**{f"{prefix}maker": user.pk})
    held = held_of(user)
    for field in ("approve_permission", "second_permission", "execute_permission"):
        mine |= Q(**{f"{prefix}{field}__in": held})
    return mine


def held_of(user: User) -> list[str]:
    """The permissions to decide or execute anything that this person holds; read once per user object."""
    known: list[str] | None = getattr(user, "_deciding_permissions", None)
    if known is None:
        names = {action.decide for action in registry.all_actions()}
        columns = ("approve_permission", "second_permission", "execute_permission")
        for row in Policy.objects.order_by().values_list(*columns).distinct():
            names.update(name for name in row if name)
        known = sorted(name for name in names if scope.may(user, name))
        user._deciding_permissions = known  # type: ignore[attr-defined]
    return known


def may_decide(user: User, row: Request) -> bool:
    """Whether the person holds one of the permissions to approve this request."""
    second = bool(row.second_permission) and scope.may(user, row.second_permission)
    return second or scope.may(user, row.approve_permission)


def hidden_entries(user: User) -> Q | None:
    """Entries of the audit log about requests that this person could not open: what was asked, and why it was rejected
    or returned, is for those who may read the request itself. Whoever verifies the log reads all of it."""
    if scope.may(user, "audit.verify_log"):
        return None
    label = f"{Request._meta.label_lower}:"
    number = Func(OuterRef("target"), Value(f"^{label}([0-9]+)$"), function="substring", output_field=CharField())
    rows = Request.objects.order_by()
    known = visible(user, rows) if scope.may(user, VIEW) else rows.none()
    return Q(~Exists(known.filter(pk=Cast(number, BigIntegerField()))), target__startswith=label)
