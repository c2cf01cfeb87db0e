"""Use cases about sign-in that stand behind four eyes: each makes somebody's door wider."""

from __future__ import annotations

from dataclasses import dataclass

from backoffice.approvals import registry
from backoffice.approvals.registry import Action, Change
from backoffice.kernel.actor import Actor
from backoffice.organisation.models import User
from backoffice.signin.models import AllowedNetwork, RoleRule
from backoffice.signin.services import factors, rules

ALLOW_NETWORK = "signin.allow_network"
REMOVE_NETWORK = "signin.remove_network"
REQUIRE_FACTOR = "signin.require_factor"
REMOVE_FACTOR = "signin.remove_factor"
ASK, APPROVE = "signin.ask_rule", "signin.approve_rule"


@dataclass(frozen=True, slots=True)
class Network:
    """A network for a role. `entity_id` is where the people who decide work; the rule holds everywhere."""

    entity_id: int
    role: str
    network: str
    note: str


@dataclass(frozen=True, slots=True)
class FactorRule:
    """Whether a role needs the second factor."""

    entity_id: int
    role: str
    required: bool


@dataclass(frozen=True, slots=True)
class LostFactor:
    """Somebody's second factor is to be taken away."""

    entity_id: int
    user_id: int


def allow_network(*, actor: Actor, entity_id: int, role: str, network: str, note: str) -> AllowedNetwork:
    return rules.allow_network(actor=actor, role=role, network=network, note=note)


def remove_network(*, actor: Actor, entity_id: int, role: str, network: str, note: str) -> AllowedNetwork:
    return rules.remove_network(actor=actor, role=role, network=network)


def require_factor(*, actor: Actor, entity_id: int, role: str, required: bool) -> RoleRule:
    return rules.require_factor(actor=actor, role=role, required=required)


def remove_factor(*, actor: Actor, entity_id: int, user_id: int) -> User:
    return factors.remove(actor=actor, user_id=user_id)


def register_all() -> None:
    _register_networks()
    _register_factors()


def _register_networks() -> None:
    registry.register(
        Action(
            name=ALLOW_NETWORK,
            title="Allow a network",
            payload=Network,
            use_case=allow_network,
            entity_id=lambda p: p.entity_id,
            target=lambda p: f"signin.network:{p.role} {p.network}",
            summary=lambda p: f"{p.role} may work from {p.network}",
            ask=ASK,
            decide=APPROVE,
            target_version=lambda p: _networks(p.role),
            changes=lambda p: [
                Change(f"Networks of {p.role}", _networks(p.role), f"{_networks(p.role)}, and {p.network}")
            ],
        )
    )
    registry.register(
        Action(
            name=REMOVE_NETWORK,
            title="Take a network back",
            payload=Network,
            use_case=remove_network,
            entity_id=lambda p: p.entity_id,
            target=lambda p: f"signin.network:{p.role} {p.network}",
            summary=lambda p: f"{p.role} may no longer work from {p.network}",
            ask=ASK,
            decide=APPROVE,
            target_version=lambda p: _networks(p.role),
            changes=lambda p: [
                Change(f"Networks of {p.role}", _networks(p.role), f"{_networks(p.role)}, without {p.network}")
            ],
        )
    )


def _register_factors() -> None:
    registry.register(
        Action(
            name=REQUIRE_FACTOR,
            title="Second factor of a role",
            payload=FactorRule,
            use_case=require_factor,
            entity_id=lambda p: p.entity_id,
            target=lambda p: f"signin.rolerule:{p.role}",
            summary=lambda p: f"{p.role} {'needs' if p.required else 'does not need'} the second factor",
            ask=ASK,
            decide=APPROVE,
            target_version=lambda p: _factor(p.role),
            changes=lambda p: [Change("Second factor", _factor(p.role), _said(p.required))],
        )
    )
    registry.register(
        Action(
            name=REMOVE_FACTOR,
            title="Remove a lost second factor",
            payload=LostFactor,
            use_case=remove_factor,
            entity_id=lambda p: p.entity_id,
            target=lambda p: f"organisation.user:{p.user_id}",
            summary=lambda p: f"Remove the second factor of {User.objects.get(pk=p.user_id)}",
            ask=ASK,
            decide=APPROVE,
        )
    )


def _networks(role: str) -> str:
    rows = AllowedNetwork.objects.filter(role=role, removed_at__isnull=True).values_list("network", flat=True)
    return ", ".join(sorted(rows))[:64] or "everywhere"


def _factor(role: str) -> str:
    row = RoleRule.objects.filter(role=role).first()
    return _said(row is None or row.factor_required)


def _said(required: bool) -> str:
    return "required" if required else "by choice"
