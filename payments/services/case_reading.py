"""What providers say about disputes: their messages as they come, and the lines of their reports behind the booking.

Both are read by cursor, one after the other, so that a reader that runs twice or dies half-way finds each once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import partial

from django.db import transaction

from accounts.models import BookingCursor
from accounts.services.booking.plan import REFERENCE
from backoffice.kernel import locking
from backoffice.kernel.locking import Lock
from backoffice.kernel.money import Money
from backoffice.organisation.models import Currency
from integrations.hints import PspEventKind
from integrations.models import PspLine
from integrations.records import PspKind
from integrations.selectors.events import Received, events_after
from payments.models import CaseState, ChargebackCase, Cursor, EventSource, MoneyRequest
from payments.models.chargebacks import legal
from payments.selectors import cases as selectors
from payments.services import cases
from payments.services.cases import LOCK, ROBOT, About, Said

BATCH = 500
EVENTS = "cases:events"
_K, _S = PspEventKind, CaseState
STATES: dict[PspEventKind, CaseState] = {
    _K.DISPUTE_INQUIRY: _S.INQUIRY,
    _K.DISPUTE_FRAUD_NOTICE: _S.FRAUD_NOTICE,
    _K.DISPUTE_NOTIFIED: _S.NOTIFIED,
    _K.DISPUTE_CHARGED_BACK: _S.CHARGED_BACK,
    _K.DISPUTE_DEFENDED: _S.DEFENDED,
    _K.DISPUTE_REVERSED: _S.REVERSED,
    _K.DISPUTE_SECOND_ROUND: _S.SECOND_ROUND,
    _K.DISPUTE_PRE_ARBITRATION: _S.PRE_ARBITRATION,
    _K.DISPUTE_WON: _S.WON,
    _K.DISPUTE_LOST: _S.LOST,
}
# A time to answer that has passed ends what was not answered. After a defence or a reversal it only says that nothing
# can be added: who wins is not known by it.
_RUNS_OUT = frozenset({_S.NOTIFIED, _S.CHARGED_BACK, _S.PRE_ARBITRATION, _S.SECOND_ROUND})
_CALLED_OFF = ("prevented", "warning_closed", "cancel", "resolved")


def read_events() -> int:
    """Read the messages that came since the last time. Returns how many were about disputes."""
    total = 0
    while True:
        cursor, _ = Cursor.objects.get_or_create(name=EVENTS)
        events = events_after(None, cursor.through_id, BATCH)
        for received in events:
            if received.event.kind.value.startswith("DISPUTE_"):
                total += _once(EVENTS, received.id, partial(_hear_event, received))
        if not events:
            return total
        _once(EVENTS, events[-1].id, lambda: None)


def read_lines() -> int:
    """Read what was booked of chargebacks and their reversals. Returns how many lines."""
    total = 0
    kinds = [PspKind.CHARGEBACK.value, PspKind.CHARGEBACK_REVERSED.value]
    for row in BookingCursor.objects.filter(fact_kind="psp").select_related("connection").order_by("pk"):
        name = f"cases:{row.connection_id}"
        cursor, _ = Cursor.objects.get_or_create(name=name)
        lines = PspLine.objects.filter(
            entity_id=row.connection.entity_id, connection_id=row.connection_id, kind__in=kinds,
            id__gt=cursor.through_id, id__lte=row.through_id,
        ).order_by("id")  # fmt: skip
        for line in lines.iterator(chunk_size=BATCH):
            total += _once(name, line.pk, partial(_hear_line, line))
        _once(name, row.through_id, lambda: None)
    return total


@transaction.atomic
def _once(name: str, through_id: int, work: Callable[[], object]) -> int:
    """Do the work unless somebody has done it, and note how far we are. 1 if it was done here."""
    locking.advisory(Lock.JOB, LOCK)
    cursor, _ = Cursor.objects.get_or_create(name=name)
    if cursor.through_id >= through_id:
        return 0
    work()
    cursor.through_id = through_id
    cursor.save(update_fields=["through_id"])
    return 1


def _hear_event(received: Received) -> ChargebackCase:
    event, details = received.event, received.event.details
    about = _about(
        received.entity_id, received.connection_id, event.psp_reference, event.original_reference,
        event.merchant_reference,
    )  # fmt: skip
    known = cases.find(about)
    said = Said(
        kind=event.kind.value.removeprefix("DISPUTE_"),
        state=_state(event.kind, event.status.lower(), None if known is None else CaseState(known.state)),
        happened_at=event.occurred_at or received.received_at,
        source=EventSource.MESSAGE,
        source_id=received.id,
        amount=_money(event.amount, event.currency),
        deadline_at=_moment(details.get("defence_until", "")),
        reason_code=details.get("reason_code", ""),
        reason_text=event.reason,
        method=details.get("scheme", "") or details.get("method", ""),
        mid=details.get("merchant_account", ""),
        words=event.status,
    )
    return cases.hear(actor=ROBOT, about=about, said=said)


def _state(kind: PspEventKind, status: str, now: CaseState | None) -> CaseState | None:
    """Where a message leads. Some providers say in the status how a dispute was closed."""
    if kind == _K.DISPUTE_LOST and "accepted" in status:
        return _S.ACCEPTED
    if kind == _K.DISPUTE_LOST and "expired" in status:
        return _S.EXPIRED
    if kind != _K.DISPUTE_CLOSED:
        return STATES[kind]
    if any(word in status for word in _CALLED_OFF):
        return _S.PREVENTED if now is None or legal(now, _S.PREVENTED) else None
    return _S.EXPIRED if now in _RUNS_OUT else None


def _hear_line(line: PspLine) -> ChargebackCase:
    names = [name for name in (line.psp_reference, line.modification_reference) if name]
    payment = selectors.payment(line.entity_id, names)
    paid = payment.psp_reference if payment is not None else line.psp_reference
    dispute = next((name for name in reversed(names) if name != paid), "")
    about = _about(line.entity_id, line.connection_id, dispute, paid, line.merchant_reference)
    second = "second" in line.provider_type.lower()
    taken = _S.SECOND_ROUND if second else _S.CHARGED_BACK
    said = Said(
        kind=line.kind[:15],
        state=taken if line.kind == PspKind.CHARGEBACK.value else _S.REVERSED,
        happened_at=line.booked_at,
        source=EventSource.LINE,
        source_id=line.pk,
        amount=_money(abs(line.gross_original), line.currency_original),
        method=line.method,
        words=line.provider_type,
    )
    return cases.hear(actor=ROBOT, about=about, said=said)


def _about(entity_id: int, connection_id: int, dispute: str, paid: str, merchant_reference: str) -> About:
    """Whose payment it is: by our reference, else by the provider's name of the payment."""
    found = REFERENCE.search(merchant_reference)
    payment = selectors.payment(entity_id, [paid]) if paid else None
    if found is None and payment is not None:
        found = REFERENCE.search(payment.merchant_reference)
    deposits = MoneyRequest.objects.filter(entity=entity_id, kind="D").order_by("-pk")
    deposit = deposits.filter(reference=found[0]).first() if found else None
    if deposit is None and paid:
        deposit = deposits.filter(psp_reference=paid).first()
    return About(
        entity_id=entity_id,
        connection_id=connection_id,
        dispute_reference=dispute,
        psp_reference=paid,
        deposit=deposit,
        client_id=deposit.client_id if deposit is not None else None,
        our_reference=found[0] if found and found[0].startswith("D") else "",
        paid_at=payment.booked_at if payment is not None else None,
    )


def _money(amount: Decimal | None, currency: str) -> Money | None:
    """None where nothing is said, or in a currency that the house does not keep."""
    if not amount or not Currency.objects.filter(pk=currency).exists():
        return None
    return Money(abs(amount), currency)


def _moment(text: str) -> datetime | None:
    found = datetime.fromisoformat(text) if text else None
    return found if found is not None and found.tzinfo is not None else None
