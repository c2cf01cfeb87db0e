"""What trade servers and liquidity providers say of dealing: deals, accounts, fills."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum


class DealKind(str, Enum):
    """What a trade server's deal does. Names follow MT5's EnDealAction, joined where the money is the same."""

    TRADE = "TRADE"
    BALANCE = "BALANCE"
    CREDIT = "CREDIT"
    CHARGE = "CHARGE"
    CORRECTION = "CORRECTION"
    BONUS = "BONUS"
    COMMISSION = "COMMISSION"
    AGENT = "AGENT"
    INTEREST = "INTEREST"
    DIVIDEND = "DIVIDEND"
    TAX = "TAX"
    # Negative-balance compensation after a stop-out: the broker's cost, MT5 actions 19 and 20.
    SO_COMPENSATION = "SO_COMPENSATION"
    SO_COMPENSATION_CREDIT = "SO_COMPENSATION_CREDIT"
    # A code this version does not know: kept, never booked, a break says so.
    UNKNOWN = "UNKNOWN"


# Kinds whose amount goes to credit and not to balance.
CREDIT_KINDS = (DealKind.CREDIT, DealKind.SO_COMPENSATION_CREDIT)


class Entry(str, Enum):
    """How a deal changes a position (MT5 EnDealEntry); empty for balance operations."""

    IN = "IN"
    OUT = "OUT"
    INOUT = "INOUT"
    OUT_BY = "OUT_BY"
    NONE = ""


class Side(str, Enum):
    BUY = "BUY"
    SELL = "SELL"
    NONE = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """One deal of a trade server, at one moment of its life.

    `ticket` is the server's own number. `server_time` is the server's wall clock without a zone;
    `utc_offset_minutes` is what was in force then, so UTC = server_time - offset. `profit` is in the account's
    deposit currency, which the deal does not carry; for kinds other than TRADE it is the whole amount.
    The effect on balance is profit + swap + commission + fee.
    """

    ticket: int
    login: int
    kind: DealKind
    server_time: datetime
    utc_offset_minutes: int
    entry: Entry = Entry.NONE
    side: Side = Side.NONE
    symbol: str = ""
    volume_lots: Decimal = Decimal(0)
    contract_size: Decimal = Decimal(0)
    price: Decimal = Decimal(0)
    profit: Decimal = Decimal(0)
    swap: Decimal = Decimal(0)
    commission: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)
    position_id: int = 0
    order_id: int = 0
    # Join key to the liquidity provider, and the gateway the deal left by (empty: kept on the B-book).
    external_id: str = ""
    gateway: str = ""
    reason: str = ""
    comment: str = ""
    # Non-zero when the server says that the deal was edited after the fact (MT5 ModifyFlags).
    modify_flags: int = 0
    # The server no longer has the deal: a version that ends its life.
    deleted: bool = False

    @property
    def amount(self) -> Decimal:
        """Effect on the client's balance or credit, in the account's currency."""
        return self.profit + self.swap + self.commission + self.fee


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """What a trade server says an account has, at a moment of its wall clock."""

    login: int
    server_time: datetime
    utc_offset_minutes: int
    currency: str
    balance: Decimal
    credit: Decimal
    equity: Decimal
    group: str = ""
    leverage: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One execution at a liquidity provider. Quantity in units of the base asset, never lots; a commission
    that is a cost is negative."""

    exec_id: str
    order_ref: str
    symbol: str
    side: Side
    quantity_units: Decimal
    price: Decimal
    traded_at: datetime
    trade_date: date
    commission: Decimal = Decimal(0)
    commission_currency: str = ""
    account: str = ""
