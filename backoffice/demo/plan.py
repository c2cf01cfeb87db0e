"""The plan of the demo: everything that will happen, before any of it does. Data only.

Moments are UTC, days are business days, amounts are in the currency beside them and signed as in
integrations.records: positive is money to the account the record is on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from backoffice.demo.clients import Client, Login
from backoffice.demo.instruments import Symbol

ZERO = Decimal(0)


@dataclass(slots=True)
class MtDeal:
    """A deal of the MT5 server, by the vendor's codes. It is on the server from `shows_at` on, which is later than
    its own time where somebody back-dates. The ticket is given when the plan is finished."""

    login: int
    action: int
    at: datetime
    shows_at: datetime
    entry: int = 0
    symbol: str = ""
    lots: Decimal = ZERO
    price: Decimal = ZERO
    profit: Decimal = ZERO
    swap: Decimal = ZERO
    commission: Decimal = ZERO
    position: int = 0
    order: int = 0
    external: str = ""
    gateway: str = ""
    reason: int = 0
    comment: str = ""
    ticket: int = 0

    @property
    def amount(self) -> Decimal:
        return self.profit + self.swap + self.commission


@dataclass(slots=True)
class LpFill:
    """An execution at the liquidity provider, in the file of `file_day`."""

    exec_id: str
    order_ref: str
    symbol: str
    side: str
    units: Decimal
    price: Decimal
    at: datetime
    commission: Decimal
    file_day: date


@dataclass(slots=True)
class PspRow:
    """A row of the PSP's settlement report of a day. `gross` is signed, the fee is a cost."""

    day: date
    kind: str
    reference: str
    currency: str
    gross: Decimal
    fee: Decimal
    psp_reference: str
    modification: str
    method: str
    created: datetime


@dataclass(slots=True)
class BankRow:
    """A line on one of our bank accounts. `number` is the bank's own reference, given when the plan is finished."""

    bank: str
    day: date
    currency: str
    amount: Decimal
    code: tuple[str, str, str]
    name: str = ""
    account: str = ""
    end_to_end: str = ""
    remittance: str = ""
    is_reversal: bool = False
    number: str = ""


@dataclass(slots=True)
class Payout:
    """What a PSP batch pays in one currency; no bank day means that the bank never gets it."""

    day: date
    currency: str
    amount: Decimal
    token: str
    bank_day: date | None
    bank_amount: Decimal


@dataclass(slots=True)
class Mt4Row:
    """A row of MT4's report table over its life. While the trade is open it says the `open_` values and a floating
    result; a pending order that is `cancelled` closes without any."""

    ticket: int
    login: int
    command: int
    opened: datetime
    closed: datetime | None = None
    shows_at: datetime | None = None
    cancelled: datetime | None = None
    symbol: Symbol | None = None
    symbol_name: str = ""
    lots: Decimal = ZERO
    open_lots: Decimal = ZERO
    open_price: Decimal = ZERO
    close_price: Decimal = ZERO
    profit: Decimal = ZERO
    swap: Decimal = ZERO
    commission: Decimal = ZERO
    comment: str = ""
    open_comment: str = ""


@dataclass(slots=True)
class EditDeal:
    deal: MtDeal
    fields: Mapping[str, str]


@dataclass(slots=True)
class DeleteDeal:
    deal: MtDeal


@dataclass(slots=True)
class AddUser:
    """A login that is opened at the trade server and nowhere else."""

    login: Login


@dataclass(slots=True)
class MoveUser:
    """A login is moved to another group at the trade server."""

    login: Login
    group: str


@dataclass(slots=True)
class EditUser:
    """A login is changed at the trade server behind our back: bits of its rights, or fields by the vendor's names."""

    login: Login
    set: int = 0
    clear: int = 0
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class OpenLogin:
    """A login that is opened in the books, in the currency the books are told."""

    login: Login
    currency: str


@dataclass(slots=True)
class HandJournal:
    """Finance credits a client by hand, through approval; the trade server is forgotten."""

    login: Login
    amount: Decimal
    reference: str
    day: date


@dataclass(slots=True)
class FetchDeal:
    """Dealing fetches a deal that a break says is missing."""

    deal: MtDeal


@dataclass(slots=True)
class Holder:
    """A client with a wallet: in the currency of a login, with a payee by which money goes back. `paid_in` is what has
    come by the end of the history."""

    login: Login
    method: str
    paid_in: Decimal = ZERO

    @property
    def client(self) -> Client:
        return self.login.client


@dataclass(slots=True)
class Announce:
    """A deposit to a wallet is announced; the money comes with its reference."""

    holder: Holder
    amount: Decimal
    reference: str


@dataclass(slots=True)
class PayByBank:
    """A withdrawal from a wallet is asked for, approved, and entered at the bank, whose line follows."""

    holder: Holder
    amount: Decimal
    reference: str


Act = EditDeal | DeleteDeal | AddUser | MoveUser | EditUser | OpenLogin | HandJournal | FetchDeal | Announce | PayByBank


Subject = str | MtDeal | Mt4Row | BankRow | PspRow


@dataclass(slots=True)
class Planted:
    """A break that must be there: found first by the run of `opens`, and gone with the run of `resolves`, if any.

    `subject` gives the key: a deal, a row, or a text with the connection's name in braces where its number stands.
    """

    klass: str
    entity: str
    subject: Subject
    why: str
    opens: date
    resolves: date | None = None
    amount: Decimal | None = None


@dataclass(slots=True)
class Plan:
    """All of it."""

    clients: list[Client]
    deals: list[MtDeal] = field(default_factory=list)
    fills: list[LpFill] = field(default_factory=list)
    psp: list[PspRow] = field(default_factory=list)
    payouts: list[Payout] = field(default_factory=list)
    bank: list[BankRow] = field(default_factory=list)
    mt4: list[Mt4Row] = field(default_factory=list)
    acts: list[tuple[datetime, Act]] = field(default_factory=list)
    holders: list[Holder] = field(default_factory=list)
    planted: list[Planted] = field(default_factory=list)
    floating: dict[int, Decimal] = field(default_factory=dict)
