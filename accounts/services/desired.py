"""What servers should hold for a client's logins, worked out from status and restrictions, and pushed in the same
transaction: one command per login, each naming the whole state."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import uuid4

from accounts.models import Client, ClientStatus, DesiredState, Restriction, RestrictionKind, TradingAccount
from accounts.models.restrictions import TRADING_KINDS
from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor, System
from backoffice.kernel.errors import DomainError
from backoffice.outbox.models import Message, State
from integrations import registry
from integrations.models import ServerUser
from integrations.records import UserState
from integrations.services import commands

# Before these, nobody trades: the login may be there, the money is not.
_NOT_YET = frozenset(
    {ClientStatus.APPLICATION, ClientStatus.PENDING_KYC, ClientStatus.KYC_REVIEW, ClientStatus.APPROVED}
)
_ON_ITS_WAY = (State.QUEUED, State.SENDING, State.UNKNOWN)
CLOSE_ONLY_GROUP = "close_only_group"


class NoCloseOnlyGroup(DomainError):
    """Close-only cannot be expressed on this server."""


class PendingAtServer(DomainError):
    """The server has not confirmed the last command yet."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What status and restrictions leave of a login."""

    enabled: bool
    trading: bool
    close_only: bool


def rights_of(client: Client, account_id: int, restrictions: Iterable[Restriction]) -> Rights:
    """The rights of one login: those of its client, less what is restricted for all logins or for this one."""
    kinds = {r.kind for r in restrictions if r.account_id in (None, account_id)}
    return Rights(
        enabled=RestrictionKind.NO_LOGIN not in kinds,
        trading=client.status not in _NOT_YET and not kinds & {RestrictionKind.READ_ONLY, RestrictionKind.FREEZE},
        close_only=RestrictionKind.CLOSE_ONLY in kinds,
    )


def align(*, actor: Actor, client: Client) -> list[DesiredState]:
    """Bring the desired state of the client's logins in line, and promise it to the servers. The client is locked.

    Returns the states that changed. Raises NoCloseOnlyGroup.
    """
    open_ones = list(client.restrictions.filter(lifted_at=None, kind__in=TRADING_KINDS))
    states = DesiredState.objects.select_related("account__connection").filter(account__client=client)
    changed = []
    for state in states.order_by("pk").select_for_update(of=("self",)):
        rights = rights_of(client, state.account_id, open_ones)
        before = said(state)
        state.enabled, state.trading = rights.enabled, rights.trading
        _regroup(state, close_only=rights.close_only)
        if said(state) != before:
            push(actor=actor, client=client, state=state, before=before)
            changed.append(state)
    return changed


def push(*, actor: Actor, client: Client, state: DesiredState, before: dict[str, object]) -> None:
    """Store a changed state and promise it to the server in the same transaction. The technical mark is named where it
    is set or was changed: a server's own mark on other logins is a break's business, not a side effect."""
    account = state.account
    mark = account.technical if account.technical or before["technical"] else None
    state.changed_at = clock.now()
    state.confirmed_at = None
    state.command_key = f"user:{account.pk}:{uuid4().hex}"
    state.save()
    commands.push_user(
        actor=actor,
        connection_id=account.connection_id,
        login=account.login,
        wanted=UserState(
            enabled=state.enabled,
            trading=state.trading,
            group=state.group or None,
            leverage=state.leverage or None,
            technical=mark,
            exclude_reports=mark,
        ),
        key=state.command_key,
    )
    audit.record(
        actor=actor,
        action="client.login_changed",
        target=client,
        data={"login": account.login, "before": before, "after": said(state)},
    )


def said(state: DesiredState) -> dict[str, object]:
    """What a desired state asks of the server."""
    return {
        "enabled": state.enabled,
        "trading": state.trading,
        "group": state.group,
        "leverage": state.leverage,
        "technical": state.account.technical,
    }


def require_settled(client: Client) -> None:
    """Refuse while a command about one of the client's logins is still on its way."""
    keys = DesiredState.objects.filter(account__client=client, confirmed_at=None).exclude(command_key="")
    if Message.objects.filter(key__in=list(keys.values_list("command_key", flat=True)), state__in=_ON_ITS_WAY).exists():
        raise PendingAtServer(
            "The trade server has not confirmed the last change for this client yet. Wait until it has. If it cannot "
            "wait, set a restriction: those of money bind here at once."
        )


def new_states(*, client_of: dict[int, Client], accounts: Sequence[TradingAccount]) -> None:
    """Desired states of logins that have just been opened, taken over as the server has them."""
    now = clock.now()
    restrictions = list(
        Restriction.objects.filter(client__in=client_of.values(), lifted_at=None, kind__in=TRADING_KINDS)
    )
    states = []
    for account in accounts:
        own = [r for r in restrictions if r.client_id == account.client_id]
        rights = rights_of(client_of[account.client_id], account.pk, own)
        states.append(
            DesiredState(
                account=account,
                enabled=rights.enabled,
                trading=rights.trading,
                group=account.group,
                leverage=account.leverage,
                changed_at=now,
                confirmed_at=now,
            )
        )
    DesiredState.objects.bulk_create(states)


def on_confirmed(connection_id: int, login: int, key: str, reading: ServerUser) -> None:
    """The server holds what was wanted; called in the confirming transaction."""
    state = (
        DesiredState.objects.select_related("account__client")
        .select_for_update(of=("self",))
        .filter(account__connection_id=connection_id, account__login=login, command_key=key, confirmed_at=None)
        .first()
    )
    if state is None:
        return  # a newer wish is on its way
    state.confirmed_at = clock.now()
    state.save(update_fields=["confirmed_at"])
    audit.record(
        actor=System("trade server"),
        action="client.login_confirmed",
        target=state.account.client,
        data={"login": login},
    )


def _regroup(state: DesiredState, *, close_only: bool) -> None:
    """Into the close-only group and back, remembering where it came from."""
    if close_only == bool(state.original_group):
        return
    if not close_only:
        state.group, state.leverage = state.original_group, state.original_leverage
        state.original_group, state.original_leverage = "", 0
        return
    account = state.account
    template = str(account.connection.settings.get(CLOSE_ONLY_GROUP, ""))
    if not template and not registry.is_server(account.connection.adapter):
        return  # read from files: somebody does it there by hand, as the refused command will say
    if not template or not state.group:
        raise NoCloseOnlyGroup(
            f"Login {account.login} cannot be made close-only: "
            + (f"{account.connection.name} has no close-only group. " if not template else "its group is not known. ")
            + "Choose trading off, or have the connection's settings completed."
        )
    state.original_group, state.original_leverage = state.group, state.leverage
    state.group = template.replace("{currency}", account.currency_id)
