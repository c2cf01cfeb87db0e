"""What the list of report runs and the parts of Today show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.urls import reverse

from backoffice.ui import components
from backoffice.ui.columns import Column, Kind
from backoffice.ui.components import Tone
from backoffice.ui.tables import Table
from integrations.models import FileImport, ImportState
from integrations.selectors.feeds import FeedLine
from integrations.tables import FEED_TONES, IMPORT_TONES
from reconciliation.models import Run
from reconciliation.models import RunState as ComparisonState
from reconciliation.tables import RUN_TONES
from reporting.definitions import DEFINITIONS
from reporting.models import ReportRun, RunState
from reporting.selectors.comparisons import Comparison

STATE_TONES: dict[str, Tone] = {
    RunState.RUNNING: Tone.INFO,
    RunState.DONE: Tone.GOOD,
    RunState.FAILED: Tone.BAD,
}
RUN_LABELS = dict(ComparisonState.choices)
TITLES = {name: definition.title for name, definition in DEFINITIONS.items()}


class ReportRunTable(Table):
    columns = (
        Column("pk", "Run", Kind.CODE, sort="id"),
        Column(lambda r: TITLES.get(r.report, r.report), "Report"),
        Column(lambda r: r.parameters.get("day"), "Business day", Kind.CODE),
        Column(lambda r: ", ".join(r.parameters.get("entities", [])), "Entities", Kind.CODE),
        Column(lambda r: ", ".join(name.upper() for name in r.formats), "As", Kind.CODE),
        Column("state", "State", Kind.STATUS, tones=STATE_TONES, labels=dict(RunState.choices)),
        Column("cutoff_at", "Cut-off", Kind.DATETIME),
        Column("requested_by", "Asked by", Kind.ACTOR),
        Column("requested_at", "Asked", Kind.DATETIME, hide_narrow=True),
        Column("code_version", "Code", Kind.CODE, hide_narrow=True),
        Column("content_hash", "Content", Kind.HASH, hide_narrow=True),
    )
    sorts = {"id": ("pk",)}
    default_sort = "-id"
    empty = "No report has been made yet."
    empty_hint = "Open the daily reconciliation and choose PDF, XLSX or CSV."

    def link(self, row: ReportRun) -> str:
        return reverse("report-run", args=[row.pk])

    def row_class(self, row: ReportRun) -> str:
        return "bad" if row.state == RunState.FAILED else ""


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One reconciliation of the last business day, as it stands now."""

    kind: str
    entity: str
    day: date
    run: int | None
    state: str
    compared: int | None
    matched: int | None
    differences: int | None

    @property
    def share(self) -> str | None:
        """How much of what was compared agrees, cut (not rounded) to a tenth of a percent: 100 means all of it."""
        if not self.compared or self.matched is None:
            return None
        return f"{Decimal(self.matched * 1000 // self.compared) / 10:.1f} %"


def compared_row(item: Comparison, entity: str) -> ComparedRow:
    """Figures of the run that counts; the state is that of the newest one."""
    done, newest = item.done, item.newest
    return ComparedRow(
        kind=item.kind.value,
        entity=entity,
        day=item.day,
        run=newest.pk if newest else None,
        state=newest.state if newest else "",
        compared=done.compared if done else None,
        matched=done.matched if done else None,
        differences=done.breaks if done else None,
    )


class ComparedTable(Table):
    columns = (
        Column("kind", "Reconciliation"),
        Column("entity", "Entity", Kind.CODE),
        Column("day", "Business day", Kind.DATE, hide_narrow=True),
        Column("compared", "Compared", Kind.NUMBER),
        Column("matched", "Matched", Kind.NUMBER, hide_narrow=True),
        Column("share", "Agree", css="figure", align="right", hide_narrow=True),
        Column("differences", "Differences", Kind.NUMBER),
        Column("state", "State", Kind.STATUS, tones={**RUN_TONES, "": Tone.WARN}, labels={**RUN_LABELS, "": "not run"}),
    )
    empty = "Nothing to compare yet."
    empty_hint = "As soon as sources are connected, each night compares the business day before."

    def link(self, row: ComparedRow) -> str | None:
        return reverse("run", args=[row.run]) if row.run else None

    def row_class(self, row: ComparedRow) -> str:
        return "bad" if row.state == "FAILED" else "warn" if not row.run else ""


@dataclass(frozen=True, slots=True)
class FeedRow:
    """A feed with its entity's code."""

    line: FeedLine
    entity: str


class FeedTable(Table):
    columns = (
        Column("line.name", "Source", Kind.CODE),
        Column("entity", "Entity", Kind.CODE),
        Column("line.state", "State", Kind.STATUS, tones=FEED_TONES),
        Column(lambda r: components.age(r.line.last_success_at), "Read"),
        Column(lambda r: components.age(r.line.last_fact_at), "Last news", hide_narrow=True),
        Column("line.trouble", "Trouble", wrap=True, hide_narrow=True, css="trouble"),
    )
    empty = "No source is connected yet."
    empty_hint = "The trade server, the liquidity provider, the PSP and the banks come first."

    def link(self, row: FeedRow) -> str:
        return reverse("connection", args=[row.line.connection_id])

    def row_class(self, row: FeedRow) -> str:
        return {"failing": "bad", "late": "warn"}.get(row.line.state, "")


class WaitingFileTable(Table):
    columns = (
        Column("filename", "File", wrap=True),
        Column("connection.name", "Source", Kind.CODE),
        Column("state", "State", Kind.STATUS, tones=IMPORT_TONES, labels=dict(ImportState.choices)),
        Column(lambda f: components.age(f.received_at), "Received"),
    )
    empty = "No file waits."
    empty_hint = "Files that do not prove themselves, wait for confirmation or were refused stand here."

    def link(self, row: FileImport) -> str:
        return reverse("import", args=[row.pk])


class NewestRunTable(Table):
    columns = (
        Column("kind", "Reconciliation"),
        Column("entity.code", "Entity", Kind.CODE),
        Column("business_date", "Business day", Kind.DATE),
        Column("state", "State", Kind.STATUS, tones=RUN_TONES, labels=RUN_LABELS),
        Column("breaks", "Differences", Kind.NUMBER, hide_narrow=True),
        Column(lambda r: components.age(r.finished_at) if r.finished_at else None, "Finished"),
    )
    empty = "Nothing has been reconciled yet."
    empty_hint = "Start a run, or wait for the night."

    def link(self, row: Run) -> str:
        return reverse("run", args=[row.pk])
