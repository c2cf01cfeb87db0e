"""Money in and out of clients' accounts, and whether the books balance, both up to a cut-off.

Amounts of different currencies are never added.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from accounts.selectors.technical import LeftOut
from backoffice.kernel import money
from backoffice.ui.charts import Series
from reporting.records import Chart


@dataclass(frozen=True, slots=True)
class Flow:
    """Balance operations of one day, entity and currency: `into` and `out` are both positive, in major units."""

    day: date
    entity: str
    currency: str
    into: Decimal
    out: Decimal

    @property
    def net(self) -> Decimal:
        return self.into - self.out


@dataclass(frozen=True, slots=True)
class Control:
    """The trial balance of an entity in one currency at the end of a day: the sums of its debit and of its credit
    balances, both positive. The books are in order when `difference` is zero."""

    entity: str
    currency: str
    accounts: int
    debit: Decimal
    credit: Decimal

    @property
    def difference(self) -> Decimal:
        return self.debit - self.credit


def flows(
    entity_ids: Iterable[int], *, first: date, last: date, cutoff: datetime, without: LeftOut | None = None
) -> list[Flow]:
    """Deposits and withdrawals booked for the days from `first` to `last`, by day, entity and currency; those of the
    technical logins in `without` are none of a client's.

    A reversal takes its amount off the side of the journal that it undoes: a deposit undone is no withdrawal.
    """
    values: dict[str, Any] = {"entities": list(entity_ids), "first": first, "last": last, "cutoff": cutoff}
    values["without"] = list(without.ledger) if without else []
    with connection.cursor() as cursor:
        cursor.execute(_FLOWS, values)
        return [Flow(*row) for row in cursor.fetchall()]


def controls(entity_ids: Iterable[int], *, day: date, cutoff: datetime) -> list[Control]:
    """One line per entity and currency that has accounts with lines up to `day`."""
    with connection.cursor() as cursor:
        cursor.execute(_CONTROLS, {"entities": list(entity_ids), "day": day, "cutoff": cutoff})
        return [Control(*row) for row in cursor.fetchall()]


def flow_charts(found: Sequence[Flow], on: Sequence[date]) -> tuple[Chart, ...]:
    """One chart per currency over these days: money in above the line, money out below it."""
    return tuple(
        Chart(
            title=currency,
            labels=tuple(f"{day:%m-%d}" for day in on),
            series=(
                Series(
                    "in",
                    tuple(money.total(f.into for f in found if (f.currency, f.day) == (currency, day)) for day in on),
                ),
                Series(
                    "out",
                    tuple(-money.total(f.out for f in found if (f.currency, f.day) == (currency, day)) for day in on),
                ),
            ),
            unit=currency,
        )
        for currency in sorted({flow.currency for flow in found})
    )


def sums(found: Iterable[Flow], currency: str) -> tuple[Decimal, Decimal]:
    """All that came in and all that went out in one currency."""
    of_currency = [flow for flow in found if flow.currency == currency]
    return money.total(flow.into for flow in of_currency), money.total(flow.out for flow in of_currency)


# On "clearing.client_money" a deposit is a debit (positive) and a withdrawal a credit (decision 0001).
_FLOWS = """
SELECT l.business_date, e.code, l.currency,
       coalesce(sum(l.amount) FILTER (WHERE (l.amount > 0) = (j.reverses_id IS NULL)), 0),
       coalesce(-sum(l.amount) FILTER (WHERE (l.amount > 0) <> (j.reverses_id IS NULL)), 0)
  FROM ledger_ledgeraccount a
  JOIN organisation_legalentity e ON e.id = a.entity_id
  JOIN ledger_line l ON l.account_id = a.id AND l.business_date BETWEEN %(first)s AND %(last)s
  JOIN ledger_journal j ON j.id = l.journal_id AND j.entity_id = l.entity_id
 WHERE a.entity_id = ANY (%(entities)s) AND a.code = 'clearing.client_money' AND j.kind = 'DEAL'
   AND j.posted_at <= %(cutoff)s
   AND (cardinality(%(without)s::bigint[]) = 0 OR NOT EXISTS (
        SELECT FROM ledger_line x WHERE x.entity_id = l.entity_id AND x.business_date = l.business_date
            AND x.journal_id = l.journal_id AND x.account_id = ANY (%(without)s::bigint[])))
 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
# Few journals are younger than a cut-off, so leaving those out is cheaper than finding all the others.
_CONTROLS = """
SELECT e.code, b.currency, count(*), coalesce(sum(b.amount) FILTER (WHERE b.amount > 0), 0),
       coalesce(-sum(b.amount) FILTER (WHERE b.amount < 0), 0)
  FROM (SELECT l.entity_id, l.currency, l.account_id, sum(l.amount) AS amount
          FROM ledger_line l
         WHERE l.entity_id = ANY (%(entities)s) AND l.business_date <= %(day)s
           AND NOT EXISTS (SELECT FROM ledger_journal j
                            WHERE j.entity_id = l.entity_id AND j.id = l.journal_id AND j.posted_at > %(cutoff)s)
         GROUP BY 1, 2, 3) b
  JOIN organisation_legalentity e ON e.id = b.entity_id
 GROUP BY 1, 2 ORDER BY 1, 2
"""
