"""The worked example of client money: five clients, two client bank accounts, and the people of finance."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from accounts.models import Client
from accounts.services import clients, reserves, wallets
from accounts.services.clients import Login
from backoffice.approvals.services import requests
from backoffice.kernel import clock
from backoffice.kernel.actor import Person
from backoffice.kernel.money import Money
from backoffice.organisation.models import FxRate, User
from integrations.records import AccountState
from ledger.models import LedgerAccount
from ledger.services import chart
from reconciliation.actions.client_money import SEGREGATED, AskSegregated
from reconciliation.models import ClientMoneyRun, SegregatedAccount
from reconciliation.services import client_money
from tests.browser import staff
from tests.builders import ROBOT, person
from tests.worlds import DAY, World, bank_line, world

LATER = DAY + timedelta(days=1)


@dataclass
class Desk:
    """The five clients of the worked example, the house's accounts, and the people."""

    w: World
    fred: Person
    fiona: Person
    pat: Person

    def users(self) -> list[User]:
        return [User.objects.get(pk=who.user_id) for who in (self.fred, self.fiona, self.pat)]

    def run(self) -> ClientMoneyRun:
        return client_money.run(actor=self.fred, entity_id=self.w.client.entity_id, day=DAY)

    def agreed(self, action: str, payload: Any) -> None:
        request = requests.submit(actor=self.fred, action=action, payload=payload, reason="for the test")
        requests.approve(actor=self.fiona, request_id=request.pk, seen_hash=request.payload_hash)

    def segregate(self, account: str, currency: str) -> SegregatedAccount:
        row = LedgerAccount.objects.get(code=f"bank.{account}", currency=currency, entity=self.w.client.entity)
        self.agreed(SEGREGATED, AskSegregated(row.pk, "First Bank", DAY - timedelta(days=90)))
        return SegregatedAccount.objects.get(account=row)


def a_client(w: World, number: str, login: int = 0) -> Client:
    made = clients.open_client(
        actor=ROBOT, entity_id=w.client.entity_id, number=number, name=f"Client {number}", country="CY"
    )
    if login:
        opened = Login(client_id=made.pk, connection_id=w.server.pk, login=login, currency="USD")
        clients.open_trading_accounts(actor=ROBOT, logins=[opened])
    return made


def reading(login: int, balance: str, floating: str = "0", credit: str = "0") -> AccountState:
    """What the server says at the close: equity is balance, credit and floating result together."""
    total = Decimal(balance) + Decimal(floating) + Decimal(credit)
    return AccountState(
        login=login, server_time=datetime.combine(DAY, time(23)),
        utc_offset_minutes=0, currency="USD", balance=Decimal(balance), credit=Decimal(credit), equity=total,
    )  # fmt: skip


def five_clients() -> Desk:
    """A 10,000 - 2,500; B 4,000 + 1,200; C 1,000 - 1,650; D wallet 800, 300 on its way; E 2,000 - 100, credit 500.
    USD 9,000 and EUR 5,000 at 1.0850 on client bank accounts; 70,000 on the house's own."""
    w = world()
    here = (w.client.entity,)
    chart.open_house(actor=ROBOT, entity_id=w.client.entity_id, currency="EUR")
    FxRate.objects.create(date=DAY, base_id="EUR", quote_id="USD", rate=Decimal("1.0850"), source="A test")
    people = [staff(name, role, *here) for name, role in (("fred", "FMK"), ("fiona", "FAP"), ("pat", "PAY"))]
    made = Desk(w, *(person(who) for who in people))
    for number, login in (("B", 2002), ("C", 2003), ("E", 2005)):
        a_client(w, number, login)
    readings = [
        reading(1001, "10000", "-2500"),
        reading(2002, "4000", "1200"),
        reading(2003, "1000", "-1650"),
        reading(2005, "2000", "-100", "500"),
    ]
    w.put(w.server, *readings)
    wallet = wallets.open_wallet(actor=ROBOT, client_id=a_client(w, "D").pk, currency="USD")
    wallets.move(
        actor=ROBOT, wallet=wallet, amount=Money(Decimal(1100), "USD"), contra="clearing.client_money",
        key="in", description="D-00000001", day=DAY,
    )  # fmt: skip
    with clock.at(datetime.combine(DAY, time(12), UTC)):
        reserves.hold(actor=ROBOT, reference="W-00000001", amount=Money(Decimal(300), "USD"), wallet_id=wallet.pk)
        reserves.use(actor=ROBOT, reference="W-00000001")
    w.put(w.bank, bank_line("usd", "9000", remittance="W-00000009", account="CLIENT-USD"))
    w.put(w.bank, bank_line("eur", "5000", remittance="W-00000009", account="CLIENT-EUR", currency="EUR"))
    w.put(w.bank, bank_line("own", "70000", remittance="W-00000009", account="OWN"))
    w.book()
    made.segregate("CLIENT-USD", "USD")
    made.segregate("CLIENT-EUR", "EUR")
    return made
