"""Neutral facts: what the outside world said, in one form for every vendor.

Adapters turn bytes into these frozen records and nothing else; services store them as rows. Amounts and
prices are `Decimal`, money in major units with its currency beside it. Sign of money, everywhere here: from
the point of view of the account the line is on (a client's deposit is positive on the client's account, a
payout is negative on the PSP's account, a debit is negative on the bank account).
"""

from integrations.records.cash import (
    BankEntry,
    BankLine,
    BankNotice,
    PspKind,
    PspLine,
    Rate,
)
from integrations.records.files import (
    ControlTotal,
    Parsed,
    Record,
    Rejected,
    Unreadable,
)
from integrations.records.logins import (
    GroupTerms,
    Margin,
    Right,
    User,
    UserState,
)
from integrations.records.payouts import PAYOUT_TOKEN, PAYOUT_TOKEN_SQL
from integrations.records.server import (
    CREDIT_KINDS,
    AccountState,
    Deal,
    DealKind,
    Entry,
    Fill,
    Side,
)

__all__ = [
    "CREDIT_KINDS",
    "PAYOUT_TOKEN",
    "PAYOUT_TOKEN_SQL",
    "AccountState",
    "BankEntry",
    "BankLine",
    "BankNotice",
    "ControlTotal",
    "Deal",
    "DealKind",
    "Entry",
    "Fill",
    "GroupTerms",
    "Margin",
    "Parsed",
    "PspKind",
    "PspLine",
    "Rate",
    "Record",
    "Rejected",
    "Right",
    "Side",
    "Unreadable",
    "User",
    "UserState",
]
