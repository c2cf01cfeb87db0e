"""The trading password at the server: nobody here knows it, sets it or shows it. All that can be done is to demand that
the client chooses a new one, which gives nothing away and takes one person."""

from __future__ import annotations

from uuid import uuid4

from django.db import transaction

from accounts.models import TradingAccount
from accounts.selectors.server_state import password_demands
from accounts.services.locked import locked_client
from backoffice.audit import services as audit
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import DomainError, NotFound
from backoffice.outbox.models import Message
from integrations.models.users import OPEN
from integrations.records import UserState
from integrations.services import commands


class AlreadyDemanded(DomainError):
    """The server has not confirmed the last demand yet."""


@transaction.atomic
def force_change(*, actor: Actor, account_id: int, reason: str) -> Message:
    """Have a login's client choose a new password at the next log-in; "pending at server" until it was read back. The
    server takes the demand back by itself once there is a new password."""
    found = TradingAccount.objects.filter(pk=account_id).values_list("client_id", flat=True).first()
    if found is None:
        raise NotFound("There is no such login.")
    locked_client(found)
    account = TradingAccount.objects.get(pk=account_id)
    if password_demands(account).filter(message__state__in=OPEN).exists():
        raise AlreadyDemanded("This was demanded already, and the server has not confirmed it yet. Wait until it has.")
    message = commands.push_user(
        actor=actor,
        connection_id=account.connection_id,
        login=account.login,
        wanted=UserState(reset_password=True),
        key=f"password:{account.pk}:{uuid4().hex}",
    )
    audit.record(
        actor=actor,
        action="client.password_forced",
        target=account.client,
        data={"login": account.login, "reason": reason},
    )
    return message
