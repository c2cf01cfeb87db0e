"""Counting disputes and settled payments by month; set-based, the same however often it runs."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time

from django.db import connection as database
from django.db import transaction

from backoffice.kernel import clock, locking
from backoffice.kernel.locking import Lock
from payments.models import DisputeMonth, Scheme

# Payments of older months do not change any more; disputes come for up to 540 days after the payment.
MONTHS_OF_PAYMENTS, MONTHS_OF_DISPUTES = 3, 19
Key = tuple[int, int, str, date]  # entity, connection, scheme, month

_SETTLED = """
SELECT l.entity_id, l.connection_id, l.method, date_trunc('month', l.booked_at AT TIME ZONE 'UTC')::date, count(*)
  FROM integrations_pspline l
 WHERE l.kind = 'PAYMENT' AND l.booked_at >= %s
   AND NOT EXISTS (SELECT FROM integrations_superseded s WHERE s.fact_kind = 'psp' AND s.fact_id = l.id)
 GROUP BY 1, 2, 3, 4
"""
# A case is a notice from its first fraud notice on, and a dispute from its first event that is no notice or inquiry.
_CASES = """
SELECT c.entity_id, c.connection_id, c.method, what, date_trunc('month', at AT TIME ZONE 'UTC')::date, count(*)
  FROM payments_chargebackcase c
 CROSS JOIN LATERAL (
       SELECT min(happened_at) FILTER (WHERE after = 'FRAUD_NOTICE') AS noticed,
              min(happened_at) FILTER (WHERE after NOT IN ('FRAUD_NOTICE', 'INQUIRY', 'PREVENTED')) AS disputed
         FROM payments_caseevent e WHERE e.case_id = c.id) e
 CROSS JOIN LATERAL (VALUES ('notices', e.noticed), ('disputes', e.disputed),
                            ('of_payments', CASE WHEN e.disputed IS NOT NULL THEN c.paid_at END)) AS v (what, at)
 WHERE at >= %s
 GROUP BY 1, 2, 3, 4, 5
"""


def scheme_of(method: str) -> Scheme:
    """By the provider's name of the method: "visa", "visa_debit", "mc", "mastercard"."""
    said = method.lower()
    if "visa" in said or said in ("electron", "vpay"):
        return Scheme.VISA
    return Scheme.MASTERCARD if said.startswith("mc") or "master" in said or said == "maestro" else Scheme.OTHER


@transaction.atomic
def count() -> int:
    """Count the newest months again. Returns how many rows there are of them."""
    locking.advisory(Lock.JOB, "payments.ratios")
    now = clock.now()
    since = _back(now.date(), MONTHS_OF_PAYMENTS)
    settled = _settled(since)
    cases = _cases(_back(now.date(), MONTHS_OF_DISPUTES))
    known = {
        (row.entity_id, row.connection_id, row.scheme, row.month): row
        for row in DisputeMonth.objects.filter(month__gte=_back(now.date(), MONTHS_OF_DISPUTES + 1))
    }
    was = {key: row.settled for key, row in known.items()}
    keys = sorted({*settled, *known, *(key for key, _ in cases)})
    for key in keys:
        entity_id, connection_id, scheme, month = key
        row = known.get(key) or DisputeMonth(
            entity_id=entity_id, connection_id=connection_id, scheme=scheme, month=month
        )
        before = (entity_id, connection_id, scheme, _back(month, 1))
        row.settled = settled[key] if month >= since else row.settled
        row.settled_before = settled[before] if before[3] >= since else was.get(before, 0)
        for what in ("notices", "disputes", "of_payments"):
            setattr(row, what, cases[key, what])
        row.counted_at = now
        row.save()
    return len(keys)


def _settled(since: date) -> Counter[Key]:
    found: Counter[Key] = Counter()
    with database.cursor() as cursor:
        cursor.execute(_SETTLED, [datetime.combine(since, time(), UTC)])
        for entity_id, connection_id, method, month, number in cursor.fetchall():
            found[entity_id, connection_id, scheme_of(method).value, month] += number
    return found


def _cases(since: date) -> Counter[tuple[Key, str]]:
    found: Counter[tuple[Key, str]] = Counter()
    with database.cursor() as cursor:
        cursor.execute(_CASES, [datetime.combine(since, time(), UTC)])
        for entity_id, connection_id, method, what, month, number in cursor.fetchall():
            found[(entity_id, connection_id, scheme_of(method).value, month), what] += number
    return found


def _back(day: date, months: int) -> date:
    """The first day of the month so many months before."""
    number = day.year * 12 + day.month - 1 - months
    return date(number // 12, number % 12 + 1, 1)
