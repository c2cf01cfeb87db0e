"""Celery doors of the accounts room."""

from __future__ import annotations

from celery import shared_task

from accounts.services import booking
from backoffice.kernel.actor import System


@shared_task(name="accounts.book")
def book(**_: object) -> None:
    booking.book_all(actor=System("booking"))
