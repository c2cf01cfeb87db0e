"""The one place where a client's status changes: the step must be legal, the servers settled; then restrictions come
or go with it, the logins follow, and the audit log has it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from accounts.models import Client, ClientStatus, LifecycleRule, Reason, Restriction, RestrictionKind
from accounts.models.lifecycle import STEPS, legal
from accounts.models.restrictions import BROUGHT_BY
from accounts.services import desired
from accounts.services.locked import user_id
from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import DomainError

_REVIEWED = frozenset({ClientStatus.UNDER_REVIEW, ClientStatus.SUSPENDED})


class WrongStep(DomainError):
    """A status does not lead to the other in one step."""


class NotReady(DomainError):
    """Something that the step needs is not so yet."""


def rule_for(entity_id: int) -> LifecycleRule:
    """The periods that hold for an entity."""
    rows = {row.entity_id: row for row in LifecycleRule.objects.filter(entity_id=entity_id)}
    found = rows.get(entity_id) or LifecycleRule.objects.filter(entity=None).first()
    return found or LifecycleRule()


def retention(entity_id: int) -> timedelta:
    """How long an entity keeps records after the end of a relationship; leap days are never counted short."""
    return timedelta(days=366 * rule_for(entity_id).retention_years)


def take_step(
    *,
    actor: Actor,
    client: Client,
    to: ClientStatus,
    reason: str,
    also: Iterable[RestrictionKind] = (),
) -> Client:
    """Move a locked client to a status. `also` are restrictions that come with it besides those it always brings."""
    require_step(client, to)
    desired.require_settled(client)
    before = client.status
    client.status, client.status_at = to, clock.now()
    client.status_by_id, client.status_reason = user_id(actor), reason
    client.save(update_fields=["status", "status_at", "status_by", "status_reason"])
    if to == ClientStatus.ACTIVE:
        lift_brought(actor=actor, client=client, reason=reason)
    else:
        _bring(actor, client, to, [*BROUGHT_BY.get(to, ()), *also], reason)
    desired.align(actor=actor, client=client)
    audit.record(
        actor=actor, action="client.status", target=client, data={"before": before, "after": to, "reason": reason}
    )
    return client


def require_step(client: Client, to: ClientStatus) -> None:
    """Refuse a step that is not in the table, naming those that are."""
    if legal(client.status, to):
        return
    ways = [after.label for before, after in STEPS if before == client.status]
    onward = f"From there it may become: {', '.join(ways)}." if ways else "This status is final."
    raise WrongStep(
        f"Client {client.number} is {client.get_status_display()} and cannot become {to.label} in one step. {onward}"
    )


def setters(client: Client) -> set[int]:
    """Who brought about what the way back to ACTIVE takes away: none of them may take it away."""
    brought = client.restrictions.filter(lifted_at=None).exclude(origin="").values_list("set_by_id", flat=True)
    return {person for person in (*brought, client.status_by_id) if person is not None}


def lift_brought(*, actor: Actor, client: Client, reason: str) -> int:
    """End what earlier statuses brought; what people set by hand stays. Returns how many ended."""
    rows = client.restrictions.filter(lifted_at=None).exclude(origin="")
    return rows.update(lifted_at=clock.now(), lifted_by=user_id(actor), lift_reason=reason)


def _bring(actor: Actor, client: Client, status: ClientStatus, kinds: Iterable[RestrictionKind], reason: str) -> None:
    now = clock.now()
    due = now + timedelta(hours=rule_for(client.entity_id).review_hours) if status in _REVIEWED else None
    known = set(client.restrictions.filter(lifted_at=None, origin=status, account=None).values_list("kind", flat=True))
    Restriction.objects.bulk_create(
        Restriction(
            client=client,
            kind=kind,
            origin=status,
            reason=reason or Reason.POLICY,
            set_at=now,
            set_by_id=user_id(actor),
            review_due_at=due,
        )
        for kind in dict.fromkeys(kinds)
        if kind not in known
    )
