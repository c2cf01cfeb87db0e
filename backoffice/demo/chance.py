"""The only source of randomness: one stream per topic, so that a change in one leaves the others as they were."""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Decimal
from typing import TypeVar

T = TypeVar("T")
CAPITALS_AND_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Dice:
    """Draws that never pass through a float."""

    def __init__(self, seed: int, topic: str) -> None:
        self._random = random.Random(f"{seed}/{topic}")  # noqa: S311 - repeatable on purpose, and no secret

    def number(self, least: int, most: int) -> int:
        return self._random.randint(least, most)

    def chance(self, percent: int) -> bool:
        return self._random.randrange(100) < percent

    def one(self, items: Sequence[T]) -> T:
        return items[self._random.randrange(len(items))]

    def some(self, items: Sequence[T], count: int) -> list[T]:
        """`count` different ones, or all where there are fewer."""
        return self._random.sample(list(items), min(count, len(items)))

    def shuffled(self, items: Sequence[T]) -> list[T]:
        return self._random.sample(list(items), len(items))

    def weighted(self, items: Sequence[tuple[T, int]]) -> T:
        """One of the items, each as likely as its whole-number weight."""
        ticket = self._random.randrange(sum(weight for _, weight in items))
        for item, weight in items:
            ticket -= weight
            if ticket < 0:
                return item
        raise AssertionError("the weights cover every ticket")

    def text(self, length: int, alphabet: str = CAPITALS_AND_DIGITS) -> str:
        return "".join(self.one(alphabet) for _ in range(length))

    def digits(self, length: int) -> str:
        return self.one("123456789") + self.text(length - 1, "0123456789")

    def cents(self, least: int, most: int, exponent: int = 2) -> Decimal:
        """An amount between two amounts given in minor units."""
        return Decimal(self.number(least, most)).scaleb(-exponent)
