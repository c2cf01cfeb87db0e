"""Money: an exact decimal with its currency.

Amounts are `Decimal` in major units (12.34 USD is `Decimal("12.34")`), never float. Rounding happens in
`quantise` and nowhere else: half away from zero at the currency's exponent (ISO 4217 minor units: JPY 0,
USD 2, BHD 3), because that is what trade servers and banks print.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from backoffice.kernel.errors import DomainError

# One amount larger than this is a defect of the source, not a deposit.
LIMIT = Decimal(10) ** 18
_PLAIN = re.compile(r"[+-]?\d{1,30}(\.\d{1,18})?")


class BadAmount(DomainError):
    """A text that is not a plain, finite decimal number."""


class CurrencyMismatch(DomainError):
    """Two currencies met where one was needed."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in major units with its ISO 4217 (or crypto) currency code."""

    amount: Decimal
    currency: str

    def __add__(self, other: Money) -> Money:
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount, self.currency)

    def __str__(self) -> str:
        return f"{self.amount:,f} {self.currency}"

    def _same(self, other: Money) -> Decimal:
        if other.currency != self.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} cannot be added.")
        return other.amount


def parse(text: str, *, field: str = "amount") -> Decimal:
    """Read a plain decimal number ("-1234.50"); no exponent, no NaN, no grouping.

    Raises BadAmount naming the field. Sources that group thousands or use a decimal comma translate
    to this form first: guessing here would book 1.234 as one thousand.
    """
    stripped = text.strip()
    if not _PLAIN.fullmatch(stripped):
        raise BadAmount(f"{field}: {text[:40]!r} is not a plain decimal number.")
    try:
        value = Decimal(stripped)
    except InvalidOperation as error:  # pragma: no cover - the pattern leaves nothing to fail
        raise BadAmount(f"{field}: {text[:40]!r} is not a number.") from error
    if abs(value) >= LIMIT:
        raise BadAmount(f"{field}: {text[:40]!r} is larger than any amount we book.")
    return value


def quantise(amount: Decimal, exponent: int) -> Decimal:
    """Round to `exponent` decimal places, half away from zero."""
    return amount.quantize(Decimal(1).scaleb(-exponent), rounding=ROUND_HALF_UP)


def fits(amount: Decimal, exponent: int) -> bool:
    """Whether the amount needs no more than `exponent` decimal places."""
    return amount == quantise(amount, exponent)


def allocate(total: Decimal, weights: Sequence[Decimal], exponent: int) -> list[Decimal]:
    """Split `total` by `weights` so that the parts sum to it exactly (largest remainder).

    Ties go to the earlier part, so the result depends on nothing but the arguments.
    """
    weight_sum = sum(weights, Decimal(0))
    assert weight_sum > 0, "weights must have a positive sum"
    unit = Decimal(1).scaleb(-exponent)
    exact = [total * weight / weight_sum for weight in weights]
    parts = [(part // unit) * unit for part in exact]
    missing = int((total - sum(parts, Decimal(0))) / unit)
    step = unit if missing >= 0 else -unit
    order = sorted(range(len(parts)), key=lambda i: (-abs(exact[i] - parts[i]), i))
    for index in order[: abs(missing)]:
        parts[index] += step
    assert sum(parts, Decimal(0)) == total
    return parts


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Sum with a decimal zero as start, so that an empty sum is a Decimal too."""
    return sum(amounts, Decimal(0))
