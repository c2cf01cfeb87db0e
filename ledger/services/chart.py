"""The chart of accounts: the house's own accounts by name, and opening and closing any account."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction

from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import DomainError
from backoffice.organisation.selectors import currencies
from ledger.models import Kind, LedgerAccount


@dataclass(frozen=True, slots=True)
class House:
    """An account every entity has in each currency it works in. Busy ones are striped."""

    name: str
    kind: Kind
    striped: bool = True


HOUSE: dict[str, House] = {
    "clearing.client_money": House("Client money on its way", Kind.ASSET),
    "clearing.payouts": House("PSP payouts on their way to the bank", Kind.ASSET),
    "clearing.fx": House("Currency exchange clearing", Kind.ASSET),
    "clearing.reserves": House("PSP reserves held", Kind.ASSET),
    "clearing.unallocated": House("Receipts not yet allocated", Kind.LIABILITY),
    "clearing.own_money": House("Own money between accounts", Kind.ASSET),
    "credit.granted": House("Credit granted to clients", Kind.ASSET),
    "lp.payable": House("Owed to liquidity providers", Kind.LIABILITY),
    "tax.payable": House("Tax withheld from clients", Kind.LIABILITY),
    "income.bbook": House("Trading result, B-book", Kind.INCOME),
    "income.abook": House("Trading result of clients, A-book", Kind.INCOME),
    "income.swap": House("Swap income", Kind.INCOME),
    "income.commission": House("Commission income", Kind.INCOME),
    "income.fees": House("Fee income", Kind.INCOME),
    "expense.bonus": House("Bonus turned into balance", Kind.EXPENSE),
    "expense.chargebacks": House("Chargebacks", Kind.EXPENSE),
    "expense.client_corrections": House("Corrections of client balances", Kind.EXPENSE),
    "expense.client_interest": House("Interest and dividends to clients", Kind.EXPENSE),
    "expense.lp_commission": House("Commission of liquidity providers", Kind.EXPENSE),
    "expense.negative_balance": House("Negative-balance compensation", Kind.EXPENSE),
    "expense.partners": House("Partner commission", Kind.EXPENSE),
    "expense.psp_fees": House("PSP and bank fees", Kind.EXPENSE),
    "expense.write_off": House("Breaks written off", Kind.EXPENSE, striped=False),
}


def open_account(
    *,
    actor: Actor,
    entity_id: int,
    code: str,
    currency: str,
    name: str,
    kind: Kind,
    striped: bool = False,
    floor: Decimal | None = None,
    holder: str = "",
) -> LedgerAccount:
    """Open an account, or return the one that has this code and currency already."""
    return open_many(
        actor=actor,
        accounts=[
            LedgerAccount(
                entity_id=entity_id,
                code=code,
                currency_id=currency,
                name=name,
                kind=kind,
                striped=striped,
                floor=floor,
                holder=holder,
            )
        ],
    )[0]


@transaction.atomic
def open_many(*, actor: Actor, accounts: Iterable[LedgerAccount]) -> list[LedgerAccount]:
    """Open accounts in bulk; those whose code and currency exist are returned as they stand."""
    wanted = {(a.entity_id, a.code, a.currency_id): a for a in accounts}
    exponents = currencies.exponents()
    for account in wanted.values():
        if account.currency_id not in exponents:
            raise currencies.UnknownCurrency(f"The currency {account.currency_id!r} is not known. Add it first.")
        account.exponent = exponents[account.currency_id]
        account.opened_at = clock.now()
    known = _existing(wanted)
    LedgerAccount.objects.bulk_create(
        [account for key, account in wanted.items() if key not in known], ignore_conflicts=True
    )
    opened = _existing(wanted)
    fresh = sorted(opened[key].code for key in opened.keys() - known.keys())
    if fresh:
        entity = next(iter(wanted))[0]
        audit.record(
            actor=actor,
            action="ledger.accounts_opened",
            entity_id=entity,
            data={"count": len(fresh), "codes": fresh[:50]},
        )
    return [opened[key] for key in wanted]


@transaction.atomic
def open_house(*, actor: Actor, entity_id: int, currency: str) -> None:
    """Open the house's own accounts of an entity in a currency. Safe to repeat."""
    open_many(
        actor=actor,
        accounts=[
            LedgerAccount(
                entity_id=entity_id, code=code, currency_id=currency, name=h.name, kind=h.kind, striped=h.striped
            )
            for code, h in HOUSE.items()
        ],
    )


@transaction.atomic
def close_account(*, actor: Actor, account_id: int) -> LedgerAccount:
    """Close an empty account; it takes no further line. Refused by the database while it has a balance."""
    account = LedgerAccount.objects.select_for_update().get(pk=account_id)
    if account.closed_at is not None:
        raise DomainError(f"{account} is closed already.")
    account.closed_at = clock.now()
    account.save(update_fields=["closed_at"])
    audit.record(actor=actor, action="ledger.account_closed", target=account)
    return account


def _existing(keys: Iterable[tuple[int, str, str]]) -> dict[tuple[int, str, str], LedgerAccount]:
    wanted = set(keys)
    rows = LedgerAccount.objects.filter(entity_id__in={key[0] for key in wanted}, code__in={key[1] for key in wanted})
    found = {(row.entity_id, row.code, row.currency_id): row for row in rows}
    return {key: row for key, row in found.items() if key in wanted}
