"""What people do with what the ladder only proposes: accept it, dismiss it, take a match back.

A person's match joins one outside line, or a part of it, with one reference. It books what follows: a receipt nobody
was found for leaves the unallocated receipts, and a difference that was accepted goes to the account that says what it
is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models import Q

from accounts.models import PayoutReceipt
from accounts.services.booking.plan import CLIENT_MONEY, REFERENCE
from accounts.services.wallets import house_accounts
from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor, Person
from backoffice.kernel.errors import DomainError
from integrations.models import BankLine, Superseded
from integrations.records import PAYOUT_TOKEN
from ledger.models import Journal
from ledger.services import journal, periods
from ledger.services.journal import Draft, Entry
from reconciliation.models import CashAllocation, CashMatch, Rung, Suggestion, SuggestionState
from reconciliation.selectors.free import free_of
from reconciliation.services.cash import RECLASS, UNALLOCATED

FEES = "expense.psp_fees"
EXCHANGE = "clearing.fx"


class NotOpen(DomainError):
    """The suggestion has been decided, or does not fit any more."""


class OwnProposal(DomainError):
    """Who put a match together does not accept it."""


class Taken(DomainError):
    """Somebody, or a run, has matched one of the lines in the meantime."""


@dataclass(frozen=True, slots=True)
class _Portion:
    """One outside line, or a part of it, for one reference. `amount` in `currency` is how much of ours it settles,
    `brought` in `brought_currency` how much of the line; `inside` are the facts of ours, [kind, id, amount]."""

    reference: str
    amount: Decimal
    currency: str
    kind: str
    fact_id: int
    brought: Decimal
    brought_currency: str
    inside: Sequence[Sequence[Any]]


@transaction.atomic
def accept(*, actor: Actor, suggestion_id: int) -> list[CashMatch]:
    """Make a suggestion a match, in the person's name, and book what follows. Raises NotOpen, Taken."""
    chosen = _open(suggestion_id)
    if chosen.person_id is not None and isinstance(actor, Person) and chosen.person_id == actor.user_id:
        raise OwnProposal("You put this match together. Another person has to accept it.")
    _require_newest(chosen)
    made = [_match(actor, chosen, portion) for portion in _portions(chosen)]
    _decide(actor, chosen, SuggestionState.ACCEPTED)
    audit.record(
        actor=actor,
        action="match.accepted",
        target=chosen,
        data={"matches": [match.pk for match in made], "rung": chosen.rung, "evidence": chosen.evidence},
    )
    return made


@transaction.atomic
def dismiss(*, actor: Actor, suggestion_id: int) -> Suggestion:
    """Say that it is not the same money. It is not suggested again."""
    chosen = _open(suggestion_id)
    _decide(actor, chosen, SuggestionState.DISMISSED)
    audit.record(actor=actor, action="match.dismissed", target=chosen, data={"rung": chosen.rung})
    return chosen


@transaction.atomic
def undo(*, actor: Actor, match_id: int, reason: str) -> CashMatch:
    """Take a person's match back, with what it booked. The match and its reason stay to be read."""
    match = CashMatch.objects.select_for_update().get(pk=match_id)
    if not match.stands:
        raise NotOpen("The match is undone already.")
    if match.person_id is None:
        raise NotOpen(
            "This match follows from an identifier that both sides carry; the next run would make it again. "
            "Correct what is wrong at the source."
        )
    if not reason.strip():
        raise DomainError("Give the reason: it is kept with the match.")
    if match.booked:
        booked = Journal.objects.get(entity_id=match.entity_id, id=match.booked)
        day = periods.posting_date(match.entity_id, clock.today())
        why = f"match {match.pk} undone: {reason.strip()}"[:300]
        draft = journal.reversal(booked, key=f"match:{match.pk}:undone", business_date=day, why=why)
        journal.post(actor=actor, entity_id=match.entity_id, draft=draft)
    match.undone_at, match.undone_by, match.undone_reason = clock.now(), actor.label, reason.strip()[:300]
    match.save(update_fields=["undone_at", "undone_by", "undone_reason"])
    audit.record(actor=actor, action="match.undone", target=match, data={"key": match.key, "reason": reason.strip()})
    return match


def _require_newest(chosen: Suggestion) -> None:
    """No line of either side has a newer version."""
    facts = [(kind, pk) for kind, pk, *_ in chosen.theirs]
    facts += [(kind, pk) for *_, inside in chosen.ours for kind, pk, _ in inside]
    corrected = Q()
    for kind, pk in facts:
        corrected |= Q(fact_kind=kind, fact_id=pk)
    if Superseded.objects.filter(corrected).exists():
        raise NotOpen("The line was corrected at its source. Start a run, then look at what it suggests.")


def _open(suggestion_id: int) -> Suggestion:
    chosen = Suggestion.objects.select_for_update().get(pk=suggestion_id)
    if chosen.state != SuggestionState.OPEN:
        raise NotOpen(f"This suggestion is {chosen.get_state_display()}. Reload the list.")
    return chosen


def _decide(actor: Actor, chosen: Suggestion, state: SuggestionState) -> None:
    assert isinstance(actor, Person), "what the upper rungs propose is decided by people"
    chosen.state, chosen.decided_at, chosen.decided_by_id = state, clock.now(), actor.user_id
    chosen.save(update_fields=["state", "decided_at", "decided_by"])


def _portions(chosen: Suggestion) -> list[_Portion]:
    """A match per pair of outside line and reference. Of several on one side, each brings or takes its own amount."""
    found = []
    for reference, ours, currency, inside in chosen.ours:
        for kind, fact_id, theirs, brought_currency in chosen.theirs:
            amount, brought = Decimal(ours), Decimal(theirs)
            if len(chosen.ours) > 1:
                brought = amount
            elif len(chosen.theirs) > 1 or chosen.rung == Rung.LIKENESS:
                amount = brought
            found.append(_Portion(reference, amount, currency, kind, fact_id, brought, brought_currency, inside))
    return found


def _match(actor: Actor, chosen: Suggestion, portion: _Portion) -> CashMatch:
    assert isinstance(actor, Person), "what the upper rungs propose is decided by people"
    same_currency = portion.currency == portion.brought_currency
    difference = portion.brought - portion.amount if same_currency else Decimal(0)
    match = CashMatch.objects.create(
        entity_id=chosen.entity_id,
        run_id=chosen.run_id,
        rule_id=chosen.rule_id,
        rung=chosen.rung,
        key=f"ref:{portion.reference}",
        currency=portion.currency,
        amount=portion.amount,
        difference=difference,
        difference_is=_account_of(chosen, difference) if same_currency else EXCHANGE,
        evidence={
            **chosen.evidence,
            **({"put together by": str(chosen.person), "reason": chosen.reason} if chosen.person else {}),
            "reference": portion.reference,
            "brought": f"{portion.brought} {portion.brought_currency}",
            "settles": f"{portion.amount} {portion.currency}",
        },
        person_id=actor.user_id,
        suggestion=chosen,
        made_by=actor.label,
        made_at=clock.now(),
    )
    rows = [CashAllocation(match=match, fact_kind=portion.kind, fact_id=portion.fact_id, amount=portion.brought)]
    rows += _inside(match, portion)
    try:
        with transaction.atomic():
            CashAllocation.objects.bulk_create(rows)
    except DatabaseError as error:
        if getattr(error.__cause__, "pgcode", "") != "BO102":
            raise
        raise Taken("One of the lines is matched with something else already. Start a run, then look again.") from error
    entries = _entries(chosen.entity_id, match, portion)
    if entries:
        draft = Draft(
            key=f"match:{match.pk}",
            business_date=periods.posting_date(chosen.entity_id, clock.today()),
            kind=RECLASS,
            description=f"{portion.reference} matched with {portion.kind} line {portion.fact_id}",
            entries=entries,
            reference=f"match:{match.pk}",
        )
        match.booked = journal.post(actor=actor, entity_id=chosen.entity_id, draft=draft).journal_id
        match.save(update_fields=["booked"])
    return match


def _account_of(chosen: Suggestion, difference: Decimal) -> str:
    """The ledger account that takes a difference. Within the tolerance it stays where it is, as where a run matches."""
    if not difference:
        return ""
    return chosen.difference_is if chosen.rung == Rung.HAND else FEES


def _inside(match: CashMatch, portion: _Portion) -> list[CashAllocation]:
    """So much of our facts as the line settles, the first ones first."""
    left, rows = portion.amount, []
    for kind, fact_id, amount in portion.inside:
        free = free_of(kind, fact_id, Decimal(amount))
        part = min(free, left) if left > 0 else max(free, left)
        if part * left > 0:
            rows.append(CashAllocation(match=match, fact_kind=kind, fact_id=fact_id, amount=part))
            left -= part
    if left:
        raise Taken(f"{portion.reference} has less left to match than this. Start a run, then look again.")
    return rows


def _entries(entity_id: int, match: CashMatch, portion: _Portion) -> list[Entry]:
    """What follows in the books. The line stands on the unallocated receipts, or on client money under another name."""

    def account(code: str, currency: str) -> int:
        found = house_accounts(entity_id, code).get(currency)
        if found is None:
            raise DomainError(f"The entity has no {code} account in {currency}. Open its accounts in it first.")
        return found

    home = UNALLOCATED if _is_unallocated(portion) else CLIENT_MONEY
    came, ours = portion.brought_currency, portion.currency
    if came != ours:
        return [
            Entry(account(home, came), portion.brought),
            Entry(account(EXCHANGE, came), -portion.brought),
            Entry(account(EXCHANGE, ours), portion.amount),
            Entry(account(CLIENT_MONEY, ours), -portion.amount),
        ]
    posted = match.difference if match.difference_is else Decimal(0)
    if home == CLIENT_MONEY and not posted:
        return []
    moved = {account(home, ours): portion.brought}
    clearing = account(CLIENT_MONEY, ours)
    moved[clearing] = moved.get(clearing, Decimal(0)) - portion.brought + posted
    if posted:
        moved[account(match.difference_is, ours)] = -posted
    return [Entry(account_id, amount) for account_id, amount in moved.items()]


def _is_unallocated(portion: _Portion) -> bool:
    if portion.kind != "bank":
        return False
    line = BankLine.objects.get(pk=portion.fact_id)
    said = f"{line.end_to_end_id} {line.remittance}"
    if REFERENCE.search(said) or PAYOUT_TOKEN.search(said) or "CHRG" in line.bank_code:
        return False
    return not PayoutReceipt.objects.filter(bank_line_id=line.pk).exists()
