"""What people do with breaks: take them, explain them, fetch what is missing, close them, write them off."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.db import transaction

from accounts.models import TradingAccount
from accounts.services import booking
from backoffice.access.services import pairs
from backoffice.audit import services as audit
from backoffice.kernel import clock, locking
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import DomainError
from backoffice.organisation.models import User
from integrations.services import feeds
from ledger.models import LedgerAccount
from ledger.services import journal, periods
from ledger.services.journal import Draft, Entry
from reconciliation.models import Break, BreakEvent, BreakState, EventKind, Resolution
from reconciliation.selectors.free import people_who_matched

WRITE_OFF_ACCOUNT = "expense.write_off"
# Who matched by hand what a break is about does not approve writing it off.
PAIR = 8
# Which open item of the books a written-off cash break stands on.
_ON_CLIENT = frozenset({"BALANCE", "CREDIT"})
_CASH_ACCOUNTS = {
    **dict.fromkeys(
        (
            "MISSING_INTERNAL",
            "MISSING_EXTERNAL",
            "MISSING_SERVER_OP",
            "AMOUNT",
            "DIRECTION",
            "INTERNAL",
            "DUPLICATE_CREDIT",
            "DUPLICATE_PSP",
            "RETURNED",
        ),
        "clearing.client_money",
    ),
    "PAYOUT_MISSING": "clearing.payouts",
    "PAYOUT_AMOUNT": "clearing.payouts",
    "PAYOUT_UNKNOWN": "clearing.payouts",
    "UNIDENTIFIED": "clearing.unallocated",
    "AMBIGUOUS": "clearing.unallocated",
}


class NotOpen(DomainError):
    """The break has been closed."""


class CannotWriteOff(DomainError):
    """The break has no amount in the books to write off."""


@transaction.atomic
def assign(*, actor: Actor, break_ids: Sequence[int], assignee_id: int) -> int:
    """Give breaks to a member of staff, all or none."""
    rows = locking.lock_rows(Break.objects.all(), break_ids)
    assignee = User.objects.get(pk=assignee_id)
    for item in rows.values():
        _require_open(item)
    for item in rows.values():
        item.assignee = assignee
        item.state = BreakState.ASSIGNED if item.state == BreakState.OPEN else item.state
        item.save(update_fields=["assignee", "state"])
        _event(actor, item, EventKind.ASSIGNED, {"to": str(assignee)})
    audit.record(
        actor=actor,
        action="break.assigned",
        entity_id=next(iter(rows.values())).entity_id if rows else None,
        data={"breaks": sorted(rows), "to": assignee.username},
    )
    return len(rows)


@transaction.atomic
def explain(*, actor: Actor, break_id: int, explanation: str) -> Break:
    """Say where a difference comes from. It stays open until the sides agree or somebody closes it."""
    item = _locked(break_id)
    if not explanation.strip():
        raise DomainError("Write what explains the difference.")
    item.explanation = explanation.strip()
    item.state = BreakState.EXPLAINED
    item.save(update_fields=["explanation", "state"])
    _event(actor, item, EventKind.EXPLAINED, {"explanation": item.explanation})
    audit.record(actor=actor, action="break.explained", target=item, data={"explanation": item.explanation})
    return item


@transaction.atomic
def resolve(*, actor: Actor, break_id: int, reason: str) -> Break:
    """Close a break with a reason. It opens again only when the difference changes."""
    item = _locked(break_id)
    if not reason.strip():
        raise DomainError("Give the reason: it is kept with the break.")
    _close(item, BreakState.RESOLVED, Resolution.BY_PERSON)
    _event(actor, item, EventKind.RESOLVED, {"how": Resolution.BY_PERSON, "reason": reason.strip()})
    audit.record(actor=actor, action="break.resolved", target=item, data={"reason": reason.strip()})
    return item


def fetch(*, actor: Actor, break_id: int) -> Break:
    """Ask the trade server for the deal a break is about, store what it says and book it.

    The break resolves at the next run, when the sides agree. Talks to the network.
    """
    item = Break.objects.get(pk=break_id)
    ticket, connection_id = item.refs.get("ticket"), item.refs.get("connection")
    if not ticket or not connection_id:
        raise DomainError("This break is not about a deal of a trade server; there is nothing to fetch.")
    stored = feeds.fetch_deal(actor=actor, connection_id=int(connection_id), ticket=int(ticket))
    booking.book_connection(actor=actor, connection_id=int(connection_id))
    with transaction.atomic():
        _event(actor, item, EventKind.FETCHED, {"new": stored.new, "changed": stored.changed})
        audit.record(actor=actor, action="break.fetched", target=item, data={"ticket": ticket})
    return item


@transaction.atomic
def write_off(*, actor: Actor, break_id: int, reason: str) -> dict[str, Any]:
    """Close a break by booking its amount to the write-off account. Runs behind four eyes.

    The posting brings the books to what the other side says: a client's balance for differences with the
    trade server, the open item in clearing for cash.
    """
    item = _locked(break_id)
    pairs.require_not_both(actor=actor, pair=PAIR, earlier=people_who_matched(item))
    if not item.amount or not item.currency:
        raise CannotWriteOff("This break has no amount; explain or resolve it instead.")
    account_id, amount = _open_item(item)
    write_off_account = LedgerAccount.objects.get(
        entity_id=item.entity_id, code=WRITE_OFF_ACCOUNT, currency_id=item.currency
    )
    posted = journal.post(
        actor=actor,
        entity_id=item.entity_id,
        draft=Draft(
            key=f"write-off:{item.pk}:{item.seen_by_id}",
            business_date=periods.posting_date(item.entity_id, item.business_date),
            kind="WRITE_OFF",
            description=f"Break {item.pk} written off: {item.summary}"[:300],
            entries=[Entry(account_id, amount), Entry(write_off_account.pk, -amount)],
            reference=f"break:{item.pk}",
        ),
    )
    _close(item, BreakState.WRITTEN_OFF, Resolution.WRITTEN_OFF)
    _event(actor, item, EventKind.WRITTEN_OFF, {"journal": posted.journal_id, "reason": reason})
    audit.record(
        actor=actor,
        action="break.written_off",
        target=item,
        data={"journal": posted.journal_id, "amount": item.amount, "currency": item.currency, "reason": reason},
    )
    return {"journal_id": posted.journal_id}


def can_write_off(item: Break) -> bool:
    """Whether the books hold an open item for this break; other breaks are resolved."""
    return bool(item.is_open and item.amount and (item.klass in _ON_CLIENT or item.klass in _CASH_ACCOUNTS))


def _open_item(item: Break) -> tuple[int, Decimal]:
    """The account that carries the difference, and the signed amount that clears it (debit positive).

    `item.amount` is the other side less ours. On a client's account (a liability) the books rise to the
    server's balance by a credit; on a clearing account (an asset) what never comes is taken off.
    """
    assert item.amount is not None
    trading_account = item.refs.get("trading_account")
    if trading_account and item.klass in _ON_CLIENT:
        account = TradingAccount.objects.get(pk=trading_account)
        ledger_id = account.balance_account_id if item.klass == "BALANCE" else account.credit_account_id
        return ledger_id, -item.amount
    code = _CASH_ACCOUNTS.get(item.klass)
    if code is None:
        raise CannotWriteOff(f"A break of class “{item.meaning.title}” has no open item in the books; resolve it.")
    clearing = LedgerAccount.objects.filter(entity_id=item.entity_id, code=code, currency_id=item.currency).first()
    if clearing is None:
        raise CannotWriteOff(f"The entity has no {code} account in {item.currency}.")
    return clearing.pk, item.amount


def _locked(break_id: int) -> Break:
    item = Break.objects.select_for_update().get(pk=break_id)
    _require_open(item)
    return item


def _require_open(item: Break) -> None:
    if not item.is_open:
        raise NotOpen(f"Break {item.pk} is {item.get_state_display()} already. Nothing was changed.")


def _close(item: Break, state: BreakState, resolution: Resolution) -> None:
    item.state, item.resolution, item.closed_at = state, resolution, clock.now()
    item.save(update_fields=["state", "resolution", "closed_at"])


def _event(actor: Actor, item: Break, event: EventKind, data: dict[str, Any]) -> None:
    BreakEvent.objects.create(item=item, at=clock.now(), actor=actor.label, event=event, data=data)
