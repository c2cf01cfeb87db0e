"""A reference rate entered by hand, behind four eyes: for a day on which no source says what is needed."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from django.db import transaction

from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import DomainError
from backoffice.kernel.money import fits
from backoffice.organisation.models import Currency, FxRate
from ledger.models.rates import MANUAL, ManualRate

_PLACES = 12
_MOST = Decimal(10) ** 12


class BadRate(DomainError):
    """A rate that cannot be entered. The sentence says why."""


@transaction.atomic
def enter(
    *,
    actor: Actor,
    entity_id: int,
    day: date,
    base: str,
    quote: str,
    rate: Decimal,
    reason: str,
    request_id: int | None = None,
) -> FxRate | None:
    """One `base` is `rate` `quote` at the close of `day`: the next version of the source MANUAL.

    It holds for every entity; `entity_id` is whose people decide. `request_id` is the approved request; without it this
    is the rehearsal. Raises BadRate.
    """
    _require_sound(day, base, quote, rate, reason)
    # No other entry of this pair and day is on its way: one request per target is open at a time.
    before = newest(day, base, quote)
    if before is not None and before.rate == rate:
        raise BadRate(f"{base}/{quote} of {day} is {_said(rate)} by hand already. Nothing is different.")
    if request_id is None:
        return None
    row = FxRate.objects.create(
        date=day,
        base_id=base,
        quote_id=quote,
        rate=rate,
        source=MANUAL,
        version=1 if before is None else before.version + 1,
        published_at=clock.now(),
    )
    ManualRate.objects.create(rate=row, reason=reason.strip()[:200], at=clock.now(), request_id=request_id)
    audit.record(
        actor=actor,
        action="rate.entered",
        target=row,
        entity_id=entity_id,
        data={"pair": f"{base}/{quote}", "day": day, "rate": rate, "was": before.rate if before else None},
    )
    return row


def newest(day: date, base: str, quote: str) -> FxRate | None:
    """The rate of a pair and day that was entered by hand last."""
    rows = FxRate.objects.filter(date=day, base=base, quote=quote, source=MANUAL)
    return rows.order_by("-version").first()


def _require_sound(day: date, base: str, quote: str, rate: Decimal, reason: str) -> None:
    if base == quote or Currency.objects.filter(pk__in=(base, quote)).count() != 2:
        raise BadRate("A rate is between two different currencies that the house works in.")
    if day > clock.today():
        raise BadRate("A reference rate is of a day that has been: choose today or earlier.")
    if not rate.is_finite() or not 0 < rate < _MOST or not fits(rate, _PLACES):
        raise BadRate(f"A rate is more than nought and has at most {_PLACES} decimal places.")
    if not reason.strip():
        raise BadRate("Say why a rate has to be entered by hand: it is kept with the rate.")


def _said(rate: Decimal) -> str:
    return f"{rate.normalize():f}"
