from ledger.models.accounts import DEBIT_KINDS, Balance, Kind, LedgerAccount
from ledger.models.journals import Journal, Line
from ledger.models.periods import Closing, DayBalance, Period
from ledger.models.rates import MANUAL, ManualRate

__all__ = [
    "DEBIT_KINDS",
    "MANUAL",
    "Balance",
    "Closing",
    "DayBalance",
    "Journal",
    "Kind",
    "LedgerAccount",
    "Line",
    "ManualRate",
    "Period",
]
