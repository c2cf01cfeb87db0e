"""Closing days. A closed day takes no posting; what comes late is booked on an open day as a correction."""

from __future__ import annotations

from datetime import date, timedelta

from django.db import connection, transaction

from backoffice.audit import services as audit
from backoffice.kernel import clock, locking
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import DomainError
from backoffice.kernel.locking import Lock
from ledger.models import Closing


class CannotClose(DomainError):
    """The day is closed already, or not over yet."""


def closed_through(entity_id: int) -> date | None:
    """The last closed day of an entity, or None when no day was ever closed."""
    newest = Closing.objects.filter(entity_id=entity_id).order_by("-id").first()
    return newest.closed_through if newest else None


def posting_date(entity_id: int, wanted: date) -> date:
    """The day a fact of `wanted` is booked on: that day, or the first open one after it."""
    closed = closed_through(entity_id)
    return wanted if closed is None or wanted > closed else closed + timedelta(days=1)


@transaction.atomic
def close_day(*, actor: Actor, entity_id: int, day: date, reason: str = "") -> Closing:
    """Close an entity's books up to and including `day`, and keep each account's balance at its end.

    Waits for postings under way; those that come after are refused (the database takes the lock).
    """
    if day >= clock.today() + timedelta(days=1):
        raise CannotClose(f"{day} is not over yet.")
    locking.advisory(Lock.ENTITY_DAY, entity_id)
    before = closed_through(entity_id)
    if before is not None and day <= before:
        raise CannotClose(f"The books are closed through {before} already.")
    closing = Closing.objects.create(
        entity_id=entity_id, closed_through=day, at=clock.now(), actor=actor.label, reason=reason
    )
    _keep_balances(closing, before)
    audit.record(actor=actor, action="ledger.day_closed", target=closing, data={"through": day, "reason": reason})
    return closing


@transaction.atomic
def reopen(*, actor: Actor, entity_id: int, through: date, reason: str) -> Closing:
    """Open the books again: they stay closed up to and including `through` only. Runs behind four eyes."""
    locking.advisory(Lock.ENTITY_DAY, entity_id)
    before = closed_through(entity_id)
    if before is None or through >= before:
        raise CannotClose("The books are open after that day already.")
    closing = Closing.objects.create(
        entity_id=entity_id, closed_through=through, at=clock.now(), actor=actor.label, reason=reason
    )
    audit.record(actor=actor, action="ledger.reopened", target=closing, data={"through": through, "reason": reason})
    return closing


def _keep_balances(closing: Closing, before: date | None) -> None:
    """One row per account that moved since the previous closing: its earlier balance plus what moved."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO ledger_daybalance (closing_id, account_id, date, amount)
            SELECT %(closing)s, m.account_id, %(day)s, coalesce(p.amount, 0) + (
                       SELECT coalesce(sum(l.amount), 0) FROM ledger_line l
                        WHERE l.account_id = m.account_id AND l.business_date > coalesce(p.date, '1900-01-01')
                          AND l.business_date <= %(day)s)
              FROM (SELECT DISTINCT account_id FROM ledger_line
                     WHERE entity_id = %(entity)s AND business_date > %(after)s AND business_date <= %(day)s) m
              LEFT JOIN LATERAL (
                  SELECT d.amount, d.date FROM ledger_daybalance d
                   WHERE d.account_id = m.account_id AND d.date <= %(after)s
                     AND NOT EXISTS (SELECT FROM ledger_closing c WHERE c.entity_id = %(entity)s
                                        AND c.id > d.closing_id AND c.closed_through < d.date)
                   ORDER BY d.date DESC, d.closing_id DESC LIMIT 1) p ON true
            """,
            {
                "closing": closing.pk,
                "entity": closing.entity_id,
                "day": closing.closed_through,
                "after": before or date(1900, 1, 1),
            },
        )
