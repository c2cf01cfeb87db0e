from ledger.models.accounts import DEBIT_KINDS, Balance, Kind, LedgerAccount
from ledger.models.journals import Journal, Line
from ledger.models.periods import Closing, DayBalance, Period

__all__ = ["DEBIT_KINDS", "Balance", "Closing", "DayBalance", "Journal", "Kind", "LedgerAccount", "Line", "Period"]
