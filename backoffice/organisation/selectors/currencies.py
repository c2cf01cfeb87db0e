"""What is known about currencies and reference rates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db import connection

from backoffice.kernel.errors import DomainError
from backoffice.kernel.money import quantise
from backoffice.organisation.models import Currency


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


@dataclass(frozen=True, slots=True)
class Quote:
    """How much `quote` one `base` buys, and how that is known: "direct", "inverse", or "via EUR"."""

    base: str
    quote: str
    rate: Decimal
    date: date
    source: str
    how: str


def quoted(base: str, quote: str, on: date, *, source: str = "", oldest: date | None = None) -> Quote:
    """The newest reference rate on or before `on`: of a source, or of any but those entered by hand (MANUAL), which
    count only where they are named; not from before `oldest`.

    Of one day a direct rate comes before the inverse of one, and that before a cross of two rates of one source on one
    day, which is how the European Central Bank's table is meant to be read. Raises NoRate.
    """
    if base == quote:
        return Quote(base, quote, Decimal(1), on, "", "same currency")
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST, {"base": base, "quote": quote, "on": on, "source": source, "oldest": oldest})
        row = cursor.fetchone()
    if row is None:
        since = f" and not before {oldest}" if oldest else ""
        raise NoRate(f"There is no {base}/{quote} rate on or before {on}{since}. Import one, then try again.")
    first, second, day, found, how = row
    return Quote(base, quote, first / second, day, found, how)


def rate(base: str, quote: str, on: date) -> Decimal:
    """How much `quote` one `base` buys, by the newest reference rate on or before `on`."""
    return quoted(base, quote, on).rate


def convert(amount: Decimal, base: str, quote: str, on: date) -> Decimal:
    """`amount` of `base` in `quote`, rounded to the quote currency's exponent."""
    return quantise(amount * rate(base, quote, on), exponent(quote))


# One row per pair, day and source: its newest version. A rate is the quotient of two numbers, so that an inverse or a
# cross is divided once and by us, with all digits.
_NEWEST = """
WITH known AS (
    SELECT DISTINCT ON (date, source, base_id, quote_id) date, source, base_id, quote_id, rate
      FROM organisation_fxrate
     WHERE date <= %(on)s AND (%(oldest)s::date IS NULL OR date >= %(oldest)s)
       AND (source = %(source)s OR (%(source)s = '' AND source <> 'MANUAL'))
       AND (base_id IN (%(base)s, %(quote)s) OR quote_id IN (%(base)s, %(quote)s))
     ORDER BY date, source, base_id, quote_id, version DESC
)
SELECT first, second, date, source, how FROM (
    SELECT 1 AS rank, rate AS first, 1::numeric AS second, date, source, 'direct' AS how
      FROM known WHERE base_id = %(base)s AND quote_id = %(quote)s
    UNION ALL
    SELECT 2, 1, rate, date, source, 'inverse' FROM known WHERE base_id = %(quote)s AND quote_id = %(base)s
    UNION ALL
    SELECT 3, b.rate, a.rate, a.date, a.source, 'via ' || a.base_id
      FROM known a JOIN known b ON b.date = a.date AND b.source = a.source AND b.base_id = a.base_id
     WHERE a.quote_id = %(base)s AND b.quote_id = %(quote)s
) found ORDER BY date DESC, rank, source LIMIT 1
"""
