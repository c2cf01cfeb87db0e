"""Celery doors of reconciliation."""

from __future__ import annotations

from celery import shared_task

from backoffice.kernel import clock
from backoffice.kernel.actor import System
from reconciliation.services import grading, nightly, runs


@shared_task(name="reconciliation.run", soft_time_limit=1800, time_limit=1860)
def run(run_id: int, **_: object) -> None:
    runs.carry_out(run_id=run_id)


@shared_task(name="reconciliation.sweep")
def sweep(**_: object) -> None:
    runs.sweep()


@shared_task(name="reconciliation.nightly", soft_time_limit=3600, time_limit=3660)
def reconcile_yesterday(**_: object) -> None:
    nightly.reconcile_previous_day(actor=System("nightly"), today=clock.today())


@shared_task(name="reconciliation.find_drift", soft_time_limit=1800, time_limit=1860)
def find_drift(**_: object) -> None:
    nightly.find_drift(actor=System("drift"), today=clock.today())


@shared_task(name="reconciliation.grade", soft_time_limit=600, time_limit=660)
def grade(**_: object) -> None:
    grading.grade()
