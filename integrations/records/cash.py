"""What PSPs, banks and publishers of rates say about money."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import Enum


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
