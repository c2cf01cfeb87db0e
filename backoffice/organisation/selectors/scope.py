"""Which rows a person may see: decided here and nowhere else.

Two questions, two answers. *What* may a person do: Django permissions, held through role groups. *Where*: guardian's
object permissions, `work_in_legalentity` on each entity and `work_in_desk` on desks. A row is visible when both say
yes; somebody who has desks of an entity sees only the clients of these desks there, everybody else the whole entity.

guardian's other answers are not taken: no right over all objects, none through groups, no bypass for superusers (they
administer, they do not work here). What is read is kept for one user object only, that is, for one request.
Rights that have run out or that exclude each other do not count (`limit_with`: backoffice.access says which).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from django.contrib.auth.models import AnonymousUser, Group, Permission
from django.db import models
from django.db.models import Q
from guardian.shortcuts import get_objects_for_user

from backoffice.kernel.errors import NotPermitted
from backoffice.organisation.models import Desk, LegalEntity, User

M = TypeVar("M", bound=models.Model)
Visitor = User | AnonymousUser
# From a row to its desk: a lookup ("client__desk"), or what the row must fulfil to belong to one of these desks.
DeskPath = str | Callable[[Sequence[int]], Q]


@dataclass(frozen=True, slots=True)
class Limits:
    """What of a person's rights does not count now: roles and places that have run out, permissions withheld."""

    roles: frozenset[str] = frozenset()
    entities: frozenset[int] = frozenset()
    desks: frozenset[int] = frozenset()
    permissions: frozenset[str] = frozenset()


Limiter = Callable[[User, frozenset[str]], Limits]
_limiters: list[Limiter] = []
_desk_paths: dict[type[models.Model], DeskPath] = {}


def limit_with(limiter: Limiter) -> None:
    """Register who knows what does not count; gets the person and the codes of the roles they hold on paper."""
    assert not _limiters, "there is already somebody who limits rights"
    _limiters.append(limiter)


def by_desk(model: type[models.Model], path: DeskPath) -> None:
    """Say how rows of a model belong to a client's desk; without it, desks do not narrow the model."""
    assert model not in _desk_paths, f"two desk paths for {model._meta.label}"
    _desk_paths[model] = path


def desk_models() -> list[type[models.Model]]:
    """The models that desks narrow."""
    return list(_desk_paths)


def entities_of(user: Visitor) -> models.QuerySet[LegalEntity]:
    """The legal entities a person works in."""
    if not isinstance(user, User) or not user.is_active:
        return LegalEntity.objects.none()
    found: models.QuerySet[LegalEntity] = get_objects_for_user(
        user,
        "organisation.work_in_legalentity",
        LegalEntity,
        use_groups=False,
        with_superuser=False,
        accept_global_perms=False,
    )
    ended = _standing(user).limits.entities
    return found.exclude(pk__in=ended) if ended else found


def entity_ids(user: Visitor) -> list[int]:
    """The ids of `entities_of`, read once per user object (that is, once per request)."""
    known: list[int] | None = getattr(user, "_entity_ids", None)
    if known is None:
        known = sorted(entities_of(user).values_list("pk", flat=True))
        user._entity_ids = known  # type: ignore[union-attr]
    return known


def desk_ids(user: Visitor) -> dict[int, list[int]]:
    """The person's desks by entity; an entity that is not in it is open as a whole. Read once per user object."""
    if not isinstance(user, User) or not user.is_active:
        return {}
    known: dict[int, list[int]] | None = getattr(user, "_desk_ids", None)
    if known is None:
        rows = get_objects_for_user(
            user,
            "organisation.work_in_desk",
            Desk,
            use_groups=False,
            with_superuser=False,
            accept_global_perms=False,
        ).values_list("entity_id", "pk")
        known, ended = {}, _standing(user).limits.desks
        for entity_id, pk in rows:
            # A desk that has run out still narrows: nobody sees more because a right has ended.
            known.setdefault(entity_id, []).extend([pk] if pk not in ended else [])
        user._desk_ids = known  # type: ignore[attr-defined]
    return known


def may(user: Visitor, permission: str) -> bool:
    """Whether the person's roles include the permission. Superusers get no shortcut."""
    if not isinstance(user, User) or not user.is_active:
        return False
    return permission == "" or permission in _standing(user).permissions


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
    path = _desk_paths.get(queryset.model)
    desks = desk_ids(user) if path is not None else {}
    if path is None or not desks:
        return queryset.filter(**{f"{entity_path}__in": entity_ids(user)})
    whole = [pk for pk in entity_ids(user) if pk not in desks]
    mine = [desk for pk in entity_ids(user) for desk in desks.get(pk, ())]
    at_desk = Q(**{f"{path}__in": mine}) if isinstance(path, str) else path(mine)
    narrowed = Q(**{f"{entity_path}__in": [pk for pk in entity_ids(user) if pk in desks]}) & at_desk
    return queryset.filter(Q(**{f"{entity_path}__in": whole}) | narrowed)


def beyond_desk(user: Visitor, entity_id: int, desk_id: int | None) -> bool:
    """Whether the person sees a row of this desk only because their scope is wider than the desk: they work in the
    whole entity. Opening a client so is a sensitive read."""
    return desk_id is not None and desk_id not in desk_ids(user).get(entity_id, ())


def withhold(user: User, permissions: Iterable[str]) -> None:
    """Take permissions from this user object, that is, for one request. It never gives any; a user that is read anew
    has them again."""
    known = _standing(user)
    user._standing = replace(known, permissions=known.permissions - frozenset(permissions))  # type: ignore[attr-defined]


def roles_of(user: User) -> frozenset[str]:
    """The roles of a person that count now."""
    return _standing(user).roles


@dataclass(frozen=True, slots=True)
class _Standing:
    roles: frozenset[str]
    permissions: frozenset[str]
    limits: Limits


def _standing(user: User) -> _Standing:
    """Roles and permissions that count, read once per user object."""
    known: _Standing | None = getattr(user, "_standing", None)
    if known is None:
        groups = dict(Group.objects.filter(user=user).values_list("name", "pk"))
        limits = _limiters[0](user, frozenset(groups)) if _limiters else Limits()
        counted = [pk for name, pk in groups.items() if name not in limits.roles]
        rows = Permission.objects.filter(Q(group__in=counted) | Q(user=user))
        held = {f"{app}.{codename}" for app, codename in rows.values_list("content_type__app_label", "codename")}
        known = _Standing(frozenset(groups) - limits.roles, frozenset(held) - limits.permissions, limits)
        user._standing = known  # type: ignore[attr-defined]
    return known
