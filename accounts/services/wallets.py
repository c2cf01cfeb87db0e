"""Wallets: money of clients that is on no trading account. Opening one, and moving money on and off it in the books.

Sign as everywhere in the ledger: a wallet is a liability, so what comes to the client is a negative line on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from django.db import transaction

from accounts.models import Client, Wallet
from accounts.services.locked import locked_client
from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import DomainError
from backoffice.kernel.money import Money
from ledger.models import Journal, Kind, LedgerAccount
from ledger.selectors.lines import journals_by_key
from ledger.services import chart, journal, periods
from ledger.services.journal import Draft, Entry, Posted

CODE = "wallet"
KIND = "WALLET"


class WrongCurrency(DomainError):
    """The wallet is in another currency than the money."""


@transaction.atomic
def open_wallet(*, actor: Actor, client_id: int, currency: str) -> Wallet:
    """Open a client's wallet, or return the one the client has in this currency."""
    client = locked_client(client_id)
    known = Wallet.objects.filter(client=client, currency_id=currency).first()
    if known is not None:
        return known
    chart.open_house(actor=actor, entity_id=client.entity_id, currency=currency)
    booked, reserved = chart.open_many(
        actor=actor, accounts=[_account(client, currency), _account(client, currency, reserved=True)]
    )
    wallet = Wallet.objects.create(
        entity_id=client.entity_id,
        client=client,
        currency_id=currency,
        account=booked,
        reserved=reserved,
        opened_at=clock.now(),
    )
    audit.record(actor=actor, action="wallet.opened", target=client, data={"currency": currency})
    return wallet


def _account(client: Client, currency: str, *, reserved: bool = False) -> LedgerAccount:
    return LedgerAccount(
        entity_id=client.entity_id,
        code=f"{CODE}.{client.number}{'.reserved' if reserved else ''}",
        currency_id=currency,
        name=f"Wallet of {client.number}{', reserved' if reserved else ''}",
        kind=Kind.LIABILITY,
        floor=Decimal(0),
        holder=f"accounts.client:{client.pk}",
    )


def move(
    *, actor: Actor, wallet: Wallet, amount: Money, contra: str, key: str, description: str, day: date | None = None
) -> Posted:
    """Book money onto a wallet (positive) or off it (negative), against a house account such as
    "clearing.client_money". `description` carries the reference. Raises BelowFloor where the wallet has too little."""
    if amount.currency != wallet.currency_id:
        raise WrongCurrency(f"The wallet is in {wallet.currency_id}, the money in {amount.currency}.")
    other = house_accounts(wallet.entity_id, contra)[amount.currency]
    return book(
        actor=actor,
        entity_id=wallet.entity_id,
        key=key,
        description=description,
        entries=[Entry(wallet.account_id, -amount.amount), Entry(other, amount.amount)],
        day=day,
    )


def book(
    *,
    actor: Actor,
    entity_id: int,
    key: str,
    description: str,
    entries: list[Entry],
    kind: str = KIND,
    day: date | None = None,
) -> Posted:
    """One journal about wallets, today or on the first open day after `day`."""
    # A repeat on a later day is still the same posting: the first one's day stands.
    before = Journal.objects.filter(entity_id=entity_id, id__in=journals_by_key(entity_id, [key]).values()).first()
    draft = Draft(
        key=key,
        business_date=before.business_date if before else periods.posting_date(entity_id, day or clock.today()),
        kind=kind,
        description=description[:300],
        entries=entries,
        reference=key,
    )
    return journal.post(actor=actor, entity_id=entity_id, draft=draft)


def house_accounts(entity_id: int, code: str) -> Mapping[str, int]:
    """The house's account of this name in each currency."""
    return dict(LedgerAccount.objects.filter(entity_id=entity_id, code=code).values_list("currency_id", "pk"))
