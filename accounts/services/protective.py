"""Steps that protect: one person takes them at once, and another looks at them within a day."""

from __future__ import annotations

from django.db import transaction

from accounts.models import Client, ClientStatus, Reason, RestrictionKind
from accounts.services import steps
from accounts.services.locked import locked_client
from backoffice.kernel.actor import Actor

TRADING_OFF = "TRADING_OFF"
CLOSE_ONLY = "CLOSE_ONLY"
UNCHANGED = "UNCHANGED"
MODES = {
    TRADING_OFF: (RestrictionKind.READ_ONLY,),
    CLOSE_ONLY: (RestrictionKind.CLOSE_ONLY,),
    UNCHANGED: (),
}


@transaction.atomic
def put_under_review(*, actor: Actor, client_id: int, reason: str, trading: str = UNCHANGED) -> Client:
    """Stop a client's money while something is looked at; trading goes on, or is close-only."""
    assert trading in (UNCHANGED, CLOSE_ONLY), trading
    client = locked_client(client_id)
    return steps.take_step(
        actor=actor, client=client, to=ClientStatus.UNDER_REVIEW, reason=Reason(reason), also=MODES[trading]
    )


@transaction.atomic
def suspend(*, actor: Actor, client_id: int, reason: str, trading: str = TRADING_OFF) -> Client:
    """Stop a client's money and trading: all of it, or all but closing. Stop-loss orders at the server keep working."""
    assert trading in (TRADING_OFF, CLOSE_ONLY), trading
    client = locked_client(client_id)
    return steps.take_step(
        actor=actor, client=client, to=ClientStatus.SUSPENDED, reason=Reason(reason), also=MODES[trading]
    )
