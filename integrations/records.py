"""Neutral facts: what the outside world said, in one form for every vendor.

Adapters turn bytes into these frozen records and nothing else; services store them as rows. Amounts and
prices are `Decimal`, money in major units with its currency beside it. Sign of money, everywhere here: from
the point of view of the account the line is on (a client's deposit is positive on the client's account, a
payout is negative on the PSP's account, a debit is negative on the bank account).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from decimal import Decimal
from enum import Enum, IntEnum


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


class PspKind(str, Enum):
    """What a PSP line is, whatever the provider calls it."""

    PAYMENT = "PAYMENT"
    REFUND = "REFUND"
    REFUND_REVERSED = "REFUND_REVERSED"
    CHARGEBACK = "CHARGEBACK"
    CHARGEBACK_REVERSED = "CHARGEBACK_REVERSED"
    FEE = "FEE"
    PAYOUT = "PAYOUT"
    RESERVE = "RESERVE"
    TRANSFER = "TRANSFER"
    ADJUSTMENT = "ADJUSTMENT"
    # One leg of an exchange between two balances at the PSP; the other leg is a line in the other currency.
    CONVERSION = "CONVERSION"
    # A step in a payment's life that moves nothing on the balance (net is zero): never booked.
    PAYMENT_STATE = "PAYMENT_STATE"
    # A type this version does not know: kept, never booked, a break says so.
    UNKNOWN = "UNKNOWN"


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


class Right(IntEnum):
    """Bits of a login's rights that the house reads or writes; names and values are MT5's EnUsersRights.

    TRADE_DISABLED is inverted: set, it forbids. The server's other bits (READONLY, INVESTOR, CONFIRMED, ...) are its
    own business: they are carried along as they were read and never written. Plain numbers and no IntFlag: the
    complement of a flag forgets the bits that have no name here.
    """

    ENABLED = 0x1
    TRADE_DISABLED = 0x4
    RESET_PASS = 0x400
    TECHNICAL = 0x10000
    EXCLUDE_REPORTS = 0x20000


@dataclass(frozen=True, slots=True, kw_only=True)
class UserState:
    """What a login should be able to do. None leaves alone what the server has.

    `leverage` 30 means 1:30. `reset_password` demands that the client chooses a new password at the next log-in; the
    server takes the demand back by itself when that has happened. `technical` and `exclude_reports` mark a login of the
    house's own, which the server leaves out of its statements.
    """

    enabled: bool | None = None
    trading: bool | None = None
    group: str | None = None
    leverage: int | None = None
    reset_password: bool | None = None
    technical: bool | None = None
    exclude_reports: bool | None = None

    @property
    def named(self) -> dict[str, bool | int | str]:
        """Only what is wished for, by field."""
        pairs = ((part.name, getattr(self, part.name)) for part in fields(self))
        return {name: value for name, value in pairs if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A login as its trade server has it. `rights` are all of the server's bits (see Right)."""

    login: int
    rights: int
    group: str
    leverage: int
    currency: str

    @property
    def state(self) -> UserState:
        return UserState(
            enabled=bool(self.rights & Right.ENABLED),
            trading=not self.rights & Right.TRADE_DISABLED,
            group=self.group,
            leverage=self.leverage,
            reset_password=bool(self.rights & Right.RESET_PASS),
            technical=bool(self.rights & Right.TECHNICAL),
            exclude_reports=bool(self.rights & Right.EXCLUDE_REPORTS),
        )

    def lacks(self, wanted: UserState) -> dict[str, bool | int | str]:
        """What is wished for and is not so; empty when the server agrees."""
        has = self.state
        return {name: value for name, value in wanted.named.items() if getattr(has, name) != value}

    def rights_for(self, wanted: UserState) -> int:
        """These rights with the wished-for bits flipped, and no other."""
        rights = self.rights
        for bit, is_set in (
            (Right.ENABLED, wanted.enabled),
            (Right.TRADE_DISABLED, None if wanted.trading is None else not wanted.trading),
            (Right.RESET_PASS, wanted.reset_password),
            (Right.TECHNICAL, wanted.technical),
            (Right.EXCLUDE_REPORTS, wanted.exclude_reports),
        ):
            if is_set is not None:
                rights = rights | bit if is_set else rights & ~bit
        return int(rights)


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """What a login's open positions tie up now, in its deposit currency. Both figures are the server's own; equity may
    be negative. `leverage` 100 means 1:100 and is the one the margin was worked out with; 0: not told."""

    login: int
    equity: Decimal
    margin: Decimal
    leverage: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTerms:
    """What a group of logins trades under. The server closes positions when the margin level falls below `stop_out`
    percent, or, `in_money`, when free margin falls below that much of the deposit currency."""

    name: str
    currency: str
    stop_out: Decimal
    in_money: bool


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


@dataclass(frozen=True, slots=True, kw_only=True)
class PspLine:
    """One movement on the broker's balance at a PSP, signed: positive is money to the broker.

    `net` = `gross` - `fee` in `currency` (the settlement currency); `gross_original` is in the currency the
    client paid in. `payout_key` groups the lines that one payout pays ("batch 380 USD"); `bank_reference` is
    what the PSP prints in the remittance of that payout. `available_on` is the day from which the broker may have
    the amount, where the file says it: for money that comes out of a reserve, the day of its release.
    """

    line_key: str
    kind: PspKind
    provider_type: str
    psp_reference: str
    merchant_reference: str
    modification_reference: str
    gross: Decimal
    fee: Decimal
    net: Decimal
    currency: str
    gross_original: Decimal
    currency_original: str
    exchange_rate: str
    payout_key: str
    bank_reference: str
    booked_at: datetime
    booked_zone: str
    method: str = ""
    available_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BankEntry:
    """One entry on a bank account, or one transaction of a batched entry that sums exactly; signed, credit positive.

    `is_reversal` says that it turns an earlier payment back: the bank's own reversal or a returned payment. The sign
    is the real one either way. `bank_code` is the bank's classification; a charge of the bank has CHRG in it.
    """

    line_key: str
    account: str
    statement_id: str
    amount: Decimal
    currency: str
    booking_date: date
    value_date: date
    bank_reference: str = ""
    end_to_end_id: str = ""
    remittance: str = ""
    counterparty: str = ""
    counterparty_account: str = ""
    is_reversal: bool = False
    bank_code: str = ""
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BankLine(BankEntry):
    """An entry of an end-of-day statement: what is booked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BankNotice(BankEntry):
    """An entry of an intraday report or a notification: the same money as a line of the statement that follows.

    Never booked. It tells early that money came, and of what a batched entry of the statement is made: its line is
    found by `entry_reference` (the bank's reference of the whole entry) and `entry_amount`. The parts of one entry
    share `statement_id` and `entry_key`. `message` is 052 or 054 (camt), 942 (MT942) or BAI2 (an interim report).
    """

    message: str
    entry_key: str
    entry_reference: str
    entry_amount: Decimal


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that could not be read: where, which field, why. The others are kept."""

    line: int
    field: str
    reason: str
    raw: str = ""


@dataclass(frozen=True, slots=True)
class ControlTotal:
    """One self-check of a file: what it says of itself, and what its rows say."""

    name: str
    expected: str
    found: str

    @property
    def holds(self) -> bool:
        return self.expected == self.found


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What one unit of `base` buys of `quote` as a source published it: the middle where it names both sides."""

    source: str
    base: str
    quote: str
    rate_date: date
    rate: Decimal
    bid: Decimal | None = None
    ask: Decimal | None = None
    published_at: datetime | None = None


Record = Deal | AccountState | Fill | PspLine | BankLine | BankNotice | Rate


@dataclass(frozen=True, slots=True)
class Parsed:
    """Everything an adapter read from one file.

    `lines` gives, for each record, the line (or entry) number it came from. `balanced` is None where the
    format has no self-check, False when a control total does not hold: such a file is held.
    """

    records: Sequence[Record]
    lines: Sequence[int]
    rejected: Sequence[Rejected] = ()
    control_totals: Sequence[ControlTotal] = ()
    warnings: Sequence[str] = ()
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def balanced(self) -> bool | None:
        if not self.control_totals:
            return None
        return all(total.holds for total in self.control_totals) and not self.rejected


class Unreadable(Exception):
    """The whole file is refused: it is not what the adapter reads, or it is hostile. Nothing of it is kept
    but its bytes. The message names the place and what to do."""
