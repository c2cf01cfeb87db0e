"""Who could decide a request: active people with one of the permissions who work in its entity."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Q, QuerySet
from guardian.shortcuts import get_users_with_perms

from backoffice.organisation.models import LegalEntity, User


def holders(permissions: Iterable[str], entity: LegalEntity) -> QuerySet[User]:
    """People who hold one of the permissions and work in the entity. Used to tell people and to count them; whether
    somebody may decide is asked again, of `scope`, when they do."""
    wanted = Q(pk__in=[])
    for name in {name for name in permissions if name}:
        app, _, codename = name.partition(".")
        for path in ("user_permissions", "groups__permissions"):
            wanted |= Q(**{f"{path}__content_type__app_label": app, f"{path}__codename": codename})
    here: Any = get_users_with_perms(
        entity, only_with_perms_in=["work_in_legalentity"], with_superusers=False, with_group_users=True
    )
    return User.objects.filter(wanted, is_active=True, pk__in=here).distinct().order_by("pk")
