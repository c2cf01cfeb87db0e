"""Rows for the pages of reporting."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from backoffice.kernel import clock
from backoffice.organisation.models import LegalEntity
from reconciliation.models import Break, BreakEvent, Kind, Rule, Run, RunState
from reporting.models import ReportChunk, ReportFile, ReportRun, RunEntity
from tests.pages import Made, builds
from tests.worlds import connection

START = datetime(2026, 11, 19, 8, 15, tzinfo=UTC)


def make_report_runs(here: LegalEntity, number: int) -> list[ReportRun]:
    """Finished reports with a file each."""
    rows = []
    for n in range(number):
        run = ReportRun.objects.create(
            report="daily_reconciliation",
            definition_version=1,
            parameters={"day": "2026-11-18", "entities": [here.code]},
            formats=["csv"],
            cutoff_at=START + timedelta(seconds=n),
            requested_by="system: test",
            requested_at=START + timedelta(seconds=n),
            state="DONE",
            finished_at=START + timedelta(minutes=1, seconds=n),
            content_hash="0" * 64,
        )
        RunEntity.objects.create(run=run, entity=here)
        file = ReportFile.objects.create(run=run, format="csv", name="r.csv", sha256="0" * 64, size=1, made_at=START)
        ReportChunk.objects.create(file=file, number=0, body=b"x")
        rows.append(run)
    return rows


@builds("report-run", "report-runs", "report-run-progress")
def report_runs(here: LegalEntity, number: int) -> Made:
    rows = make_report_runs(here, number)
    return Made(kwargs={"pk": rows[0].pk})


@builds("today", "today-parts", "daily-report", "make-report")
def busy_days(here: LegalEntity, number: int) -> Made:
    """Connections, runs and breaks over many days."""
    today = clock.today()
    known = Break.objects.count()
    connection("camt053", f"bank {here.code} {known}", here.code)
    for n in range(known, known + number):
        day = today - timedelta(days=n)
        run = Run.objects.create(
            entity=here,
            kind=Kind.TRADES,
            business_date=day,
            rule=Rule.objects.filter(kind=Kind.TRADES)[0],
            state=RunState.DONE,
            requested_by="system: test",
            requested_at=clock.now(),
            cutoff_at=clock.now(),
            finished_at=clock.now(),
        )
        item = Break.objects.create(
            entity=here,
            kind=Kind.TRADES,
            klass="VOLUME",
            key=str(n),
            business_date=day,
            summary="differs",
            owner_role="DLR",
            opened_at=START,
            opened_by=run,
            seen_by=run,
        )
        BreakEvent.objects.create(item=item, at=START, actor="system: test", event="OPENED")
    return Made()
