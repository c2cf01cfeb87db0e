from integrations.models.connections import Connection, FeedState, Instrument, ServerClock, SymbolMapping
from integrations.models.facts import (
    AccountSnapshot,
    BankLine,
    BankNotice,
    Deal,
    Fill,
    ListingRow,
    PspLine,
    ServerListing,
    Superseded,
)
from integrations.models.imports import FileImport, ImportState, Rejection
from integrations.models.operations import OPERATION_KINDS, OperationState, ServerOperation
from integrations.models.payouts import OrderState, PayoutOrder
from integrations.models.profiles import FileProfile, ProfileKind
from integrations.models.raw import RawChunk, RawMessage
from integrations.models.users import ServerCommand, ServerGroup, ServerMargin, ServerUser
from integrations.models.webhooks import EVENT_KINDS, Verdict, Webhook, WebhookEndpoint, WebhookOverflow

__all__ = [
    "EVENT_KINDS",
    "OPERATION_KINDS",
    "AccountSnapshot",
    "BankLine",
    "BankNotice",
    "Connection",
    "Deal",
    "FeedState",
    "FileImport",
    "FileProfile",
    "Fill",
    "ImportState",
    "Instrument",
    "ListingRow",
    "OperationState",
    "OrderState",
    "PayoutOrder",
    "ProfileKind",
    "PspLine",
    "RawChunk",
    "RawMessage",
    "Rejection",
    "ServerClock",
    "ServerCommand",
    "ServerGroup",
    "ServerListing",
    "ServerMargin",
    "ServerOperation",
    "ServerUser",
    "Superseded",
    "SymbolMapping",
    "Verdict",
    "Webhook",
    "WebhookEndpoint",
    "WebhookOverflow",
]
