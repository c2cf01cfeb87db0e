"""Making reports: asked for by a person or a command, built at a fixed cut-off, kept byte for byte.

    QUEUED -> RUNNING -> DONE | FAILED

The row is the promise: a wake-up that is lost, or a worker that dies, is found by `sweep`. Building and drawing
happen outside any transaction; the files, their hashes and the end of the run are one.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import Model

from backoffice.audit import services as audit
from backoffice.kernel import clock, jobs
from backoffice.kernel.actor import Actor, System
from backoffice.kernel.errors import DomainError
from reporting.definitions import definition
from reporting.models import CHUNK_SIZE, ReportChunk, ReportFile, ReportRun, RunEntity, RunState
from reporting.records import Definition, Parameters, Report
from reporting.render import RENDERERS
from reporting.selectors import files
from reporting.selectors.comparisons import usual_cutoff
from reporting.selectors.entities import entities

log = logging.getLogger(__name__)
WAKE = "reporting.render"
LOST_AFTER = timedelta(minutes=15)


class BadReport(DomainError):
    """A report that cannot be made: a day to come, no entity, an unknown format."""


@transaction.atomic
def request(
    *,
    actor: Actor,
    report: str,
    day: date,
    entity_ids: Sequence[int],
    formats: Sequence[str],
    cutoff_at: datetime | None = None,
) -> ReportRun:
    """Queue a report and wake a worker."""
    run = _queue(
        actor=actor, wanted=definition(report), day=day, entity_ids=entity_ids, formats=formats, cutoff_at=cutoff_at
    )
    jobs.after_commit(WAKE, run_id=run.pk)
    return run


def make_now(
    *,
    actor: Actor,
    report: str,
    day: date,
    entity_ids: Sequence[int],
    formats: Sequence[str],
    cutoff_at: datetime | None = None,
) -> ReportRun:
    """Make a report here: what commands do, and pages for formats that take no time."""
    with transaction.atomic():
        run = _queue(
            actor=actor, wanted=definition(report), day=day, entity_ids=entity_ids, formats=formats, cutoff_at=cutoff_at
        )
    return carry_out(run_id=run.pk)


def carry_out(*, run_id: int) -> ReportRun:
    """Make a queued report. One that somebody else took is left alone."""
    taken = ReportRun.objects.filter(pk=run_id, state=RunState.QUEUED).update(
        state=RunState.RUNNING, started_at=clock.now(), step="reading", progress=10, error=""
    )
    run = ReportRun.objects.get(pk=run_id)
    if not taken:
        return run
    try:
        report = definition(run.report).build(_parameters(run))
        _keep(run, report, _render(run, report))
    except Exception as error:
        expected = isinstance(error, DomainError)
        if not expected:
            log.exception("report run %s failed", run.pk)
        ReportRun.objects.filter(pk=run.pk).update(
            state=RunState.FAILED,
            finished_at=clock.now(),
            step="",
            error=str(error) if expected else f"{type(error).__name__}: {error}"[:2000],
        )
        if not expected:
            raise
    return ReportRun.objects.get(pk=run.pk)


@transaction.atomic
def hand_out(*, actor: Actor, file_id: int) -> tuple[ReportFile, bytes]:
    """A file that was made, byte for byte, and a note of who took it."""
    file = ReportFile.objects.select_related("run").get(pk=file_id)
    body = files.content(file)
    audit.record(
        actor=actor, action="report.downloaded", target=file.run, data={"file": file.name, "sha256": file.sha256}
    )
    return file, body


@transaction.atomic
def handed_out(*, actor: Actor, target: Model, name: str, body: bytes) -> None:
    """Note who took a file that is made when it is asked for."""
    said = {"file": name, "sha256": hashlib.sha256(body).hexdigest()}
    audit.record(actor=actor, action="report.downloaded", target=target, data=said)


def sweep() -> int:
    """Wake queued reports again, and queue those whose worker died. Called by schedule."""
    now = clock.now()
    lost = ReportRun.objects.filter(state=RunState.RUNNING, started_at__lt=now - LOST_AFTER).update(
        state=RunState.QUEUED, step="queued again: the worker did not come back"
    )
    waiting = ReportRun.objects.filter(state=RunState.QUEUED, requested_at__lt=now - timedelta(seconds=30))
    for run_id in waiting.values_list("pk", flat=True):
        jobs.wake(WAKE, run_id=run_id)
    return lost


def _queue(
    *,
    actor: Actor,
    wanted: Definition,
    day: date,
    entity_ids: Sequence[int],
    formats: Sequence[str],
    cutoff_at: datetime | None,
) -> ReportRun:
    now = clock.now()
    if day > now.date():
        raise BadReport(f"{day} has not begun yet. Choose a day up to today.")
    if cutoff_at is not None and cutoff_at > now:
        raise BadReport("A cut-off in the future would be another report tomorrow. Choose a moment that has passed.")
    found = entities(entity_ids)
    if not found or len(found) != len(set(entity_ids)):
        raise BadReport("Choose at least one legal entity that you work in.")
    unknown = sorted(set(formats) - set(wanted.formats))
    if unknown or not formats:
        raise BadReport(f"Choose a format: {', '.join(wanted.formats)}.")
    codes = [entity.code for entity in found]
    run = ReportRun.objects.create(
        report=wanted.name,
        definition_version=wanted.version,
        parameters={"day": day.isoformat(), "entities": codes},
        formats=sorted(set(formats)),
        cutoff_at=cutoff_at or usual_cutoff([entity.id for entity in found], day, now),
        requested_by=actor.label,
        requested_at=now,
    )
    RunEntity.objects.bulk_create(RunEntity(run=run, entity_id=entity.id) for entity in found)
    audit.record(
        actor=actor,
        action="report.requested",
        target=run,
        entity_id=found[0].id if len(found) == 1 else None,
        data={"report": wanted.name, "day": day, "entities": codes, "formats": run.formats, "cutoff": run.cutoff_at},
    )
    return run


def _parameters(run: ReportRun) -> Parameters:
    ids = list(RunEntity.objects.filter(run=run).values_list("entity_id", flat=True))
    return Parameters(date.fromisoformat(run.parameters["day"]), entities(ids), run.cutoff_at)


def _render(run: ReportRun, report: Report) -> dict[str, bytes]:
    made: dict[str, bytes] = {}
    for number, name in enumerate(run.formats):
        ReportRun.objects.filter(pk=run.pk).update(
            step=f"making {name.upper()}", progress=40 + 55 * number // len(run.formats)
        )
        made[name] = RENDERERS[name].render(report)
    return made


@transaction.atomic
def _keep(run: ReportRun, report: Report, made: dict[str, bytes]) -> None:
    """Store the files and end the run, unless it was queued again in the meantime."""
    locked = ReportRun.objects.select_for_update().get(pk=run.pk)
    if locked.state != RunState.RUNNING:
        return
    now = clock.now()
    hashes = {}
    for name, body in made.items():
        hashes[name] = hashlib.sha256(body).hexdigest()
        file = ReportFile.objects.create(
            run=run, format=name, name=f"{report.stem}.{name}", sha256=hashes[name], size=len(body), made_at=now
        )
        ReportChunk.objects.bulk_create(
            ReportChunk(file=file, number=number, body=body[start : start + CHUNK_SIZE])
            for number, start in enumerate(range(0, len(body), CHUNK_SIZE))
        )
    locked.state, locked.step, locked.progress, locked.finished_at = RunState.DONE, "", 100, now
    locked.code_version, locked.content_hash = report.code_version, report.content_hash()
    locked.save()
    audit.record(
        actor=System("reports"),
        action="report.made",
        target=locked,
        data={"content": locked.content_hash, "code": locked.code_version, "files": hashes},
    )
