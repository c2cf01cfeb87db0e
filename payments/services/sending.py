"""An approved withdrawal until the money is sent: debit at the server, then the payment, then the confirmation.

    wallet     approved -> being paid (PSP), to pay (payment file), sent (by hand)
    login      approved -> at the trade server -> being paid, to pay

A second click finds the request moved on and sends nothing; a second payout is refused by its unique request. What the
server or the PSP did not say stays where it is and is asked about, never sent again.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import transaction

from accounts.models import What
from accounts.selectors.kept import reveal
from accounts.services import reserves, restrictions
from backoffice.access.services import pairs
from backoffice.approvals.models import Part
from backoffice.approvals.services import steps
from backoffice.approvals.services.refusals import SameEyes
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor, Person, System
from backoffice.kernel.errors import DomainError
from backoffice.kernel.money import Money
from backoffice.organisation.selectors import currencies
from integrations import registry
from integrations.models import Connection
from integrations.records import DealKind
from integrations.services import operations
from integrations.services import payouts as psp
from payments.models import MoneyRequest, Payout, PayoutState, PayoutWay, RequestKind, RequestState
from payments.models.reasons import PUBLIC_DONE, PUBLIC_FAILED, PUBLIC_SENT
from payments.selectors.rules import rule_for
from payments.services import machine, mails, payees, withdrawals

ROBOT = System("payments.sending")
DEBIT = "debit"
SEND = "payments.send_payout"
# What a gateway calls a value that payees have under another name.
_CALLED = {"source_id": "token"}


class CannotSend(DomainError):
    """The withdrawal cannot be sent this way, or not by this person, or not now."""


class TypedWrong(DomainError):
    """A large amount was not typed as it is."""


@transaction.atomic
def send(
    *, actor: Person, request_id: int, way: str, connection_id: int | None = None, typed: Decimal | None = None
) -> MoneyRequest:
    """Set an approved withdrawal on its way, as a third person. Raises CannotSend, TypedWrong, SameEyes.

    `typed` is the amount as the person typed it, asked for from the entity's threshold on.
    """
    steps.require_fresh_factor(actor=actor)
    request = machine.locked(request_id=request_id)
    steps.permit(actor=actor, permission=SEND, entity_id=request.entity_id)
    if request.kind != RequestKind.WITHDRAWAL or request.state != RequestState.APPROVED:
        raise CannotSend(f"{request.reference} is {request.get_state_display()}. Nothing was sent by this.")
    _require_third(actor, request)
    restrictions.require_may(client_id=request.client_id, what=What.WITHDRAWAL)
    _require_typed(request, typed)
    payout = _payout(actor, request, PayoutWay(way), connection_id)
    checked = {"way": payout.way, "checks": withdrawals.stored_checks(request)}
    if request.source_account is not None:
        machine.move(actor=actor, request=request, to=RequestState.AT_SERVER, data=checked)
        operations.operate(
            actor=actor,
            connection_id=request.source_account.connection_id,
            login=request.source_account.login,
            kind=DealKind.BALANCE,
            amount=-request.amount,
            reference=request.reference,
            text="withdrawal",
            key=f"{request.reference}:{DEBIT}",
        )
        return request
    return _pay(actor, request, payout, checked)


def needs_typing(request: MoneyRequest) -> bool:
    """Whether the amount is so large that who sends types it once more."""
    home = request.entity.reporting_currency_id
    size = currencies.convert(request.amount, request.currency_id, home, clock.today())
    return size >= rule_for(request.entity_id).typed_from


@transaction.atomic
def sent_by_hand(*, actor: Person, request_id: int, bank_reference: str) -> MoneyRequest:
    """The person has entered the payment at the bank: what the bank calls it is typed here."""
    steps.require_fresh_factor(actor=actor)
    request = machine.locked(request_id=request_id)
    steps.permit(actor=actor, permission=SEND, entity_id=request.entity_id)
    payout = locked_payout(request)
    if payout is None or payout.way != PayoutWay.HAND or request.state != RequestState.TO_PAY:
        raise CannotSend(f"{request.reference} is {request.get_state_display()}: there is no payment to enter.")
    _require_third(actor, request)
    if not bank_reference.strip():
        raise CannotSend("Type the bank's reference of the payment.")
    step(payout, PayoutState.SENDING)
    machine.move(actor=actor, request=request, to=RequestState.PAYING, data={"way": payout.way})
    return leave(actor=actor, request=request, payout=payout, provider_reference=bank_reference.strip())


def leave(*, actor: Actor, request: MoneyRequest, payout: Payout, provider_reference: str = "") -> MoneyRequest:
    """The money is out of the house: what was reserved on a wallet is on its way now. Request and payout are locked."""
    step(payout, PayoutState.SENT, provider_reference=provider_reference)
    if request.source_wallet_id is not None:
        reserves.use(actor=actor, reference=request.reference)
    data = {"payout": payout.pk, "provider_reference": provider_reference}
    machine.move(actor=actor, request=request, to=RequestState.SENT, data=data, public=PUBLIC_SENT)
    mails.tell(request=request, public=PUBLIC_SENT)
    settle(actor=actor, request=request, payout=payout)
    return request


def settle(*, actor: Actor, request: MoneyRequest, payout: Payout) -> None:
    """Done as soon as the money is out and lines of the PSP or bank over the whole amount are booked."""
    booked = sum((row.amount for row in request.evidence.all()), Decimal(0))
    if request.state != RequestState.SENT or -booked != request.amount:
        return
    if payout.state == PayoutState.SENT:
        step(payout, PayoutState.PAID)
    machine.move(actor=actor, request=request, to=RequestState.DONE, public=PUBLIC_DONE, data={"payout": payout.pk})
    mails.tell(request=request, public=PUBLIC_DONE)


def locked_payout(request: MoneyRequest) -> Payout | None:
    """The payout of a locked request, locked."""
    return Payout.objects.select_for_update(of=("self",)).filter(request=request).first()


def step(payout: Payout, to: str, **fields: Any) -> Payout:
    """Take a locked payout one step on."""
    payout.state, payout.state_at = PayoutState(to), clock.now()
    changed = {name: value for name, value in fields.items() if value}
    for name, value in changed.items():
        setattr(payout, name, value)
    payout.save(update_fields=["state", "state_at", *changed])
    return payout


def on_operated(key: str, state: str, ticket: int | None, error: str) -> None:
    """The trade server has debited a withdrawal, or refused; called in the transaction that says so."""
    reference, _, part = key.partition(":")
    if part != DEBIT:
        return
    request = machine.locked_by_reference(reference=reference)
    if request is None or request.state != RequestState.AT_SERVER:
        return
    payout = locked_payout(request)
    assert payout is not None, "a withdrawal at the server has its payout"
    if state == "DONE":
        _pay(ROBOT, request, payout, {"ticket": ticket})
        return
    step(payout, PayoutState.FAILED, error=f"the trade server refused: {error}"[:500])
    released = reserves.release(actor=ROBOT, reference=request.reference, reason="refused by the trade server")
    machine.move(
        actor=ROBOT,
        request=request,
        to=RequestState.FAILED,
        text=f"The trade server refused: {error}",
        public=PUBLIC_FAILED,
        data={"reservation": released.pk, "journal": released.ended_journal_id},
    )
    mails.tell(request=request, public=PUBLIC_FAILED)


def _pay(actor: Actor, request: MoneyRequest, payout: Payout, data: dict[str, Any]) -> MoneyRequest:
    """The payment itself, after the server's debit where there is one."""
    if payout.way != PayoutWay.PSP:
        return machine.move(actor=actor, request=request, to=RequestState.TO_PAY, data=data)
    machine.move(actor=actor, request=request, to=RequestState.PAYING, data=data)
    step(payout, PayoutState.SENDING)
    assert payout.connection_id is not None
    psp.pay_out(
        actor=actor,
        connection_id=payout.connection_id,
        reference=request.reference,
        amount=Money(request.amount, request.currency_id),
        destination=_destination(payout),
        original_reference=payout.original_reference,
        key=f"{request.reference}:payout",
    )
    return request


def _destination(payout: Payout) -> dict[str, str]:
    """The payee in the gateway's words: what it asks for and we know."""
    assert payout.connection is not None
    payee = payout.payee
    reveal([payee])
    known = {**payee.details, "holder": payee.holder}
    fields = registry.GATEWAYS[payout.connection.adapter].destination
    values = {field.name: known.get(_CALLED.get(field.name, field.name), "") for field in fields}
    return {name: value for name, value in values.items() if value}


def _payout(actor: Person, request: MoneyRequest, way: PayoutWay, connection_id: int | None) -> Payout:
    """The one payout of a request; that there is none yet is held by the request's lock and by its unique column."""
    connection = _connection(request, way, connection_id)
    original, payee = request.original, request.payee
    assert payee is not None
    return Payout.objects.create(
        request=request,
        entity_id=request.entity_id,
        reference=request.reference,
        way=way,
        connection=connection,
        payee=payee,
        amount=request.amount,
        currency_id=request.currency_id,
        original_reference=original.psp_reference if original is not None and way == PayoutWay.PSP else "",
        executed_by_id=actor.user_id,
        created_at=clock.now(),
        state_at=clock.now(),
    )


def _connection(request: MoneyRequest, way: PayoutWay, connection_id: int | None) -> Connection | None:
    assert request.payee is not None
    if way == PayoutWay.PSP:
        wanted = request.payee.connection_id or connection_id
        found = Connection.objects.filter(pk=wanted or 0, entity=request.entity_id, is_active=True).first()
        if found is None or not registry.is_gateway(found.adapter):
            raise CannotSend("Choose a PSP of this entity that can pay out, or another way.")
        return found
    if request.payee.kind != "BANK":
        raise CannotSend(f"A {request.payee.get_kind_display()} is paid by its PSP, not by a bank.")
    return None


def _require_third(actor: Person, request: MoneyRequest) -> None:
    """Who sends is neither who asked, nor who approved, nor who had a hand in the payee; PostgreSQL holds it, too."""
    assert request.payee is not None
    pairs.require_not_both(actor=actor, pair=withdrawals.PAIR, earlier=payees.editors(request.payee))
    assert request.approval is not None, "what is approved has its approval"
    parts = request.approval.participations.filter(person=actor.user_id, part__in=[Part.MAKER, Part.APPROVER])
    if request.asked_by_id == actor.user_id or parts.exists():
        raise SameEyes("You entered, reviewed or approved this withdrawal yourself. Another person has to send it.")


def _require_typed(request: MoneyRequest, typed: Decimal | None) -> None:
    if needs_typing(request) and typed != request.amount:
        raise TypedWrong("Type the amount exactly as it stands above: it is a large one.")
