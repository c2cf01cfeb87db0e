"""A withdrawal until it is approved: submitted, checked, sent for approval, agreed to or not.

From submission on the money is reserved. Everything that ends it without a payment gives the reservation back to the
cent, with a linked event here and a linked journal in the books.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction

from accounts.models import Client, TradingAccount, Wallet, What
from accounts.services import reserves, restrictions
from accounts.services.locked import user_id
from backoffice.access.services import pairs
from backoffice.approvals.models import Part, State
from backoffice.approvals.models import Request as Approval
from backoffice.approvals.selectors import verdicts
from backoffice.approvals.services import steps
from backoffice.audit import services as audit
from backoffice.kernel.actor import Actor, Person
from backoffice.kernel.errors import DomainError, NotFound, Stale
from backoffice.kernel.money import Money
from payments.models import MoneyRequest, Payee, PayeeState, RequestKind, RequestState
from payments.models.reasons import REFUSALS
from payments.selectors import checks, sources
from payments.services import machine, mails, payees

PAIR = 1


class CannotWithdraw(DomainError):
    """The source, the payee and the amount do not fit together."""


@transaction.atomic
def submit(
    *,
    actor: Actor,
    client_id: int,
    amount: Money,
    payee_id: int,
    wallet_id: int | None = None,
    account_id: int | None = None,
    original_id: int | None = None,
    text: str = "",
) -> MoneyRequest:
    """Enter a client's wish to be paid, and set the money aside at once.

    `original_id` is the deposit that a refund gives back. Raises Restricted, CannotWithdraw, CannotReserve, BelowFloor.
    """
    client = restrictions.require_may(client_id=client_id, what=What.WITHDRAWAL)
    request = enter(
        actor=actor,
        client=client,
        amount=amount,
        payee_id=payee_id,
        wallet_id=wallet_id,
        account_id=account_id,
        original_id=original_id,
        text=text,
    )
    machine.note(actor=actor, request=request, data={"checks": stored_checks(request)})
    return request


def enter(
    *,
    actor: Actor,
    client: Client,
    amount: Money,
    payee_id: int,
    wallet_id: int | None,
    account_id: int | None,
    original_id: int | None,
    text: str,
    **more: Any,
) -> MoneyRequest:
    """The request of a client that is locked and may be paid, with its reservation; `more` are columns of its row."""
    source = _source(client.pk, wallet_id, account_id)
    payee = Payee.objects.filter(pk=payee_id, client=client.pk).first()
    if payee is None or payee.state != PayeeState.VERIFIED:
        raise CannotWithdraw("Choose a verified payee of this client. A new one has to be verified first.")
    if {source.currency_id, payee.currency_id} != {amount.currency}:
        raise CannotWithdraw(f"Source, payee and amount are in one currency; this is {amount.currency}.")
    if amount.amount <= 0:
        raise CannotWithdraw("The amount of a withdrawal is more than nought.")
    original = _original(client.pk, original_id, payee, amount) if original_id is not None else None
    request = machine.start(
        actor=actor,
        kind=RequestKind.WITHDRAWAL,
        client=client,
        amount=amount,
        text=text,
        source_wallet_id=wallet_id,
        source_account_id=account_id,
        payee=payee,
        method=payee.kind,
        connection_id=payee.connection_id,
        original=original,
        **more,
    )
    reserves.hold(
        actor=actor, reference=request.reference, amount=amount, wallet_id=wallet_id, trading_account_id=account_id
    )
    return request


def stored_checks(request: MoneyRequest) -> list[Any]:
    """The checks as an event keeps them, with the values they had."""
    return list(verdicts.stored(checks.of_withdrawal(request)))


def _source(client_id: int, wallet_id: int | None, account_id: int | None) -> Wallet | TradingAccount:
    if (wallet_id is None) == (account_id is None):
        raise CannotWithdraw("Choose the wallet or the trading account that the money comes from.")
    found: Wallet | TradingAccount | None
    if wallet_id is not None:
        found = Wallet.objects.filter(pk=wallet_id, client=client_id).first()
    else:
        found = TradingAccount.objects.filter(pk=account_id or 0, client=client_id).first()
    if found is None:
        raise NotFound("The client has no such wallet or trading account.")
    return found


def _original(client_id: int, original_id: int, payee: Payee, amount: Money) -> MoneyRequest:
    """The deposit to give back, if it was the client's, came by the payee's method and has enough left."""
    left = {source.request_id: source for source in sources.sources_of(client_id, amount.currency)}
    found = left.get(original_id)
    if found is None or found.method != payee.kind:
        raise CannotWithdraw("The deposit to give back did not come by this payee's method.")
    if found.left < amount.amount:
        raise CannotWithdraw(f"Of {found.reference} only {checks.said(found.left, amount.currency)} can go back.")
    return MoneyRequest.objects.get(pk=original_id)


def rehearse_payment(*, actor: Actor, money_id: int, **frozen: Any) -> MoneyRequest:
    """What is tried before a withdrawal is put before an approver: that it is what it says and may be paid."""
    request = machine.locked(request_id=money_id)
    require_content(request, **frozen)
    if request.state not in (RequestState.ASKED, RequestState.IN_REVIEW):
        raise machine.IllegalStep(f"{request.reference} is {request.get_state_display()}. Reload the page.")
    _require_payable(request)
    return request


@transaction.atomic
def approve(*, actor: Actor, money_id: int, request_id: int, **frozen: Any) -> MoneyRequest:
    """The last approval was given (`request_id` is the approved request): from now on somebody else may send it.
    Nothing has left yet."""
    request = machine.locked(request_id=money_id)
    require_content(request, **frozen)
    assert request.payee is not None
    pairs.require_not_both(actor=actor, pair=PAIR, earlier=payees.editors(request.payee))
    if request.approval_id != request_id:
        raise Stale("Another request for approval of this withdrawal is newer. Decide that one.")
    _require_payable(request)
    return machine.move(
        actor=actor,
        request=request,
        to=RequestState.APPROVED,
        data={"approval": request_id, "checks": stored_checks(request)},
    )


def require_content(
    request: MoneyRequest, *, reference: str, amount: Any, currency: str, payee_id: int, source: str
) -> None:
    """Refuse when the row is not byte for byte what was put before the approvers."""
    now = (request.reference, request.amount, request.currency_id, request.payee_id, source_of(request))
    if now != (reference, amount, currency, payee_id, source):
        raise Stale("The withdrawal is not the one that was asked about. Nothing was done.")


def source_of(request: MoneyRequest) -> str:
    """Where the money comes from, by a stable name."""
    source = request.source_wallet or request.source_account
    assert source is not None
    return audit.name_of(source)


def _require_payable(request: MoneyRequest) -> None:
    """What must hold whenever a withdrawal gets nearer to its payment."""
    restrictions.require_may(client_id=request.client_id, what=What.WITHDRAWAL)
    assert request.payee is not None
    if request.payee.state != PayeeState.VERIFIED:
        raise CannotWithdraw("The payee is not verified any more. Reject it, and have the client name another one.")


def on_approval(by: Actor, payload: Any, approval: Approval) -> None:
    """The request for approval was asked, returned, rejected, withdrawn or has expired: the withdrawal follows."""
    request = machine.locked(request_id=payload.money_id)
    if approval.state == State.PENDING:
        fields: dict[str, Any] = {"approval": approval}
        if request.state == RequestState.ASKED:
            machine.move(actor=by, request=request, to=RequestState.IN_REVIEW, **fields)
        return
    if request.approval_id != approval.pk or request.state != RequestState.IN_REVIEW:
        return
    said = {"approval": approval.pk}
    if approval.state in (State.RETURNED, State.EXPIRED, State.WITHDRAWN):
        why = approval.get_state_display()
        machine.move(actor=by, request=request, to=RequestState.ASKED, text=f"approval {why}", data=said)
    elif approval.state == State.REJECTED:
        part = approval.participations.filter(part=Part.REJECTER).first()
        _end(by, request, RequestState.REJECTED, "OTHER", part.reason if part else "")


@transaction.atomic
def reject(*, actor: Person, request_id: int, code: str, note: str) -> MoneyRequest:
    """Refuse a withdrawal with a reason; the money is free again. Final: asking again is a new request.

    `note` stays in the house; the client reads the words of the code. Who reviews may refuse what is not yet before an
    approver, who approves what is, who sends what was approved and not sent.
    """
    if code not in REFUSALS:
        raise DomainError("Choose the reason: the client is told by it.")
    if not note.strip():
        raise DomainError("Say in a note why you reject: the person who asked sees it.")
    approval_id = MoneyRequest.objects.filter(pk=request_id).values_list("approval_id", flat=True).first()
    approval = _open_approval(actor, approval_id)
    request = machine.locked(request_id=request_id)
    if request.approval_id != approval_id:
        raise Stale("Somebody has moved the withdrawal since this page was made. Reload it.")
    if approval is not None:
        covers = steps.permit_deciding(actor=actor, request=approval)
        steps.require_unconcerned(actor=actor, request=approval)
        _end(actor, request, RequestState.REJECTED, code, note)
        reason = f"{REFUSALS[code].label}: {note.strip()}"
        steps.take_part(actor=actor, request=approval, part=Part.REJECTER, reason=reason, covers=covers)
        audit.record(actor=actor, action="approval.rejected", target=approval, data={"reason": code})
        steps.finish(actor=actor, request=approval, state=State.REJECTED)
        return request
    if request.state not in (RequestState.ASKED, RequestState.APPROVED):
        raise machine.IllegalStep(f"{request.reference} is {request.get_state_display()}: it is not rejected any more.")
    approved = request.state == RequestState.APPROVED
    permission = "payments.send_payout" if approved else "payments.ask_withdrawal"
    steps.permit(actor=actor, permission=permission, entity_id=request.entity_id)
    return _end(actor, request, RequestState.REJECTED, code, note)


def _open_approval(actor: Person, approval_id: int | None) -> Approval | None:
    """The request for approval that still waits, locked; None where there is none."""
    if approval_id is None:
        return None
    waits = Approval.objects.filter(pk=approval_id, state__in=[State.PENDING, State.APPROVED]).exists()
    return steps.opened(actor=actor, request_id=approval_id, states=(State.PENDING, State.APPROVED)) if waits else None


@transaction.atomic
def take_back(*, actor: Actor, request_id: int, text: str = "") -> MoneyRequest:
    """The client does not want it any more: possible until somebody has sent it."""
    approval_id = MoneyRequest.objects.filter(pk=request_id).values_list("approval_id", flat=True).first()
    if isinstance(actor, Person) and (approval := _open_approval(actor, approval_id)) is not None:
        if approval.maker_id != user_id(actor):
            raise DomainError("It waits for approval: have the approver reject it with “the client asked”.")
        request = machine.locked(request_id=request_id)
        _end(actor, request, RequestState.WITHDRAWN, "CLIENT", text)
        audit.record(actor=actor, action="approval.withdrawn", target=approval, data={"reason": "client"})
        steps.finish(actor=actor, request=approval, state=State.WITHDRAWN)
        return request
    return _end(actor, machine.locked(request_id=request_id), RequestState.WITHDRAWN, "CLIENT", text)


def _end(actor: Actor, request: MoneyRequest, to: RequestState, code: str, note: str) -> MoneyRequest:
    """The end without a payment: what was reserved is free again, and the two are linked."""
    if request.kind != RequestKind.WITHDRAWAL:
        raise NotFound("There is no such withdrawal.")
    if request.state == RequestState.APPROVED and hasattr(request, "payout"):
        raise machine.IllegalStep("It is being paid already.")
    if request.state in (RequestState.AT_SERVER, RequestState.TO_PAY, RequestState.PAYING):
        raise machine.IllegalStep(f"{request.reference} is {request.get_state_display()}: it cannot be taken back now.")
    reservation = reserves.release(actor=actor, reference=request.reference, reason=f"{to.label}: {code}")
    public = REFUSALS[code].public
    data = {"reservation": reservation.pk, "journal": reservation.ended_journal_id, "reason": code}
    machine.move(actor=actor, request=request, to=to, text=note, public=public, data=data, reason=code)
    mails.tell(request=request, public=public)
    return request
