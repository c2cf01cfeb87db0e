"""The list before a day or a month is closed: the ledger's own lines, then those of the rooms above."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

from django.urls import reverse

from backoffice.approvals.registry import Level
from backoffice.organisation.models import LegalEntity
from backoffice.organisation.selectors import currencies
from ledger import registry
from ledger.models import Closing, LedgerAccount, Period
from ledger.registry import Finding
from ledger.selectors.trial_balance import trial_balance

# A reference rate may be as old as a long week-end; older than a week there is none.
_FRESH, _OLDEST = timedelta(days=4), timedelta(days=7)


def closed_through(entity_id: int) -> date | None:
    """The last closed day of an entity, or None when no day was ever closed."""
    newest = Closing.objects.filter(entity_id=entity_id).order_by("-id").first()
    return newest.closed_through if newest else None


def last_day_of(day: date) -> date:
    """The last day of its month."""
    return day.replace(day=monthrange(day.year, day.month)[1])


def period_of(entity_id: int, last_day: date) -> Period | None:
    """The closing of a month that holds: none of its days was opened again since."""
    row = Period.objects.filter(entity_id=entity_id, last_day=last_day).order_by("-id").first()
    if row is None:
        return None
    opened = Closing.objects.filter(entity_id=entity_id, pk__gt=row.closing_id, closed_through__lt=last_day)
    return None if opened.exists() else row


def of_day(entity_id: int, day: date) -> list[Finding]:
    """Everything to be seen before `day` is closed."""
    return [*_balanced(entity_id, day), *_rates(entity_id, day), *registry.of_day(entity_id, day)]


def of_period(entity_id: int, last_day: date) -> list[Finding]:
    """Everything to be seen before a month is closed: its days, the same list for its last day, and what is monthly."""
    through = closed_through(entity_id)
    closed = through is not None and through >= last_day
    days = Finding(
        Level.GREEN if closed else Level.RED,
        "All days are closed",
        f"closed through {through}" if through else "no day is closed",
        f"{reverse('close')}?entity={entity_id}&day={last_day}",
    )
    return [days, *of_day(entity_id, last_day), *registry.of_period(entity_id, last_day)]


def reds(findings: Sequence[Finding]) -> list[Finding]:
    return [row for row in findings if row.level is Level.RED]


def _balanced(entity_id: int, day: date) -> list[Finding]:
    sums: dict[str, Decimal] = {}
    for line in trial_balance(entity_id=entity_id, day=day):
        sums[line.currency] = sums.get(line.currency, Decimal(0)) + line.debit - line.credit
    off = [f"{code} by {amount.normalize():f}" for code, amount in sorted(sums.items()) if amount]
    return [
        Finding(
            Level.RED if off else Level.GREEN,
            "Trial balance is zero",
            f"off: {', '.join(off)}" if off else f"{len(sums)} currencies",
            f"{reverse('trial-balance')}?day={day}",
        )
    ]


def _rates(entity_id: int, day: date) -> list[Finding]:
    home = LegalEntity.objects.get(pk=entity_id).reporting_currency_id
    used = LedgerAccount.objects.filter(entity_id=entity_id, closed_at=None).exclude(currency=home)
    missing, old = [], []
    for code in used.order_by("currency_id").values_list("currency_id", flat=True).distinct():
        try:
            found = currencies.quoted(code, home, day, oldest=day - _OLDEST)
        except currencies.NoRate:
            missing.append(code)
        else:
            old += [f"{code} of {found.date}"] if found.date < day - _FRESH else []
    level = Level.RED if missing else Level.AMBER if old else Level.GREEN
    said = [f"none for {', '.join(missing)}"] if missing else []
    said += [f"old: {', '.join(old)}"] if old else []
    return [Finding(level, f"Rates to {home} are there", "; ".join(said) or "all there", reverse("fx-rates"))]
