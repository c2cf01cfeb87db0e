"""Rates that a file brought, kept with the house's reference rates: what a source says anew is a later version."""

from __future__ import annotations

from collections.abc import Sequence

from backoffice.kernel import locking
from backoffice.organisation.models import Currency, FxRate
from integrations.records import Rate
from integrations.services.store import Stored

_Pair = tuple[object, str, str, str]


def keep_rates(*, located: Sequence[tuple[Rate, int]]) -> Stored:
    """Store rates, each with its raw message; those of currencies the house does not work in are left out."""
    locking.require_transaction()
    currencies = set(Currency.objects.values_list("code", flat=True))
    wanted = [(rate, raw) for rate, raw in located if {rate.base, rate.quote} <= currencies]
    newest = _newest([rate for rate, _ in wanted])
    stored, rows = Stored(), []
    for rate, raw in wanted:
        pair = (rate.rate_date, rate.base, rate.quote, rate.source)
        known = newest.get(pair)
        if known is not None and (known.rate, known.bid, known.ask) == (rate.rate, rate.bid, rate.ask):
            stored.same += 1
            continue
        newest[pair] = row = FxRate(
            date=rate.rate_date,
            base_id=rate.base,
            quote_id=rate.quote,
            rate=rate.rate,
            bid=rate.bid,
            ask=rate.ask,
            source=rate.source,
            version=1 if known is None else known.version + 1,
            published_at=rate.published_at,
            raw_id=raw,
        )
        rows.append(row)
        stored.new += known is None
        stored.changed += known is not None
    FxRate.objects.bulk_create(rows, batch_size=5_000)
    return stored


def _newest(rates: Sequence[Rate]) -> dict[_Pair, FxRate]:
    """The newest version of each that is known, by day, pair and source."""
    if not rates:
        return {}
    days = [rate.rate_date for rate in rates]
    known = FxRate.objects.filter(
        source__in={rate.source for rate in rates}, date__range=(min(days), max(days))
    ).order_by("version")
    return {(row.date, row.base_id, row.quote_id, row.source): row for row in known}
