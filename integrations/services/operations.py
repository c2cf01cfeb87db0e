"""Money on and off the logins of trade servers: each operation a promise in the outbox, booked at most once.

A trade server knows no idempotency key. So an order leaves once; when its answer is lost, the operation is UNKNOWN and
the deals of the login are looked through for our reference, kind and amount before anything else is done. Found, it is
done. Not found, it is sent again only when that proves that nothing was booked: every clock is past the time in which
the lost order could still have been carried out, and the list of deals is whole. In every other case it stays UNKNOWN.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction

from backoffice.audit import services as audit
from backoffice.kernel import clock, money
from backoffice.kernel.actor import Actor, System
from backoffice.kernel.errors import DomainError
from backoffice.organisation.models import Currency
from backoffice.outbox import services as outbox
from backoffice.outbox.models import Message, State
from backoffice.outbox.registry import Outcome
from integrations import registry
from integrations.models import OPERATION_KINDS, Connection, OperationState, ServerOperation, ServerUser
from integrations.ports import OutcomeUnknown, Pulled, ServerError, TradeServer
from integrations.records import Deal, DealKind, User
from integrations.selectors import deals as deal_selectors
from integrations.services import clocks
from integrations.services.connections import open_server

KIND = "server.balance"
# Room for a comment at an MT5 server, without the terminator; what is longer would be cut there.
COMMENT_ROOM = 31
# MT5's limit of one operation (retcode 4005).
LARGEST = Decimal(1_000_000_000)
# An order whose answer was lost can be carried out until its connection's time limit is over, and this long after.
LATEST_EFFECT = timedelta(minutes=2)
# A worker that comes to sending later than this after it took the message leaves it to those who look.
SEND_WITHIN = outbox.LOST_AFTER - timedelta(minutes=1)
# Deals are looked for this much before and after: more than any server's clock is away from what we know of it.
AROUND = timedelta(days=1)
_REFERENCE = re.compile(r"[A-Z]-[0-9A-Z]{8}")
_SENDER = System("server operations")
_LONGEST_ERROR = 500
_DEFAULT_TIMEOUT = "30"


class BadOperation(DomainError):
    """An amount, kind or reference that no server could book as it is meant."""


class CannotRetry(DomainError):
    """The operation is settled or under way."""


@transaction.atomic
def operate(
    *,
    actor: Actor,
    connection_id: int,
    login: int,
    kind: DealKind,
    amount: Decimal,
    reference: str,
    text: str = "",
    key: str,
) -> ServerOperation:
    """Promise to book `amount` (signed, in the login's currency) on a login. The same key is the same promise.

    The server's comment is `reference` and then `text`, cut at 31 characters. Who listens at registry.on_operated is
    told how it ended. Raises BadOperation; KeyReused for another operation under a known key.
    """
    assert login > 0, "money goes to a login"
    connection = Connection.objects.get(pk=connection_id)
    reading = ServerUser.objects.filter(connection=connection, login=login).first()
    currency = reading.currency if reading else ""
    _check(kind, amount, reference, currency)
    comment = f"{reference} {' '.join(text.split())}".strip()[:COMMENT_ROOM].rstrip()
    what = {"kind": kind.value, "amount": _plain(amount), "comment": comment}
    payload = {"connection": connection_id, "login": login, **what}
    message = outbox.enqueue(kind=KIND, key=key, payload=payload)
    known = ServerOperation.objects.filter(message=message).first()
    if known is not None:
        return known
    operation = _created(
        entity_id=connection.entity_id,
        connection=connection,
        login=login,
        kind=kind.value,
        amount=amount,
        currency=currency,
        reference=reference,
        comment=comment,
        key=key,
        message=message,
        asked_at=clock.now(),
    )
    audit.record(
        actor=actor,
        action="server.operation_asked",
        target=operation,
        data={"connection": connection.name, **payload, "currency": currency},
    )
    return operation


def _created(**values: Any) -> ServerOperation:
    try:
        with transaction.atomic():
            return ServerOperation.objects.create(**values)
    except IntegrityError as error:
        if "serveroperation_one_open" not in str(error):
            raise
        raise BadOperation(
            f"{values['reference']} is being booked on login {values['login']} already, with the same amount. "
            "Wait until that operation has ended."
        ) from error


def _check(kind: DealKind, amount: Decimal, reference: str, currency: str) -> None:
    if kind not in OPERATION_KINDS:
        raise BadOperation(f"A server books no {kind.value} by hand. Choose another kind of operation.")
    if not amount or abs(amount) > LARGEST:
        raise BadOperation(f"An operation is not zero and at most {LARGEST:,f}. Split a larger one.")
    if not _REFERENCE.fullmatch(reference):
        raise BadOperation(f"{reference!r} is not one of our references: a letter, a dash, eight digits or letters.")
    trouble = _digits_trouble(amount, currency)
    if trouble:
        raise BadOperation(trouble)


def _digits_trouble(amount: Decimal, currency: str) -> str:
    """Why a server would round this amount; empty when it would not, or when the currency is not known."""
    known = Currency.objects.filter(code=currency).first()
    if known is None or money.fits(amount, known.exponent):
        return ""
    return f"{amount} has more decimal places than {currency} has: the server would round it."


@transaction.atomic
def retry(*, actor: Actor, operation_ids: Sequence[int]) -> int:
    """Have open operations worked on now; all of them or none. One of unknown outcome is looked up, as always.

    A refused one stays refused: who asked for it has been told and has acted on that.
    """
    for operation in ServerOperation.objects.filter(pk__in=operation_ids).select_related("message").order_by("pk"):
        if not operation.is_open:
            done = operation.get_state_display()
            raise CannotRetry(f"{operation.reference} is {done}. Ask for a new operation where it was asked for.")
        if operation.message.state == State.SENDING:
            raise CannotRetry(f"{operation.reference} is being sent. Look again in a minute.")
        outbox.retry(key=operation.key)
        audit.record(
            actor=actor, action="server.operation_retried", target=operation, data={"reference": operation.reference}
        )
    return len(operation_ids)


@transaction.atomic
def server_is_back(*, connection: Connection) -> int:
    """Have the operations that waited for a server worked on now. Returns how many."""
    waiting = ServerOperation.objects.filter(connection=connection, state=OperationState.OPEN)
    return outbox.hurry(keys=list(waiting.values_list("key", flat=True)))


class BalanceSender:
    """Books operations and looks for those whose answer was lost. Runs outside any transaction."""

    def send(self, *, key: str, payload: Mapping[str, Any]) -> Outcome:
        """Book it: called while nothing can have been booked."""
        return _with_server(_operation(key), waiting=State.QUEUED, work=_book)

    def ask(self, *, key: str, payload: Mapping[str, Any]) -> Outcome:
        """Look whether it was booked."""
        operation = _operation(key)
        if operation.sent_at is None:
            return Outcome(State.QUEUED, error="It had not left; it is sent again.", then=lambda: _hurry(key))
        return _with_server(operation, waiting=State.UNKNOWN, work=_look)


def _operation(key: str) -> ServerOperation:
    return ServerOperation.objects.select_related("connection", "message").get(key=key)


def _with_server(
    operation: ServerOperation, *, waiting: State, work: Callable[[ServerOperation, TradeServer], Outcome]
) -> Outcome:
    connection = operation.connection
    if not registry.is_server(connection.adapter):
        return _refused(operation, f"{connection.name} is read from files: book it on the server by hand.")
    if not connection.is_active:
        return Outcome(waiting, error=f"{connection.name} is paused. It is tried again when the connection is active.")
    try:
        server = open_server(connection)
    except (ServerError, OSError) as error:
        return _later(waiting, error)
    try:
        return work(operation, server)
    finally:
        server.close()


def _book(operation: ServerOperation, server: TradeServer) -> Outcome:
    """Read the login, order, read the deal back. Only a lost or doubtful answer leaves it UNKNOWN."""
    try:
        user = server.user(operation.login)
    except (ServerError, OSError) as error:
        return _later(State.QUEUED, error)
    trouble = _unfit(operation, user)
    if trouble:
        return _refused(operation, trouble)
    if not _leaves(operation):
        return Outcome(State.UNKNOWN, error="It came to sending too late; it is looked up first.")
    try:
        ticket = server.balance(
            login=operation.login,
            kind=DealKind(operation.kind),
            amount=operation.amount,
            comment=operation.comment,
        )
    except OutcomeUnknown as error:
        return _later(State.UNKNOWN, error)
    except ServerError as error:
        return _later(State.QUEUED, error) if error.retry else _turned_down(operation, server, error)
    try:
        found = server.deal(ticket)
    except (ServerError, OSError) as error:
        return _later(State.UNKNOWN, error)
    if found is None or not is_booking_of(operation, found.record):
        said = f"{operation.connection.name} said done as deal {ticket}, but has no such deal. It is looked for."
        return Outcome(State.UNKNOWN, error=said)
    return _done(operation, [ticket])


def _unfit(operation: ServerOperation, user: User | None) -> str:
    """Why this login cannot take the operation; empty when it can."""
    server = operation.connection.name
    if user is None:
        return f"{server} has no login {operation.login}. Open it there, or correct the account."
    if operation.currency and user.currency != operation.currency:
        return f"Login {operation.login} is in {user.currency} now, not in {operation.currency}. Ask for it anew."
    return _digits_trouble(operation.amount, user.currency)


def _leaves(operation: ServerOperation) -> bool:
    """Write down that the order leaves now, unless somebody else has taken the message over since we took it."""
    message, now = operation.message, clock.now()
    with transaction.atomic():
        mine = Message.objects.select_for_update().filter(
            pk=message.pk, state=State.SENDING, attempts=message.attempts, taken_at__gt=now - SEND_WITHIN
        )
        if not mine.exists():
            return False
        ServerOperation.objects.filter(pk=operation.pk).update(sent_at=now)
    return True


def _turned_down(operation: ServerOperation, server: TradeServer, error: ServerError) -> Outcome:
    """A refusal ends an operation that left for the first time. One that had left before may be refused because it was
    booked then (no money is left): it is looked for once more."""
    if operation.sent_at is not None:
        try:
            _, _, found = _search(operation, server)
        except (ServerError, OSError) as doubt:
            return _later(State.UNKNOWN, doubt)
        if found:
            return _done(operation, found)
    return _refused(operation, f"The server refused: {error} Nothing was booked.")


def _look(operation: ServerOperation, server: TradeServer) -> Outcome:
    """What became of an order whose answer was lost."""
    try:
        pulled, since, found = _search(operation, server)
    except (ServerError, OSError) as error:
        return _later(State.UNKNOWN, error)
    if found:
        return _done(operation, found)
    doubt = _doubt(operation, pulled, since)
    if doubt:
        return Outcome(State.UNKNOWN, error=doubt[:_LONGEST_ERROR])
    # Sent again now: it has waited long enough.
    return Outcome(State.QUEUED, error="It was not booked; it is sent again.", then=lambda: _hurry(operation.key))


def _search(operation: ServerOperation, server: TradeServer) -> tuple[Pulled, datetime, list[int]]:
    """The deals of the login, from when on, and the tickets among them that are this operation. Raises ServerError."""
    wall = clocks.clock_of(operation.connection)
    since, until = wall.to_wall(operation.asked_at) - AROUND, wall.to_wall(clock.now()) + AROUND
    pulled = server.deals_of(operation.login, since=since, until=until)
    taken = _tickets_of_others(operation)
    deals = [raw.record for raw in pulled.items if isinstance(raw.record, Deal)]
    found = [deal.ticket for deal in deals if is_booking_of(operation, deal) and deal.ticket not in taken]
    return pulled, since, sorted(found)


def is_booking_of(operation: ServerOperation, deal: object) -> bool:
    """Whether a deal is what was ordered: login, kind, amount, and our reference in front of the comment."""
    return (
        isinstance(deal, Deal)
        and (deal.login, deal.kind.value, deal.amount) == (operation.login, operation.kind, operation.amount)
        and not deal.deleted
        and re.match(rf"{re.escape(operation.reference)}(?![0-9A-Za-z])", deal.comment) is not None
    )


def _tickets_of_others(operation: ServerOperation) -> set[int]:
    """Deals that are the work of other operations with the same reference on this login."""
    others = ServerOperation.objects.filter(
        connection_id=operation.connection_id, login=operation.login, reference=operation.reference
    ).exclude(pk=operation.pk)
    return {ticket for first, more in others.values_list("ticket", "duplicates") for ticket in (first, *more) if ticket}


def _doubt(operation: ServerOperation, pulled: Pulled, since: datetime) -> str:
    """Why not finding it proves nothing yet; empty when it does."""
    now = clock.now()
    assert operation.sent_at is not None, "what did not leave is not looked for"
    timeout = operation.connection.settings.get("timeout_seconds") or _DEFAULT_TIMEOUT
    settled_at = operation.sent_at + timedelta(seconds=int(timeout)) + LATEST_EFFECT
    server_now = (pulled.server_now - timedelta(minutes=pulled.utc_offset_minutes)).replace(tzinfo=UTC)
    if now <= settled_at or server_now <= settled_at:
        until = f"until {settled_at:%H:%M:%S} UTC by our clock and the server's"
        return f"Not booked yet, but the lost order may still be carried out {until}. It is looked for again."
    if pulled.rejected:
        odd = pulled.rejected[0]
        return (
            f"{len(pulled.rejected)} deals of login {operation.login} cannot be read ({odd.field}: {odd.reason}): one "
            "of them may be it. Have the server's administrator look at them."
        )
    listed = {raw.record.ticket for raw in pulled.items if isinstance(raw.record, Deal)}
    missing = deal_selectors.known_of_login(operation.connection, operation.login, since) - listed
    if missing:
        return (
            f"The server's list is not whole: deal {min(missing)} is missing in it. Fetch from the server and look why."
        )
    return ""


def _done(operation: ServerOperation, tickets: Sequence[int]) -> Outcome:
    ticket, *duplicates = tickets
    warning = ""
    if duplicates:
        named = ", ".join(map(str, tickets))
        warning = (
            f"The server booked it {len(tickets)} times: deals {named}. It was ordered once; "
            f"take back {', '.join(map(str, duplicates))} by a correction."
        )[:_LONGEST_ERROR]
    return Outcome(
        State.DONE,
        answer={"ticket": ticket, "duplicates": duplicates},
        error=warning,
        then=lambda: _settle(
            operation, OperationState.DONE, "server.operation_done", warning, ticket=ticket, duplicates=duplicates
        ),
    )


def _refused(operation: ServerOperation, sentence: str) -> Outcome:
    sentence = sentence[:_LONGEST_ERROR]
    return Outcome(
        State.REFUSED,
        error=sentence,
        then=lambda: _settle(operation, OperationState.REFUSED, "server.operation_refused", sentence),
    )


def _settle(operation: ServerOperation, state: OperationState, action: str, error: str, **found: Any) -> None:
    """With the outcome: the operation keeps it, and everybody who waits for it is told."""
    row = ServerOperation.objects.select_for_update().get(pk=operation.pk)
    row.state = state
    for name, value in found.items():
        setattr(row, name, value)
    row.save(update_fields=["state", *found])
    data = {"login": row.login, "reference": row.reference, **found, "said": error}
    audit.record(actor=_SENDER, action=action, target=row, data=data)
    registry.operated(row.key, state.value, row.ticket, error)


def _hurry(key: str) -> None:
    outbox.hurry(keys=[key])


def _later(state: State, error: Exception) -> Outcome:
    return Outcome(state, error=str(error)[:_LONGEST_ERROR])


def _plain(amount: Decimal) -> str:
    """One spelling of an amount, so that 10 and 10.00 are the same promise."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
