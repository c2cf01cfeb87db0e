"""Lines with the names of their accounts, for people to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db import connection


@dataclass(frozen=True, slots=True)
class NamedLine:
    """A line with its account; `amount` is signed as in the books, debit positive."""

    journal_id: int
    line_no: int
    business_date: date
    account_id: int
    code: str
    name: str
    amount: Decimal
    currency: str

    @property
    def credit(self) -> Decimal:
        """The amount as a positive credit."""
        return -self.amount


def lines_of(entity_id: int, *journal_ids: int) -> list[NamedLine]:
    """The lines of journals in the order of journal and line."""
    with connection.cursor() as cursor:
        cursor.execute(_LINES, [entity_id, list(journal_ids)])
        return [NamedLine(*row) for row in cursor.fetchall()]


def journals_by_key(entity_id: int, keys: Sequence[str]) -> dict[str, int]:
    """Journal ids by idempotency key; keys that were never posted are absent."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT key, id FROM ledger_journal WHERE entity_id = %s AND key = ANY (%s)", [entity_id, list(keys)]
        )
        return dict(cursor.fetchall())


_LINES = """
SELECT l.journal_id, l.line_no, l.business_date, l.account_id, a.code, a.name, l.amount, l.currency
  FROM ledger_journal j
  JOIN ledger_line l ON l.entity_id = j.entity_id AND l.business_date = j.business_date AND l.journal_id = j.id
  JOIN ledger_ledgeraccount a ON a.id = l.account_id
 WHERE j.entity_id = %s AND j.id = ANY (%s)
 ORDER BY l.journal_id, l.line_no
"""
