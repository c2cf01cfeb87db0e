"""Client money behind four eyes: which accounts hold it, by which rule it is calculated, and topping it up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from backoffice.approvals import registry
from backoffice.approvals.registry import Action, Change, Check, Level
from backoffice.kernel.money import Money, quantise
from backoffice.organisation.selectors import currencies
from ledger.models import LedgerAccount
from reconciliation.models import ClientMoneyRun, Regime, SegregatedAccount
from reconciliation.services import client_money, client_money_rules

TOP_UP = "reconciliation.top_up"
SEGREGATED = "reconciliation.segregated_account"
RULE = "reconciliation.client_money_rule"
_RULES: dict[str, Any] = {
    "ask": "reconciliation.ask_clientmoneyrule",
    "decide": "reconciliation.approve_clientmoneyrule",
    "view": "reconciliation.view_clientmoneyrun",
}


@dataclass(frozen=True, slots=True)
class AskTopUp:
    """The house's own money to a client bank account."""

    run_id: int
    segregated_id: int
    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class AskSegregated:
    """A bank account of the books that holds client money from a day on."""

    account_id: int
    bank: str
    since: date


@dataclass(frozen=True, slots=True)
class AskRule:
    """How an entity calculates from a day on."""

    entity_id: int
    regime: str
    valid_from: date
    rate_source: str
    rate_days: int
    in_flight: bool
    receipts: bool
    note: str


def register() -> None:
    _register_top_up()
    _register_rules()


def _register_top_up() -> None:
    registry.register(
        Action(
            name=TOP_UP,
            title="Top up client money",
            payload=AskTopUp,
            use_case=client_money.top_up,
            knows_request=True,
            entity_id=lambda p: _run(p).entity_id,
            target=lambda p: f"reconciliation.clientmoneyrun:{p.run_id}",
            target_version=lambda p: _run(p).content_hash,
            summary=lambda p: f"Top up client money of {_run(p).as_of} by {Money(p.amount, p.currency)}",
            ask="reconciliation.ask_top_up",
            decide="reconciliation.approve_top_up",
            view="reconciliation.view_clientmoneyrun",
            money=True,
            amount=_amount,
            changes=_top_up_changes,
            checks=_top_up_checks,
        )
    )


def _register_rules() -> None:
    registry.register(
        Action(
            name=SEGREGATED,
            title="Client bank account",
            payload=AskSegregated,
            use_case=client_money_rules.segregate,
            rehearse=client_money_rules.rehearse_segregate,
            knows_request=True,
            entity_id=lambda p: _account(p).entity_id,
            target=lambda p: f"ledger.ledgeraccount:{p.account_id}",
            summary=lambda p: f"{_account(p)} at {p.bank} holds client money from {p.since}",
            changes=lambda p: [Change("Counted as client money", "no", f"yes, from {p.since}")],
            **_RULES,
        )
    )
    registry.register(
        Action(
            name=RULE,
            title="Client-money rule",
            payload=AskRule,
            use_case=client_money_rules.change_rule,
            rehearse=client_money_rules.rehearse_rule,
            knows_request=True,
            entity_id=lambda p: p.entity_id,
            target=lambda p: f"reconciliation.clientmoneyrule:{p.entity_id}",
            summary=lambda p: f"Client money by {p.regime} from {p.valid_from}",
            changes=_rule_changes,
            **_RULES,
        )
    )


def _run(payload: AskTopUp) -> ClientMoneyRun:
    return ClientMoneyRun.objects.select_related("entity").get(pk=payload.run_id)


def _account(payload: AskSegregated) -> LedgerAccount:
    return LedgerAccount.objects.get(pk=payload.account_id)


def _amount(payload: AskTopUp) -> Money:
    run = _run(payload)
    return Money(currencies.convert(payload.amount, payload.currency, run.currency_id, run.as_of), run.currency_id)


def _top_up_changes(payload: AskTopUp) -> list[Change]:
    run, paid = _run(payload), _amount(payload)

    def said(amount: Decimal) -> str:
        return str(Money(quantise(amount, currencies.exponent(run.currency_id)), run.currency_id))

    return [
        Change("Requirement", said(run.requirement), said(run.requirement)),
        Change("Resource", said(run.resource), said(run.resource + paid.amount)),
        Change("Difference", said(run.difference), said(run.difference + paid.amount)),
    ]


def _top_up_checks(payload: AskTopUp) -> list[Check]:
    run, paid = _run(payload), _amount(payload)
    left = run.difference + paid.amount
    newer = ClientMoneyRun.objects.filter(entity=run.entity_id, as_of=run.as_of, number__gt=run.number).exists()
    to = SegregatedAccount.objects.select_related("account").get(pk=payload.segregated_id)
    return [
        Check(
            Level.AMBER if left else Level.GREEN,
            "Makes up the shortfall",
            f"leaves {left.normalize():f} {run.currency_id}" if left else "exactly",
        ),
        Check(
            Level.RED if newer else Level.GREEN, "The newest calculation", "there is a newer one" if newer else "yes"
        ),
        Check(Level.GREEN, "To a client bank account", f"{to.bank} {to.account.code} since {to.since}"),
    ]


def _rule_changes(payload: AskRule) -> list[Change]:
    before = client_money.rule_of(payload.entity_id, payload.valid_from)
    words = {True: "counts", False: "left out"}
    return [
        Change("Regime", before.get_regime_display(), Regime(payload.regime).label),
        Change("Source of rates", before.rate_source or "any", payload.rate_source or "any"),
        Change("Oldest rate", f"{before.rate_days} days", f"{payload.rate_days} days"),
        Change("Withdrawals on their way", words[before.counts.get("IN_FLIGHT", True)], words[payload.in_flight]),
        Change("Receipts not allocated", words[before.counts.get("RECEIPT", True)], words[payload.receipts]),
    ]
