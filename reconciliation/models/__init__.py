from reconciliation.models.breaks import OPEN_STATES, Break, BreakEvent, BreakState, EventKind, Resolution
from reconciliation.models.classes import CLASSES, BreakClass, Kind
from reconciliation.models.runs import CashMatch, Rule, Run, RunState, TradeMatch

__all__ = [
    "CLASSES",
    "OPEN_STATES",
    "Break",
    "BreakClass",
    "BreakEvent",
    "BreakState",
    "CashMatch",
    "EventKind",
    "Kind",
    "Resolution",
    "Rule",
    "Run",
    "RunState",
    "TradeMatch",
]
