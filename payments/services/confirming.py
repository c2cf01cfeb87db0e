"""What PSPs and banks say, read behind the booking: lines of their books, and messages that came at once.

A line that carries a request's reference is kept as evidence and moves the request on. Lines are read per connection
in the order of their ids and only as far as they are booked, so that what is done here stands in the books before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial

from django.db import connection as database
from django.db import transaction

from accounts.models import BookingCursor
from accounts.services.booking.plan import REFERENCE
from backoffice.kernel import locking
from backoffice.kernel.actor import System
from backoffice.kernel.errors import DomainError
from backoffice.kernel.locking import Lock
from integrations.selectors.events import Received, events_after
from integrations.services import payouts as psp
from payments.models import Cursor, MoneyRequest, PayoutState, RequestKind, RequestState
from payments.services import deposits, machine, payouts
from payments.services.sending import leave, locked_payout, settle

ROBOT = System("payments.confirming")
BATCH = 500
EVENTS = "events"
_PATTERN = r"\m[DW]-[0-9A-Z]{8}\M"
_READ = {
    # What a line is about in full: the PSP's fee is ours, not the client's.
    "psp": """
        SELECT id, gross, currency, business_date, merchant_reference || ' ' || modification_reference
          FROM integrations_pspline
         WHERE entity_id = %s AND connection_id = %s AND id > %s AND id <= %s
           AND merchant_reference || ' ' || modification_reference ~ %s
         ORDER BY id LIMIT %s""",
    "bank": """
        SELECT id, amount, currency, booking_date, end_to_end_id || ' ' || remittance
          FROM integrations_bankline
         WHERE entity_id = %s AND connection_id = %s AND id > %s AND id <= %s
           AND end_to_end_id || ' ' || remittance ~ %s
         ORDER BY id LIMIT %s""",
}


@dataclass(frozen=True, slots=True)
class _Line:
    fact_id: int
    amount: Decimal
    currency: str
    day: date
    said: str


def confirm_all() -> int:
    """Read everything that was booked since the last time. Returns how many lines named a request."""
    found = 0
    for row in BookingCursor.objects.filter(fact_kind__in=_READ).select_related("connection").order_by("pk"):
        while (count := _read_lines(row.connection_id, row.connection.entity_id, row.fact_kind)) is not None:
            found += count
    payouts.find_unknown()
    return found


def _read_lines(connection_id: int, entity_id: int, kind: str) -> int | None:
    """One batch; None when there is nothing more. Each line is a transaction of its own, so that no two clients are
    ever locked together here."""
    name = f"{kind}:{connection_id}"
    booked = BookingCursor.objects.get(connection=connection_id, fact_kind=kind).through_id
    cursor, _ = Cursor.objects.get_or_create(name=name)
    if cursor.through_id >= booked:
        return None
    with database.cursor() as rows:
        rows.execute(_READ[kind], [entity_id, connection_id, cursor.through_id, booked, _PATTERN, BATCH])
        lines = [_Line(*row) for row in rows.fetchall()]
    for line in lines:
        _once(name, line.fact_id, partial(_read_line, line, entity_id, kind))
    _once(name, lines[-1].fact_id if len(lines) == BATCH else booked, lambda: None)
    return len(lines)


@transaction.atomic
def _once(name: str, through_id: int, work: Callable[[], None]) -> None:
    """Do the work unless somebody has done it, and note how far we are."""
    locking.advisory(Lock.JOB, f"payments.{name}")
    cursor, _ = Cursor.objects.get_or_create(name=name)
    if cursor.through_id >= through_id:
        return
    work()
    cursor.through_id = through_id
    cursor.save(update_fields=["through_id"])


def _read_line(line: _Line, entity_id: int, kind: str) -> None:
    for reference in dict.fromkeys(REFERENCE.findall(line.said)):
        request = machine.locked_by_reference(reference=reference)
        if request is not None and request.entity_id == entity_id:
            _take(request, line, kind)


def _take(request: MoneyRequest, line: _Line, kind: str) -> None:
    """One line about one request, which is locked."""
    if line.currency != request.currency_id:
        text = f"{kind} line {line.fact_id} is in {line.currency}: compare it by hand."
        machine.note(actor=ROBOT, request=request, text=text, data={"fact": f"{kind}:{line.fact_id}"})
        return
    if not deposits.keep(request, kind, line.fact_id, line.amount, line.day):
        return
    said = {"fact": f"{kind}:{line.fact_id}", "amount": line.amount}
    machine.note(actor=ROBOT, request=request, data=said)
    try:
        with transaction.atomic():
            if request.kind == RequestKind.DEPOSIT:
                deposits.on_line(request, line.amount, kind, line.fact_id)
            elif request.kind == RequestKind.WITHDRAWAL:
                _withdrawal_line(request, line)
    except DomainError as error:
        # What cannot go on by itself waits for a person and holds up no other line.
        request.refresh_from_db()
        machine.note(actor=ROBOT, request=request, text=str(error), data=said)


def _withdrawal_line(request: MoneyRequest, line: _Line) -> None:
    payout = locked_payout(request)
    if payout is None:
        return
    if line.amount < 0:
        if payout.state in (PayoutState.SENDING, PayoutState.UNKNOWN) and request.state == RequestState.PAYING:
            # The book says that it left: the answer that was lost has come this way.
            leave(actor=ROBOT, request=request, payout=payout)
        settle(actor=ROBOT, request=request, payout=payout)
    elif line.amount == request.amount and payout.state in (PayoutState.SENT, PayoutState.PAID):
        payouts.undo(actor=ROBOT, request=request, payout=payout, returned=True, why="a booked line brings it back")


def read_events() -> int:
    """Read the messages of PSPs that came since the last time. Returns how many."""
    total = 0
    while count := _read_events():
        total += count
    return total


def _read_events() -> int:
    cursor, _ = Cursor.objects.get_or_create(name=EVENTS)
    events = events_after(None, cursor.through_id, BATCH)
    for received in events:
        _once(EVENTS, received.id, partial(_read_event, received))
    return len(events)


def _read_event(received: Received) -> None:
    event = received.event
    found = REFERENCE.search(event.merchant_reference)
    if found is None:
        return
    if found[0].startswith(RequestKind.WITHDRAWAL.value):
        # Whatever it is called: a card PSP tells of a payout that failed or of a refund in the words of payments.
        psp.hint(references=[found[0]])
    elif event.kind.value.startswith("PAYMENT_"):
        request = machine.locked_by_reference(reference=found[0])
        if request is not None and request.kind == RequestKind.DEPOSIT and request.entity_id == received.entity_id:
            deposits.on_event(request=request, received=received)
