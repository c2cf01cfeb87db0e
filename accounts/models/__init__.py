from accounts.models.booking import BookingCursor, Unbooked, UnbookedReason
from accounts.models.clients import Client, ClientCategory, ClientStatus
from accounts.models.trading import TradingAccount

__all__ = [
    "BookingCursor",
    "Client",
    "ClientCategory",
    "ClientStatus",
    "TradingAccount",
    "Unbooked",
    "UnbookedReason",
]
