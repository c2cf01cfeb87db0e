"""What the desk does with one deposit or withdrawal: announced, asked, agreed to, sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from accounts.models import Client, TradingAccount, Wallet
from accounts.services import wallets
from backoffice.approvals.models import Request
from backoffice.approvals.services import requests
from backoffice.demo.money import payees
from backoffice.demo.money.psps import CRYPTO
from backoffice.demo.people import person
from backoffice.demo.plan import Announce, Holder, PayByBank
from backoffice.kernel import clock
from backoffice.kernel.actor import System
from backoffice.kernel.money import Money
from integrations.models import Connection
from payments.actions.outside import CONFIRM, PAY, credit, pay
from payments.models import MoneyRequest, Payee
from payments.services import deposits, references, sending, withdrawals

CLIENTS = System("client area")
_MINUTE = timedelta(minutes=1)


def money(holder: Holder, amount: Decimal) -> Money:
    return Money(amount, holder.login.currency)


def client_id(holder: Holder) -> int:
    return Client.objects.values_list("pk", flat=True).get(number=holder.client.number)


def wallet(holder: Holder) -> Wallet:
    return wallets.open_wallet(actor=CLIENTS, client_id=client_id(holder), currency=holder.login.currency)


def login(holder: Holder) -> TradingAccount:
    return TradingAccount.objects.get(connection__name=holder.login.server, login=holder.login.number)


def announce(act: Announce) -> MoneyRequest:
    """The client says in the client area that money is on its way, and gets the reference for it."""
    with references.given_by(lambda _: act.reference):
        return announced(act.holder, act.amount, "CARD" if act.holder.method == "CARD" else "BANK")


def announced(holder: Holder, amount: Decimal, method: str) -> MoneyRequest:
    return deposits.announce(actor=CLIENTS, client_id=client_id(holder), amount=money(holder, amount), method=method)


def pay_by_bank(act: PayByBank) -> None:
    """A withdrawal from wish to payment within the hour."""
    with references.given_by(lambda _: act.reference):
        wanted = submitted(act.holder, act.amount)
    begins = clock.now()
    steps: tuple[Callable[[MoneyRequest], object], ...] = (
        agreed,
        lambda request: sent(request, "HAND"),
        lambda request: entered(request, f"HB-{request.reference[2:]}"),
    )
    for number, step in enumerate(steps, start=1):
        with clock.at(begins + number * 9 * _MINUTE):
            step(wanted)


def submitted(holder: Holder, amount: Decimal, *, payee: Payee | None = None, on_login: bool = False) -> MoneyRequest:
    """A client's wish to be paid, from the wallet or from the login."""
    return withdrawals.submit(
        actor=CLIENTS,
        client_id=client_id(holder),
        amount=money(holder, amount),
        payee_id=(payee or payees.of(holder)).pk,
        wallet_id=None if on_login else wallet(holder).pk,
        account_id=login(holder).pk if on_login else None,
    )


def asked(request: MoneyRequest, reason: str = "Checks seen.") -> Request:
    return requests.submit(actor=person("fred"), action=PAY, payload=pay(request), reason=reason)


def agree(approval: Request, who: str = "fiona") -> Request:
    return requests.approve(
        actor=person(who), request_id=approval.pk, seen_hash=approval.payload_hash, reason="Agreed."
    )


def agreed(request: MoneyRequest) -> Request:
    """Fred reviews, Fiona approves."""
    return agree(asked(request))


def sent(request: MoneyRequest, way: str) -> MoneyRequest:
    """Pat sends what was approved, and types the amount where it is a large one. Coins leave by the PSP for coins,
    cards by the one that knows them."""
    coins = Connection.objects.get(name=CRYPTO).pk if request.method == "CRYPTO" else None
    return sending.send(actor=person("pat"), request_id=request.pk, way=way, connection_id=coins, typed=request.amount)


def entered(request: MoneyRequest, bank_reference: str) -> MoneyRequest:
    return sending.sent_by_hand(actor=person("pat"), request_id=request.pk, bank_reference=bank_reference)


def ask_to_confirm(request: MoneyRequest, reason: str) -> Request:
    return requests.submit(actor=person("fred"), action=CONFIRM, payload=credit(request), reason=reason)
