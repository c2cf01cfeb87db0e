"""Use cases of access that stand behind four eyes: roles given and taken, break-glass, waivers of a pair.

The person who gets something never decides about it, whoever asked; the database says so as well (sql/guards.sql).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backoffice.access.models import Waiver
from backoffice.access.selectors import rights
from backoffice.access.services import grants, waivers
from backoffice.approvals import registry
from backoffice.approvals.registry import Action, Change, Check, Level
from backoffice.organisation import pairs
from backoffice.organisation.duties import TITLES
from backoffice.organisation.models import Desk, EntityAccess, LegalEntity, User

GRANT, REVOKE, BREAK_GLASS, WAIVE = "access.grant", "access.revoke", "access.break_glass", "access.waive"
ASK, DECIDE, VIEW, ASK_GLASS = (
    "access.ask_grant",
    "access.approve_grant",
    "access.view_grant",
    "access.ask_break_glass",
)


@dataclass(frozen=True, slots=True)
class RoleGrant:
    """Give `role` to a person, in these entities and, in them, at these desks only (none: the whole entity)."""

    user_id: int
    role: str
    entities: tuple[int, ...]
    desks: tuple[int, ...]
    until: datetime | None


@dataclass(frozen=True, slots=True)
class BreakGlass:
    """Give `role` for a few hours."""

    user_id: int
    role: str
    entities: tuple[int, ...]
    desks: tuple[int, ...]
    until: datetime


@dataclass(frozen=True, slots=True)
class RoleRevoke:
    """Take `role` from a person, with the places that only it brought."""

    user_id: int
    role: str


@dataclass(frozen=True, slots=True)
class PairWaiver:
    """Waive a forbidden pair for a person."""

    user_id: int
    pair: int
    until: datetime
    why: str


GIVING = {
    "JOINER": "new in the team",
    "MOVER": "other duties",
    "COVER": "stands in for somebody",
    registry.OTHER: "other",
}


TAKING = {"LEAVER": "leaves the house", "MOVER": "other duties", "RISK": "risk", registry.OTHER: "other"}
GLASS = {"ABSENCE": "nobody else is there", "INCIDENT": "incident", registry.OTHER: "other"}
WAIVING = {"SMALL_FIRM": "too few people", "COVER": "stands in for somebody", registry.OTHER: "other"}


def register_all() -> None:
    giving: dict[str, Any] = {"target": _role_target, "target_version": _standing, "changes": _changes}
    for action in (
        Action(
            name=GRANT,
            title="A role for a person",
            payload=RoleGrant,
            use_case=grants.grant,
            rehearse=grants.check_grant,
            ask=ASK,
            summary=_summary,
            reasons=GIVING,
            **{**_SHARED, **giving},
        ),
        Action(
            name=BREAK_GLASS,
            title="Break-glass: a role for hours",
            payload=BreakGlass,
            use_case=grants.break_glass,
            rehearse=_check_glass,
            ask=ASK_GLASS,
            summary=_summary,
            reasons=GLASS,
            **{**_SHARED, **giving},
        ),
        Action(
            name=REVOKE,
            title="Take a role from a person",
            payload=RoleRevoke,
            use_case=_revoke,
            rehearse=_check_revoke,
            ask=ASK,
            summary=lambda p: f"Take {p.role} from {_name(p.user_id)}",
            reasons=TAKING,
            **{**_SHARED, **giving},
        ),
        Action(
            name=WAIVE,
            title="Waive a forbidden pair",
            payload=PairWaiver,
            use_case=waivers.waive,
            rehearse=waivers.check_waiver,
            ask=ASK,
            target=lambda p: f"organisation.user:{p.user_id}/pair {p.pair}",
            summary=lambda p: f"Waive pair {p.pair} for {_name(p.user_id)} until {p.until:%Y-%m-%d}",
            reasons=WAIVING,
            **_SHARED,
        ),
    ):
        registry.register(action)


def decided_in(payload: Any) -> int:
    """The entity whose management decides: the first of those asked for, else the first the person works in."""
    asked = getattr(payload, "entities", ())
    if asked:
        return int(asked[0])
    theirs = EntityAccess.objects.filter(user=payload.user_id).order_by("content_object").first()
    found = theirs.content_object_id if theirs else LegalEntity.objects.order_by("pk").values_list("pk", flat=True)[0]
    return int(found)


def _revoke(*, actor: Any, user_id: int, role: str, request_id: int) -> User:
    return grants.revoke(actor=actor, user_id=user_id, role=role, reason=f"request {request_id}")


def _check_revoke(*, actor: Any, user_id: int, role: str) -> None:
    grants.require_held(user=User.objects.get(pk=user_id), role=role)


def _check_glass(
    *, actor: Any, user_id: int, role: str, entities: tuple[int, ...], desks: tuple[int, ...], until: datetime
) -> None:
    grants.check_break_glass(actor=actor, user_id=user_id, role=role, entities=entities, until=until)


def _held(user_id: int) -> list[str]:
    return sorted(User.objects.get(pk=user_id).groups.values_list("name", flat=True))


def _standing(payload: Any) -> str:
    """A request is stale once the person has gone, or has the role, or has lost it. Other roles that came meanwhile
    are looked at again, pair by pair, when it is carried out."""
    user = User.objects.get(pk=payload.user_id)
    return (
        f"{'active' if user.is_active else 'gone'} {'with' if payload.role in _held(user.pk) else 'without'} the role"
    )


def _name(user_id: int) -> str:
    return str(User.objects.get(pk=user_id))


def _summary(payload: Any) -> str:
    until = f" until {payload.until:%Y-%m-%d %H:%M}" if payload.until else ""
    return f"{payload.role} for {_name(payload.user_id)} in {_codes(payload.entities)}{until}"


def _codes(entities: Iterable[int]) -> str:
    return ", ".join(LegalEntity.objects.filter(pk__in=entities).values_list("code", flat=True)) or "no entity"


def _changes(payload: Any) -> list[Change]:
    before = _held(payload.user_id)
    gives = not isinstance(payload, RoleRevoke)
    after = sorted({*before, payload.role} if gives else set(before) - {payload.role})
    rows = [Change("Roles", ", ".join(before) or "none", ", ".join(after) or "none")]
    if gives:
        now = EntityAccess.objects.filter(user=payload.user_id).values_list("content_object", flat=True)
        rows.append(Change("Entities", _codes(now), _codes({*now, *payload.entities})))
        rows.append(Change("Until", "", f"{payload.until:%Y-%m-%d %H:%M} UTC" if payload.until else "no end"))
    if gives and payload.desks:
        rows.append(Change("Desks", "", ", ".join(map(str, Desk.objects.filter(pk__in=payload.desks)))))
    return rows


def _checks(payload: Any) -> list[Check]:
    if not hasattr(payload, "role"):
        return []
    if isinstance(payload, RoleRevoke):
        return [Check(Level.GREEN, "Role", f"{TITLES[payload.role]}: rights only become fewer")]
    roles = {*_held(payload.user_id), payload.role}
    met = [conflict for conflict in pairs.between(roles) if payload.role in (conflict.role, conflict.other)]
    held = set(Waiver.objects.filter(user=payload.user_id, ended_at=None).values_list("pair", flat=True))
    left = rights.unwaived(payload.user_id, met, rights.live_grants(payload.user_id))
    level = Level.RED if left else Level.AMBER if met else Level.GREEN
    words = "; ".join(str(pairs.pair(conflict.pair)) for conflict in met) or "none"
    waived = f" (waived: {', '.join(map(str, sorted(held)))})" if held and met else ""
    return [Check(level, "Forbidden pairs", words + waived)]


def _role_target(payload: Any) -> str:
    return f"organisation.user:{payload.user_id}/{payload.role}"


_SHARED: dict[str, Any] = {
    "decide": DECIDE,
    "view": VIEW,
    "entity_id": decided_in,
    "forbids": lambda p: (p.user_id,),
    "checks": _checks,
    "knows_request": True,
}
