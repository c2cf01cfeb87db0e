"""What of reconciliation has to be looked at before a day or a month is closed."""

from __future__ import annotations

from datetime import date, timedelta

from django.urls import reverse

from backoffice.approvals.registry import Level
from ledger.registry import Finding
from reconciliation.models import Break, BreakState, ClientMoneyRun, Kind, Run, RunState, SegregatedAccount
from reconciliation.models.breaks import OPEN_STATES

_USUAL = timedelta(days=30)
_OLD = 30
_AGES = {"of a day": 1, "of five days": 5, "of thirty days": _OLD}


def of_day(entity_id: int, day: date) -> list[Finding]:
    return [*_runs(entity_id, day), *_breaks(entity_id, day), *_client_money(entity_id, day)]


def of_period(entity_id: int, last_day: date) -> list[Finding]:
    """Old breaks are explained."""
    old = Break.objects.filter(
        entity=entity_id,
        state__in=[BreakState.OPEN, BreakState.ASSIGNED],
        business_date__lt=last_day - timedelta(days=_OLD),
    ).count()
    return [
        Finding(
            Level.RED if old else Level.GREEN,
            f"Breaks of more than {_OLD} days are explained",
            f"{old} without a word" if old else "all of them",
            reverse("breaks"),
        )
    ]


def _runs(entity_id: int, day: date) -> list[Finding]:
    """Each kind that this entity reconciles was run for the day; a house that never ran one has not begun."""
    recent = Run.objects.filter(entity=entity_id, business_date__gt=day - _USUAL, business_date__lte=day)
    usual = set(recent.order_by().values_list("kind", flat=True).distinct())
    done = set(recent.filter(business_date=day, state=RunState.DONE).order_by().values_list("kind", flat=True))
    missing = [Kind(kind).value for kind in sorted(usual - done)]
    said = f"not run for {day}: {', '.join(missing)}" if missing else f"{len(done)} kinds" if done else "none ever ran"
    bad = bool(missing) or not usual
    return [Finding(Level.RED if bad else Level.GREEN, "Reconciliations ran for the day", said, reverse("runs"))]


def _breaks(entity_id: int, day: date) -> list[Finding]:
    """Open breaks by age, counted from their business day."""
    rows = Break.objects.filter(entity=entity_id, state__in=OPEN_STATES, business_date__lte=day)
    counts = dict.fromkeys((*_AGES, "older"), 0)
    for opened in rows.values_list("business_date", flat=True):
        age = (day - opened).days
        counts[next((words for words, most in _AGES.items() if age <= most), "older")] += 1
    said = ", ".join(f"{number} {words}" for words, number in counts.items() if number)
    level = Level.RED if counts["older"] else Level.AMBER if said else Level.GREEN
    return [Finding(level, "Open breaks", said or "none", reverse("breaks"))]


def _client_money(entity_id: int, day: date) -> list[Finding]:
    """Calculated for the close of the day and signed; only where the entity keeps client money apart."""
    label, url = "Client money is calculated and signed", reverse("client-money")
    kept = SegregatedAccount.objects.filter(entity=entity_id).exists()
    newest = ClientMoneyRun.objects.filter(entity=entity_id, as_of=day).order_by("-number").first()
    if newest is None:
        level = Level.RED if kept else Level.GREEN
        return [Finding(level, label, "not calculated" if kept else "no client bank accounts", url)]
    signed = newest.signed_at is not None
    return [Finding(Level.GREEN if signed else Level.RED, label, "signed" if signed else "not signed", url)]
