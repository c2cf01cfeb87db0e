"""Money in and out of clients' accounts, by business day and currency: what Today and the client page show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db import connection


@dataclass(frozen=True, slots=True)
class Flow:
    """Deposits and withdrawals of one day and currency, both positive."""

    day: date
    currency: str
    deposits: Decimal
    withdrawals: Decimal


def flows(*, entity_ids: list[int], first: date, last: date) -> list[Flow]:
    """Balance operations booked for clients, split by direction; a reversed one takes its amount off again."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT l.business_date, l.currency,
                   coalesce(sum(l.amount) FILTER (WHERE l.amount > 0), 0),
                   coalesce(-sum(l.amount) FILTER (WHERE l.amount < 0), 0)
              FROM ledger_ledgeraccount a
              JOIN ledger_line l ON l.account_id = a.id AND l.business_date BETWEEN %(first)s AND %(last)s
              JOIN ledger_journal j ON j.id = l.journal_id AND j.entity_id = l.entity_id
             WHERE a.entity_id = ANY (%(entities)s) AND a.code = 'clearing.client_money' AND j.kind = 'DEAL'
             GROUP BY 1, 2 ORDER BY 1, 2
            """,
            {"entities": entity_ids, "first": first, "last": last},
        )
        return [Flow(*row) for row in cursor.fetchall()]
