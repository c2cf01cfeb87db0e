"""Celery doors of sign-in."""

from __future__ import annotations

from celery import shared_task

from backoffice.signin.services import looking


@shared_task(name="signin.end_due")
def end_due(**_: object) -> None:
    looking.end_due()
