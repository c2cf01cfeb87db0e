"""Payments out through PSPs: each order a promise in the outbox, paid at most once.

The order's reference is the PSP's idempotency key, so even a PSP that is asked twice pays once. It is not relied upon
alone: an order leaves once, and when its answer is lost, the PSP is asked what it has under the reference before
anything else is done. After it was taken, the PSP is asked again from time to time how far it is; a webhook only makes
that happen sooner. What the PSP's settlement report says later is compared by the reconciliation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from backoffice.audit import services as audit
from backoffice.kernel import clock, jobs, money
from backoffice.kernel.actor import Actor, System
from backoffice.kernel.errors import DomainError
from backoffice.kernel.money import Money
from backoffice.kernel.plain import digest
from backoffice.organisation.models import Currency
from backoffice.outbox import services as outbox
from backoffice.outbox.models import Message, State
from backoffice.outbox.registry import Outcome
from integrations import registry
from integrations.models import Connection, OrderState, PayoutOrder
from integrations.ports import GatewayPayout, Instruction, OutcomeUnknown, PayoutStage, PspGateway, ServerError
from integrations.services.connections import open_gateway
from integrations.services.operations import LATEST_EFFECT, SEND_WITHIN

KIND = "psp.payout"
FOLLOW = "integrations.follow_payouts"
_REFERENCE = re.compile(r"[A-Z]-[0-9A-Z]{8}")
_SENDER = System("payouts")
_LONGEST_ERROR = 500
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
# How long after the last look the PSP is asked again, while a payout is under way; the last one goes on.
_PAUSES = (_MINUTE, 5 * _MINUTE, 15 * _MINUTE, _HOUR, 6 * _HOUR)
# A payout that was paid may still come back; after this long only a webhook or a report tells.
_MAY_RETURN_FOR = 30 * _DAY
_RANK = {OrderState.OPEN: 0, OrderState.SENT: 1, OrderState.PAID: 2, OrderState.FAILED: 3, OrderState.RETURNED: 3}


class BadPayout(DomainError):
    """An order that no PSP could carry out as it is meant."""


class ReferenceUsed(DomainError):
    """There is a payout with this reference; another attempt needs another reference."""


class CannotRetry(DomainError):
    """The order is settled or under way."""


@transaction.atomic
def pay_out(
    *,
    actor: Actor,
    connection_id: int,
    reference: str,
    amount: Money,
    destination: Mapping[str, str],
    original_reference: str = "",
    key: str,
) -> PayoutOrder:
    """Promise to pay out `amount`, once. The same key with the same content is the same promise.

    Who listens at registry.on_paid is told how far it is. Raises BadPayout, ReferenceUsed; KeyReused for other content
    under a known key.
    """
    connection = Connection.objects.get(pk=connection_id)
    _check(connection, reference, amount, destination, original_reference)
    known = PayoutOrder.objects.filter(reference=reference).first()
    if known is not None and known.key != key:
        raise ReferenceUsed(f"{reference} was ordered at {known.asked_at:%Y-%m-%d %H:%M} UTC already. Look there.")
    # Addresses and tokens stay in the order; the message proves by their hash that they are the same.
    payload = {
        "connection": connection_id,
        "reference": reference,
        "amount": amount.amount.normalize(),
        "currency": amount.currency,
        "original": original_reference,
        "destination": digest(dict(destination)),
    }
    message = outbox.enqueue(kind=KIND, key=key, payload=payload)
    known = PayoutOrder.objects.filter(message=message).first()
    if known is not None:
        return known
    now = clock.now()
    order = PayoutOrder.objects.create(
        entity_id=connection.entity_id,
        connection=connection,
        reference=reference,
        key=key,
        amount=amount.amount,
        currency=amount.currency,
        destination=dict(destination),
        original_reference=original_reference,
        message=message,
        asked_at=now,
        state_at=now,
    )
    audit.record(actor=actor, action="payout.ordered", target=order, data={"connection": connection.name, **payload})
    return order


def _check(
    connection: Connection, reference: str, amount: Money, destination: Mapping[str, str], original: str
) -> None:
    if not registry.is_gateway(connection.adapter):
        raise BadPayout(f"{connection.name} takes no payouts. Choose a connection that pays.")
    if not _REFERENCE.fullmatch(reference):
        raise BadPayout(f"{reference!r} is not one of our references: a letter, a dash, eight digits or letters.")
    currency = Currency.objects.filter(code=amount.currency).first()
    if currency is None or amount.amount <= 0 or not money.fits(amount.amount, currency.exponent):
        raise BadPayout(f"{amount} cannot be paid: give a positive amount in whole units of a known currency.")
    fields = {field.name: field for field in registry.GATEWAYS[connection.adapter].destination}
    unknown = sorted(set(destination) - fields.keys())
    missing = [field.label for field in fields.values() if field.required and not destination.get(field.name)]
    if unknown or (missing and not original):
        raise BadPayout(f"The destination does not fit {connection.name}: {', '.join(unknown or missing)}.")


@transaction.atomic
def retry(*, actor: Actor, order_ids: Sequence[int]) -> int:
    """Have orders that are not sent yet worked on now; all of them or none. One of unknown outcome is looked up."""
    for order in PayoutOrder.objects.filter(pk__in=order_ids).select_related("message").order_by("pk"):
        if order.state != OrderState.OPEN:
            done = order.get_state_display()
            raise CannotRetry(f"{order.reference} is {done}. Another attempt is another request.")
        if order.message.state == State.SENDING:
            raise CannotRetry(f"{order.reference} is being sent. Look again in a minute.")
        outbox.retry(key=order.key)
        audit.record(actor=actor, action="payout.retried", target=order, data={"reference": order.reference})
    return len(order_ids)


@transaction.atomic
def hint(*, references: Sequence[str]) -> int:
    """Somebody (a webhook, a report) says that these payouts got further: have the PSP asked now. How many are ours."""
    free = PayoutOrder.objects.filter(reference__in=references, state__in=[OrderState.SENT, OrderState.PAID])
    found = free.update(look_at=clock.now())
    if found:
        jobs.after_commit(FOLLOW)
    return found


def follow_due(*, limit: int = 200) -> int:
    """Ask the PSPs how far payouts are whose next look is due. Returns how many were asked about."""
    done = 0
    while done < limit and (order := _take_due()) is not None:
        _follow(order)
        done += 1
    return done


@transaction.atomic(durable=True)
def _take_due() -> PayoutOrder | None:
    now = clock.now()
    order = (
        PayoutOrder.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("connection")
        .filter(look_at__lte=now)
        .order_by("look_at", "id")
        .first()
    )
    if order is not None:
        order.look_at = _next_look(order, now)
        order.looks += 1
        order.save(update_fields=["look_at", "looks"])
    return order


def _next_look(order: PayoutOrder, now: datetime) -> datetime | None:
    """When a payout is looked at again after a look at `now`; never when nothing more is expected of it."""
    if order.state == OrderState.SENT:
        return now + _PAUSES[min(order.looks, len(_PAUSES) - 1)]
    if order.state == OrderState.PAID and now < order.state_at + _MAY_RETURN_FOR:
        return now + _DAY
    return None


def _follow(order: PayoutOrder) -> None:
    """Ask about one payout. A PSP that does not answer is asked again at the next look."""
    if not order.connection.is_active:
        return
    try:
        gateway = open_gateway(order.connection)
        try:
            found = gateway.find(_instruction(order))
        finally:
            gateway.close()
    except (ServerError, OSError) as error:
        PayoutOrder.objects.filter(pk=order.pk).update(error=str(error)[:_LONGEST_ERROR])
        return
    if found and not _trouble(order, found):
        with transaction.atomic():
            _advance(order, found)


class PayoutSender:
    """Sends orders and looks for those whose answer was lost. Runs outside any transaction."""

    def send(self, *, key: str, payload: Mapping[str, Any]) -> Outcome:
        """Pay: called while nothing can have been paid."""
        return _with_gateway(_order(key), waiting=State.QUEUED, work=_pay)

    def ask(self, *, key: str, payload: Mapping[str, Any]) -> Outcome:
        """Look whether it was paid."""
        order = _order(key)
        if order.sent_at is None:
            return Outcome(State.QUEUED, error="It had not left; it is sent again.", then=lambda: _hurry(key))
        return _with_gateway(order, waiting=State.UNKNOWN, work=_look)


def _order(key: str) -> PayoutOrder:
    return PayoutOrder.objects.select_related("connection", "message").get(key=key)


def _instruction(order: PayoutOrder) -> Instruction:
    return Instruction(
        reference=order.reference,
        amount=money.quantise(order.amount, _exponent(order)),
        currency=order.currency,
        exponent=_exponent(order),
        destination=order.destination,
        original_reference=order.original_reference,
    )


def _exponent(order: PayoutOrder) -> int:
    return Currency.objects.get(code=order.currency).exponent


def _with_gateway(order: PayoutOrder, *, waiting: State, work: Callable[[PayoutOrder, PspGateway], Outcome]) -> Outcome:
    connection = order.connection
    if not connection.is_active:
        return Outcome(waiting, error=f"{connection.name} is paused. It is tried again when the connection is active.")
    try:
        gateway = open_gateway(connection)
    except (ServerError, OSError) as error:
        return _later(waiting, error)
    try:
        return work(order, gateway)
    finally:
        gateway.close()


def _pay(order: PayoutOrder, gateway: PspGateway) -> Outcome:
    if not _leaves(order):
        return Outcome(State.UNKNOWN, error="It came to sending too late; it is looked up first.")
    try:
        made = gateway.pay(_instruction(order))
    except OutcomeUnknown as error:
        return _later(State.UNKNOWN, error)
    except ServerError as error:
        return _later(State.QUEUED, error) if error.retry else _turned_down(order, gateway, error)
    return _found(order, [made])


def _turned_down(order: PayoutOrder, gateway: PspGateway, error: ServerError) -> Outcome:
    """A refusal ends an order that left for the first time. One that had left before may have been paid then, on a
    list that came late: it is looked for once more."""
    try:
        found = gateway.find(_instruction(order)) if order.sent_at is not None else ()
    except (ServerError, OSError) as doubt:
        return _later(State.UNKNOWN, doubt)
    return _found(order, found) if found else _failed(order, f"The PSP refused: {error} Nothing was paid.")


def _leaves(order: PayoutOrder) -> bool:
    """Write down that the order leaves now, unless somebody else has taken the message over since we took it."""
    message, now = order.message, clock.now()
    with transaction.atomic():
        mine = Message.objects.select_for_update().filter(
            pk=message.pk, state=State.SENDING, attempts=message.attempts, taken_at__gt=now - SEND_WITHIN
        )
        if not mine.exists():
            return False
        PayoutOrder.objects.filter(pk=order.pk).update(sent_at=now)
    return True


def _look(order: PayoutOrder, gateway: PspGateway) -> Outcome:
    """What became of an order whose answer was lost."""
    try:
        found = gateway.find(_instruction(order))
    except (ServerError, OSError) as error:
        return _later(State.UNKNOWN, error)
    if found:
        return _found(order, found)
    assert order.sent_at is not None, "what did not leave is not looked for"
    settings = order.connection.settings
    listed = timedelta(minutes=int(settings.get("listed_after_minutes") or "5"))
    settled_at = (
        order.sent_at + timedelta(seconds=int(settings.get("timeout_seconds") or "30")) + LATEST_EFFECT + listed
    )
    if clock.now() <= settled_at:
        said = f"The PSP does not know it yet; it may until {settled_at:%H:%M:%S} UTC. It is looked for again."
        return Outcome(State.UNKNOWN, error=said)
    # Sent again now: it has waited long enough.
    return Outcome(
        State.QUEUED,
        error="It was not paid; it is sent again with the same reference.",
        then=lambda: _hurry(order.key),
    )


def _trouble(order: PayoutOrder, found: Sequence[GatewayPayout]) -> str:
    """Why what the PSP has under our reference cannot be this payout; empty when it can."""
    for one in found:
        if (one.amount, one.currency) != (order.amount, order.currency):
            return (
                f"The PSP has {one.psp_reference} under {order.reference}, but over {one.amount} {one.currency}. "
                "Ask the PSP what it is before anything else is done."
            )
    return ""


def _found(order: PayoutOrder, found: Sequence[GatewayPayout]) -> Outcome:
    trouble = _trouble(order, found)
    if trouble:
        return Outcome(State.UNKNOWN, error=trouble[:_LONGEST_ERROR])
    alive = [one for one in found if one.stage is not PayoutStage.FAILED]
    if not alive:
        return _failed(order, f"The PSP did not pay: {found[0].reason or 'no reason given'}.", found[0].psp_reference)
    first, *more = alive
    answer = {"psp_reference": first.psp_reference, "duplicates": [one.psp_reference for one in more]}
    return Outcome(State.DONE, answer=answer, error=_warning(alive), then=lambda: _advance(order, found))


def _failed(order: PayoutOrder, sentence: str, psp_reference: str = "") -> Outcome:
    sentence = sentence[:_LONGEST_ERROR]
    return Outcome(
        State.REFUSED,
        error=sentence,
        then=lambda: _move(order, OrderState.FAILED, psp_reference=psp_reference, duplicates=[], error=sentence),
    )


def _warning(alive: Sequence[GatewayPayout]) -> str:
    if len(alive) < 2:
        return ""
    named = ", ".join(one.psp_reference for one in alive)
    return f"The PSP paid it {len(alive)} times: {named}. It was ordered once; have the others taken back."[
        :_LONGEST_ERROR
    ]


def _advance(order: PayoutOrder, found: Sequence[GatewayPayout]) -> None:
    """Take over how far the PSP says it is. What is behind what we know already changes nothing."""
    ours = next((one for one in found if one.psp_reference == order.psp_reference), None)
    alive = [one for one in found if one.stage is not PayoutStage.FAILED]
    ours = ours or (alive[0] if alive else found[0])
    more = [one.psp_reference for one in alive if one.psp_reference != ours.psp_reference]
    error = _warning(alive) or ours.reason[:_LONGEST_ERROR]
    _move(order, OrderState(ours.stage.value), psp_reference=ours.psp_reference, duplicates=more, error=error)


def _move(order: PayoutOrder, state: OrderState, *, psp_reference: str, duplicates: Sequence[str], error: str) -> None:
    """One step forward with its record, and everybody told. A payout found paid is told as sent first."""
    now = clock.now()
    row = PayoutOrder.objects.select_for_update().get(pk=order.pk)
    row.duplicates = sorted({*row.duplicates, *duplicates})
    row.error = error
    steps = [state] if _RANK[state] > _RANK[OrderState(row.state)] else []
    if steps and row.state == OrderState.OPEN and state in {OrderState.PAID, OrderState.RETURNED}:
        steps.insert(0, OrderState.SENT)
    if state == OrderState.FAILED and row.state == OrderState.PAID:
        # It was paid and is no more: the money came back.
        steps = [OrderState.RETURNED]
    if steps:
        row.state, row.state_at, row.looks = steps[-1], now, 0
        row.psp_reference = row.psp_reference or psp_reference
        row.look_at = _next_look(row, now)
    row.save(update_fields=["state", "state_at", "psp_reference", "duplicates", "error", "look_at", "looks"])
    for step in steps:
        audit.record(
            actor=_SENDER,
            action=f"payout.{step.value.lower()}",
            target=row,
            data={"reference": row.reference, "psp_reference": row.psp_reference, "said": error},
        )
        registry.paid(row.reference, step.value, row.psp_reference, error)


def _hurry(key: str) -> None:
    outbox.hurry(keys=[key])


def _later(state: State, error: Exception) -> Outcome:
    return Outcome(state, error=str(error)[:_LONGEST_ERROR])
