"""Verifying the log for a person at a screen: asked for, done by a worker, the result kept.

    QUEUED -> RUNNING -> CLEAN | BROKEN | FAILED

The row is the promise; a lost wake-up or a dead worker is found by `sweep`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import connections, transaction

from backoffice.audit.models import Check, CheckState
from backoffice.audit.selectors import chain
from backoffice.audit.services.recording import record
from backoffice.kernel import clock, jobs
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import DomainError

log = logging.getLogger(__name__)
WAKE = "audit.verify"
LOST_AFTER = timedelta(minutes=70)


class UnderWay(DomainError):
    """One verification at a time is enough."""


@transaction.atomic
def request(*, actor: Actor) -> Check:
    """Queue a verification of the whole log and wake a worker."""
    waiting = Check.objects.filter(state__in=[CheckState.QUEUED, CheckState.RUNNING]).first()
    if waiting is not None:
        raise UnderWay(f"Verification {waiting.pk} is under way. Wait for its result; it reads the same log.")
    check = Check.objects.create(asked_by=actor.label, asked_at=clock.now())
    record(actor=actor, action="audit.verification_requested", target=check)
    jobs.after_commit(WAKE, check_id=check.pk)
    return check


def carry_out(*, check_id: int) -> Check:
    """Do a queued verification. One that somebody else took is left alone."""
    taken = Check.objects.filter(pk=check_id, state=CheckState.QUEUED).update(
        state=CheckState.RUNNING, started_at=clock.now(), step="starting", progress=1
    )
    if not taken:
        return Check.objects.get(pk=check_id)
    started = time.monotonic()
    try:
        with _progress(check_id) as say:
            report = chain.check(say)
    except Exception as error:
        log.exception("verification %s failed", check_id)
        Check.objects.filter(pk=check_id).update(
            state=CheckState.FAILED, finished_at=clock.now(), step="", error=f"{type(error).__name__}: {error}"[:2000]
        )
        raise
    Check.objects.filter(pk=check_id, state=CheckState.RUNNING).update(
        state=CheckState.BROKEN if report.findings else CheckState.CLEAN,
        finished_at=clock.now(),
        step="",
        progress=100,
        result={**report.result(), "seconds": round(time.monotonic() - started)},
    )
    return Check.objects.get(pk=check_id)


def sweep() -> int:
    """Wake queued verifications again, and queue those whose worker died. Called by schedule."""
    now = clock.now()
    lost = Check.objects.filter(state=CheckState.RUNNING, started_at__lt=now - LOST_AFTER).update(
        state=CheckState.QUEUED, step="queued again: the worker did not come back"
    )
    waiting = Check.objects.filter(state=CheckState.QUEUED, asked_at__lt=now - timedelta(seconds=30))
    for check_id in waiting.values_list("pk", flat=True):
        jobs.wake(WAKE, check_id=check_id)
    return lost


@contextmanager
def _progress(check_id: int) -> Iterator[chain.Progress]:
    """Says how far it is over a connection of its own: the verification reads in one transaction."""
    link = connections.create_connection("default")

    def say(step: str, percent: int) -> None:
        with link.cursor() as cursor:
            cursor.execute("UPDATE audit_check SET step = %s, progress = %s WHERE id = %s", [step, percent, check_id])

    try:
        yield say
    finally:
        link.close()
