"""What an adapter offers to the house, by direction and kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import IO, Protocol

from integrations.hints import PspEvent
from integrations.records import AccountState, Deal, DealKind, GroupTerms, Margin, Parsed, Rejected, User, UserState


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a connection, as the form and `manage connection add --set` ask for it."""

    name: str
    label: str
    help: str = ""
    required: bool = True
    secret: bool = False
    default: str = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing a connection test tried, and how it came out."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Raw:
    """One record as the server sent it: its key at the source, the exact text, and what was read from it."""

    external_id: str
    body: str
    record: Deal | AccountState


@dataclass(frozen=True, slots=True)
class Pulled:
    """One answer of a trade server: what was read, what could not be read, and up to when it is complete."""

    items: Sequence[Raw]
    rejected: Sequence[Rejected]
    server_now: datetime
    utc_offset_minutes: int


@dataclass(frozen=True, slots=True)
class UserPage:
    """A page of logins: those that were read, those that could not be, and which were asked for."""

    asked: Sequence[int]
    users: Sequence[User]
    rejected: Sequence[Rejected]


class FileReader(Protocol):
    """Reads files of one format. Pure: bytes in, records out; no database, no network, no clock."""

    name: str
    title: str
    settings: Sequence[Setting]

    def parse(self, stream: IO[bytes], *, filename: str, settings: Mapping[str, str]) -> Parsed:
        """Read a whole file. Raises Unreadable when it must be refused as a whole."""
        ...


class TradeServer(Protocol):
    """A trade server that is asked. Runs outside any transaction; raises ServerError."""

    def probe(self) -> list[Probe]:
        """Try what the connection needs (sign-in, rights, clock) and say how each went."""
        ...

    def deals(self, *, since: datetime, until: datetime) -> Pulled:
        """All deals of the configured groups with server time in [since, until], however many pages it takes."""
        ...

    def deal(self, ticket: int) -> Raw | None:
        """One deal by its number; None when the server has no such deal."""
        ...

    def accounts(self) -> Pulled:
        """Balance, credit and equity of every account of the configured groups."""
        ...

    def logins(self) -> Sequence[int]:
        """Every login of the configured groups."""
        ...

    def users(self, logins: Sequence[int]) -> Iterator[UserPage]:
        """These logins, whatever group they are in, page by page as they are asked for; unknown ones are left out."""
        ...

    def margins(self, logins: Sequence[int]) -> Iterator[Sequence[Margin]]:
        """Equity and margin of these logins now, page by page; those that are unknown or unreadable are left out."""
        ...

    def group(self, name: str) -> GroupTerms | None:
        """What a group trades under; None when the server has no such group, or does not say."""
        ...

    def user(self, login: int) -> User | None:
        """One login; None when the server has no such login."""
        ...

    def change_user(self, before: User, wanted: UserState) -> None:
        """Change what differs from `before`, which was read a moment ago, and nothing else; sent at most once.

        Raises ServerError when the server refused (nothing was changed), OutcomeUnknown when nobody knows. That it
        did not raise is not yet proof: read the login back.
        """
        ...

    def balance(self, *, login: int, kind: DealKind, amount: Decimal, comment: str) -> int:
        """Book money on a login (positive) or off it (negative), sent at most once; the ticket of the deal.

        Raises ServerError when it certainly was not booked, OutcomeUnknown when nobody knows.
        """
        ...

    def deals_of(self, login: int, *, since: datetime, until: datetime) -> Pulled:
        """Every deal of one login with server time in [since, until], whatever group it is in; all or ServerError."""
        ...

    def close(self) -> None: ...


class ServerError(Exception):
    """The other side did not do what was asked. `retry` says whether asking again may help."""

    def __init__(self, message: str, *, retry: bool, retcode: int | None = None) -> None:
        super().__init__(message)
        self.retry = retry
        self.retcode = retcode


class OutcomeUnknown(ServerError):
    """A change was sent and no answer came: look for its effect before anything else is done."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retry=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One payment out. `amount` is positive, in major units of `currency`, whose minor unit is 10^-`exponent`.

    With `original_reference` it gives back (part of) that payment; without, it goes to `destination`.
    """

    reference: str
    amount: Decimal
    currency: str
    exponent: int
    destination: Mapping[str, str]
    original_reference: str = ""


class PayoutStage(str, Enum):
    """How far the PSP says a payout is. RETURNED: it was paid and the money came back."""

    SENT = "SENT"
    PAID = "PAID"
    FAILED = "FAILED"
    RETURNED = "RETURNED"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayPayout:
    """One payout as the PSP has it; `reason` is the PSP's word for a failure or return."""

    psp_reference: str
    stage: PayoutStage
    amount: Decimal
    currency: str
    reason: str = ""


class PspGateway(Protocol):
    """A PSP that is told to pay. Runs outside any transaction."""

    def pay(self, instruction: Instruction) -> GatewayPayout:
        """Pay out, sent at most once, with the reference as the PSP's idempotency key.

        Raises ServerError when it certainly was not paid, OutcomeUnknown when nobody knows.
        """
        ...

    def find(self, instruction: Instruction) -> Sequence[GatewayPayout]:
        """Everything the PSP has under the instruction's reference, oldest first; all or ServerError."""
        ...

    def probe(self) -> list[Probe]:
        """Try whether the PSP answers and takes our keys; nothing is paid."""
        ...

    def close(self) -> None: ...


class PspGatewayAdapter(Protocol):
    """How a PSP's payout interface is reached. `destination` is what an order to it must say of where money goes."""

    name: str
    title: str
    settings: Sequence[Setting]
    destination: Sequence[Setting]

    def open(self, settings: Mapping[str, str], secrets: Mapping[str, str]) -> PspGateway: ...


class TradeServerAdapter(Protocol):
    """How a kind of trade server is reached."""

    name: str
    title: str
    settings: Sequence[Setting]

    def open(self, settings: Mapping[str, str], secrets: Mapping[str, str]) -> TradeServer: ...


@dataclass(frozen=True, slots=True)
class Listing:
    """What a source says exists for a business day: the server's side of a reconciliation."""

    day: date
    taken_at: datetime
    items: Iterable[Raw]


@dataclass(frozen=True, slots=True)
class Incoming:
    """A webhook as it came: the bytes, and the headers by their names in small letters."""

    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider is told."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain"
    headers: Mapping[str, str] = field(default_factory=dict)


class NotGenuine(Exception):
    """A webhook that its provider has not sent, or not now. The message says why; nothing of the secret is in it."""


class Unsigned(NotGenuine):
    """It carries no signature."""


class Mismatch(NotGenuine):
    """Its signature does not fit."""


class OutOfWindow(NotGenuine):
    """Its signature fits, and was made too long ago or in the future."""


class WebhookReader(Protocol):
    """How one provider signs and says things. Pure: no database, no network, the time is given."""

    name: str
    title: str
    settings: Sequence[Setting]

    def check(
        self, incoming: Incoming, *, settings: Mapping[str, str], secrets: Mapping[str, str], now: datetime
    ) -> None:
        """Return if the provider signed this message with these secrets; else raise NotGenuine or Unreadable."""
        ...

    def read(self, incoming: Incoming, *, settings: Mapping[str, str]) -> Sequence[PspEvent]:
        """The events of a message, at least one, in their order. Raises Unreadable."""
        ...

    def asks(self, incoming: Incoming) -> bool:
        """Whether the provider asks if it may go on, before anything has happened."""
        ...

    def answer(self, *, objection: str | None, secrets: Mapping[str, str], now: datetime) -> Answer:
        """What the provider wants to hear; `objection` is None for a message that was taken."""
        ...

    def problem(self, secrets: Mapping[str, str]) -> str:
        """Why these secrets cannot be right; empty when they can."""
        ...
