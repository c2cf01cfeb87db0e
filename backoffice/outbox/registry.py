"""Who can keep which kind of promise. Rooms above register their senders when they start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from backoffice.outbox.models import State


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message. QUEUED means it provably did not leave and may be sent again later.

    `then` runs in the transaction that writes the outcome down: what must be known together with it.
    """

    state: State
    answer: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    then: Callable[[], None] | None = None


class Sender(Protocol):
    """The network half of an outside effect. Runs outside any transaction."""

    def send(self, *, key: str, payload: Mapping[str, Any]) -> Outcome:
        """Do it. `key` goes to the other side as the idempotency key where that side takes one."""
        ...

    def ask(self, *, key: str, payload: Mapping[str, Any]) -> Outcome:
        """Find out whether a message of unknown outcome had its effect."""
        ...


_senders: dict[str, Sender] = {}


def register(kind: str, sender: Sender) -> None:
    assert kind not in _senders, f"two senders for {kind}"
    _senders[kind] = sender


def sender_for(kind: str) -> Sender:
    return _senders[kind]


def kinds() -> list[str]:
    return sorted(_senders)
