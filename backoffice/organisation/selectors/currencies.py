"""What is known about currencies and reference rates."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from backoffice.kernel.errors import DomainError
from backoffice.kernel.money import quantise
from backoffice.organisation.models import Currency, FxRate


class UnknownCurrency(DomainError):
    """A currency that is not in the currency table, so its exponent is not known."""


class NoRate(DomainError):
    """No reference rate for a pair on or before a date."""


def exponents() -> dict[str, int]:
    """Decimal places of every known currency."""
    return dict(Currency.objects.values_list("code", "exponent"))


def exponent(code: str) -> int:
    found = Currency.objects.filter(code=code).values_list("exponent", flat=True).first()
    if found is None:
        raise UnknownCurrency(f"The currency {code!r} is not known. Add it under Currencies first.")
    return found


def rate(base: str, quote: str, on: date) -> Decimal:
    """How much `quote` one `base` buys, by the newest reference rate on or before `on`.

    A pair that is quoted the other way round is inverted; no third currency is ever used in between.
    """
    if base == quote:
        return Decimal(1)
    rates = FxRate.objects.filter(date__lte=on).order_by("-date", "source")
    direct = rates.filter(base_id=base, quote_id=quote).values_list("rate", flat=True).first()
    if direct is not None:
        return direct
    inverse = rates.filter(base_id=quote, quote_id=base).values_list("rate", flat=True).first()
    if inverse is not None:
        return Decimal(1) / inverse
    raise NoRate(f"There is no {base}/{quote} rate on or before {on}. Import one, then try again.")


def convert(amount: Decimal, base: str, quote: str, on: date) -> Decimal:
    """`amount` of `base` in `quote`, rounded to the quote currency's exponent."""
    return quantise(amount * rate(base, quote, on), exponent(quote))
