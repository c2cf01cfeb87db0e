from reconciliation.models.breaks import OPEN_STATES, Break, BreakEvent, BreakState, EventKind, Resolution
from reconciliation.models.classes import CLASSES, BreakClass, Kind
from reconciliation.models.client_money import (
    ClientMoneyClient,
    ClientMoneyLine,
    ClientMoneyResource,
    ClientMoneyRule,
    ClientMoneyRun,
    Part,
    Regime,
    SegregatedAccount,
    TopUp,
)
from reconciliation.models.files import ComparedLine, Comparison, OutsideFile, OutsideLine
from reconciliation.models.matches import CashAllocation, CashMatch, FactKind, Suggestion, SuggestionState
from reconciliation.models.rungs import Rung
from reconciliation.models.runs import Rule, Run, RunState, TradeMatch
from reconciliation.models.severity import Severity

__all__ = [
    "CLASSES",
    "OPEN_STATES",
    "Break",
    "BreakClass",
    "BreakEvent",
    "BreakState",
    "CashAllocation",
    "CashMatch",
    "ClientMoneyClient",
    "ClientMoneyLine",
    "ClientMoneyResource",
    "ClientMoneyRule",
    "ClientMoneyRun",
    "ComparedLine",
    "Comparison",
    "EventKind",
    "FactKind",
    "Kind",
    "OutsideFile",
    "OutsideLine",
    "Part",
    "Regime",
    "Resolution",
    "Rule",
    "Run",
    "RunState",
    "Rung",
    "SegregatedAccount",
    "Severity",
    "Suggestion",
    "SuggestionState",
    "TopUp",
    "TradeMatch",
]
