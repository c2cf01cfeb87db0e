"""What is on its way to the trade servers for some logins, in words: wanted, queued, pending, refused, confirmed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.models import DesiredState, TradingAccount
from backoffice.outbox.models import Message, State
from integrations.models import ServerUser


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
        account.pk: _state(wanted.get(account.pk), messages, readings.get((account.connection_id, account.login)))
        for account in accounts
    }


def _state(row: DesiredState | None, messages: dict[str, Message], reading: ServerUser | None) -> ServerState:
    read = _words(reading.state.enabled, reading.state.trading, reading.group, reading.leverage) if reading else ""
    if row is None:
        return ServerState("CONFIRMED", None, "", read)
    says = _words(row.enabled, row.trading, row.group, row.leverage)
    if not row.is_pending:
        return ServerState("CONFIRMED", row.confirmed_at, says, read)
    message = messages.get(row.command_key)
    if message is None or message.state == State.REFUSED:
        return ServerState("REFUSED", row.changed_at, says, read, message.error if message else "")
    code = "QUEUED" if message.state == State.QUEUED and message.attempts == 0 else "PENDING"
    return ServerState(code, row.changed_at, says, read, message.error)


def _words(enabled: bool | None, trading: bool | None, group: str, leverage: int) -> str:
    parts = [
        "" if enabled else "log-in off",
        "trading on" if trading else "trading off",
        group,
        f"1:{leverage}" if leverage else "",
    ]
    return ", ".join(part for part in parts if part)
