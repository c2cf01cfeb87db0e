"""What the lists of breaks and runs show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.urls import reverse

from backoffice.kernel import clock
from backoffice.organisation.selectors import calendars
from backoffice.ui import components
from backoffice.ui.columns import Column, Kind
from backoffice.ui.components import Tone
from backoffice.ui.tables import BulkAction, Table
from reconciliation.models import CLASSES, Break, BreakState, Run, RunState

BREAK_TONES: dict[str, Tone] = {
    BreakState.OPEN: Tone.BAD,
    BreakState.ASSIGNED: Tone.WARN,
    BreakState.EXPLAINED: Tone.INFO,
    BreakState.RESOLVED: Tone.GOOD,
    BreakState.WRITTEN_OFF: Tone.NEUTRAL,
}
RUN_TONES: dict[str, Tone] = {
    RunState.QUEUED: Tone.NEUTRAL,
    RunState.RUNNING: Tone.INFO,
    RunState.DONE: Tone.GOOD,
    RunState.FAILED: Tone.BAD,
}
CLASS_TITLES = {code: item.title for code, item in CLASSES.items()}


def ages_of(rows: Sequence[Break]) -> list[int]:
    """Business days from the day each break is about until it was closed, or until today."""
    today = clock.today()
    return calendars.ages_in_business_days(
        [(b.entity.calendar, b.business_date, b.closed_at.date() if b.closed_at else today) for b in rows]
    )


class BreakTable(Table):
    columns = (
        Column("pk", "Break", Kind.CODE),
        Column("meaning.title", "Class", width=24),
        Column("summary", "What differs", wrap=True, width=60),
        Column("amount", "Difference", Kind.MONEY, currency="currency"),
        Column("business_date", "Business day", Kind.DATE, sort="day"),
        Column(lambda b: components.business_age(b.age), "Age", export=lambda b: b.age),
        Column("state", "State", Kind.STATUS, tones=BREAK_TONES, labels=dict(BreakState.choices)),
        Column(lambda b: b.assignee or f"{b.owner_role} desk", "Owner", Kind.ACTOR),
        Column("entity.code", "Entity", Kind.CODE, hide_narrow=True),
        Column("opened_at", "Opened", Kind.DATETIME, sort="opened", hide_narrow=True),
    )
    sorts = {"opened": ("opened_at", "id"), "day": ("business_date", "id")}
    default_sort = "-opened"
    bulk = (BulkAction("Assign", "assign-breaks", "reconciliation.assign_break"),)
    empty = "No breaks fit."
    empty_hint = "Everything that was compared agrees, or nothing has been compared yet: see Runs."

    def prepare(self, rows: Sequence[Any]) -> None:
        for row, age in zip(rows, ages_of(rows), strict=True):
            row.age = age

    def link(self, row: Break) -> str:
        return reverse("break", args=[row.pk])

    def row_class(self, row: Break) -> str:
        return "" if row.is_open else "muted"


class RunTable(Table):
    columns = (
        Column("pk", "Run", Kind.CODE, sort="id"),
        Column("kind", "Reconciliation", Kind.TEXT),
        Column("business_date", "Business day", Kind.DATE),
        Column("entity.code", "Entity", Kind.CODE),
        Column("state", "State", Kind.STATUS, tones=RUN_TONES, labels=dict(RunState.choices)),
        Column("compared", "Compared", Kind.NUMBER),
        Column("matched", "Matched", Kind.NUMBER),
        Column("breaks", "Differences", Kind.NUMBER),
        Column("rule", "Rule", Kind.CODE, hide_narrow=True),
        Column("requested_by", "Asked by", Kind.ACTOR, hide_narrow=True),
        Column("finished_at", "Finished", Kind.DATETIME),
    )
    sorts = {"id": ("pk",)}
    default_sort = "-id"
    empty = "Nothing has been reconciled yet."

    def link(self, row: Run) -> str:
        return reverse("run", args=[row.pk])

    def row_class(self, row: Any) -> str:
        return "bad" if row.state == RunState.FAILED else ""
