"""Running a reconciliation: asked for by a person, a schedule or a command; carried out step by step.

    QUEUED -> RUNNING -> DONE | FAILED

The row is the promise. Each step commits by itself and can be repeated; the match is one transaction. A run
whose worker died is found by its heartbeat and queued again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date, timedelta

from django.db import IntegrityError, transaction

from accounts.services import booking
from backoffice.audit import services as audit
from backoffice.kernel import clock, jobs, locking
from backoffice.kernel.actor import Actor, System
from backoffice.kernel.errors import DomainError
from backoffice.kernel.locking import Lock
from backoffice.organisation.models import LegalEntity
from integrations.models import Connection
from integrations.registry import is_server
from integrations.selectors import listings
from integrations.services import feeds
from integrations.services import listings as listing_services
from integrations.services.feeds import FeedFailed
from reconciliation.models import OPEN_STATES, Break, Kind, Rule, Run, RunState
from reconciliation.selectors.account_sides import never_read
from reconciliation.services import grading, matching

log = logging.getLogger(__name__)
WAKE = "reconciliation.run"
LOST_AFTER = timedelta(minutes=15)
# Days with open breaks are looked at again each night for this long.
LOOK_AGAIN = timedelta(days=45)


class AlreadyRunning(DomainError):
    """The same reconciliation is queued or running."""


@transaction.atomic
def request(*, actor: Actor, entity_id: int, kind: Kind, day: date) -> Run:
    """Queue a reconciliation and wake a worker."""
    run = _queue(actor, entity_id, kind, day)
    jobs.after_commit(WAKE, run_id=run.pk)
    return run


def carry_out(*, run_id: int) -> Run:
    """Do a queued run. A run that somebody else took is left alone."""
    if not Run.objects.filter(pk=run_id, state=RunState.QUEUED).update(
        state=RunState.RUNNING, started_at=clock.now(), heartbeat_at=clock.now(), step="starting", progress=0, error=""
    ):
        return Run.objects.get(pk=run_id)
    run = Run.objects.select_related("entity", "rule").get(pk=run_id)
    try:
        notes = _gather(run)
        if run.kind != Kind.ACCOUNTS:
            _step(run, "booking what is waiting", 50)
            for connection in _connections(run):
                booking.book_connection(actor=System("reconciliation"), connection_id=connection.pk)
        _step(run, "comparing", 70)
        _match(run, notes)
    except Exception as error:
        log.exception("run %s failed", run.pk)
        Run.objects.filter(pk=run.pk).update(
            state=RunState.FAILED, finished_at=clock.now(), error=f"{type(error).__name__}: {error}"[:2000]
        )
        if not isinstance(error, DomainError):
            raise
    return Run.objects.get(pk=run.pk)


def run_now(*, actor: Actor, entity_id: int, kind: Kind, day: date) -> Run:
    """Ask for a run and carry it out here: what commands and the nightly job do.

    One that waits already, for want of a worker or because its worker died, is carried out instead of a second.
    """
    with transaction.atomic():
        _queue_lost()
        waiting = Run.objects.filter(entity_id=entity_id, kind=kind, business_date=day, state=RunState.QUEUED).first()
        run = waiting or _queue(actor, entity_id, kind, day)
    return carry_out(run_id=run.pk)


def sweep() -> int:
    """Wake queued runs again, and queue those whose worker died. Called by schedule."""
    lost = _queue_lost()
    waiting = Run.objects.filter(state=RunState.QUEUED, requested_at__lt=clock.now() - timedelta(seconds=30))
    for run_id in waiting.values_list("pk", flat=True):
        jobs.wake(WAKE, run_id=run_id)
    return lost


def days_to_look_at_again(entity_id: int, kind: Kind, today: date) -> Sequence[date]:
    """Business days whose open breaks may have been settled by something that came since."""
    if kind in (Kind.CASH, Kind.ACCOUNTS):  # one run looks at all of them
        return []
    rows = Break.objects.filter(
        entity_id=entity_id, kind=kind, state__in=OPEN_STATES, business_date__gte=today - LOOK_AGAIN
    )
    return sorted(rows.values_list("business_date", flat=True).distinct())


def _queue(actor: Actor, entity_id: int, kind: Kind, day: date) -> Run:
    if day > clock.today():
        raise DomainError(f"{day} has not begun yet.")
    run = Run(
        entity=LegalEntity.objects.get(pk=entity_id),
        kind=kind,
        business_date=day,
        rule=Rule.objects.filter(kind=kind).order_by("-version")[0],
        requested_by=actor.label,
        requested_at=clock.now(),
    )
    try:
        with transaction.atomic():
            run.save(force_insert=True)
    except IntegrityError as error:
        raise AlreadyRunning(
            f"The {kind.value} reconciliation of {day} is under way already. Wait for it; one whose worker died is "
            f"begun again after {LOST_AFTER // timedelta(minutes=1)} minutes."
        ) from error
    audit.record(actor=actor, action="reconciliation.requested", target=run, data={"kind": kind, "day": day})
    return run


def _queue_lost() -> int:
    return Run.objects.filter(state=RunState.RUNNING, heartbeat_at__lt=clock.now() - LOST_AFTER).update(
        state=RunState.QUEUED, step="queued again: the worker did not come back"
    )


def _gather(run: Run) -> list[str]:
    """Ask the servers for their side. One that cannot be asked is noted; the others are compared."""
    notes: list[str] = []
    servers = [c for c in _connections(run) if is_server(c.adapter) and c.is_active]
    for number, connection in enumerate(servers):
        _step(run, f"asking {connection.name}", 5 + 40 * number // len(servers))
        try:
            if run.kind == Kind.TRADES and connection.pk not in listings.newest(run.entity_id, run.business_date):
                listing_services.take_listing(
                    actor=System("reconciliation"), connection_id=connection.pk, day=run.business_date
                )
            if run.kind == Kind.BALANCES and not listings.has_snapshots(connection, run.business_date, clock.now()):
                feeds.snapshot_accounts(
                    actor=System("reconciliation"), connection_id=connection.pk, day=run.business_date
                )
                # Deals of the next day that the answer already contains are taken off again: they have to be known.
                feeds.pull(actor=System("reconciliation"), connection_id=connection.pk)
            if run.kind == Kind.ACCOUNTS:
                feeds.pull_users(
                    actor=System("reconciliation"), connection_id=connection.pk, also=never_read(connection.pk)
                )
        except FeedFailed as error:
            notes.append(str(error))
    return notes


def _match(run: Run, notes: list[str]) -> None:
    with transaction.atomic():
        locking.advisory(Lock.RUN, f"{run.entity_id}:{run.kind}")
        now = clock.now()
        outcome = matching.match(run=run, cutoff=now, now=now)
        grading.grade(entity_id=run.entity_id, now=now)
        run.cutoff_at = run.finished_at = now
        run.state, run.step, run.progress = RunState.DONE, "", 100
        run.compared, run.matched, run.breaks = outcome.compared, outcome.matched, outcome.breaks
        run.by_class = outcome.by_class
        run.notes = [*notes, *outcome.notes]
        run.save()
        audit.record(
            actor=System("reconciliation"),
            action="reconciliation.done",
            target=run,
            data={"compared": run.compared, "matched": run.matched, "breaks": run.by_class},
        )


def _connections(run: Run) -> list[Connection]:
    return list(Connection.objects.filter(entity_id=run.entity_id).order_by("pk"))


def _step(run: Run, step: str, progress: int) -> None:
    Run.objects.filter(pk=run.pk).update(step=step[:80], progress=progress, heartbeat_at=clock.now())
