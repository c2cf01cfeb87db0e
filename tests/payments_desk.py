"""The payments desk for tests: a client with a wallet and a verified payee, and the people around a withdrawal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction

from accounts.models import Client, TradingAccount, Wallet
from accounts.services import booking, wallets
from backoffice.approvals.models import Request
from backoffice.approvals.services import requests
from backoffice.kernel import clock
from backoffice.kernel.actor import Person
from backoffice.kernel.money import Money
from integrations.models import Connection
from ledger.selectors.balances import balances
from payments.actions import outside as actions
from payments.models import MoneyRequest, Payee
from payments.services import confirming, deposits, payees, sending, withdrawals
from tests.builders import ROBOT
from tests.clients import Floor, floor, member
from tests.worlds import World, connection, deposit

IBAN = "DE89370400440532013000"
OTHER_IBAN = "GB29NWBK60161331926819"
BANK = {"iban": IBAN, "town": "Berlin", "country": "DE"}


def usd(text: str) -> Money:
    return Money(Decimal(text), "USD")


@dataclass
class Desk:
    """A floor of people, and client C-1 with 1,000 USD in the wallet and a payee verified thirty days ago."""

    floor: Floor
    wallet: Wallet
    payee: Payee
    fiora: Person

    def __getattr__(self, name: str) -> Any:
        return getattr(self.floor, name)

    @property
    def account(self) -> TradingAccount:
        return self.floor.logins[0]

    def submit(self, amount: str = "400.00", who: Person | None = None, **more: Any) -> MoneyRequest:
        values: dict[str, Any] = {"payee_id": self.payee.pk, "wallet_id": self.wallet.pk, **more}
        return withdrawals.submit(actor=who or self.fred, client_id=self.client.pk, amount=usd(amount), **values)

    def ask(self, request: MoneyRequest, who: Person | None = None) -> Request:
        payload = actions.pay(request)
        return requests.submit(actor=who or self.fred, action=actions.PAY, payload=payload, reason="as he asked")

    def agree(self, approval: Request, who: Person | None = None) -> Request:
        return requests.approve(actor=who or self.fiona, request_id=approval.pk, seen_hash=approval.payload_hash)

    def approved(self, amount: str = "400.00", **more: Any) -> MoneyRequest:
        request = self.submit(amount, **more)
        self.agree(self.ask(request))
        return fresh(request)

    def send(self, request: MoneyRequest, who: Person | None = None, way: str = "HAND", **more: Any) -> MoneyRequest:
        return sending.send(actor=who or self.pat, request_id=request.pk, way=way, **more)

    def money(self) -> tuple[Decimal, Decimal]:
        """What is free and what is reserved in the wallet, as people read it."""
        found = balances([self.wallet.account_id, self.wallet.reserved_id])
        return -found[self.wallet.account_id], -found[self.wallet.reserved_id]


def fresh(request: MoneyRequest) -> MoneyRequest:
    return MoneyRequest.objects.get(pk=request.pk)


def state(request: MoneyRequest) -> str:
    return fresh(request).state


def verified(desk_floor: Floor, client: Client, *, days: int = 30, who: str = "carl", **details: Any) -> Payee:
    """A payee that sue proposed and somebody of compliance verified, so many days ago."""
    return verified_by(desk_floor.sue, desk_floor.people[who], client, days=days, **details)


def verified_by(maker: Person, checker: Person, client: Client, *, days: int, **details: Any) -> Payee:
    """A bank account that one person proposed and another verified, so many days ago."""
    values = {"kind": "BANK", "currency": "USD", "holder": client.name, "details": {**BANK, **details}}
    with clock.at(clock.now() - timedelta(days=days)):
        payee = payees.propose(actor=maker, client_id=client.pk, **values)
        payload = actions.VerifyPayee(payee.pk)
        asked = requests.submit(actor=maker, action=actions.VERIFY, payload=payload, reason="new account")
        requests.approve(actor=checker, request_id=asked.pk, seen_hash=asked.payload_hash)
    return Payee.objects.get(pk=payee.pk)


def decided(request: MoneyRequest, maker: Person, checker: Person) -> MoneyRequest:
    """A withdrawal that one person sent for approval and another approved."""
    payload = actions.pay(request)
    asked = requests.submit(actor=maker, action=actions.PAY, payload=payload, reason="as asked")
    requests.approve(actor=checker, request_id=asked.pk, seen_hash=asked.payload_hash)
    return fresh(request)


def put(wallet: Wallet, amount: str, key: str = "start") -> None:
    """Money in a wallet, as a deposit of long ago."""
    with transaction.atomic():
        wallets.move(
            actor=ROBOT, wallet=wallet, amount=Money(Decimal(amount), wallet.currency_id),
            contra="clearing.client_money", key=f"test:{key}", description="before the test",
        )  # fmt: skip


def open_desk(amount: str = "1000.00") -> Desk:
    f = floor()
    f.people["finn"] = member("finn", "FAP", here=f.here)
    f.people["paul"] = member("paul", "PAY", here=f.here)
    f.people["fay"] = member("fay", "FMK", here=f.here)
    wallet = wallets.open_wallet(actor=ROBOT, client_id=f.client.pk, currency="USD")
    put(wallet, amount)
    return Desk(f, wallet, verified(f, f.client), f.people["finn"])


def bank() -> Connection:
    return connection("camt053", "bank")


def psp() -> Connection:
    return connection("adyen_settlement", "adyen")


def at_source(source: Connection, *facts: Any) -> None:
    """Lines that a PSP or bank has reported, booked and read."""
    World.put(_no_world(), source, *facts)
    booking.book_all(actor=ROBOT)
    confirming.confirm_all()


def _no_world() -> Any:
    return object.__new__(World)


def booked_deposit(desk: Desk, ticket: int, amount: str, comment: str = "") -> None:
    """A balance operation of the client's first login, as the server has it, booked."""
    World.put(_no_world(), desk.floor.server, deposit(ticket, amount, comment))
    booking.book_all(actor=ROBOT)


def crypto(desk: Desk) -> Payee:
    """The client's verified address on the Bitcoin chain."""
    values = {"network": "BTC", "address": "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"}
    with clock.at(clock.now() - timedelta(days=30)):
        payee = payees.propose(
            actor=desk.sue, client_id=desk.client.pk, kind="CRYPTO", currency="USD", holder=desk.client.name,
            details=values,
        )  # fmt: skip
        payload = actions.VerifyPayee(payee.pk)
        asked = requests.submit(actor=desk.sue, action=actions.VERIFY, payload=payload, reason="new")
        requests.approve(actor=desk.carl, request_id=asked.pk, seen_hash=asked.payload_hash)
    return Payee.objects.get(pk=payee.pk)


def announced(client: Client, amount: str = "250.00", **more: Any) -> MoneyRequest:
    values: dict[str, Any] = {"method": "CARD", "actor": ROBOT, "client_id": client.pk, "amount": usd(amount), **more}
    return deposits.announce(**values)
