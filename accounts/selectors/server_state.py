"""What is on its way to the trade servers for some logins, in words: wanted, queued, pending, refused, confirmed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from accounts.models import DesiredState, TradingAccount
from backoffice.outbox.models import Message, State
from integrations.models import ServerCommand, ServerUser
from integrations.records import UserState


@dataclass(frozen=True, slots=True)
class ServerState:
    """`code` is QUEUED, PENDING, REFUSED or CONFIRMED; `since` the moment of the last wish or of its confirmation.
    `says` is what the house wants, `read` what the server last said, each in a few words."""

    code: str
    since: datetime | None
    says: str
    read: str
    error: str = ""


CODES = {
    "CONFIRMED": "confirmed",
    "QUEUED": "queued",
    "PENDING": "pending at server",
    "REFUSED": "refused by the server",
}


def state_of(accounts: Sequence[TradingAccount]) -> dict[int, ServerState]:
    """The state of each account by its id, in three queries however many there are."""
    wanted = {row.account_id: row for row in DesiredState.objects.filter(account__in=[a.pk for a in accounts])}
    keys = [row.command_key for row in wanted.values() if row.is_pending]
    messages = {row.key: row for row in Message.objects.filter(key__in=keys)}
    readings = {
        (row.connection_id, row.login): row
        for row in ServerUser.objects.filter(
            connection__in={a.connection_id for a in accounts}, login__in=[a.login for a in accounts]
        )
    }
    return {
        account.pk: _state(
            account, wanted.get(account.pk), messages, readings.get((account.connection_id, account.login))
        )
        for account in accounts
    }


def _state(
    account: TradingAccount, row: DesiredState | None, messages: dict[str, Message], reading: ServerUser | None
) -> ServerState:
    read = _words(reading.state) if reading else ""
    if row is None:
        return ServerState("CONFIRMED", None, "", read)
    says = _words(_wanted(row, account))
    if not row.is_pending:
        return ServerState("CONFIRMED", row.confirmed_at, says, read)
    message = messages.get(row.command_key)
    return ServerState(_code(message), row.changed_at, says, read, message.error if message else "")


def _code(message: Message | None) -> str:
    if message is None or message.state == State.REFUSED:
        return "REFUSED"
    return "QUEUED" if message.state == State.QUEUED and message.attempts == 0 else "PENDING"


def password_demands(account: TradingAccount) -> QuerySet[ServerCommand]:
    """Every demand of a new password for a login, the newest first."""
    rows = ServerCommand.objects.filter(connection_id=account.connection_id, login=account.login)
    return rows.filter(wanted__has_key="reset_password").order_by("-pk")


def password_state(account: TradingAccount) -> ServerState | None:
    """The last demand of a new password at the server; None where there was none."""
    command = password_demands(account).select_related("message").first()
    if command is None:
        return None
    message, says = command.message, "a new password at the next log-in"
    code = "CONFIRMED" if message.state == State.DONE else _code(message)
    return ServerState(code, message.finished_at or command.asked_at, says, "", message.error)


def _wanted(row: DesiredState, account: TradingAccount) -> UserState:
    return UserState(
        enabled=row.enabled,
        trading=row.trading,
        group=row.group,
        leverage=row.leverage,
        technical=account.technical,
        exclude_reports=account.technical,
    )


def _words(state: UserState) -> str:
    parts = [
        "" if state.enabled else "log-in off",
        "trading on" if state.trading else "trading off",
        state.group,
        f"1:{state.leverage}" if state.leverage else "",
        "technical" if state.technical else "",
        "out of reports" if state.exclude_reports else "",
    ]
    return ", ".join(part for part in parts if part)
