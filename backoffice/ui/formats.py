"""How numbers and moments are spelled: once for pages, PDF, CSV and spreadsheets.

Amounts show at least the currency's decimal places (ISO 4217 minor units) and more where the amount has more:
nothing is rounded for the eye. Moments are UTC, written year first.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from decimal import Decimal

from backoffice.kernel.currencies import KNOWN
from backoffice.organisation.selectors import currencies


class _Added:
    """Exponents of currencies that the operator added, read at most once a minute, when one is not known."""

    SECONDS_BETWEEN_READS = 60.0

    def __init__(self) -> None:
        self._exponents: dict[str, int] = {}
        self._due = 0.0

    def get(self, currency: str) -> int:
        if currency and currency not in self._exponents and time.monotonic() >= self._due:
            self._due = time.monotonic() + self.SECONDS_BETWEEN_READS
            self._exponents = currencies.exponents()
        return self._exponents.get(currency, 0)


_added = _Added()


def exponent_of(currency: str) -> int:
    """Decimal places of a currency for display; 0 when nobody knows it, because more digits always show."""
    known = KNOWN.get(currency)
    return known[1] if known is not None else _added.get(currency)


def grouped(number: Decimal | int, places: int = 0) -> str:
    """A number for people: thousands grouped, at least `places` decimals, never fewer than it has."""
    return _fill(f"{number if number else abs(number):,f}" if isinstance(number, Decimal) else f"{number:,d}", places)


def plain(number: Decimal | int, places: int = 0) -> str:
    """A number for machines: no grouping, no exponent, at least `places` decimals, never fewer than it has."""
    return _fill(f"{number if number else abs(number):f}" if isinstance(number, Decimal) else f"{number:d}", places)


def decimals(number: Decimal) -> int:
    """How many decimal places a number really has: 1.500 has one."""
    _, _, fraction = f"{number:f}".partition(".")
    return len(fraction.rstrip("0"))


def significant_digits(number: Decimal) -> int:
    """Digits a spreadsheet must keep to hold the number exactly; it keeps 15."""
    return len(number.normalize().as_tuple().digits)


def moment(value: datetime) -> str:
    """2026-11-20 08:15:00, in UTC. The zone is said once, in the column's heading or beside it."""
    return f"{utc(value):%Y-%m-%d %H:%M:%S}"


def iso(value: datetime) -> str:
    """2026-11-20T08:15:00.123456+00:00: exact, with its zone."""
    return utc(value).isoformat()


def utc(value: datetime) -> datetime:
    assert value.utcoffset() is not None, "a moment needs a time zone"
    return value.astimezone(UTC)


def words(value: object) -> str:
    """A stored setting or payload for people: {"CY": "0.025"} is "CY 0.025", an empty list is "none"."""
    if isinstance(value, dict):
        return ", ".join(f"{str(key).replace('_', ' ')} {words(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list):
        return "; ".join(map(words, value)) or "none"
    return "none" if value is None or value == "" else str(value)


def _fill(text: str, places: int) -> str:
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0").ljust(places, "0")
    return f"{whole}.{fraction}" if fraction else whole
