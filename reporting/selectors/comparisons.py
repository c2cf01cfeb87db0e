"""Reconciliations of a business day: which run counts, and since when a report has to tell what happened.

The run that counts is the newest finished one up to the cut-off. What happened is told from the day before's
first run on, so that nothing falls between two reports; what people did between a day's first run and the
cut-off of its report stands in the next report as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import models

from integrations.models import Connection
from reconciliation.models import Kind, Run, RunState

# Longer pauses than this between two reconciled days do not happen; a report then tells from the beginning.
_LOOK_BACK = timedelta(days=40)
_INSTANT = timedelta(microseconds=1)
Key = tuple[int, str]
RunRows = models.QuerySet[Run]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One kind of reconciliation of one entity's business day. `done` is the run that counts, `newest` the last
    one that was asked for, in whatever state."""

    entity_id: int
    kind: Kind
    day: date
    done: Run | None
    newest: Run | None


def comparisons(days: Mapping[int, date], cutoff: datetime) -> list[Comparison]:
    """For each entity (with the business day to look at) every kind; entities without connections have none."""
    connected = set(Connection.objects.filter(entity_id__in=days).order_by().values_list("entity_id", flat=True))
    rows = Run.objects.filter(
        entity_id__in=days, business_date__in=set(days.values()), requested_at__lte=cutoff
    ).select_related("rule")
    found: dict[Key, list[Run]] = {}
    for run in rows.order_by("-id"):
        if run.business_date == days[run.entity_id]:
            found.setdefault((run.entity_id, run.kind), []).append(run)
    return [
        _comparison(entity_id, kind, day, found.get((entity_id, kind.value), []), cutoff)
        for entity_id, day in days.items()
        for kind in Kind
        if entity_id in connected or (entity_id, kind.value) in found
    ]


def since(entity_ids: Iterable[int], day: date, cutoff: datetime) -> dict[Key, datetime]:
    """For each entity and kind the moment of the first run of the last day that was reconciled before `day`."""
    earlier: dict[Key, dict[date, datetime]] = {}
    rows = _done(entity_ids).filter(business_date__gt=day - _LOOK_BACK, business_date__lte=day, cutoff_at__lte=cutoff)
    for entity_id, kind, on, at in rows.order_by("-cutoff_at").values_list(
        "entity_id", "kind", "business_date", "cutoff_at"
    ):
        assert at is not None, "a finished run has a cut-off"
        earlier.setdefault((entity_id, kind), {})[on] = at  # the oldest comes last and stays
    found: dict[Key, datetime] = {}
    for key, firsts in earlier.items():
        own = firsts.pop(day, cutoff)
        before = {on: at for on, at in firsts.items() if at < own}
        if before:
            found[key] = before[max(before)]
    return found


def usual_cutoff(entity_ids: Iterable[int], day: date, now: datetime) -> datetime:
    """The cut-off of a day's report when nobody names one: now, or for an older day the moment before a later
    day was first reconciled."""
    rows = _done(entity_ids).filter(business_date__gte=day, business_date__lte=day + _LOOK_BACK, cutoff_at__lte=now)
    runs = sorted((at, on) for at, on in rows.values_list("cutoff_at", "business_date") if at is not None)
    first = next((at for at, on in runs if on == day), None)
    following = next((at for at, on in runs if on > day and first is not None and at > first), None)
    return now if following is None else following - _INSTANT


def _done(entity_ids: Iterable[int]) -> RunRows:
    return Run.objects.filter(entity_id__in=list(entity_ids), state=RunState.DONE, cutoff_at__isnull=False)


def _comparison(entity_id: int, kind: Kind, day: date, runs: list[Run], cutoff: datetime) -> Comparison:
    done = next((run for run in runs if run.state == RunState.DONE and (run.finished_at or cutoff) <= cutoff), None)
    return Comparison(entity_id, kind, day, done, runs[0] if runs else None)
