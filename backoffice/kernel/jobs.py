"""Later work. A job is a wake-up call, never a promise: the promise is a row in PostgreSQL.

Redis may vanish with everything queued in it. So a service that wants later work writes a row (a queued
run, an outbox row) and calls `after_commit`; if the wake-up is lost, the sweeper of that table finds the row.
"""

from __future__ import annotations

import logging
import threading
from functools import partial

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


def after_a_while(task: str, /, *, seconds: float) -> None:
    """Wake a task some seconds after the commit: one wake-up for everything that is written until then. It is sent by a
    thread of its own, so a broker that is slow or down keeps nobody waiting."""
    assert task in current_app.tasks, f"no task named {task!r}"
    transaction.on_commit(partial(_later, seconds, task), robust=True)


def _later(seconds: float, task: str) -> None:
    timer = threading.Timer(seconds, wake, [task])
    timer.daemon = True
    timer.start()


def wake(task: str, /, **arguments: Argument) -> None:
    """Send the wake-up now. A broker that is down costs latency, not work, so it is only logged."""
    try:
        current_app.send_task(task, kwargs=arguments)
    except Exception:
        log.warning("wake-up for %s was not sent; the sweeper will find the work", task, exc_info=True)
