"""Which logins are left out of reports and of totals of client money, at any moment there was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

_LEFT_OUT = """
SELECT a.id, a.balance_account_id, a.credit_account_id
  FROM accounts_tradingaccount a
  JOIN LATERAL (SELECT m.technical FROM accounts_technicalmark m
                 WHERE m.account_id = a.id AND m.at <= %(at)s ORDER BY m.id DESC LIMIT 1) newest ON newest.technical
 WHERE a.entity_id = ANY (%(entities)s)
   AND a.id IN (SELECT account_id FROM accounts_technicalmark)
 ORDER BY a.id
"""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Technical logins: their trading accounts, and their balance and credit accounts in the books."""

    accounts: tuple[int, ...]
    ledger: tuple[int, ...]

    @property
    def words(self) -> str:
        """How many, for the line that every figure without them carries."""
        count = len(self.accounts)
        return f"{count} technical login{'' if count == 1 else 's'} left out" if count else "no technical logins"


def left_out(entity_ids: Iterable[int], at: datetime) -> LeftOut:
    """The technical logins of these entities as marked at a moment: a report that is made again leaves out the same."""
    with connection.cursor() as cursor:
        cursor.execute(_LEFT_OUT, {"entities": list(entity_ids), "at": at})
        rows = cursor.fetchall()
    return LeftOut(tuple(row[0] for row in rows), tuple(account for row in rows for account in row[1:] if account))
