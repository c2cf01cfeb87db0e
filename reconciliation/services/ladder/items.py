"""What the ladder works on and what it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from reconciliation.models.rungs import Rung

__all__ = ["Finding", "Item", "Match", "Proposal", "Rules", "Rung"]


def _calendar_days(earlier: date, later: date) -> int:
    return (later - earlier).days


def _no_rate(base: str, quote: str, on: date) -> Decimal | None:
    return None


@dataclass(frozen=True, slots=True)
class Item:
    """One movement on one side. `amount` in major units of `currency`, plus is money to the house. `order` is that of
    receipt: of two lines with one identifier the later one is the duplicate. `key` is an identifier that both sides
    carry; `references` are tokens of its text; `group` is the payout it is a part of; `fee` is what a PSP kept of
    `gross` (of the amount, where that is None)."""

    id: int
    amount: Decimal
    currency: str
    day: date
    order: int
    key: str = ""
    references: frozenset[str] = frozenset()
    group: str = ""
    text: str = ""
    method: str = ""
    fee: Decimal | None = None
    gross: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """A version of the rules. `tolerance` in major units; `windows` and `late_days` in days as `gap` counts them;
    `fee_rate` of the gross plus `fee_fixed` is the agreed fee, None where none is known; `fx_points` are basis points;
    `likeness` is 0 to 100; at most `parts` lines are summed. `rate(base, quote, day)` is the day's rate, if known."""

    tolerance: Decimal = Decimal(0)
    windows: Mapping[str, int] = field(default_factory=lambda: {"": 3})
    late_days: int | None = None
    fee_rate: Decimal | None = None
    fee_fixed: Decimal = Decimal(0)
    fee_tolerance: Decimal = Decimal("0.01")
    charge_max: Decimal = Decimal(0)
    fx_points: Decimal = Decimal(50)
    likeness: int = 90
    parts: int = 12
    gap: Callable[[date, date], int] = _calendar_days
    rate: Callable[[str, str, date], Decimal | None] = _no_rate

    def agreed_fee(self, gross: Decimal) -> Decimal | None:
        """The fee of a payment by the schedule, in its currency, not rounded."""
        return None if self.fee_rate is None else abs(gross) * self.fee_rate + self.fee_fixed

    def in_window(self, one: Item, other: Item) -> bool:
        """Whether two days may belong to one movement: the window of the method, or of wires."""
        window = self.windows.get(other.method or one.method, self.windows.get("", 3))
        return self.gap(*sorted((one.day, other.day))) <= window


@dataclass(frozen=True, slots=True)
class Match:
    """Items that are the same money. `difference` is theirs less ours, not nought only inside the tolerance."""

    rung: Rung
    ours: Sequence[Item]
    theirs: Sequence[Item]
    difference: Decimal
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong: `klass` of breaks, and the items it is about."""

    klass: str
    ours: Sequence[Item]
    theirs: Sequence[Item]
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Proposal:
    """What may be the same money; a person decides. `score` 0 to 100 ranks; `tie` says that others fit as well."""

    rung: Rung
    ours: Sequence[Item]
    theirs: Sequence[Item]
    difference: Decimal
    score: int
    evidence: Mapping[str, Any]
    tie: bool = False
