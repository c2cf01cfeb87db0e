"""Later work. A job is a wake-up call, never a promise: the promise is a row in PostgreSQL.

Redis may vanish with everything queued in it. So a service that wants later work writes a row (a queued
run, an outbox row) and calls `after_commit`; if the wake-up is lost, the sweeper of that table finds the row.
"""

from __future__ import annotations

import logging

from celery import current_app
from django.db import transaction

log = logging.getLogger(__name__)
Argument = str | int | bool | None


def after_commit(task: str, /, **arguments: Argument) -> None:
    """Wake a task by name once the transaction has committed.

    The name must belong to a registered task; a typo fails here, in the test, and not at night.
    """
    assert task in current_app.tasks, f"no task named {task!r}"
    transaction.on_commit(lambda: wake(task, **arguments), robust=True)


def wake(task: str, /, **arguments: Argument) -> None:
    """Send the wake-up now. A broker that is down costs latency, not work, so it is only logged."""
    try:
        current_app.send_task(task, kwargs=arguments)
    except Exception:
        log.warning("wake-up for %s was not sent; the sweeper will find the work", task, exc_info=True)
