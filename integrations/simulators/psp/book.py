"""What a simulated PSP knows: payments in, payouts, and how each of them went. Kept in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import Enum


class Stage(str, Enum):
    PENDING = "PENDING"
    PAID = "PAID"
    DECLINED = "DECLINED"
    RETURNED = "RETURNED"


# What may follow on what.
_STEPS = {
    Stage.PENDING: {Stage.PAID, Stage.DECLINED, Stage.RETURNED},
    Stage.PAID: {Stage.RETURNED},
}


class BadRequest(Exception):
    """What was asked for cannot be done; the text says why."""


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that came in from a client."""

    number: int
    reference: str
    amount: Decimal
    currency: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Payout:
    """Money that went out: a refund of `original`, or a payout to `destination`."""

    number: int
    reference: str
    amount: Decimal
    currency: str
    made_at: datetime
    original: str = ""
    destination: Mapping[str, str] = field(default_factory=dict)
    stage: Stage = Stage.PENDING
    reason: str = ""
    changed_at: datetime | None = None
    hidden: int = 0


class Book:
    """All state. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._numbers = 0
        self.payments: dict[int, Payment] = {}
        self.payouts: dict[int, Payout] = {}
        self._by_key: dict[str, int] = {}
        # Ignore idempotency keys: what is asked twice is paid twice.
        self.forgetful = False
        # How many look-ups of a new payout say that there is none.
        self.late_lookups = 0

    def receive(self, *, reference: str, amount: Decimal, currency: str, at: datetime) -> Payment:
        with self._lock:
            payment = Payment(self._next(), reference, amount, currency, at)
            self.payments[payment.number] = payment
            return payment

    def pay(self, key: str, wanted: Payout) -> tuple[Payout, bool]:
        """Pay out once per key; the payout, and whether it is a new one. `wanted` is numbered here."""
        with self._lock:
            known = self._by_key.get(key)
            if known is not None and not self.forgetful:
                return self.payouts[known], False
            made = replace(wanted, number=self._next(), hidden=self.late_lookups)
            self.payouts[made.number] = made
            self._by_key[key] = made.number
            return made, True

    def refundable(self, number: int) -> Decimal:
        """What of a payment has not been given back."""
        with self._lock:
            gone = (Stage.PENDING, Stage.PAID)
            refunds = [p.amount for p in self.payouts.values() if p.original == str(number) and p.stage in gone]
            return self.payments[number].amount - sum(refunds, Decimal(0))

    def look_up(self, wanted: Iterable[int]) -> list[Payout]:
        """These payouts, without those that are not listed yet."""
        with self._lock:
            shown = []
            for number in wanted:
                payout = self.payouts[number]
                if payout.hidden:
                    self.payouts[number] = replace(payout, hidden=payout.hidden - 1)
                else:
                    shown.append(payout)
            return shown

    def numbers_of(self, reference: str) -> list[int]:
        with self._lock:
            return [number for number, payout in self.payouts.items() if payout.reference == reference]

    def step(self, number: int, stage: Stage, *, at: datetime, reason: str = "") -> Payout:
        """Take a payout one step further. Raises BadRequest when it does not go that way."""
        with self._lock:
            payout = self.payouts[number]
            if stage not in _STEPS.get(payout.stage, set()):
                raise BadRequest(f"{payout.reference} is {payout.stage.value}: it does not become {stage.value}.")
            self.payouts[number] = replace(payout, stage=stage, reason=reason, changed_at=at)
            return self.payouts[number]

    def pending(self) -> list[int]:
        with self._lock:
            return [number for number, payout in self.payouts.items() if payout.stage is Stage.PENDING]

    def snapshot(self) -> tuple[list[Payment], list[Payout]]:
        with self._lock:
            return list(self.payments.values()), list(self.payouts.values())

    def _next(self) -> int:
        self._numbers += 1
        return self._numbers
