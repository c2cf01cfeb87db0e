from accounts.models.booking import BookingCursor, PayoutProof, PayoutReceipt, Unbooked, UnbookedReason
from accounts.models.caps import InstrumentClass, LeverageCap
from accounts.models.clients import Client, ClientCategory, ClientStatus
from accounts.models.desired import DesiredState
from accounts.models.flags import NEUTRAL, ConsentStep, Flag, FlagKind
from accounts.models.lifecycle import LifecycleRule, Notice, StatusChange
from accounts.models.papers import Document, KycResult, Note
from accounts.models.reasons import Reason
from accounts.models.restrictions import Restriction, RestrictionKind, What
from accounts.models.technical import TechnicalMark
from accounts.models.trading import TradingAccount
from accounts.models.wallets import Reservation, ReservationState, Wallet

__all__ = [
    "NEUTRAL",
    "BookingCursor",
    "Client",
    "ClientCategory",
    "ClientStatus",
    "ConsentStep",
    "DesiredState",
    "Document",
    "Flag",
    "FlagKind",
    "InstrumentClass",
    "KycResult",
    "LeverageCap",
    "LifecycleRule",
    "Note",
    "Notice",
    "PayoutProof",
    "PayoutReceipt",
    "Reason",
    "Reservation",
    "ReservationState",
    "Restriction",
    "RestrictionKind",
    "StatusChange",
    "TechnicalMark",
    "TradingAccount",
    "Unbooked",
    "UnbookedReason",
    "Wallet",
    "What",
]
