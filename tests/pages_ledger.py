"""Rows for the pages of the books, through the services that make them."""

from __future__ import annotations

from decimal import Decimal

from backoffice.kernel import clock
from backoffice.organisation.models import FxRate, LegalEntity
from ledger.models import Journal, Kind, LedgerAccount
from ledger.services import journal
from ledger.services.journal import Draft, Entry
from tests.builders import ROBOT, ledger_account
from tests.pages import Made, builds


def book(here: LegalEntity, *sides: LedgerAccount) -> list[int]:
    """A journal of today for each account: 2.50 from the cash account to it."""
    cash, known = ledger_account(here, "cash", kind=Kind.ASSET), Journal.objects.count()
    drafts = [
        Draft(
            key=f"page:{known + n}",
            business_date=clock.today(),
            kind="TEST",
            description=f"paid {known + n}",
            entries=[Entry(cash.pk, Decimal("2.50")), Entry(side.pk, Decimal("-2.50"))],
        )
        for n, side in enumerate(sides)
    ]
    return [posted.journal_id for posted in journal.post_many(actor=ROBOT, entity_id=here.pk, drafts=drafts)]


@builds("journals", "journal")
def journals(here: LegalEntity, number: int) -> Made:
    """The first journal of a call is reversed at once."""
    first, *_ = book(here, *[ledger_account(here, "owed")] * number)
    journal.reverse(
        actor=ROBOT,
        entity_id=here.pk,
        journal_id=first,
        key=f"page:{first}:back",
        business_date=clock.today(),
        why="a typing error",
    )
    return Made(kwargs={"pk": first}, words=("paid",))


@builds("ledger-accounts", "trial-balance")
def accounts(here: LegalEntity, number: int) -> Made:
    """House accounts, and as many of clients, with money on each."""
    known = LedgerAccount.objects.count()
    codes = [f"house.{known + n}" for n in range(number)]
    holders = [f"client.balance:{known + n}" for n in range(number)]
    book(
        here,
        *(ledger_account(here, code) for code in codes),
        *(ledger_account(here, code, holder=code) for code in holders),
    )
    return Made(words=(codes[0],))


@builds("ledger-account")
def statement(here: LegalEntity, number: int) -> Made:
    owed = ledger_account(here, "owed")
    book(here, *[owed] * number)
    return Made(kwargs={"pk": owed.pk}, words=("owed", "paid 0"))


@builds("fx-rates")
def rates(here: LegalEntity, number: int) -> Made:
    known = FxRate.objects.count()
    FxRate.objects.bulk_create(
        FxRate(date=clock.today(), base_id="EUR", quote_id="USD", rate=Decimal("1.0847"), source=f"page {known + n}")
        for n in range(number)
    )
    return Made(words=("1.0847",))


@builds("close")
def closing_list(here: LegalEntity, number: int) -> Made:
    accounts(here, number)
    return Made(words=(here.name,))


@builds("manual-journal", "close-day", "close-period", "reopen", "enter-rate")
def entities(here: LegalEntity, number: int) -> Made:
    """These forms offer the entities one works in, whatever is in their books."""
    accounts(here, number)
    return Made(words=(f">{here.code}<",))
