"""Every periodic job of the product, in one list, each with its reason."""

from __future__ import annotations

from typing import Any

from celery.schedules import crontab

SCHEDULE: dict[str, dict[str, Any]] = {
    # Trade servers are read every few seconds: dealing and support look at what happened just now.
    "pull trade servers": {"task": "integrations.pull_all", "schedule": 5.0},
    # Facts become journals right behind the feed.
    "book facts": {"task": "accounts.book", "schedule": 5.0},
    # Finds outbox rows whose wake-up was lost.
    "send outbox": {"task": "outbox.send_due", "schedule": 30.0},
    # Finds received files whose reader died or was never woken.
    "sweep imports": {"task": "integrations.sweep", "schedule": 60.0},
    # Wakes queued runs and finds those whose worker died.
    "sweep runs": {"task": "reconciliation.sweep", "schedule": 60.0},
    # Yesterday's reconciliations, from 00:30 on, when the New York day (17:00) is over everywhere; the later rounds
    # find only what an earlier one missed.
    "reconcile yesterday": {"task": "reconciliation.nightly", "schedule": crontab(minute="30")},
    # Wakes queued reports and finds those whose worker died.
    "sweep reports": {"task": "reporting.sweep", "schedule": 60.0},
    # Requests nobody decided in time.
    "expire approvals": {"task": "approvals.expire", "schedule": 300.0},
}
