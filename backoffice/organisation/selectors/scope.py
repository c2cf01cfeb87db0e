"""Which rows a person may see: decided here and nowhere else.

Two questions, two answers. *What* may a person do: Django permissions, held through role groups. *Where*:
guardian's object permission `work_in_legalentity` on each legal entity. A row is visible when both say yes.
There is no bypass for superusers: they administer, they do not work here.
"""

from __future__ import annotations

from typing import TypeVar

from django.contrib.auth.models import AnonymousUser
from django.db import models
from guardian.shortcuts import get_objects_for_user

from backoffice.kernel.errors import NotPermitted
from backoffice.organisation.models import LegalEntity, User

M = TypeVar("M", bound=models.Model)
Visitor = User | AnonymousUser


def entities_of(user: Visitor) -> models.QuerySet[LegalEntity]:
    """The legal entities a person works in."""
    if not isinstance(user, User) or not user.is_active:
        return LegalEntity.objects.none()
    found: models.QuerySet[LegalEntity] = get_objects_for_user(
        user,
        "organisation.work_in_legalentity",
        LegalEntity,
        with_superuser=False,
        accept_global_perms=False,
    )
    return found


def entity_ids(user: Visitor) -> list[int]:
    """The ids of `entities_of`, read once per user object (that is, once per request)."""
    known: list[int] | None = getattr(user, "_entity_ids", None)
    if known is None:
        known = sorted(entities_of(user).values_list("pk", flat=True))
        user._entity_ids = known  # type: ignore[union-attr]
    return known


def may(user: Visitor, permission: str) -> bool:
    """Whether the person's roles include the permission. Superusers get no shortcut."""
    if not isinstance(user, User) or not user.is_active:
        return False
    if permission == "":
        return True
    held: set[str] | None = getattr(user, "_held_permissions", None)
    if held is None:
        held = _held(user)
        user._held_permissions = held  # type: ignore[attr-defined]
    return permission in held


def require(user: Visitor, permission: str) -> None:
    if not may(user, permission):
        raise NotPermitted(permission)


def visible(
    user: Visitor, queryset: models.QuerySet[M], permission: str, entity_path: str = "entity"
) -> models.QuerySet[M]:
    """The rows of `queryset` this person may see with `permission`.

    `entity_path` is the lookup from the row to its legal entity; an empty path marks data that belongs to no
    entity (currencies, holidays). Raises NotPermitted when the permission itself is missing.
    """
    require(user, permission)
    if not entity_path:
        return queryset
    return queryset.filter(**{f"{entity_path}__in": entity_ids(user)})


def _held(user: User) -> set[str]:
    rows = user.user_permissions.model.objects.filter(models.Q(group__user=user) | models.Q(user=user)).values_list(
        "content_type__app_label", "codename"
    )
    return {f"{app}.{codename}" for app, codename in rows}
