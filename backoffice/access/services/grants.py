"""Giving and taking roles. Giving is what an approved request says and nothing else; the database looks it up.

check_* -> the request, where nothing is written  |  grant, break_glass, revoke -> run by approvals
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.contrib.auth.models import Group
from django.db import transaction
from guardian.shortcuts import assign_perm, remove_perm

from backoffice.access.models import BREAK_GLASS_MOST, Grant, Kind, SetupEnd
from backoffice.access.services import notices, pairs
from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor, Person, System
from backoffice.kernel.errors import DomainError, NotFound
from backoffice.organisation.duties import CODES
from backoffice.organisation.models import Desk, LegalEntity, User
from backoffice.organisation.selectors import scope
from backoffice.organisation.services.sessions import end_sessions

WORK_ENTITY, WORK_DESK = "organisation.work_in_legalentity", "organisation.work_in_desk"


def check_grant(
    *,
    actor: Person,
    user_id: int,
    role: str,
    entities: Sequence[int],
    desks: Sequence[int],
    until: datetime | None,
    break_glass: bool = False,
) -> User:
    """Whether this could be given as of now: the person, the role, its pairs, the places. Writes nothing."""
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None:
        raise NotFound("There is no such person, or they have been deactivated.")
    if role not in CODES:
        raise DomainError(f"There is no role {role}.")
    if until is not None and until <= clock.now():
        raise DomainError("The end of the grant is in the past. Choose a later one.")
    mine = set(scope.entity_ids(User.objects.get(pk=actor.user_id)))
    if not set(entities) <= mine:
        raise DomainError("Roles are asked for and approved by people who work in the same entities.")
    if Desk.objects.filter(pk__in=desks, entity__in=entities).count() != len(set(desks)):
        raise DomainError("Each desk has to be one of the chosen entities.")
    if list(entities) != sorted(set(entities)) or list(desks) != sorted(set(desks)):
        raise DomainError("Entities and desks are named once, in ascending order.")
    pairs.require_roles_fit(user_id=user_id, roles=[role], break_glass=break_glass)
    return user


@transaction.atomic
def grant(
    *,
    actor: Person,
    user_id: int,
    role: str,
    entities: Sequence[int],
    desks: Sequence[int],
    until: datetime | None,
    request_id: int,
) -> Grant:
    """Give a role with its places, as request `request_id` says; the person's sessions end."""
    return _give(
        actor=actor,
        kind=Kind.GRANT,
        user_id=user_id,
        role=role,
        entities=entities,
        desks=desks,
        until=until,
        request_id=request_id,
    )


def check_break_glass(*, actor: Person, user_id: int, role: str, entities: Sequence[int], until: datetime) -> User:
    """Whether the role could be given for these hours. An auditor gets none, and nobody an auditor's."""
    if until > clock.now() + BREAK_GLASS_MOST:
        hours = int(BREAK_GLASS_MOST.total_seconds() // 3600)
        raise DomainError(f"Break-glass lasts {hours} hours at most. Choose an earlier end.")
    return check_grant(
        actor=actor, user_id=user_id, role=role, entities=entities, desks=(), until=until, break_glass=True
    )


@transaction.atomic
def break_glass(
    *,
    actor: Person,
    user_id: int,
    role: str,
    entities: Sequence[int],
    desks: Sequence[int],
    until: datetime,
    request_id: int,
) -> Grant:
    """Give a role for a few hours, tell the auditors, and let it end by itself."""
    given = _give(
        actor=actor,
        kind=Kind.BREAK_GLASS,
        user_id=user_id,
        role=role,
        entities=entities,
        desks=desks,
        until=until,
        request_id=request_id,
    )
    notices.break_glass(given)
    return given


@transaction.atomic
def revoke(*, actor: Actor, user_id: int, role: str, reason: str = "revoked") -> User:
    """Take a role away, with the places that only it brought; the person's sessions end."""
    user = User.objects.select_for_update().get(pk=user_id)
    require_held(user=user, role=role)
    grants = list(Grant.objects.select_for_update().filter(user=user, role=role, ended_at=None).order_by("pk"))
    end(actor=actor, user=user, grants=grants, roles=[role], reason=reason)
    return user


def require_held(*, user: User, role: str) -> None:
    if not user.groups.filter(name=role).exists():
        raise DomainError(f"{user} does not hold {role} any more.")


@transaction.atomic
def set_up(*, actor: Actor, user: User, role: str, entities: Sequence[int]) -> Grant:
    """Give somebody of the first staff a role, while the set-up of the installation has not ended."""
    if SetupEnd.objects.exists():
        raise DomainError("The set-up has ended: roles are asked for, and approved by a second person.")
    pairs.require_roles_fit(user_id=user.pk, roles=[role])
    given = Grant.objects.create(
        user=user, role=role, kind=Kind.SETUP, entities=sorted(entities), granted_at=clock.now()
    )
    _enter(given)
    audit.record(actor=actor, action="access.set_up", target=given, data=_said(given))
    return given


def end(*, actor: Actor, user: User, grants: Sequence[Grant], roles: Sequence[str], reason: str) -> None:
    """End grants of one person and take out of the tables of rights what no other grant of theirs brings."""
    end_sessions(actor=actor, user_id=user.pk, reason="roles changed")
    now = clock.now()
    for given in grants:
        given.ended_at, given.end_reason = now, reason[:120]
        given.save(update_fields=["ended_at", "end_reason"])
        audit.record(actor=actor, action="access.ended", target=given, data={**_said(given), "reason": reason})
    left = list(Grant.objects.filter(user=user, ended_at=None))
    gone = set(roles) - {given.role for given in left}
    user.groups.remove(*Group.objects.filter(name__in=gone))
    for entity in LegalEntity.objects.filter(pk__in=_only_in(grants, left, "entities")):
        remove_perm(WORK_ENTITY, user, entity)
    for desk in Desk.objects.filter(pk__in=_only_in(grants, left, "desks")):
        remove_perm(WORK_DESK, user, desk)
    if not grants:
        audit.record(actor=actor, action="access.role_removed", target=user, data={"roles": sorted(gone)})


@transaction.atomic
def end_due() -> int:
    """End what has run out. Called by schedule; until then it does not count (selectors/rights.py)."""
    due = Grant.objects.select_for_update(skip_locked=True, of=("self",)).filter(ended_at=None, until__lte=clock.now())
    count = 0
    for given in due.select_related("user").order_by("pk"):
        end(actor=System("access.end_due"), user=given.user, grants=[given], roles=[given.role], reason="ran out")
        count += 1
    return count


def _give(
    *,
    actor: Person,
    kind: Kind,
    user_id: int,
    role: str,
    entities: Sequence[int],
    desks: Sequence[int],
    until: datetime | None,
    request_id: int,
) -> Grant:
    User.objects.select_for_update().get(pk=user_id)
    user = check_grant(
        actor=actor,
        user_id=user_id,
        role=role,
        entities=entities,
        desks=desks,
        until=until,
        break_glass=kind == Kind.BREAK_GLASS,
    )
    if actor.user_id == user_id:
        raise DomainError("Nobody approves a role for themselves.")
    given = Grant.objects.create(
        user=user,
        role=role,
        kind=kind,
        entities=list(entities),
        desks=list(desks),
        granted_at=clock.now(),
        until=until,
        request_id=request_id,
    )
    end_sessions(actor=actor, user_id=user.pk, reason="roles changed")
    _enter(given)
    audit.record(actor=actor, action="access.granted", target=given, data=_said(given))
    return given


def _enter(given: Grant) -> None:
    """Write the grant into the tables of rights, which the database allows only behind it."""
    given.user.groups.add(Group.objects.get(name=given.role))
    for entity in LegalEntity.objects.filter(pk__in=given.entities):
        assign_perm(WORK_ENTITY, given.user, entity)
    for desk in Desk.objects.filter(pk__in=given.desks):
        assign_perm(WORK_DESK, given.user, desk)


def _only_in(grants: Sequence[Grant], left: Sequence[Grant], name: str) -> set[int]:
    kept = {pk for given in left for pk in getattr(given, name)}
    return {pk for given in grants for pk in getattr(given, name)} - kept


def _said(given: Grant) -> dict[str, object]:
    return {
        "user": given.user_id,
        "role": given.role,
        "kind": given.kind,
        "entities": given.entities,
        "desks": given.desks,
        "until": given.until,
        "request": given.request_id,
    }
