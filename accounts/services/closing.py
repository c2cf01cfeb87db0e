"""The end of a client: closing begins by one person, is finished by two, and can be undone by two others."""

from __future__ import annotations

from django.db import transaction

from accounts.models import Client, ClientStatus, Reason
from accounts.selectors import activity
from accounts.services import steps
from accounts.services.locked import locked_client
from accounts.services.restrictions import require_no_review
from accounts.services.steps import NotReady
from backoffice.approvals.models import OPEN, Request
from backoffice.audit import services as audit
from backoffice.kernel.actor import Actor

CLOSE = "accounts.close"


@transaction.atomic
def start_closing(*, actor: Actor, client_id: int, reason: str) -> Client:
    """Begin to close a client: positions may be closed and money taken out, nothing new comes in. What an earlier
    status restricted stays restricted."""
    client = locked_client(client_id)
    return steps.take_step(actor=actor, client=client, to=ClientStatus.CLOSING, reason=Reason(reason))


@transaction.atomic
def close(*, actor: Actor, client_id: int, reason: str) -> Client:
    """Close a client for good; behind four eyes."""
    client = locked_client(client_id)
    steps.require_step(client, ClientStatus.CLOSED)
    require_nothing_open(client, besides=CLOSE)
    return steps.take_step(actor=actor, client=client, to=ClientStatus.CLOSED, reason=Reason(reason))


def require_nothing_open(client: Client, *, besides: str) -> None:
    """No review, no positions, no money, and nothing waiting for a decision but requests for the action `besides`."""
    require_no_review(client)
    positions = activity.logins_with_positions(client.pk)
    if positions:
        raise NotReady(f"Login {positions[0]} still has open positions. Have them closed first.")
    held = activity.holdings(client.pk)
    if held:
        amounts = ", ".join(f"{amount:,.2f} {currency}" for currency, amount in held)
        raise NotReady(f"The books still show {amounts}. Pay it out, or collect what is owed, first.")
    if Request.objects.filter(client=audit.name_of(client), state__in=OPEN).exclude(action=besides).exists():
        raise NotReady("Another request about this client waits for a decision. Have it decided or withdrawn first.")


@transaction.atomic
def reopen(*, actor: Actor, client_id: int, reason: str) -> Client:
    """Open a closed client again, as far as a review; behind four eyes. From there two others make it active."""
    client = locked_client(client_id)
    if client.status != ClientStatus.CLOSED:
        raise NotReady("Only a closed client is opened again.")
    if client.erased_at is not None:
        raise NotReady("The personal data of this client was erased. Register the person as a new client.")
    return steps.take_step(actor=actor, client=client, to=ClientStatus.UNDER_REVIEW, reason=Reason(reason))


@transaction.atomic
def archive(*, actor: Actor, client_id: int) -> Client:
    """Put a closed client away when the retention period is over."""
    client = locked_client(client_id)
    return steps.take_step(actor=actor, client=client, to=ClientStatus.ARCHIVED, reason=Reason.RETENTION_OVER)
