"""How far a payout has come: told by the PSP's interface, by payment files, and by the lines of PSP and bank.

    SENT       the money is out; a wallet's reservation is used
    PAID       the other side says so, or a booked line does; with a line the request is done
    FAILED     it did not leave: the reservation is given back, or what was on its way is credited to the wallet
    RETURNED   it came back: credited to the wallet, linked

States never move backwards: a late or repeated word changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from accounts.models import Reservation, ReservationState
from accounts.services import reserves, wallets
from backoffice.approvals.services import steps
from backoffice.kernel.actor import Actor, Person, System
from backoffice.kernel.errors import DomainError
from backoffice.kernel.money import Money
from backoffice.outbox.models import Message
from backoffice.outbox.models import State as MessageState
from payments.models import MoneyRequest, Payout, PayoutState, PayoutWay, RequestState
from payments.models.reasons import PUBLIC_FAILED, REFUSALS
from payments.services import machine, mails
from payments.services.sending import SEND, leave, locked_payout, settle, step

ROBOT = System("payments.payouts")
CLEARING = "clearing.client_money"
_OVER = (PayoutState.FAILED, PayoutState.RETURNED)


class NotInFile(DomainError):
    """The payout cannot go into, or is not in, a payment file."""


def on_paid(reference: str, state: str, psp_reference: str, error: str) -> None:
    """The PSP says how far a payout is; called in the transaction that stores it."""
    request = machine.locked_by_reference(reference=reference)
    payout = locked_payout(request) if request is not None else None
    if request is None or payout is None or payout.state in _OVER:
        return
    if state in ("SENT", "PAID") and payout.state in (PayoutState.SENDING, PayoutState.UNKNOWN):
        leave(actor=ROBOT, request=request, payout=payout, provider_reference=psp_reference)
    if state == "PAID" and payout.state == PayoutState.SENT:
        step(payout, PayoutState.PAID)
        machine.note(actor=ROBOT, request=request, data={"psp": "paid", "provider_reference": psp_reference})
        settle(actor=ROBOT, request=request, payout=payout)
    elif state in ("FAILED", "RETURNED"):
        undo(actor=ROBOT, request=request, payout=payout, returned=state == "RETURNED", why=error)


def undo(*, actor: Actor, request: MoneyRequest, payout: Payout, returned: bool, why: str) -> MoneyRequest:
    """The money did not get there: it is the client's again, in the wallet where it was, or in one of its currency
    where a trading account had been debited. Request and payout are locked; a payout is never sent again."""
    gone = payout.state in (PayoutState.SENT, PayoutState.PAID)
    # What an interface calls a return without ever having sent is a failure to us; one that arrived and came back
    # is returned, whatever it is called.
    back = gone and (returned or request.state == RequestState.DONE)
    step(payout, PayoutState.RETURNED if back else PayoutState.FAILED, error=why[:500])
    data = _give_back(actor, request)
    to = RequestState.RETURNED if back else RequestState.FAILED
    text = f"{'Returned' if back else 'Not paid'}: {why}" if why else ""
    machine.move(actor=actor, request=request, to=to, text=text, public=PUBLIC_FAILED, data=data)
    mails.tell(request=request, public=PUBLIC_FAILED)
    return request


@transaction.atomic
def give_up(*, actor: Person, request_id: int, code: str, note: str) -> MoneyRequest:
    """What waits to be paid by a bank cannot be paid: the money is the client's again."""
    request = machine.locked(request_id=request_id)
    steps.permit(actor=actor, permission=SEND, entity_id=request.entity_id)
    payout = locked_payout(request)
    if payout is None or payout.state != PayoutState.READY or request.state != RequestState.TO_PAY:
        raise machine.IllegalStep(
            f"{request.reference} is {request.get_state_display()}: it is not given up from there."
        )
    if code not in REFUSALS or not note.strip():
        raise DomainError("Choose a reason and say in a note why it cannot be paid.")
    request.reason = code
    request.save(update_fields=["reason"])
    return undo(actor=actor, request=request, payout=payout, returned=False, why=f"{REFUSALS[code].label}: {note}")


def _give_back(actor: Actor, request: MoneyRequest) -> dict[str, int | None]:
    """Release what is still reserved, or credit what is on its way; what it links to is returned."""
    reservation = Reservation.objects.get(reference=request.reference)
    debited = request.source_account_id is not None
    if reservation.state == ReservationState.HELD and not debited:
        ended = reserves.release(actor=actor, reference=request.reference, reason="not paid")
        return {"reservation": ended.pk, "journal": ended.ended_journal_id}
    wallet = request.source_wallet or wallets.open_wallet(
        actor=actor, client_id=request.client_id, currency=request.currency_id
    )
    posted = wallets.move(
        actor=actor,
        wallet=wallet,
        amount=Money(request.amount, request.currency_id),
        contra=CLEARING,
        key=f"money:{request.reference}:back",
        description=f"{request.reference} came back",
    )
    return {"reservation": reservation.pk, "journal": posted.journal_id, "wallet": wallet.pk}


@transaction.atomic
def find_unknown() -> int:
    """Show a payout whose answer was lost as such, and take the mark away when it is known. Returns how many moved."""
    moved = 0
    open_ones = Payout.objects.filter(way=PayoutWay.PSP, state__in=[PayoutState.SENDING, PayoutState.UNKNOWN])
    keys = {f"{row.reference}:payout": row for row in open_ones.order_by("pk")}
    unknown = set(Message.objects.filter(key__in=keys, state=MessageState.UNKNOWN).values_list("key", flat=True))
    for key, row in keys.items():
        wanted = PayoutState.UNKNOWN if key in unknown else PayoutState.SENDING
        moved += Payout.objects.filter(pk=row.pk, state=row.state).exclude(state=wanted).update(state=wanted)
    return moved


def _for_file(payout_ids: Sequence[int]) -> list[tuple[MoneyRequest, Payout]]:
    """Payouts with their requests, locked in the order of clients and requests."""
    wanted = Payout.objects.filter(pk__in=payout_ids).order_by("request__client_id", "request_id")
    found = []
    for request_id in wanted.values_list("request_id", flat=True):
        request = machine.locked(request_id=request_id)
        payout = locked_payout(request)
        assert payout is not None
        found.append((request, payout))
    if len(found) != len(set(payout_ids)):
        raise NotInFile("A payout of the batch is gone. Reload the list.")
    return found


@transaction.atomic
def into_file(*, actor: Actor, payout_ids: Sequence[int], file_reference: str) -> list[Payout]:
    """These payouts are written into one payment file; all or none, each into one file only."""
    taken = []
    for request, payout in _for_file(payout_ids):
        if (payout.way, payout.state, request.state) != (PayoutWay.FILE, PayoutState.READY, RequestState.TO_PAY):
            raise NotInFile(f"{payout.reference} is {payout.get_state_display()}: it does not go into this file.")
        step(payout, PayoutState.SENDING, file_reference=file_reference)
        data = {"file": file_reference, "payout": payout.pk}
        machine.move(actor=actor, request=request, to=RequestState.PAYING, data=data)
        taken.append(payout)
    return taken


@transaction.atomic
def file_sent(*, actor: Actor, payout_ids: Sequence[int]) -> int:
    """The bank has the file: the money of these payouts is on its way. A repeat changes nothing."""
    sent = 0
    for request, payout in _for_file(payout_ids):
        if payout.way == PayoutWay.FILE and payout.state in (PayoutState.SENDING, PayoutState.UNKNOWN):
            leave(actor=actor, request=request, payout=payout)
            sent += 1
    return sent


@transaction.atomic
def file_refused(*, actor: Actor, reference: str, reason: str) -> MoneyRequest | None:
    """The bank refused one payment of a file, before or after it took the file; a repeat changes nothing."""
    request = machine.locked_by_reference(reference=reference)
    payout = locked_payout(request) if request is not None else None
    if request is None or payout is None or payout.way != PayoutWay.FILE:
        raise NotInFile(f"No payment file of ours carries {reference}.")
    if payout.state in _OVER:
        return None
    return undo(actor=actor, request=request, payout=payout, returned=False, why=reason)
