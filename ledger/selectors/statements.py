"""An account's statement: its lines in the order of business days, each with the balance after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.db import connection

from ledger.models import LedgerAccount
from ledger.selectors.balances import balances_on

# (business day, journal, line): where a page of a statement ended.
Position = tuple[date, int, int]


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One line; `amount` and `balance` are signed as people read this account."""

    business_date: date
    journal_id: int
    line_no: int
    kind: str
    description: str
    reference: str
    amount: Decimal
    balance: Decimal


@dataclass(frozen=True, slots=True)
class Statement:
    """A page of a statement: what came before it, its lines, and whether more follow."""

    opening: Decimal
    lines: Sequence[StatementLine]
    closing: Decimal
    more: bool

    @property
    def end(self) -> Position | None:
        """Where the next page starts after."""
        if not self.lines:
            return None
        last = self.lines[-1]
        return (last.business_date, last.journal_id, last.line_no)


def statement(
    account: LedgerAccount, *, first: date, last: date, after: Position | None = None, limit: int = 100
) -> Statement:
    """Lines of `account` with business days from `first` to `last`, `limit` at a time, oldest first."""
    assert limit > 0
    opening = balances_on([account.pk], first - timedelta(days=1)).get(account.pk, Decimal(0))
    position = after or (date(1900, 1, 1), 0, 0)
    with connection.cursor() as cursor:
        if after is not None:
            cursor.execute(_BEFORE, [account.pk, first, *position])
            row = cursor.fetchone()
            opening += (row and row[0]) or Decimal(0)
        cursor.execute(_PAGE, [account.pk, first, last, *position, limit + 1])
        rows = cursor.fetchall()
    balance = opening
    lines: list[StatementLine] = []
    for business_date, journal_id, line_no, amount, kind, description, reference in rows[:limit]:
        balance += amount
        lines.append(
            StatementLine(
                business_date=business_date,
                journal_id=journal_id,
                line_no=line_no,
                kind=kind,
                description=description,
                reference=reference,
                amount=amount * account.sign,
                balance=balance * account.sign,
            )
        )
    return Statement(opening * account.sign, lines, balance * account.sign, len(rows) > limit)


_BEFORE = """
SELECT sum(amount) FROM ledger_line
 WHERE account_id = %s AND business_date >= %s AND (business_date, journal_id, line_no) <= (%s, %s, %s)
"""
_PAGE = """
SELECT l.business_date, l.journal_id, l.line_no, l.amount, j.kind, j.description, j.reference
  FROM ledger_line l JOIN ledger_journal j ON j.entity_id = l.entity_id AND j.id = l.journal_id
 WHERE l.account_id = %s AND l.business_date BETWEEN %s AND %s
   AND (l.business_date, l.journal_id, l.line_no) > (%s, %s, %s)
 ORDER BY l.business_date, l.journal_id, l.line_no
 LIMIT %s
"""
