"""Reading balances: the stored sum of an account, or its sum as of the end of a day.

Amounts are signed as in the books (debit positive); `shown` turns them the way people read them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from django.db import connection

from ledger.models import DEBIT_KINDS


def shown(amount: Decimal, kind: str) -> Decimal:
    """A signed book amount as people read it on an account of this kind."""
    return amount if kind in DEBIT_KINDS else -amount


def balances(account_ids: Iterable[int]) -> dict[int, Decimal]:
    """Current balances, signed as in the books."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT account_id, sum(amount) FROM ledger_balance WHERE account_id = ANY (%s) GROUP BY account_id",
            [list(account_ids)],
        )
        return dict(cursor.fetchall())


def balances_on(account_ids: Iterable[int], day: date) -> dict[int, Decimal]:
    """Balances at the end of `day`: the newest kept day balance plus the lines since, signed as in the books."""
    with connection.cursor() as cursor:
        cursor.execute(_ON_DAY, {"accounts": list(account_ids), "day": day})
        return dict(cursor.fetchall())


# A kept balance counts unless its day was opened again later.
_ON_DAY = """
SELECT a.id, coalesce(kept.amount, 0) + coalesce((
           SELECT sum(l.amount) FROM ledger_line l
            WHERE l.account_id = a.id AND l.business_date > coalesce(kept.date, '1900-01-01')
              AND l.business_date <= %(day)s), 0)
  FROM ledger_ledgeraccount a
  LEFT JOIN LATERAL (
      SELECT d.date, d.amount FROM ledger_daybalance d
       WHERE d.account_id = a.id AND d.date <= %(day)s
         AND NOT EXISTS (SELECT FROM ledger_closing c
                          WHERE c.entity_id = a.entity_id AND c.id > d.closing_id AND c.closed_through < d.date)
       ORDER BY d.date DESC, d.closing_id DESC LIMIT 1) kept ON true
 WHERE a.id = ANY (%(accounts)s)
"""
