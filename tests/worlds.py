"""A small broker for tests: one server, one LP, one PSP, one bank, and facts put in through the real services."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction

from accounts.models import Client, TradingAccount
from accounts.services import booking, clients
from accounts.services.clients import Login
from backoffice.kernel import clock
from integrations import records
from integrations.models import Connection, FeedState, Instrument, SymbolMapping
from integrations.models.columns import SNAPSHOT, moment
from integrations.records import AccountState, BankLine, BankNotice, Deal, DealKind, Entry, Fill, PspKind, PspLine, Side
from integrations.services import listings
from integrations.services.facts import store_records
from integrations.services.raws import keep_records
from integrations.services.store import Row, Stored, lock_feed, store
from tests.builders import ROBOT, entity

DAY = date(2026, 11, 19)
NOON = datetime(2026, 11, 19, 12, 0)


def connection(adapter: str, name: str, code: str = "CY") -> Connection:
    here = entity(code)
    found, created = Connection.objects.get_or_create(
        name=name, defaults={"entity": here, "adapter": adapter, "settings": {}, "created_at": clock.now()}
    )
    if created:
        FeedState.objects.create(connection=found)
    return found


@dataclass
class World:
    """Everything a test needs to put facts in and look at what became of them."""

    server: Connection
    lp: Connection
    psp: Connection
    bank: Connection
    client: Client
    account: TradingAccount

    def put(self, source: Connection, *facts: records.Record) -> Stored:
        """Store facts as if the source had just been read."""
        with transaction.atomic():
            lock_feed(source)
            bodies = {f"{type(f).__name__}:{i}:{f!r}"[:200]: repr(f) for i, f in enumerate(facts)}
            raws = keep_records(connection=source, bodies=bodies, received_at=clock.now(), origin="test")
            located = [(fact, raw, 0) for fact, raw in zip(facts, raws.values(), strict=True)]
            return store_records(connection=source, located=located, received_at=clock.now())

    def book(self) -> booking.Booked:
        return booking.book_all(actor=ROBOT)

    def list_server(self, *deals: Deal, day: date = DAY) -> None:
        """What the server would answer when it is asked for the day."""
        with transaction.atomic():
            listings.keep_listing(
                connection=self.server, day=day, taken_at=clock.now(), deals=[(deal, 1) for deal in deals]
            )

    def snapshot(self, login: int, balance: str, credit: str = "0", *, currency: str = "USD", day: date = DAY) -> None:
        state = AccountState(
            login=login,
            server_time=datetime(day.year, day.month, day.day, 23, 59, 59),
            utc_offset_minutes=0,
            currency=currency,
            balance=Decimal(balance),
            credit=Decimal(credit),
            equity=Decimal(balance) + Decimal(credit),
        )
        with transaction.atomic():
            lock_feed(self.server)
            row = Row(SNAPSHOT.said_of(state), (moment(state.server_time) + "+00",), 1, 0)
            store(connection=self.server, table=SNAPSHOT, rows=[row], received_at=clock.now())


def world() -> World:
    server = connection("mt5_webapi", "mt5")
    lp = connection("lp_fills", "lp")
    for code, symbols, size in (("EURUSD", ("EURUSD", "EURUSD.x"), "100000"), ("XAUUSD", ("XAUUSD", "GOLD"), "100")):
        instrument, _ = Instrument.objects.get_or_create(
            code=code,
            defaults={"name": code, "base": code[:3], "quote_id": "USD", "contract_size": Decimal(size), "digits": 5},
        )
        for source, symbol in zip((server, lp), symbols, strict=True):
            SymbolMapping.objects.get_or_create(
                connection=source, symbol=symbol, defaults={"instrument": instrument, "contract_size": Decimal(size)}
            )
    here = entity("CY")
    with clock.at(NOON.replace(tzinfo=UTC) - timedelta(days=30)):
        client = clients.open_client(actor=ROBOT, entity_id=here.pk, number="C-1", name="Ada Lovelace", country="GB")
        (account,) = clients.open_trading_accounts(
            actor=ROBOT, logins=[Login(client_id=client.pk, connection_id=server.pk, login=1001, currency="USD")]
        )
    return World(server, lp, connection("adyen_settlement", "adyen"), connection("camt053", "bank"), client, account)


def deal(ticket: int, **changes: Any) -> Deal:
    """A trade of login 1001: buy one lot of EURUSD, closed with no result, unless told otherwise."""
    values: dict[str, Any] = {
        "ticket": ticket,
        "login": 1001,
        "kind": DealKind.TRADE,
        "entry": Entry.OUT,
        "side": Side.BUY,
        "symbol": "EURUSD",
        "volume_lots": Decimal("1.00"),
        "contract_size": Decimal(100000),
        "price": Decimal("1.08500"),
        "server_time": NOON,
        "utc_offset_minutes": 0,
        **changes,
    }
    return Deal(**values)


def deposit(ticket: int, amount: str, comment: str = "", **changes: Any) -> Deal:
    return deal(
        ticket,
        kind=DealKind.BALANCE,
        entry=Entry.NONE,
        side=Side.NONE,
        symbol="",
        volume_lots=Decimal(0),
        contract_size=Decimal(0),
        price=Decimal(0),
        profit=Decimal(amount),
        comment=comment,
        **changes,
    )


def fill(exec_id: str, order_ref: str, **changes: Any) -> Fill:
    values: dict[str, Any] = {
        "exec_id": exec_id,
        "order_ref": order_ref,
        "symbol": "EURUSD.x",
        "side": Side.BUY,
        "quantity_units": Decimal(100000),
        "price": Decimal("1.08500"),
        "traded_at": NOON.replace(tzinfo=UTC) + timedelta(seconds=1),
        "trade_date": DAY,
        **changes,
    }
    return Fill(**values)


def psp_line(key: str, gross: str, *, fee: str = "0", reference: str = "", **changes: Any) -> PspLine:
    values: dict[str, Any] = {
        "line_key": key,
        "kind": PspKind.PAYMENT,
        "provider_type": "Settled",
        "psp_reference": key,
        "merchant_reference": reference,
        "modification_reference": "",
        "gross": Decimal(gross),
        "fee": Decimal(fee),
        "net": Decimal(gross) - Decimal(fee),
        "currency": "USD",
        "gross_original": Decimal(gross),
        "currency_original": "USD",
        "exchange_rate": "1",
        "payout_key": "batch 1 USD",
        "bank_reference": "",
        "booked_at": NOON.replace(tzinfo=UTC),
        "booked_zone": "UTC",
        **changes,
    }
    return PspLine(**values)


def bank_line(key: str, amount: str, *, remittance: str = "", **changes: Any) -> BankLine:
    values: dict[str, Any] = {
        "line_key": key,
        "account": "CY17002001280000001200527600",
        "statement_id": "S1",
        "amount": Decimal(amount),
        "currency": "USD",
        "booking_date": DAY,
        "value_date": DAY,
        "remittance": remittance,
        **changes,
    }
    return BankLine(**values)


def bank_notice(key: str, amount: str, *, entry: str = "", **changes: Any) -> BankNotice:
    """A part of an entry that a camt.054 tells; `entry` is the amount of the whole, unless it is the only part."""
    values: dict[str, Any] = {
        "line_key": key,
        "account": "CY17002001280000001200527600",
        "statement_id": "N1",
        "amount": Decimal(amount),
        "currency": "USD",
        "booking_date": DAY,
        "value_date": DAY,
        "message": "054",
        "entry_key": "E1",
        "entry_reference": "BATCH1",
        "entry_amount": Decimal(entry or amount),
        **changes,
    }
    return BankNotice(**values)
