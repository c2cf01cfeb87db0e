"""Splitting a withdrawal that nobody has sent for approval yet: a request for every destination, in place of the one.

In one transaction the reservation goes over, the whole ends as SPLIT and its parts begin as requests of their own, each
with its reference, its payee and its own checks. What PostgreSQL holds of it stands in sql/splits.sql.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction

from accounts.models import What
from accounts.services import reserves, restrictions
from backoffice.approvals.services import steps
from backoffice.kernel.actor import Person
from backoffice.kernel.errors import Stale
from backoffice.kernel.money import Money
from payments.models import MoneyRequest, RequestKind, RequestState
from payments.selectors import splits
from payments.services import machine, withdrawals
from payments.services.references import new_reference

ASK = "payments.ask_withdrawal"
PUBLIC = "Your withdrawal is paid in parts, each to where your deposits came from."


@dataclass(frozen=True, slots=True)
class Portion:
    """One part as a person has read it: how much, to whom, and the deposit it gives back."""

    amount: Decimal
    payee_id: int
    original_id: int | None = None


@transaction.atomic
def split(*, actor: Person, request_id: int, portions: Sequence[Portion]) -> list[MoneyRequest]:
    """Put a request for each portion in the place of a withdrawal.

    The portions are those of the plan as it is now, to the cent. Raises IllegalStep when it is not asked any more,
    Stale when the plan is another, CannotWithdraw for a payee that does not fit or where there is nothing to split.
    """
    whole = machine.locked(request_id=request_id)
    steps.permit(actor=actor, permission=ASK, entity_id=whole.entity_id)
    _require_splittable(whole)
    restrictions.require_may(client_id=whole.client_id, what=What.WITHDRAWAL)
    planned = splits.shares(whole)
    if len(planned) < 2:
        raise withdrawals.CannotWithdraw("All of it goes back one way: there is nothing to split.")
    given = [(portion.amount, portion.original_id) for portion in portions]
    if given != [(share.amount, share.original_id) for share in planned]:
        raise Stale("The way back is another one now than on the page. Reload it and look again.")
    assert sum((portion.amount for portion in portions), Decimal(0)) == whole.amount, "a plan is the whole amount"
    for portion, share in zip(portions, planned, strict=True):
        if not splits.payees_for(whole, share).filter(pk=portion.payee_id).exists():
            raise withdrawals.CannotWithdraw(f"Choose a verified payee for this part: {share.words}.")
    names = [new_reference(RequestKind.WITHDRAWAL.value) for _ in portions]
    freed = reserves.release(actor=actor, reference=whole.reference, reason="split over its sources")
    machine.move(
        actor=actor,
        request=whole,
        to=RequestState.SPLIT,
        text=f"into {', '.join(names)}",
        public=PUBLIC,
        data={"parts": names, "reservation": freed.pk, "journal": freed.ended_journal_id},
    )
    made = [_part(actor, whole, portion, name) for portion, name in zip(portions, names, strict=True)]
    for request in made:
        # After all of them are there: each is judged beside the others.
        machine.note(actor=actor, request=request, data={"checks": withdrawals.stored_checks(request)})
    return made


def _require_splittable(whole: MoneyRequest) -> None:
    if whole.kind != RequestKind.WITHDRAWAL or whole.state != RequestState.ASKED:
        state = whole.get_state_display()
        raise machine.IllegalStep(f"{whole.reference} is {state}: it is split before it is sent for approval only.")
    if whole.split_from_id is not None:
        raise machine.IllegalStep(f"{whole.reference} is a part of a split withdrawal already.")


def _part(actor: Person, whole: MoneyRequest, portion: Portion, reference: str) -> MoneyRequest:
    return withdrawals.enter(
        actor=actor,
        client=whole.client,
        amount=Money(portion.amount, whole.currency_id),
        payee_id=portion.payee_id,
        wallet_id=whole.source_wallet_id,
        account_id=whole.source_account_id,
        original_id=portion.original_id,
        text=f"part of {whole.reference}",
        reference=reference,
        split_from=whole,
    )
