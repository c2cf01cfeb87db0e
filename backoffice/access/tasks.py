"""Celery doors of access."""

from __future__ import annotations

from celery import shared_task

from backoffice.access.services import grants, waivers


@shared_task(name="access.end_due")
def end_due(**_: object) -> None:
    grants.end_due()
    waivers.end_due()
