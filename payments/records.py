"""What payment files say, free of their XML: orders of payment out, reports of their status back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal


class BadFile(Exception):
    """A payment file that cannot be made, or a status report that cannot be read. The sentence says why."""


@dataclass(frozen=True, slots=True)
class Party:
    """Who pays or is paid, and where. Either `iban` or `number` is given; `bic`, or `clearing_system` (GBDSC, USABA)
    with `clearing_member`, names the bank. `lines` are at most two lines of the address beside town and country."""

    name: str
    iban: str
    number: str
    bic: str
    town: str
    country: str
    lines: Sequence[str] = ()
    clearing_system: str = ""
    clearing_member: str = ""


@dataclass(frozen=True, slots=True)
class Transfer:
    """One payment. `amount` is positive, in the order's currency; `end_to_end_id` travels to the payee's statement."""

    end_to_end_id: str
    amount: Decimal
    payee: Party
    text: str


@dataclass(frozen=True, slots=True)
class Order:
    """One batch of payments from one account: `exponent` are the decimal places of the currency, `charges` who pays
    them (SHAR, DEBT, CRED or SLEV)."""

    message_id: str
    batch_id: str
    created_at: datetime
    execution_date: date
    currency: str
    exponent: int
    payer: Party
    charges: str
    transfers: Sequence[Transfer]

    @property
    def total(self) -> Decimal:
        return sum((row.amount for row in self.transfers), Decimal(0))


@dataclass(frozen=True, slots=True)
class TransferStatus:
    """What a bank says of one payment: its status (TxSts), codes of reasons, and the amount where it says it."""

    end_to_end_id: str
    status: str
    reasons: Sequence[str] = ()
    text: str = ""
    amount: Decimal | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True)
class StatusReport:
    """A pain.002 message about one order. `batches` are statuses of whole batches by PmtInfId, with their reasons;
    `number` and `total` what it says of the order, where it says so."""

    message_id: str
    order_id: str
    status: str
    reasons: Sequence[str]
    number: int | None
    total: Decimal | None
    batches: Sequence[tuple[str, str, Sequence[str]]]
    transfers: Sequence[TransferStatus]
