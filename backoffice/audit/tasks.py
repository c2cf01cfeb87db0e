"""Celery doors of the audit log."""

from __future__ import annotations

import logging

from celery import shared_task

from backoffice.audit.services import sealing, verification
from backoffice.audit.signing import NoSealKey

log = logging.getLogger(__name__)


@shared_task(name="audit.seal")
def seal(**_: object) -> None:
    try:
        sealing.seal()
    except (NoSealKey, sealing.OlderThanOutside) as error:
        # Every few seconds until a person acts; verification names it too.
        log.error("the log is not sealed: %s", error)


@shared_task(name="audit.verify", soft_time_limit=3_600, time_limit=3_660)
def verify(check_id: int, **_: object) -> None:
    verification.carry_out(check_id=check_id)


@shared_task(name="audit.sweep")
def sweep(**_: object) -> None:
    verification.sweep()
