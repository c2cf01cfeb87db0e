"""Marking a login as the house's own: a test, a technical account. Behind four eyes, because it leaves the figures."""

from __future__ import annotations

from django.db import transaction

from accounts.models import DesiredState, TechnicalMark, TradingAccount
from accounts.services import desired
from accounts.services.locked import locked_client, user_id
from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import DomainError, NotFound


@transaction.atomic
def mark(*, actor: Actor, account_id: int, technical: bool) -> TradingAccount:
    """Mark a login as technical, or take the mark away: reports and totals of client money follow at once, and the
    server is told to hide it from, or show it in, its own."""
    client_id = TradingAccount.objects.filter(pk=account_id).values_list("client_id", flat=True).first()
    if client_id is None:
        raise NotFound("There is no such login.")
    client = locked_client(client_id)
    desired.require_settled(client)
    states = DesiredState.objects.select_related("account__connection").select_for_update(of=("self",))
    state = states.get(account_id=account_id)
    account, before = state.account, desired.said(state)
    if account.technical == technical:
        raise DomainError(f"The login is {'technical' if technical else 'not technical'} already.")
    account.technical = technical
    account.save(update_fields=["technical"])
    TechnicalMark.objects.create(account=account, technical=technical, at=clock.now(), by_id=user_id(actor))
    desired.push(actor=actor, client=client, state=state, before=before)
    audit.record(actor=actor, action="client.login_technical", target=account, data={"technical": technical})
    return account
