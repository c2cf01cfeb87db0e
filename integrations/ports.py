"""What an adapter offers to the house, by direction and kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import IO, Protocol

from integrations.records import AccountState, Deal, Parsed, Rejected, User, UserState


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

    def user(self, login: int) -> User | None:
        """One login; None when the server has no such login."""
        ...

    def change_user(self, before: User, wanted: UserState) -> None:
        """Change what differs from `before`, which was read a moment ago, and nothing else; sent at most once.

        Raises ServerError when the server refused (nothing was changed), OutcomeUnknown when nobody knows. That it
        did not raise is not yet proof: read the login back.
        """
        ...

    def close(self) -> None: ...


class ServerError(Exception):
    """A trade server did not do what was asked. `retry` says whether asking again may help."""

    def __init__(self, message: str, *, retry: bool, retcode: int | None = None) -> None:
        super().__init__(message)
        self.retry = retry
        self.retcode = retcode


class OutcomeUnknown(ServerError):
    """A change was sent and no answer came: look for its effect before anything else is done."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retry=False)


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
