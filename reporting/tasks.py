"""Celery doors of reporting."""

from __future__ import annotations

from celery import shared_task

from reporting.services import runs


@shared_task(name="reporting.render", soft_time_limit=600, time_limit=660)
def render(run_id: int, **_: object) -> None:
    runs.carry_out(run_id=run_id)


@shared_task(name="reporting.sweep")
def sweep(**_: object) -> None:
    runs.sweep()
