"""Booking a chargeback to the client, and back, behind four eyes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.urls import reverse

from accounts.models import Wallet
from backoffice.approvals import registry
from backoffice.approvals.registry import Action, Change, Check, Level
from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.money import Money
from backoffice.organisation.selectors import currencies
from ledger.selectors.balances import balances
from ledger.selectors.lines import lines_of
from payments.models import CasePosting, ChargebackCase
from payments.selectors.cases import VIEW, charged
from payments.services import case_posting

CHARGE, RETURN = "payments.charge_chargeback", "payments.return_chargeback"


@dataclass(frozen=True, slots=True)
class ChargeClient:
    """That this amount of the case is the client's to bear, from this wallet."""

    case_id: int
    wallet_id: int
    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class ReturnCharge:
    """That this charge is given back: the case was won."""

    case_id: int
    posting_id: int


def register() -> None:
    registry.register(
        _about_case(
            name=CHARGE,
            title="Charge a chargeback to the client",
            payload=ChargeClient,
            use_case=case_posting.charge,
            rehearse=case_posting.rehearse_charge,
            summary=lambda p: f"Charge {Money(p.amount, p.currency)} of {_case(p)} to client {_number(p)}",
            changes=_charge_changes,
            checks=_charge_checks,
            amount=lambda p: _home(p, p.amount, p.currency),
        )
    )
    registry.register(
        _about_case(
            name=RETURN,
            title="Give a chargeback back to the client",
            payload=ReturnCharge,
            use_case=case_posting.give_back,
            rehearse=case_posting.rehearse_return,
            summary=lambda p: f"Give {_size(p)} of {_case(p)} back to client {_number(p)}",
            amount=lambda p: _home(p, _posting(p).amount, _posting(p).currency_id),
        )
    )


def _about_case(**values: Any) -> Action:
    return Action(
        entity_id=lambda p: _case(p).entity_id,
        client=lambda p: f"accounts.client:{_case(p).client_id}" if _case(p).client_id else "",
        target=lambda p: audit.name_of(_case(p)),
        target_version=lambda p: f"{_case(p).state} {charged(_case(p)).normalize():f}",
        view=VIEW,
        ask="payments.ask_chargeback",
        decide="payments.approve_chargeback",
        money=True,
        knows_request=True,
        effects=_effects,
        page=lambda p: reverse("chargeback", args=[p.case_id]),
        reasons={"TERMS": "the client bears it by the terms", "WON": "the case was won", registry.OTHER: "other"},
        **values,
    )


def _case(payload: Any) -> ChargebackCase:
    return ChargebackCase.objects.select_related("client", "entity").get(pk=payload.case_id)


def _number(payload: Any) -> str:
    client = _case(payload).client
    return client.number if client is not None else "nobody"


def _posting(payload: ReturnCharge) -> CasePosting:
    return CasePosting.objects.get(pk=payload.posting_id)


def _size(payload: ReturnCharge) -> str:
    row = _posting(payload)
    return str(Money(row.amount, row.currency_id))


def _home(payload: Any, amount: Decimal, currency: str) -> Money:
    home = _case(payload).entity.reporting_currency_id
    return Money(currencies.convert(amount, currency, home, clock.today()), home)


def _free(payload: ChargeClient) -> Decimal:
    account = Wallet.objects.get(pk=payload.wallet_id).account_id
    return -balances([account])[account]


def _left(payload: ChargeClient) -> Decimal:
    case = _case(payload)
    return (case.amount or Decimal(0)) - charged(case)


def _charge_changes(payload: ChargeClient) -> list[Change]:
    free, left = _free(payload), _left(payload)
    said = [("Free in the wallet", free), ("Loss of the house in this case", left)]
    return [
        Change(label, str(Money(now, payload.currency)), str(Money(now - payload.amount, payload.currency)))
        for label, now in said
    ]


def _charge_checks(payload: ChargeClient) -> list[Check]:
    case, rest = _case(payload), _left(payload) - payload.amount
    open_ones = ChargebackCase.objects.filter(client=case.client_id, ended_at=None).exclude(pk=case.pk).count()
    return [
        Check(
            Level.GREEN if case.taken_at else Level.RED,
            "Money taken",
            f"{case.taken_at:%Y-%m-%d %H:%M} UTC" if case.taken_at else "the provider took nothing yet",
        ),
        Check(
            Level.AMBER if rest > 0 else Level.GREEN,
            "Left as a loss",
            f"{Money(rest, payload.currency)} stay with the house" if rest > 0 else "nothing",
        ),
        Check(Level.AMBER if open_ones else Level.GREEN, "Other open cases", f"{open_ones} of this client"),
    ]


def _effects(payload: Any, result: Any) -> list[Mapping[str, Any]]:
    """The lines that would be booked."""
    case = _case(payload)
    return [
        {"account": f"{line.code} {line.name}", "amount": line.amount, "currency": line.currency}
        for line in lines_of(case.entity_id, result.journal_id)
    ]
