"""What makes a simulated PSP this one: its calls, its webhooks, its report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol

from integrations.simulators.psp.book import Book, Payment, Payout


@dataclass(frozen=True, slots=True)
class Request:
    """One request, read to its end. Header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """A webhook ready to be sent: its id and the exact bytes that are signed."""

    event_id: str
    body: bytes
    headers: Mapping[str, str] = field(hash=False)


class PspProtocol(Protocol):
    """One PSP."""

    name: str
    book: Book

    def pays(self, request: Request) -> bool:
        """Whether the request is an order to pay."""
        ...

    def answer(self, request: Request) -> Reply:
        """Carry the request out."""
        ...

    def rejection(self, request: Request) -> Reply:
        """How a refusal looks."""
        ...

    def event(self, row: Payment | Payout) -> Event:
        """The webhook that tells how a payment or payout is now."""
        ...

    def report(self, day: date) -> str:
        """The settlement report of a UTC day, CSV."""
        ...
