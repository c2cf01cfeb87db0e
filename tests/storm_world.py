"""A broker for the storm of withdrawals: a simulated trade server and two PSPs, their reports and webhooks, clients
with money in wallets and on logins, and the people who enter, approve and send."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from accounts.models import Client, TradingAccount, Wallet
from accounts.services import booking, clients, wallets
from accounts.services.clients import Login
from backoffice.approvals.services import requests
from backoffice.kernel import clock
from backoffice.kernel.actor import Person
from backoffice.kernel.money import Money
from backoffice.organisation.models import FxRate
from integrations.models import Connection, FileImport
from integrations.services import connections, endpoints, feeds, imports, profiles
from integrations.simulators import mt5_webapi
from integrations.simulators.psp.server import Simulator as Psp
from integrations.simulators.psp_card import CardPsp
from integrations.simulators.psp_crypto import CryptoPsp
from payments.actions import outside as actions
from payments.models import MoneyRequest, Payee
from payments.services import payees, withdrawals
from tests.builders import ROBOT, entity
from tests.clients import member
from tests.mt5_world import MANAGER, PASSWORD
from tests.payments_desk import decided, put
from tests.psp_world import SECRET, connect

OPENING = "1000000.00"
FIRST_LOGIN = 10_001
# What the crypto PSP's report is to a mapping profile.
CRYPTO_REPORT = {
    "kind": "psp",
    "columns": {
        "id": "id", "psp_reference": "id", "merchant_reference": "foreign_id", "type": "type", "currency": "currency",
        "gross": "amount", "fee": "fee", "net": "net", "booked_at": "processed_at",
    },
    "types": {"deposit": "PAYMENT", "withdrawal": "REFUND", "withdrawal_return": "REFUND_REVERSED"},
    "key": ["id", "type"],
}  # fmt: skip
_SAMPLE = (
    "id,foreign_id,type,status,currency,amount,fee,net,address,txid,processed_at\n"
    "1,W-00000000,withdrawal,confirmed,USDT,-1.00,0.01,-1.01,T,x,2026-11-19T10:00:00+00:00\n"
)
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


@dataclass(frozen=True)
class Customer:
    """A client with a wallet in each of two currencies, a login, and a payee at each PSP."""

    client: Client
    dollars: Wallet
    tethers: Wallet
    account: TradingAccount
    card: Payee
    address: Payee


class Outside:
    """Everything outside, on one clock that only the test moves."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment
        self.server = mt5_webapi.Simulator(":memory:", manager_login=MANAGER, password=PASSWORD, real_now=self.now)
        self.psps = {
            "card": Psp(CardPsp(SECRET, now=self.now), now=self.now),
            "crypto": Psp(CryptoPsp(SECRET, now=self.now), now=self.now),
        }

    def now(self) -> datetime:
        return self.moment

    def deals(self, logins: Sequence[int]) -> list[dict[str, Any]]:
        """What the trade server has of these logins, as it keeps it."""
        return [json.loads(text) for text in self.server.store.deals_of_logins(list(logins), 0, 2**40)]

    def wait_until_idle(self) -> bool:
        return all(one.wait_until_idle() for one in (self.server, *self.psps.values()))


@contextmanager
def outside(moment: datetime) -> Iterator[Outside]:
    """The three simulators, stopped again whatever happens."""
    world = Outside(moment)
    running: list[Any] = []
    try:
        for one in (world.server, *world.psps.values()):
            one.start()
            running.append(one)
        world.server.control.run("clock", {"time_zone": 120})
        yield world
    finally:
        for one in running:
            one.stop()


@dataclass
class Broker:
    """Our side: connections, webhooks' addresses, people, customers."""

    world: Outside
    server: Connection
    gateways: dict[str, Connection]
    reports: dict[str, Connection]
    hooks: dict[str, str]
    people: dict[str, Person]
    customers: list[Customer]

    def deliver(self, base: str, **how: Any) -> int:
        """Have both PSPs send their webhooks to the application; how many were taken."""
        taken = 0
        for name, psp in self.world.psps.items():
            told = psp.control.run("deliver", {"url": f"{base}/hooks/{self.hooks[name]}/", **how})
            assert told["refused"] == 0, told
            taken += told["sent"]
        return taken

    def import_reports(self, day: date) -> list[FileImport]:
        """The settlement reports of a day, as a person puts them in."""
        stored = []
        for name, psp in self.world.psps.items():
            body = psp.control.run("report", {"day": day.isoformat()})["csv"].encode()
            if body.count(b"\n") < 2:
                # Nothing happened that day: PSPs send no report then.
                continue
            found = imports.import_file(
                actor=ROBOT, connection_id=self.reports[name].pk, stream=io.BytesIO(body), filename=f"{name}-{day}.csv"
            )
            stored.append(found)
        return stored

    def enter(self, number: int, amount: Decimal) -> MoneyRequest:
        """A withdrawal, entered and reserved: in turn from a wallet to a card, from a wallet to an address, and from a
        login to a card."""
        who = self.customers[number % len(self.customers)]
        source: dict[str, Any] = (
            {"wallet_id": who.dollars.pk, "payee_id": who.card.pk},
            {"wallet_id": who.tethers.pk, "payee_id": who.address.pk},
            {"account_id": who.account.pk, "payee_id": who.card.pk},
        )[number // len(self.customers) % 3]
        currency = "USDT" if source["payee_id"] == who.address.pk else "USD"
        return withdrawals.submit(
            actor=self.people["fred"], client_id=who.client.pk, amount=Money(amount, currency), **source
        )

    def approve(self, request: MoneyRequest) -> MoneyRequest:
        return decided(request, self.people["fred"], self.people["fiona"])

    def gateway_of(self, request: MoneyRequest) -> Connection:
        return self.gateways["crypto" if request.method == "CRYPTO" else "card"]


def open_broker(world: Outside, customers: int) -> Broker:
    """With the money that clients have from before: on logins by the server's own deals, in wallets booked."""
    here = entity()
    server = connections.add(
        actor=ROBOT, entity_id=here.pk, name="mt5", adapter="mt5_webapi",
        settings={"base_url": world.server.url, "login": MANAGER, "groups": "real\\*", "timeout_seconds": "1"},
        secret_values={"password": PASSWORD},
    )  # fmt: skip
    gateways = {name: connect(name, psp) for name, psp in world.psps.items()}
    profiles.make(actor=ROBOT, entity_id=here.pk, name="crypto", spec=CRYPTO_REPORT, note="", sample=_SAMPLE.encode())
    reports = {
        name: connections.add(
            actor=ROBOT, entity_id=here.pk, name=f"{name} report", adapter=adapter, settings=settings, secret_values={},
            paired_with_id=gateways[name].pk,
        )
        for name, adapter, settings in (
            ("card", "checkout", {}), ("crypto", "csv_profile", {"file_profile": "crypto:1"}),
        )
    }  # fmt: skip
    hooks = {
        name: endpoints.set_up(
            actor=ROBOT, connection_id=gateways[name].pk, provider=provider, settings={},
            secret_values={"secret": SECRET},
        ).token
        for name, provider in (("card", "checkout"), ("crypto", "coinspaid"))
    }  # fmt: skip
    FxRate.objects.create(
        date=world.moment.date(), base_id="USDT", quote_id="USD", rate=Decimal(1), source="test"
    )  # fmt: skip
    staff = {"fred": "FMK", "fiona": "FAP", "pat": "PAY", "sue": "SUP", "carl": "CMP"}
    people = {name: member(name, role, here=here) for name, role in staff.items()}
    made = Broker(world, server, gateways, reports, hooks, people, [])
    made.customers = [_customer(made, number) for number in range(customers)]
    _fund_logins(made)
    return made


def _customer(broker: Broker, number: int) -> Customer:
    with clock.at(broker.world.moment - timedelta(days=60)):
        client = clients.open_client(
            actor=ROBOT, entity_id=broker.server.entity_id, number=f"C-{number + 1}", name=f"Ada Lovelace {number}",
            country="GB",
        )  # fmt: skip
        login = Login(client.pk, broker.server.pk, FIRST_LOGIN + number, "USD", "real\\USD", 30)
        (account,) = clients.open_trading_accounts(actor=ROBOT, logins=[login])
        held = [wallets.open_wallet(actor=ROBOT, client_id=client.pk, currency=code) for code in ("USD", "USDT")]
        for wallet in held:
            put(wallet, OPENING, key=f"{number}:{wallet.currency_id}")
    card = _payee(
        broker, client, kind="CARD", currency="USD", connection_id=broker.gateways["card"].pk,
        details={"token": f"src_{number}", "last4": f"{number % 10_000:04}", "brand": "Visa"},
    )  # fmt: skip
    address = _payee(
        broker, client, kind="CRYPTO", currency="USDT", details={"network": "TRON", "address": tron(str(number))}
    )
    return Customer(client, held[0], held[1], account, card, address)


def _payee(broker: Broker, client: Client, **values: Any) -> Payee:
    """A destination that sue proposed and carl verified thirty days ago."""
    maker, checker = broker.people["sue"], broker.people["carl"]
    with clock.at(broker.world.moment - timedelta(days=30)):
        payee = payees.propose(actor=maker, client_id=client.pk, holder=client.name, **values)
        payload = actions.VerifyPayee(payee.pk)
        asked = requests.submit(actor=maker, action=actions.VERIFY, payload=payload, reason="new")
        requests.approve(actor=checker, request_id=asked.pk, seen_hash=asked.payload_hash)
    return Payee.objects.get(pk=payee.pk)


def tron(text: str) -> str:
    """An address of the Tron chain with the right check digits, one per text."""
    payload = b"\x41" + hashlib.sha256(text.encode()).digest()[:20]
    check = hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
    number, letters = int.from_bytes(payload + check, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        letters = _BASE58[rest] + letters
    return letters


def _fund_logins(broker: Broker) -> None:
    """What is on the logins came long ago, by deals without a reference of ours."""
    control, ago = broker.world.server.control, broker.world.moment - timedelta(days=20)
    at = int((ago + timedelta(hours=2)).replace(tzinfo=UTC).timestamp())
    logins: Sequence[int] = [one.account.login for one in broker.customers]
    control.run("load", {"groups": [{"Group": "real\\USD"}]})
    control.run("load", {"users": [{"Login": one, "Group": "real\\USD", "Name": f"Login {one}"} for one in logins]})
    deals = [{"Login": one, "Action": 2, "Time": at, "Profit": OPENING, "Comment": "opening"} for one in logins]
    control.run("load", {"deals": deals})
    feeds.pull(actor=ROBOT, connection_id=broker.server.pk, since=datetime(ago.year, ago.month, ago.day))
    feeds.pull_users(actor=ROBOT, connection_id=broker.server.pk)
    booking.book_all(actor=ROBOT)
