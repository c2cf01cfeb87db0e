"""Use cases about one login that stand behind four eyes: group, leverage, and whether it is technical."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Sum

from accounts.models import DesiredState, TradingAccount
from accounts.selectors import margin
from accounts.services import desired, technical, terms
from backoffice.approvals.registry import Action, Change, Check, Level
from backoffice.audit import services as audit
from backoffice.ui import formats
from ledger.models import Balance

TERMS, TECHNICAL = "accounts.change_terms", "accounts.mark_technical"
_MARKS = {True: "technical, left out of reports", False: "counted in reports"}


@dataclass(frozen=True, slots=True)
class Terms:
    account_id: int
    group: str
    leverage: int


@dataclass(frozen=True, slots=True)
class Mark:
    """Whether a login is technical: the house's own, or a test."""

    account_id: int
    technical: bool


def actions_on_logins() -> list[Action]:
    """Those that are registered with the other actions of this room."""
    return [
        Action(
            name=TERMS,
            title="Change group or leverage",
            payload=Terms,
            use_case=terms.change_terms,
            entity_id=lambda p: _account(p).entity_id,
            target=lambda p: f"accounts.tradingaccount:{p.account_id}",
            client=lambda p: audit.name_of(_account(p).client),
            target_version=lambda p: f"{_account(p).group}:{_account(p).leverage}"[:64],
            summary=lambda p: f"Group {p.group}, leverage 1:{p.leverage} for login {_account(p).login}",
            ask="accounts.ask_terms",
            decide="accounts.approve_terms",
            changes=lambda p: [
                Change("Group", _account(p).group, p.group),
                Change("Leverage", f"1:{_account(p).leverage}", f"1:{p.leverage}"),
            ],
            checks=_margin,
            effects=lambda p, result: logins_told(result.client_id),
        ),
        Action(
            name=TECHNICAL,
            title="Mark a login as technical, or not any more",
            payload=Mark,
            use_case=technical.mark,
            entity_id=lambda p: _account(p).entity_id,
            target=lambda p: f"accounts.tradingaccount:{p.account_id}/technical",
            client=lambda p: audit.name_of(_account(p).client),
            target_version=lambda p: str(_account(p).technical),
            summary=lambda p: f"{_MARKS[p.technical].capitalize()}: login {_account(p).login}",
            ask="accounts.ask_technical",
            decide="accounts.approve_technical",
            changes=lambda p: [Change("Reports", _MARKS[_account(p).technical], _MARKS[p.technical])],
            checks=_no_money,
            effects=lambda p, result: logins_told(result.client_id),
        ),
    ]


def _account(payload: Any) -> TradingAccount:
    return TradingAccount.objects.select_related("client", "connection").get(pk=payload.account_id)


def _margin(payload: Terms) -> list[Check]:
    """What the change would do to open positions."""
    account = _account(payload)
    expected = margin.after(account, group=payload.group, leverage=payload.leverage)
    return [
        Check(margin.now(account).level, "Margin level now", margin.now(account).words),
        Check(expected.level, "Margin level afterwards", expected.words),
    ]


def _no_money(payload: Mark) -> list[Check]:
    """A client's money must not leave the totals."""
    account = _account(payload)
    rows = Balance.objects.filter(account__in=(account.balance_account_id, account.credit_account_id))
    held = -(rows.aggregate(s=Sum("amount"))["s"] or Decimal(0))
    amount = f"{formats.grouped(held, formats.exponent_of(account.currency_id))} {account.currency_id}"
    return [
        Check(
            Level.RED if held and payload.technical else Level.GREEN,
            "No money is on it",
            f"{amount}: no total of client money will have it" if held and payload.technical else amount,
        )
    ]


def logins_told(client_id: int) -> list[Mapping[str, Any]]:
    """What each login that was changed in the rehearsal would be asked to become on its server."""
    states = DesiredState.objects.select_related("account__connection").filter(
        account__client=client_id, confirmed_at=None
    )
    return [
        {"server": f"{state.account.connection.name} login {state.account.login}", **desired.said(state)}
        for state in states.order_by("account__login")
    ]
