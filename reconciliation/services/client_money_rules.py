"""Which bank accounts hold client money, and by which rule it is calculated. Both run behind four eyes."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db import transaction

from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import DomainError
from ledger.models import LedgerAccount
from reconciliation.models import ClientMoneyRule, Part, Regime, SegregatedAccount

OLDEST_RATE_DAYS = 31


class NotSo(DomainError):
    """The account is no bank account, or the rule says something impossible."""


@transaction.atomic
def segregate(*, actor: Actor, account_id: int, bank: str, since: date, request_id: int) -> SegregatedAccount:
    """From `since` on, money on this account is client money."""
    account = _bank_account(account_id)
    made = SegregatedAccount.objects.create(
        entity_id=account.entity_id, account=account, bank=bank.strip(), since=since, request_id=request_id
    )
    audit.record(actor=actor, action="client_money.account_segregated", target=made, data={"account": account.code})
    return made


def rehearse_segregate(*, actor: Actor, account_id: int, bank: str, since: date) -> None:
    """What `segregate` would refuse."""
    _bank_account(account_id)
    if not bank.strip():
        raise NotSo("Name the bank: it stands on the report.")


@transaction.atomic
def change_rule(
    *,
    actor: Actor,
    entity_id: int,
    regime: str,
    valid_from: date,
    rate_source: str,
    rate_days: int,
    in_flight: bool,
    receipts: bool,
    note: str,
    request_id: int,
) -> ClientMoneyRule:
    """The rule of an entity from a day on. Calculations already made keep theirs."""
    made = ClientMoneyRule.objects.create(
        entity_id=entity_id,
        regime=Regime(regime),
        valid_from=valid_from,
        rate_source=rate_source.strip(),
        rate_days=rate_days,
        counts={Part.ACCOUNT: True, Part.WALLET: True, Part.IN_FLIGHT: in_flight, Part.RECEIPT: receipts},
        note=note,
        at=clock.now(),
        request_id=request_id,
    )
    audit.record(actor=actor, action="client_money.rule_changed", target=made, data={"regime": regime})
    return made


def rehearse_rule(*, actor: Actor, valid_from: date, rate_days: int, **_: Any) -> None:
    """What `change_rule` would refuse."""
    if valid_from < clock.today():
        raise NotSo("A rule holds from today on at the earliest: what was signed stands by the rule of its day.")
    if not 0 <= rate_days <= OLDEST_RATE_DAYS:
        raise NotSo(f"A rate may be up to {OLDEST_RATE_DAYS} days old.")


def _bank_account(account_id: int) -> LedgerAccount:
    account = LedgerAccount.objects.get(pk=account_id)
    if not account.code.startswith("bank."):
        raise NotSo(f"{account.code} is no bank account. Balances at PSPs are not client money at a bank.")
    if SegregatedAccount.objects.filter(account=account).exists():
        raise NotSo(f"{account.code} holds client money already.")
    return account
