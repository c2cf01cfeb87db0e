"""Rules about roles: from which networks they may work, whether they need the second factor. Behind approval."""

from __future__ import annotations

import ipaddress

from django.contrib.auth.models import Group
from django.db import transaction

from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import DomainError
from backoffice.signin.models import AllowedNetwork, RoleRule


class BadNetwork(DomainError):
    """Not a network."""


@transaction.atomic
def allow_network(*, actor: Actor, role: str, network: str, note: str) -> AllowedNetwork:
    """Add a network for a role. The first one closes every other address to the role."""
    _require_role(role)
    wanted = spelled(network)
    if AllowedNetwork.objects.filter(role=role, network=wanted, removed_at__isnull=True).exists():
        raise DomainError(f"{role} may work from {wanted} already.")
    row = AllowedNetwork.objects.create(role=role, network=wanted, note=note, added_at=clock.now())
    audit.record(actor=actor, action="signin.network_allowed", target=row, data={"role": role, "network": wanted})
    return row


@transaction.atomic
def remove_network(*, actor: Actor, role: str, network: str) -> AllowedNetwork:
    """Take a network back. Without its last one a role may work from everywhere again."""
    rows = AllowedNetwork.objects.select_for_update().filter(role=role, removed_at__isnull=True)
    row = rows.filter(network=spelled(network)).first()
    if row is None:
        raise DomainError(f"{role} has no network {network}. Look at the list of networks.")
    row.removed_at = clock.now()
    row.save(update_fields=["removed_at"])
    audit.record(actor=actor, action="signin.network_removed", target=row, data={"role": role, "network": row.network})
    return row


@transaction.atomic
def require_factor(*, actor: Actor, role: str, required: bool) -> RoleRule:
    """Say whether a role needs the second factor; holds from the next request on."""
    _require_role(role)
    row, _ = RoleRule.objects.select_for_update().get_or_create(role=role)
    row.factor_required = required
    row.save(update_fields=["factor_required"])
    audit.record(
        actor=actor, action="signin.factor_rule_changed", target=row, data={"role": role, "required": required}
    )
    return row


def spelled(network: str) -> str:
    """A network in its one spelling; a single address is a network of one."""
    try:
        return str(ipaddress.ip_network(network.strip()))
    except ValueError as error:
        raise BadNetwork(f"“{network}” is not a network. Write it as 192.0.2.0/24 or 2001:db8::/32.") from error


def _require_role(role: str) -> None:
    if not Group.objects.filter(name=role).exists():
        raise DomainError(f"There is no role {role}.")
