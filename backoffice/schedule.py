"""Every periodic job of the product, in one list, each with its reason."""

from __future__ import annotations

from typing import Any

from celery.schedules import crontab

SCHEDULE: dict[str, dict[str, Any]] = {
    # Trade servers are read every few seconds: dealing and support look at what happened just now.
    "pull trade servers": {"task": "integrations.pull_all", "schedule": 5.0},
    # What each login may do at its server, read whole: drift is found against it.
    "pull logins": {"task": "integrations.pull_all_users", "schedule": 600.0},
    # Facts become journals right behind the feed.
    "book facts": {"task": "accounts.book", "schedule": 5.0},
    # Lines of PSPs and banks that carry a reference of ours, right behind their booking: withdrawals end, deposits are
    # credited.
    "confirm payments": {"task": "payments.confirm", "schedule": 10.0},
    # What PSPs told us at once about deposits and payouts.
    "read payment events": {"task": "payments.read_events", "schedule": 10.0},
    # Disputes by messages of PSPs, and by the lines of their reports right behind the booking.
    "read disputes": {"task": "payments.read_disputes", "schedule": 30.0},
    # Disputes against payments per merchant account, scheme and month.
    "count disputes": {"task": "payments.count_disputes", "schedule": 3600.0},
    # Rules that look for fraud; what they find waits for people.
    "find fraud": {"task": "payments.find_fraud", "schedule": 3600.0},
    # Entries, changes, journals, raw messages and decisions are numbered, hashed and signed right behind their writers.
    "seal the log": {"task": "audit.seal", "schedule": 3.0},
    # Verifications whose worker died or was never woken.
    "sweep verifications": {"task": "audit.sweep", "schedule": 60.0},
    # First deposits, restrictions whose time is over, reviews nobody made.
    "client timers": {"task": "accounts.timers", "schedule": 300.0},
    # Dormancy, expired documents, deadlines of consents, retention: what changes with the date.
    "client days": {"task": "accounts.daily_timers", "schedule": crontab(hour="4", minute="10")},
    # Finds outbox rows whose wake-up was lost.
    "send outbox": {"task": "outbox.send_due", "schedule": 30.0},
    # Asks the PSPs how far payouts are; a webhook only makes that happen sooner.
    "follow payouts": {"task": "integrations.follow_payouts", "schedule": 30.0},
    # Finds received files whose reader died or was never woken.
    "sweep imports": {"task": "integrations.sweep", "schedule": 60.0},
    # Wakes queued runs and finds those whose worker died.
    "sweep runs": {"task": "reconciliation.sweep", "schedule": 60.0},
    # Yesterday's reconciliations, from 00:30 on, when the New York day (17:00) is over everywhere; the later rounds
    # find only what an earlier one missed.
    "reconcile yesterday": {"task": "reconciliation.nightly", "schedule": crontab(minute="30")},
    # What we want of each login against its server: a suspension that is not one must not wait for the night.
    "find drift": {"task": "reconciliation.find_drift", "schedule": 1800.0},
    "grade breaks": {"task": "reconciliation.grade", "schedule": 3600.0},
    # Wakes queued reports and finds those whose worker died.
    "sweep reports": {"task": "reporting.sweep", "schedule": 60.0},
    # Roles and waivers that have run out; they do not count from the moment on, this takes them out of the tables.
    "end rights": {"task": "access.end_due", "schedule": 60.0},
    # Looks at the pages as somebody else whose half hour is over; they show nothing more from then on.
    "end looks": {"task": "signin.end_due", "schedule": 60.0},
    # Requests nobody decided in time.
    "expire approvals": {"task": "approvals.expire", "schedule": 300.0},
}
