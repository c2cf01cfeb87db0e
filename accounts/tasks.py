"""Celery doors of the accounts room."""

from __future__ import annotations

from celery import shared_task

from accounts.services import booking, timers
from backoffice.kernel.actor import System


@shared_task(name="accounts.book")
def book(**_: object) -> None:
    booking.book_all(actor=System("booking"))


@shared_task(name="accounts.timers")
def run_timers(**_: object) -> None:
    timers.run_often()


@shared_task(name="accounts.daily_timers")
def run_daily_timers(**_: object) -> None:
    timers.run_daily()
