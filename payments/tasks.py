"""Celery doors of the payments room."""

from __future__ import annotations

from celery import shared_task

from backoffice.kernel.actor import System
from payments.services import case_reading, confirming, fraud, ratios


@shared_task(name="payments.confirm")
def confirm(**_: object) -> None:
    confirming.confirm_all()


@shared_task(name="payments.read_events")
def read_events(**_: object) -> None:
    confirming.read_events()


@shared_task(name="payments.read_disputes")
def read_disputes(**_: object) -> None:
    case_reading.read_events()
    case_reading.read_lines()


@shared_task(name="payments.count_disputes")
def count_disputes(**_: object) -> None:
    ratios.count()


@shared_task(name="payments.find_fraud")
def find_fraud(**_: object) -> None:
    fraud.find_all(actor=System("payments.fraud"))
