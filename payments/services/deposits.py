"""Deposits: announced, confirmed by two people, a PSP's message or a booked line; credited to wallet or login.

The reference goes with the client's payment. What enough is for a credit without people is the entity's rule
(PaymentRule.credit_on); a PSP's message is a hint, the line of its report is the book. A receipt that brings no
reference stands unallocated in the books until two people have given it to a client.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction

from accounts.models import PayoutReceipt, TradingAccount, Wallet, What
from accounts.services import restrictions, wallets
from accounts.services.booking.plan import REFERENCE
from backoffice.approvals.models import Part, State
from backoffice.approvals.models import Request as Approval
from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor, System
from backoffice.kernel.errors import DomainError, NotFound, Stale
from backoffice.kernel.money import Money
from integrations.models import BankLine
from integrations.records import PAYOUT_TOKEN, DealKind
from integrations.services import operations
from ledger.services.journal import Entry
from payments.models import CreditOn, Evidence, MoneyRequest, PayeeKind, RequestKind, RequestState
from payments.models.reasons import PUBLIC_DEPOSIT, REFUSALS
from payments.selectors.rules import rule_for
from payments.services import machine, mails

ROBOT = System("payments.deposits")
CREDIT = "credit"
CLEARING, UNALLOCATED = "clearing.client_money", "clearing.unallocated"
# The reason of a deposit whose money stands among the unallocated receipts.
ALLOCATED = "ALLOCATED"


class CannotCredit(DomainError):
    """The deposit is not what it says, or cannot be credited now."""


@transaction.atomic
def announce(
    *,
    actor: Actor,
    client_id: int,
    amount: Money,
    method: str,
    account_id: int | None = None,
    connection_id: int | None = None,
    psp_reference: str = "",
    text: str = "",
) -> MoneyRequest:
    """A deposit that is to come, or has come and is not confirmed yet; to a login, or to the wallet of its currency.

    Its reference is what the client's payment should bring. Raises Restricted, CannotCredit.
    """
    client = restrictions.require_may(client_id=client_id, what=_what(method))
    return _announced(
        actor, client, amount, account_id,
        method=PayeeKind(method), connection_id=connection_id, psp_reference=psp_reference.strip(), text=text,
    )  # fmt: skip


def _what(method: str) -> What:
    return What.CARD_DEPOSIT if method == PayeeKind.CARD else What.DEPOSIT


def _announced(actor: Actor, client: Any, amount: Money, account_id: int | None, **more: Any) -> MoneyRequest:
    if amount.amount <= 0:
        raise CannotCredit("The amount of a deposit is more than nought.")
    target = _target(actor, client.pk, amount.currency, account_id)
    side = {"target_account": target} if isinstance(target, TradingAccount) else {"target_wallet": target}
    try:
        with transaction.atomic():
            return machine.start(actor=actor, kind=RequestKind.DEPOSIT, client=client, amount=amount, **side, **more)
    except IntegrityError as error:
        if "moneyrequest_deposit_once" not in str(error):
            raise
        raise CannotCredit("There is a deposit of this payment already. Search for its PSP reference.") from error


def _target(actor: Actor, client_id: int, currency: str, account_id: int | None) -> Wallet | TradingAccount:
    if account_id is None:
        return wallets.open_wallet(actor=actor, client_id=client_id, currency=currency)
    account = TradingAccount.objects.filter(pk=account_id, client=client_id).first()
    if account is None:
        raise NotFound("The client has no such trading account.")
    if account.currency_id != currency:
        raise CannotCredit(f"Login {account.login} is in {account.currency_id}. Credit the wallet, then convert.")
    return account


@transaction.atomic
def allocate(
    *, actor: Actor, line_id: int, client_id: int, account_id: int | None = None, text: str = ""
) -> MoneyRequest:
    """Say whose an unallocated receipt is. Nothing is credited by this: two people confirm it, like every deposit."""
    line = BankLine.objects.filter(pk=line_id).first()
    client = restrictions.require_may(client_id=client_id, what=What.DEPOSIT)
    if line is None or line.entity_id != client.entity_id:
        raise NotFound("There is no such bank line in the client's legal entity.")
    if not is_unallocated(line):
        raise CannotCredit("This line is no unallocated receipt: it carries a reference, or somebody has taken it.")
    request = _announced(
        actor, client, Money(line.amount, line.currency), account_id,
        method=PayeeKind.BANK, connection_id=line.connection_id, psp_reference=f"bank line {line.pk}",
        reason=ALLOCATED, text=text,
    )  # fmt: skip
    keep(request, "bank", line.pk, line.amount, line.booking_date)
    return request


def is_unallocated(line: BankLine) -> bool:
    """Whether the books hold a line as a receipt nobody was found for, and nobody has taken it since."""
    said = f"{line.end_to_end_id} {line.remittance}"
    marked = REFERENCE.search(said) or PAYOUT_TOKEN.search(said) or "CHRG" in line.bank_code
    taken = Evidence.objects.filter(fact_kind="bank", fact_id=line.pk).exclude(
        request__state__in=["REJECTED", "WITHDRAWN"]
    )
    if line.amount <= 0 or marked or PayoutReceipt.objects.filter(bank_line_id=line.pk).exists():
        return False
    return not taken.exists()


def keep(request: MoneyRequest, kind: str, fact_id: int, amount: Decimal, day: Any) -> bool:
    """Note that a booked line brings this request's reference. False when it was known."""
    _, created = Evidence.objects.get_or_create(
        request=request,
        fact_kind=kind,
        fact_id=fact_id,
        defaults={
            "amount": amount,
            "currency_id": request.currency_id,
            "booked_date": day,
            "seen_at": clock.now(),
        },
    )
    return created


def require_content(request: MoneyRequest, *, reference: str, amount: Decimal, currency: str, target: str) -> None:
    """Refuse when the row is not what was put before the approver."""
    if (request.reference, request.amount, request.currency_id, target_of(request)) != (
        reference,
        amount,
        currency,
        target,
    ):
        raise Stale("The deposit is not the one that was asked about. Nothing was done.")


def target_of(request: MoneyRequest) -> str:
    """Where the money goes, by a stable name."""
    target = request.target_wallet or request.target_account
    assert target is not None
    return audit.name_of(target)


def rehearse_credit(*, actor: Actor, money_id: int, **frozen: Any) -> MoneyRequest:
    """What is tried before a deposit is put before an approver."""
    request = machine.locked(request_id=money_id)
    require_content(request, **frozen)
    if request.state not in (RequestState.ASKED, RequestState.IN_REVIEW):
        raise machine.IllegalStep(f"{request.reference} is {request.get_state_display()}. Reload the page.")
    restrictions.require_may(client_id=request.client_id, what=_what(request.method))
    return request


@transaction.atomic
def confirm(*, actor: Actor, money_id: int, request_id: int, **frozen: Any) -> MoneyRequest:
    """Two people say that the money is there: credit it. Runs behind four eyes."""
    request = rehearse_credit(actor=actor, money_id=money_id, **frozen)
    if request.approval_id != request_id:
        raise Stale("Another request for approval of this deposit is newer. Decide that one.")
    return credit(actor=actor, request=request, data={"approval": request_id})


def credit(*, actor: Actor, request: MoneyRequest, data: Mapping[str, Any]) -> MoneyRequest:
    """Give a locked deposit to the client, in the wallet at once, on a login when the server has booked it."""
    amount, more = Money(request.amount, request.currency_id), dict(data)
    contra = CLEARING
    if request.reason == ALLOCATED:
        contra = UNALLOCATED if request.target_wallet is not None else CLEARING
        if request.target_account is not None:
            more["journal"] = _out_of_unallocated(actor, request)
    if request.target_account is not None:
        machine.move(actor=actor, request=request, to=RequestState.AT_SERVER, data=more)
        operations.operate(
            actor=actor,
            connection_id=request.target_account.connection_id,
            login=request.target_account.login,
            kind=DealKind.BALANCE,
            amount=request.amount,
            reference=request.reference,
            text="deposit",
            key=f"{request.reference}:{CREDIT}",
        )
        return request
    assert request.target_wallet is not None
    posted = wallets.move(
        actor=actor,
        wallet=request.target_wallet,
        amount=amount,
        contra=contra,
        key=f"money:{request.reference}",
        description=f"{request.reference} deposit",
    )
    return _done(actor, request, {**more, "journal": posted.journal_id})


def _out_of_unallocated(actor: Actor, request: MoneyRequest) -> int:
    """From the unallocated receipts to client money on its way, which the server's deal then clears."""
    here, there = (
        wallets.house_accounts(request.entity_id, code)[request.currency_id] for code in (UNALLOCATED, CLEARING)
    )
    return wallets.book(
        actor=actor,
        entity_id=request.entity_id,
        key=f"money:{request.reference}:allocated",
        description=f"{request.reference} allocated",
        entries=[Entry(here, request.amount), Entry(there, -request.amount)],
    ).journal_id


def _done(actor: Actor, request: MoneyRequest, data: Mapping[str, Any]) -> MoneyRequest:
    machine.move(actor=actor, request=request, to=RequestState.DONE, data=data, public=PUBLIC_DEPOSIT)
    mails.tell(request=request, public=PUBLIC_DEPOSIT)
    return request


def on_operated(key: str, state: str, ticket: int | None, error: str) -> None:
    """The trade server has credited a deposit, or refused; called in the transaction that says so.

    What it refuses is credited to the wallet: the money is the client's, and must be somewhere.
    """
    reference, _, part = key.partition(":")
    request = machine.locked_by_reference(reference=reference) if part == CREDIT else None
    if request is None or request.state != RequestState.AT_SERVER:
        return
    if state == "DONE":
        _done(ROBOT, request, {"ticket": ticket})
        return
    wallet = wallets.open_wallet(actor=ROBOT, client_id=request.client_id, currency=request.currency_id)
    posted = wallets.move(
        actor=ROBOT,
        wallet=wallet,
        amount=Money(request.amount, request.currency_id),
        contra=CLEARING,
        key=f"money:{request.reference}",
        description=f"{request.reference} deposit, refused by the server",
    )
    text = f"The trade server refused: {error} The money is in the wallet instead."
    _done(ROBOT, request, {"journal": posted.journal_id, "wallet": wallet.pk, "refused": True})
    machine.note(actor=ROBOT, request=request, text=text)


def on_approval(by: Actor, payload: Any, approval: Approval) -> None:
    """The request for approval was asked, returned, rejected, withdrawn or has expired: the deposit follows."""
    request = machine.locked(request_id=payload.money_id)
    if approval.state == State.PENDING:
        if request.state == RequestState.ASKED:
            machine.move(actor=by, request=request, to=RequestState.IN_REVIEW, approval=approval)
        return
    if request.approval_id != approval.pk or request.state != RequestState.IN_REVIEW:
        return
    data = {"approval": approval.pk}
    if approval.state in (State.RETURNED, State.EXPIRED, State.WITHDRAWN):
        machine.move(actor=by, request=request, to=RequestState.ASKED, data=data)
    elif approval.state == State.REJECTED:
        part = approval.participations.filter(part=Part.REJECTER).first()
        machine.move(actor=by, request=request, to=RequestState.REJECTED, data=data, text=part.reason if part else "")


@transaction.atomic
def drop(*, actor: Actor, request_id: int, text: str) -> MoneyRequest:
    """An announced deposit does not come, or was entered by mistake."""
    request = machine.locked(request_id=request_id)
    if request.kind != RequestKind.DEPOSIT or request.state != RequestState.ASKED:
        raise machine.IllegalStep(
            f"{request.reference} is {request.get_state_display()}: it is not dropped from there."
        )
    return machine.move(actor=actor, request=request, to=RequestState.WITHDRAWN, text=text)


def on_line(request: MoneyRequest, amount: Decimal, kind: str, fact_id: int) -> None:
    """A booked line brings a deposit's reference; the request is locked. Only exactly what was announced is credited
    without people, and only while nobody has asked others about it."""
    if rule_for(request.entity_id).credit_on != CreditOn.LINE or not _may_credit(request, amount):
        return
    credit(actor=ROBOT, request=request, data={"evidence": f"{kind}:{fact_id}"})


def on_event(*, request: MoneyRequest, received: Any) -> None:
    """A PSP's message about a deposit's payment; the request is locked. It is a hint: it says which payment it is, and
    credits only where the entity's rule takes it for enough."""
    event = received.event
    if request.psp_reference == "" and event.psp_reference and request.state == RequestState.ASKED:
        request.psp_reference, request.connection_id = event.psp_reference, received.connection_id
        request.save(update_fields=["psp_reference", "connection"])
    said = {"event": received.id, "kind": event.kind.value, "status": event.status}
    machine.note(actor=ROBOT, request=request, data=said)
    enough = rule_for(request.entity_id).credit_on == CreditOn.EVENT
    if event.kind.value == "PAYMENT_APPROVED" and enough and event.currency == request.currency_id:
        if event.amount is not None and _may_credit(request, event.amount):
            credit(actor=ROBOT, request=request, data={"event": received.id})
    elif event.kind.value == "PAYMENT_CANCELLED" and request.state == RequestState.ASKED:
        machine.move(actor=ROBOT, request=request, to=RequestState.REJECTED, public=REFUSALS["OTHER"].public)


def _may_credit(request: MoneyRequest, amount: Decimal) -> bool:
    if request.state != RequestState.ASKED or amount != request.amount:
        return False
    try:
        restrictions.require_may(client_id=request.client_id, what=_what(request.method))
    except restrictions.Restricted:
        machine.note(actor=ROBOT, request=request, text="Not credited by itself: ask for its confirmation.")
        return False
    return True
