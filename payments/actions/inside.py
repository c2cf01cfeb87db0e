"""Money inside the house behind four eyes: transfers, adjustments, credit and bonus, fees, conversions.

Asking makes the request for money and sets the money aside in the same transaction (`moved`); a rejection, a withdrawal
or an expiry gives it back there; the last approval carries it out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from accounts.models import Client, TradingAccount, Wallet
from backoffice.approvals import registry
from backoffice.approvals.models import Request as Approval
from backoffice.approvals.models import State
from backoffice.approvals.registry import Action, Change, Check, Level
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor
from backoffice.kernel.money import Money
from backoffice.organisation.selectors import currencies
from ledger.models import LedgerAccount
from ledger.selectors.balances import balances
from payments.models import MoneyRequest, RequestState
from payments.selectors import effects
from payments.services import inside, machine
from payments.services.inside import Sides

TRANSFER, ADJUST, CONVERT = "payments.transfer", "payments.adjust", "payments.convert"
_REASONS = {
    "CLIENT": "the client asked for it",
    "CORRECTION": "a mistake is put right",
    "GOODWILL": "goodwill",
    "PROMOTION": "promotion",
    "AGREED_FEE": "fee of the price list",
    registry.OTHER: "other",
}


@dataclass(frozen=True, slots=True)
class Transfer:
    """Money from one wallet or account to another, in one currency."""

    client_id: int
    source_wallet: int | None
    source_account: int | None
    target_wallet: int | None
    target_account: int | None
    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A correction, credit, bonus (signed for the client) or a fee (what is taken), on one wallet or account."""

    client_id: int
    sort: str
    target_wallet: int | None
    target_account: int | None
    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Conversion:
    """Money of one wallet into another currency; `rate` is what one unit of `currency` buys of `currency_to`."""

    client_id: int
    source_wallet: int
    target_wallet: int
    amount: Decimal
    currency: str
    amount_to: Decimal
    currency_to: str
    rate: Decimal
    rate_source: str


def start(*, actor: Actor, payload: Any) -> MoneyRequest:
    """The request for money that a payload asks for."""
    money = Money(payload.amount, payload.currency)
    if isinstance(payload, Transfer):
        return inside.start_transfer(actor=actor, client_id=payload.client_id, sides=_sides(payload), amount=money)
    if isinstance(payload, Adjustment):
        return inside.start_adjustment(
            actor=actor, client_id=payload.client_id, sides=_sides(payload), amount=money, sort=payload.sort
        )
    return inside.start_conversion(
        actor=actor,
        client_id=payload.client_id,
        sides=_sides(payload),
        amount=money,
        bought=Money(payload.amount_to, payload.currency_to),
        rate=payload.rate,
        rate_source=payload.rate_source,
    )


def carry_out(*, actor: Actor, request_id: int, **_: Any) -> MoneyRequest:
    """Runs once approved: the money was set aside when it was asked for."""
    return inside.carry_out(actor=actor, request_id=MoneyRequest.objects.get(approval=request_id).pk)


def moved(actor: Actor, payload: Any, approval: Approval) -> None:
    """What becomes of the request for money when its approval is asked for, rejected, withdrawn, returned, expires."""
    if approval.state == State.PENDING:
        request = start(actor=actor, payload=payload)
        machine.move(actor=actor, request=request, to=RequestState.IN_REVIEW, approval=approval)
        return
    ends = {
        State.REJECTED: (RequestState.REJECTED, "rejected"),
        State.EXPIRED: (RequestState.REJECTED, "nobody decided in time"),
        State.WITHDRAWN: (RequestState.WITHDRAWN, "withdrawn by who asked"),
        State.RETURNED: (RequestState.WITHDRAWN, "returned for change; a new version begins anew"),
    }
    if State(approval.state) in ends:
        to, text = ends[State(approval.state)]
        inside.give_up(actor=actor, request_id=MoneyRequest.objects.get(approval=approval).pk, to=to, text=text)


def register() -> None:
    adjusting = {"ask": "payments.ask_adjustment", "decide": "payments.approve_adjustment"}
    moving = {"ask": "payments.ask_transfer", "decide": "payments.approve_transfer"}
    _register(TRANSFER, "Transfer", Transfer, _say_transfer, **moving)
    _register(CONVERT, "Conversion", Conversion, _say_conversion, **moving)
    _register(ADJUST, "Adjustment, credit, bonus or fee", Adjustment, _say_adjustment, **adjusting)


def _register(name: str, title: str, payload: type, summary: Callable[[Any], str], *, ask: str, decide: str) -> None:
    def rehearse(*, actor: Actor, **fields: Any) -> MoneyRequest:
        request = start(actor=actor, payload=payload(**fields))
        return inside.carry_out(actor=actor, request_id=request.pk)

    registry.register(
        Action(
            name=name,
            title=title,
            payload=payload,
            use_case=carry_out,
            rehearse=rehearse,
            knows_request=True,
            moved=moved,
            entity_id=lambda p: _client(p).entity_id,
            client=lambda p: f"accounts.client:{p.client_id}",
            target=_target_text,
            summary=lambda p: f"{summary(p)} (client {_client(p).number})",
            ask=ask,
            decide=decide,
            view="payments.view_moneyrequest",
            money=True,
            amount=_amount,
            changes=_changes,
            checks=_checks,
            effects=effects.effects,
            reasons=_REASONS,
        )
    )


def _client(payload: Any) -> Client:
    return Client.objects.get(pk=payload.client_id)


def _sides(payload: Any) -> Sides:
    names = ("source_wallet", "source_account", "target_wallet", "target_account")
    return Sides(**{name: getattr(payload, name, None) for name in names})


def _target_text(payload: Any) -> str:
    """Two requests about the same place and amount do not wait side by side."""
    sides = _sides(payload)
    ids = (sides.source_wallet, sides.source_account, sides.target_wallet, sides.target_account)
    return f"payments.inside:{'.'.join(str(pk or 0) for pk in ids)}:{payload.amount}"


def _amount(payload: Any) -> Money:
    home = _client(payload).entity.reporting_currency_id
    return Money(currencies.convert(abs(payload.amount), payload.currency, home, clock.today()), home)


def _place(wallet_id: int | None, account_id: int | None) -> str:
    assert wallet_id is not None or account_id is not None
    if wallet_id is not None:
        wallet = Wallet.objects.select_related("client").get(pk=wallet_id)
        return f"wallet {wallet.currency_id} of {wallet.client.number}"
    account = TradingAccount.objects.select_related("client", "connection").get(pk=account_id or 0)
    return f"login {account.login} ({account.connection.name}) of {account.client.number}"


def _say_transfer(p: Transfer) -> str:
    source, target = _place(p.source_wallet, p.source_account), _place(p.target_wallet, p.target_account)
    return f"Transfer {Money(p.amount, p.currency)} from {source} to {target}"


def _say_adjustment(p: Adjustment) -> str:
    return f"{p.sort.capitalize()} {Money(p.amount, p.currency)} on {_place(p.target_wallet, p.target_account)}"


def _say_conversion(p: Conversion) -> str:
    return f"Convert {Money(p.amount, p.currency)} to {Money(p.amount_to, p.currency_to)} at {p.rate.normalize():f}"


def _accounts(payload: Any) -> Mapping[str, LedgerAccount]:
    """The accounts in the books that the payload is about, by what people call them."""
    sides = _sides(payload)
    pairs = ((sides.source_wallet, sides.source_account), (sides.target_wallet, sides.target_account))
    found = {}
    for wallet_id, account_id in pairs:
        if wallet_id is not None:
            found[_place(wallet_id, None)] = Wallet.objects.select_related("account").get(pk=wallet_id).account
        elif account_id is not None:
            row = TradingAccount.objects.select_related("balance_account", "credit_account").get(pk=account_id)
            of_credit = getattr(payload, "sort", "") == "CREDIT"
            found[_place(None, account_id)] = row.credit_account if of_credit else row.balance_account
    return found


def _changes(payload: Any) -> list[Change]:
    """Balances as they are and as they would be."""
    accounts = _accounts(payload)
    now = balances([account.pk for account in accounts.values()])
    sides = _sides(payload)
    gives = _place(sides.source_wallet, sides.source_account) if sides.source_wallet or sides.source_account else ""
    rows = []
    for name, account in accounts.items():
        before = Money(-now[account.pk], account.currency_id)
        amount = getattr(payload, "amount_to", payload.amount) if name != gives else -payload.amount
        after = before + Money(-amount if getattr(payload, "sort", "") == "FEE" else amount, account.currency_id)
        rows.append(Change(name[0].upper() + name[1:], str(before), str(after)))
    return rows


def _checks(payload: Any) -> list[Check]:
    checks = [
        Check(
            Level.RED if change.after.startswith("-") else Level.GREEN,
            f"{change.label} stays above nought",
            f"{change.after} afterwards",
        )
        for change in _changes(payload)
    ]
    waiting = MoneyRequest.objects.filter(client_id=payload.client_id, ended_at=None).count()
    others = f"{waiting} open requests for money of this client" if waiting else "no other open request for money"
    clients = {a.client_id for a in _holders(payload)}
    checks.append(Check(Level.AMBER if waiting > 1 else Level.GREEN, "Other requests", others))
    if len(clients) > 1:
        checks.append(Check(Level.AMBER, "Between clients", "the money goes to somebody else: look at the reason"))
    return checks


def _holders(payload: Any) -> list[Wallet | TradingAccount]:
    sides = _sides(payload)
    wallets = Wallet.objects.filter(pk__in=[pk for pk in (sides.source_wallet, sides.target_wallet) if pk])
    accounts = TradingAccount.objects.filter(pk__in=[pk for pk in (sides.source_account, sides.target_account) if pk])
    return [*wallets, *accounts]
