"""What people do with a login that its server has otherwise than we want it: have it sent again."""

from __future__ import annotations

from django.db import transaction

from accounts.models import DesiredState
from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import DomainError
from integrations.models import ServerCommand
from integrations.models.users import OPEN
from integrations.records import UserState
from integrations.services import commands
from reconciliation.models import Break, BreakEvent, EventKind

# What sending again can settle; a login that is not there cannot be told anything.
PUSHABLE = frozenset({"RIGHTS_DRIFT", "GROUP_DRIFT", "LEVERAGE_DRIFT", "TECHNICAL_DRIFT"})


class CannotPush(DomainError):
    """There is nothing to send for this break, or it is being sent already."""


def can_push(item: Break) -> bool:
    """Whether sending the wanted state again may settle a break."""
    return item.is_open and item.klass in PUSHABLE


@transaction.atomic
def push_again(*, actor: Actor, break_id: int) -> ServerCommand:
    """Send the whole wanted state of a login to its server once more, as it is wanted now.

    The break resolves by itself at the next run after the server has confirmed.
    """
    item = Break.objects.select_for_update().get(pk=break_id)
    if not can_push(item):
        raise CannotPush(f"Break {item.pk} is not about what a server lets a login do, or it is closed already.")
    states = DesiredState.objects.select_related("account").select_for_update(of=("self",))
    desired = states.get(account_id=item.refs["trading_account"])
    connection_id, login = int(item.refs["connection"]), int(item.refs["login"])
    waiting = ServerCommand.objects.filter(connection_id=connection_id, login=login, message__state__in=OPEN).first()
    if waiting is not None:
        raise CannotPush(f"Command {waiting.pk} for this login is under way. See what becomes of it first.")
    pushes = item.events.filter(event=EventKind.PUSHED).count()
    desired.command_key = f"drift:{item.pk}:{pushes + 1}"
    desired.confirmed_at = None
    desired.save(update_fields=["command_key", "confirmed_at"])
    message = commands.push_user(
        actor=actor,
        connection_id=connection_id,
        login=login,
        wanted=UserState(
            enabled=desired.enabled,
            trading=desired.trading,
            group=desired.group or None,
            leverage=desired.leverage or None,
            technical=desired.account.technical,
            exclude_reports=desired.account.technical,
        ),
        key=desired.command_key,
    )
    command = ServerCommand.objects.get(message=message)
    BreakEvent.objects.create(
        item=item, at=clock.now(), actor=actor.label, event=EventKind.PUSHED, data={"command": command.pk}
    )
    audit.record(actor=actor, action="break.pushed_again", target=item, data={"command": command.pk, "login": login})
    return command
