from ledger.models.accounts import Balance, Kind, LedgerAccount
from ledger.models.journals import Journal, Line
from ledger.models.periods import Closing, DayBalance

__all__ = ["Balance", "Closing", "DayBalance", "Journal", "Kind", "LedgerAccount", "Line"]
