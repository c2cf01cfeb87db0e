"""What a chargeback costs, booked to the client or left with the house; each posting behind four eyes.

    provider's line     expense.chargebacks +amount | provider -amount        (booked from the report, not here)
    charge              wallet +amount (the client has less) | expense.chargebacks -amount
    return              the exact opposite of one charge, once the case is won for good

So a case that is charged and lost, and one that is returned and won, both leave nothing on expense.chargebacks; what
the client's wallet does not have stays there as the house's loss. A provisional reversal returns nothing: the issuer
may come back. Money on a trading account is no wallet money: taking it from there may cause a stop-out, so that is a
transfer of its own, approved and carried out at the server first.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import transaction

from accounts.models import Wallet
from accounts.services import wallets
from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import DomainError, NotFound, Stale
from backoffice.kernel.money import Money
from ledger.services import journal, periods
from ledger.services.journal import BelowFloor, Posted
from payments.models import CasePosting, CaseState, ChargebackCase, PostingKind
from payments.selectors.cases import charged
from payments.services import cases

LOSS = "expense.chargebacks"
# The money is with the house, or never left it.
_BACK = frozenset({CaseState.REVERSED, CaseState.WON, CaseState.PREVENTED})


class CannotBook(DomainError):
    """The case does not allow this posting, or not now."""


def rehearse_charge(*, actor: Actor, case_id: int, wallet_id: int, amount: Decimal, currency: str) -> Posted:
    """Take an amount of a case from the client's wallet. Raises CannotBook, NotFound."""
    case = cases.locked(case_id=case_id)
    wallet = Wallet.objects.filter(pk=wallet_id, client=case.client_id).first()
    if wallet is None:
        raise NotFound("The case's client has no such wallet.")
    if case.taken_at is None:
        raise CannotBook("No money was taken yet: a notice books nothing. Wait for the provider to take it.")
    if case.state in _BACK:
        raise CannotBook(f"{case} is {case.get_state_display()}: the money is back. There is nothing to charge.")
    if case.amount is None or currency != case.currency_id:
        raise CannotBook(f"The case is in {case.currency_id or 'no currency yet'}: charge the wallet of that currency.")
    left = case.amount - charged(case)
    if not 0 < amount <= left:
        raise CannotBook(f"Of {case} {Money(left, currency)} are left to charge. Ask for that or less.")
    number = case.postings.count() + 1
    try:
        return wallets.move(
            actor=actor,
            wallet=wallet,
            amount=Money(-amount, currency),
            contra=LOSS,
            key=f"chargeback:{case.pk}:{number}",
            description=f"{case} {case.our_reference} chargeback charged to the client".replace("  ", " "),
        )
    except BelowFloor as error:
        raise CannotBook(
            "The wallet has less than that free. Charge what is there and leave the rest as the house's loss, or move"
            " money from a login to the wallet first."
        ) from error


@transaction.atomic
def charge(*, actor: Actor, request_id: int, case_id: int, **frozen: Any) -> CasePosting:
    """The same, agreed to by two people."""
    posted = rehearse_charge(actor=actor, case_id=case_id, **frozen)
    return _kept(actor, case_id, PostingKind.CHARGE, posted, request_id, **frozen)


def rehearse_return(*, actor: Actor, case_id: int, posting_id: int) -> Posted:
    """Give back what a won case had taken from the client: the exact opposite of that posting."""
    case = cases.locked(case_id=case_id)
    row = CasePosting.objects.filter(pk=posting_id, case=case, kind=PostingKind.CHARGE).first()
    if row is None:
        raise NotFound("There is no such charge in this case.")
    if case.state != CaseState.WON:
        raise CannotBook(
            f"{case} is {case.get_state_display()}. The client gets the money back when the case is won for good."
        )
    if hasattr(row, "reversed_by"):
        raise Stale("This charge was given back already. Reload the page.")
    return journal.reverse(
        actor=actor,
        entity_id=case.entity_id,
        journal_id=row.journal_id,
        key=f"chargeback:{case.pk}:return:{row.pk}",
        business_date=periods.posting_date(case.entity_id, clock.today()),
        why=f"{case} won",
    )


@transaction.atomic
def give_back(*, actor: Actor, request_id: int, case_id: int, posting_id: int) -> CasePosting:
    """The same, agreed to by two people."""
    posted = rehearse_return(actor=actor, case_id=case_id, posting_id=posting_id)
    row = CasePosting.objects.get(pk=posting_id)
    return _kept(
        actor, case_id, PostingKind.RETURN, posted, request_id,
        wallet_id=row.wallet_id, amount=row.amount, currency=row.currency_id, reverses=row,
    )  # fmt: skip


def _kept(
    actor: Actor, case_id: int, kind: PostingKind, posted: Posted, request_id: int, *,
    wallet_id: int, amount: Decimal, currency: str, reverses: CasePosting | None = None,
) -> CasePosting:  # fmt: skip
    row = CasePosting.objects.create(
        case_id=case_id, kind=kind, wallet_id=wallet_id, amount=amount, currency_id=currency, reverses=reverses,
        journal_id=posted.journal_id, approval_id=request_id, at=clock.now(),
    )  # fmt: skip
    case = ChargebackCase.objects.get(pk=case_id)
    said = {"posting": row.pk, "amount": amount, "currency": currency, "journal": posted.journal_id}
    audit.record(
        actor=actor, action=f"chargeback.{'charged' if reverses is None else 'returned'}", target=case, data=said
    )
    return row
