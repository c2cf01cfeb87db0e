"""The trial balance: every account of an entity with its balance at the end of a day. Each currency sums to zero."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db import connection


@dataclass(frozen=True, slots=True)
class TrialLine:
    """One account; exactly one of debit and credit is not zero. Client accounts of one kind are one line."""

    code: str
    name: str
    kind: str
    currency: str
    accounts: int
    debit: Decimal
    credit: Decimal


def trial_balance(*, entity_id: int, day: date) -> list[TrialLine]:
    """All lines up to and including `day`, summed by account; accounts with a holder are summed by code stem."""
    with connection.cursor() as cursor:
        cursor.execute(_QUERY, {"entity": entity_id, "day": day})
        return [
            TrialLine(code, name, kind, currency, accounts, max(amount, Decimal(0)), max(-amount, Decimal(0)))
            for code, name, kind, currency, accounts, amount in cursor.fetchall()
        ]


_QUERY = """
SELECT CASE WHEN a.holder = '' THEN a.code ELSE split_part(a.code, ':', 1) END AS code,
       CASE WHEN a.holder = '' THEN min(a.name) ELSE 'All ' || min(split_part(a.code, ':', 1)) || ' accounts' END,
       a.kind, a.currency_id, count(DISTINCT a.id), sum(m.amount)
  FROM (SELECT account_id, sum(amount) AS amount FROM ledger_line
         WHERE entity_id = %(entity)s AND business_date <= %(day)s GROUP BY account_id) m
  JOIN ledger_ledgeraccount a ON a.id = m.account_id
 GROUP BY 1, a.holder = '', a.kind, a.currency_id
 ORDER BY 1, a.currency_id
"""
