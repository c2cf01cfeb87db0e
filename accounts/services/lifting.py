"""The way back to active: asked for by one person, agreed to by another, neither of whom took the rights away."""

from __future__ import annotations

from django.db import transaction

from accounts.models import Client, ClientStatus, KycResult, Reason
from accounts.services import steps
from accounts.services.locked import locked_client, require_another
from accounts.services.restrictions import require_no_review
from accounts.services.steps import NotReady
from backoffice.kernel.actor import Actor

_BACK = frozenset({ClientStatus.UNDER_REVIEW, ClientStatus.SUSPENDED, ClientStatus.CLOSING})


@transaction.atomic
def reactivate(*, actor: Actor, client_id: int, reason: str) -> Client:
    """Make a client active again; behind four eyes. What the statuses since then brought ends with it, and groups,
    leverage and rights are again what they were.

    After a suspension the last identity check must have been passed; after dormancy it must be a new one.
    """
    return _to_active(actor, client_id, reason, _BACK)


@transaction.atomic
def wake(*, actor: Actor, client_id: int, reason: str) -> Client:
    """Make a dormant client active again; behind four eyes, and asked for by more people than the other ways back."""
    return _to_active(actor, client_id, reason, frozenset({ClientStatus.DORMANT}))


def _to_active(actor: Actor, client_id: int, reason: str, ways: frozenset[ClientStatus]) -> Client:
    client = locked_client(client_id)
    if client.status not in ways:
        steps.require_step(client, ClientStatus.ACTIVE)
        raise NotReady(f"A client who is {client.get_status_display()} becomes active in another way.")
    require_another(actor, steps.setters(client))
    require_no_review(client)
    _require_check(client)
    return steps.take_step(actor=actor, client=client, to=ClientStatus.ACTIVE, reason=Reason(reason))


def _require_check(client: Client) -> None:
    latest = client.kyc_results.order_by("-pk").first()
    if client.status == ClientStatus.DORMANT and (latest is None or latest.at < client.status_at):
        raise NotReady("The identity check is older than the dormancy. Record a new one first.")
    if client.status != ClientStatus.CLOSING and latest and latest.outcome == KycResult.Outcome.REJECTED:
        raise NotReady("The last identity check was not passed. Record a new one first.")
