"""Payment files and the accounts they pay from, behind four eyes. What approvers read names references, not people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.urls import reverse

from backoffice.approvals import registry
from backoffice.approvals.registry import Action, Change, Check, Level
from backoffice.kernel import clock
from backoffice.kernel.money import Money
from backoffice.organisation.selectors import currencies
from ledger.models import LedgerAccount
from payments.models import Payout
from payments.models.files import FileScheme, OwnBank
from payments.selectors import checks
from payments.selectors import files as found
from payments.selectors.files import editors, own_banks
from payments.services import files
from payments.services import own_banks as banks
from payments.services.files import FilePayment

MAKE_FILE, CHANGE_BANK = found.MAKE, "payments.change_own_bank"
BANK_FIELDS = (
    "holder", "iban", "number", "bic", "clearing_system", "clearing_member", "street", "town", "country", "charges",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class MakeFile:
    """These payments, from this account, on this day; amounts as they stand."""

    bank_id: int
    scheme: str
    execution_date: date
    payments: tuple[FilePayment, ...]

    @property
    def total(self) -> Decimal:
        return sum((row.amount for row in self.payments), Decimal(0))


@dataclass(frozen=True, slots=True)
class ChangeBank:
    account_id: int
    holder: str
    iban: str
    number: str
    bic: str
    clearing_system: str
    clearing_member: str
    street: str
    town: str
    country: str
    charges: str


def batch(bank: OwnBank, scheme: str, execution_date: date, payouts: Sequence[Payout]) -> MakeFile:
    """The payload that asks for a file of these payouts as they stand."""
    rows = tuple(FilePayment(row.pk, row.reference, row.amount) for row in sorted(payouts, key=lambda row: row.pk))
    return MakeFile(bank.pk, scheme, execution_date, rows)


def register() -> None:
    registry.register(
        Action(
            name=MAKE_FILE,
            title="Make a payment file",
            payload=MakeFile,
            use_case=files.make,
            rehearse=files.rehearse,
            knows_request=True,
            entity_id=lambda p: _bank(p).entity_id,
            target=lambda p: f"payments.batch:{p.bank_id}:{min((row.payout_id for row in p.payments), default=0)}",
            summary=lambda p: f"Payment file of {_number(p)}, {_total(p)}, from {_bank(p).account.code}",
            ask="payments.ask_paymentfile",
            decide="payments.approve_paymentfile",
            view="payments.view_paymentfile",
            money=True,
            amount=_amount,
            forbids=lambda p: [pk for pk in editors([row.payout_id for row in p.payments]) if pk is not None],
            checks=_checks,
            effects=_effects,
            page=lambda p: reverse("payment-files"),
            reasons={"DAILY": "payments of the day", "URGENT": "urgent payment", registry.OTHER: "other"},
        )
    )
    registry.register(
        Action(
            name=CHANGE_BANK,
            title="Change an account to pay from",
            payload=ChangeBank,
            use_case=banks.change,
            knows_request=True,
            entity_id=lambda p: _account(p).entity_id,
            target=lambda p: f"payments.ownbank:{p.account_id}",
            summary=lambda p: f"How {_account(p).code} is written into payment files",
            ask="payments.ask_ownbank",
            decide="payments.approve_ownbank",
            view="payments.view_ownbank",
            changes=_bank_changes,
            page=lambda p: reverse("own-banks"),
        )
    )


def _bank(payload: MakeFile) -> OwnBank:
    return OwnBank.objects.select_related("account", "entity").get(pk=payload.bank_id)


def _account(payload: ChangeBank) -> LedgerAccount:
    return LedgerAccount.objects.select_related("entity").get(pk=payload.account_id)


def _number(payload: MakeFile) -> str:
    count = len(payload.payments)
    return f"{count} payment{'' if count == 1 else 's'}"


def _total(payload: MakeFile) -> str:
    return checks.said(payload.total, _bank(payload).currency_id)


def _amount(payload: MakeFile) -> Money:
    """In the entity's reporting currency, at today's reference rate."""
    bank = _bank(payload)
    home = bank.entity.reporting_currency_id
    return Money(currencies.convert(payload.total, bank.currency_id, home, clock.today()), home)


def _checks(payload: MakeFile) -> list[Check]:
    rows = list(Payout.objects.filter(pk__in=[row.payout_id for row in payload.payments]).select_related("payee"))
    young = [row.reference for row in rows if checks.is_young(row.payee)]
    still = [row for row in rows if row.state == "READY"]
    return [
        Check(
            Level.GREEN if len(still) == len(payload.payments) else Level.RED,
            "Every payment still waits",
            f"{len(still)} of {len(payload.payments)}",
        ),
        Check(
            Level.AMBER if young else Level.GREEN,
            "Payees are not new",
            ", ".join(young) if young else "none changed lately",
        ),
        Check(
            Level.GREEN if payload.execution_date >= clock.today() else Level.RED,
            "Day of execution",
            str(payload.execution_date),
        ),
    ]


def _effects(payload: MakeFile, result: Sequence[Payout]) -> list[Mapping[str, Any]]:
    bank = _bank(payload)
    rows = [f"{row.reference}: {checks.said(row.amount, row.currency_id)} to payee {row.payee_id}" for row in result]
    return [
        *({"payment": row} for row in rows),
        {"file": f"{FileScheme(payload.scheme).label}, {_total(payload)} from {bank.account.code}"},
    ]


def _bank_changes(payload: ChangeBank) -> list[Change]:
    old = own_banks().filter(account=payload.account_id).first()
    return [
        Change(name.replace("_", " "), str(getattr(old, name, "")), str(getattr(payload, name)))
        for name in BANK_FIELDS
        if str(getattr(old, name, "")) != str(getattr(payload, name))
    ]
