"""Manual journals: what finance books by hand. Always behind four eyes (ledger/actions.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db import transaction

from backoffice.audit import services as audit
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import DomainError
from ledger.models import LedgerAccount
from ledger.services import journal
from ledger.services.journal import Draft, Entry

KIND = "MANUAL"


@dataclass(frozen=True, slots=True)
class ManualLine:
    """An account and a signed amount in its currency, debit positive."""

    account_id: int
    amount: Decimal


class BadManualJournal(DomainError):
    """A manual journal that names accounts of another entity, or that moves nothing."""


@transaction.atomic
def post_manual(
    *, actor: Actor, key: str, entity_id: int, business_date: date, description: str, lines: Sequence[ManualLine]
) -> dict[str, int]:
    """Book a manual journal. `key` was made when it was asked for, so that it happens once."""
    if not description.strip():
        raise BadManualJournal("Say what the journal is for.")
    accounts = LedgerAccount.objects.in_bulk({line.account_id for line in lines})
    foreign = [line.account_id for line in lines if _entity(accounts, line.account_id) != entity_id]
    if foreign:
        raise BadManualJournal("Every account of a journal has to belong to the same legal entity.")
    posted = journal.post(
        actor=actor,
        entity_id=entity_id,
        draft=Draft(
            key=f"manual:{key}",
            business_date=business_date,
            kind=KIND,
            description=description.strip(),
            entries=[Entry(line.account_id, line.amount) for line in lines],
            reference=f"manual:{key}",
        ),
    )
    audit.record(
        actor=actor,
        action="ledger.manual_journal",
        target=f"ledger.journal:{posted.journal_id}",
        entity_id=entity_id,
        data={"description": description, "lines": [(accounts[x.account_id].code, x.amount) for x in lines]},
    )
    return {"journal_id": posted.journal_id}


def _entity(accounts: dict[int, LedgerAccount], account_id: int) -> int | None:
    account = accounts.get(account_id)
    return account.entity_id if account else None
