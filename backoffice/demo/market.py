"""Prices: a random walk in whole points, one step every ten minutes, and the rates between currencies it gives."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from backoffice.demo.chance import Dice
from backoffice.demo.instruments import BY_CODE, INSTRUMENTS, Instrument

_STEP = timedelta(minutes=10)


class Market:
    """Mid prices of every instrument between two moments."""

    def __init__(self, seed: int, first: datetime, last: datetime) -> None:
        self._first = first
        steps = (last - first) // _STEP + 2
        self._points = {item.code: _walk(Dice(seed, f"prices/{item.code}"), item, steps) for item in INSTRUMENTS}

    def mid(self, instrument: Instrument, at: datetime) -> int:
        """The mid price in points."""
        points = self._points[instrument.code]
        return points[min(max((at - self._first) // _STEP, 0), len(points) - 1)]

    def usd(self, currency: str, at: datetime) -> Decimal:
        """What one unit of a currency is worth in dollars."""
        if currency == "USD":
            return Decimal(1)
        direct = BY_CODE.get(f"{currency}USD")
        if direct is not None:
            return direct.price(self.mid(direct, at))
        inverse = BY_CODE[f"USD{currency}"]
        return 1 / inverse.price(self.mid(inverse, at))

    def convert(self, amount: Decimal, source: str, target: str, at: datetime) -> Decimal:
        """An amount in another currency, unrounded; multiplied first, divided last."""
        return amount if source == target else amount * self.usd(source, at) / self.usd(target, at)


def _walk(dice: Dice, instrument: Instrument, steps: int) -> list[int]:
    """Moves of at most 0.09 % a step, drawn back a little towards where it began."""
    found = [instrument.points]
    most = max(instrument.points * 9 // 10_000, 2)
    for _ in range(steps - 1):
        pull = (instrument.points - found[-1]) // 400
        found.append(found[-1] + dice.number(-most, most) + pull)
    return found
