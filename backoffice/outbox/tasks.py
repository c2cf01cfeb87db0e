"""Celery doors of the outbox."""

from __future__ import annotations

from celery import shared_task

from backoffice.outbox import services


@shared_task(name="outbox.send_due")
def send_due(**_: object) -> None:
    services.send_due()
