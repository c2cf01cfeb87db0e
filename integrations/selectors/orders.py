"""Orders of money to servers and PSPs for people: how far each has come, and what happens or has to happen next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from backoffice.outbox.models import State
from backoffice.outbox.services import ATTEMPTS_BEFORE_A_PERSON
from integrations.models import OrderState, PayoutOrder, ServerOperation

# The states of an operation on its page and in the filter: what needs somebody first.
OPERATION_STATES: Sequence[tuple[str, str]] = (
    (State.UNKNOWN, "outcome unknown"),
    (State.REFUSED, "refused"),
    (State.QUEUED, "waits"),
    (State.SENDING, "being sent"),
    (State.DONE, "done"),
)
PAYOUT_STATES: Sequence[tuple[str, str]] = (
    (State.UNKNOWN, "outcome unknown"),
    (OrderState.FAILED, "failed"),
    (OrderState.RETURNED, "came back"),
    (State.QUEUED, "waits"),
    (State.SENDING, "being sent"),
    (OrderState.SENT, "sent"),
    (OrderState.PAID, "paid"),
)


def state_of_payout(order: PayoutOrder) -> str:
    """How far it is; while it is not sent, how far the sending is."""
    return str(order.message.state if order.state == OrderState.OPEN else order.state)


def next_step(operation: ServerOperation) -> str:
    """One sentence: what happens next with an operation, or what somebody has to do."""
    message = operation.message
    if operation.duplicates:
        named = ", ".join(map(str, operation.duplicates))
        return (
            f"Take back what was booked too often (deal {named}) by a correction, and tell the server's administrator."
        )
    if message.state == State.DONE:
        return "Nothing: the deal comes with the feed and is booked."
    if message.state == State.REFUSED:
        return "Decide at the request it belongs to: cancel it, or ask again when the reason is gone."
    return _waits(message.state, message.attempts, message.due_at, operation.connection.is_active, "server")


def next_step_of_payout(order: PayoutOrder) -> str:
    """One sentence: what happens next with a payout, or what somebody has to do."""
    if order.duplicates:
        return f"Have the PSP take back what it paid too often: {', '.join(map(str, order.duplicates))}."
    if order.state == OrderState.OPEN:
        message = order.message
        return _waits(message.state, message.attempts, message.due_at, order.connection.is_active, "PSP")
    if order.state == OrderState.SENT:
        return "The PSP says when it has arrived; it is asked from time to time."
    if order.state == OrderState.PAID:
        return "Nothing: the settlement report proves it."
    return "Decide at the request it belongs to: another way needs another request."


def _waits(state: str, attempts: int, due_at: datetime, is_active: bool, who: str) -> str:
    if not is_active:
        return "Its connection is paused: it waits until somebody makes that active again."
    if state == State.SENDING:
        return f"The answer of the {who} is awaited."
    asks = f"The {who} is asked whether it has it" if state == State.UNKNOWN else "It is sent"
    again = f"{asks}, next at {due_at:%Y-%m-%d %H:%M:%S} UTC; it is not sent twice."
    if attempts >= ATTEMPTS_BEFORE_A_PERSON:
        return f"Look why the {who} does not answer ({attempts} tries), then try now. {again}"
    return again
