"""Celery doors of approvals."""

from __future__ import annotations

from celery import shared_task

from backoffice.approvals.services import requests


@shared_task(name="approvals.expire")
def expire(**_: object) -> None:
    requests.expire()
