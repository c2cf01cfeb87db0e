from integrations.models.connections import Connection, FeedState, Instrument, ServerClock, SymbolMapping
from integrations.models.facts import (
    AccountSnapshot,
    BankLine,
    Deal,
    Fill,
    ListingRow,
    PspLine,
    ServerListing,
    Superseded,
)
from integrations.models.imports import FileImport, ImportState, Rejection
from integrations.models.raw import RawChunk, RawMessage
from integrations.models.users import ServerCommand, ServerUser

__all__ = [
    "AccountSnapshot",
    "BankLine",
    "Connection",
    "Deal",
    "FeedState",
    "FileImport",
    "Fill",
    "ImportState",
    "Instrument",
    "ListingRow",
    "PspLine",
    "RawChunk",
    "RawMessage",
    "Rejection",
    "ServerClock",
    "ServerCommand",
    "ServerListing",
    "ServerUser",
    "Superseded",
    "SymbolMapping",
]
