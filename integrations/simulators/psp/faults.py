"""Misbehaviour of a simulated PSP: by order, so many times, or by chance with a seed that is known."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from integrations.simulators.psp.book import BadRequest

# What goes wrong with one request.
KINDS = {
    "off": "hangs up before it reads what was asked",
    "error_before": "HTTP 503 before anything is done",
    "hang_before": "never answers and does nothing",
    "error_after": "does it and answers HTTP 502",
    "hang_after": "does it and never answers (for `seconds`)",
    "drop": "does it and hangs up in the middle of the answer",
    "truncated": "does it and answers half the JSON, correctly framed",
    "busy": "HTTP 429",
    "reject": "refuses with the protocol's words for a refusal",
}


@dataclass(slots=True)
class _Order:
    kind: str
    path: str
    left: int | None


class Faults:
    """The orders in force, and the storm."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: list[_Order] = []
        self._chance: random.Random | None = None
        self._shares: list[tuple[str, float]] = []
        self.seconds = 60.0

    def order(self, request: Mapping[str, Any]) -> None:
        """kind; count (default: until reset), path (a prefix), seconds for what hangs."""
        kind, count = str(request.get("kind", "")), request.get("count")
        if kind not in KINDS:
            raise BadRequest(f"{kind!r} is not one of {', '.join(KINDS)}.")
        with self._lock:
            self._orders.append(_Order(kind, str(request.get("path", "/")), None if count is None else int(count)))
            self.seconds = float(request.get("seconds", self.seconds))

    def storm(self, request: Mapping[str, Any]) -> None:
        """seed and shares (kind -> share of the orders to pay that go wrong so)."""
        shares = {str(kind): float(share) for kind, share in dict(request["shares"]).items()}
        unknown = sorted(set(shares) - KINDS.keys())
        if unknown or sum(shares.values()) > 1:
            raise BadRequest(f"Shares of known kinds that sum to at most 1, please: {', '.join(unknown)}")
        with self._lock:
            self._chance = random.Random(int(request["seed"]))  # noqa: S311 - chance that can be repeated
            self._shares = list(shares.items())
            self.seconds = float(request.get("seconds", self.seconds))

    def reset(self) -> None:
        with self._lock:
            self._orders.clear()
            self._chance, self._shares = None, []

    def take(self, path: str, *, pays: bool) -> str:
        """What goes wrong with this request; empty for nothing. `pays`: it is an order to pay."""
        with self._lock:
            for order in self._orders:
                if order.left != 0 and path.startswith(order.path):
                    if order.left is not None:
                        order.left -= 1
                    return order.kind
            if self._chance is None or not pays:
                return ""
            drawn = self._chance.random()
            for kind, share in self._shares:
                if drawn < share:
                    return kind
                drawn -= share
            return ""
