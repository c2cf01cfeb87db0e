"""Bank lines that are a payout of a PSP, proved by the payout itself.

Two proofs count, both only where exactly one payout of the entity fits that no other line has taken: the same amount
and currency, and the line carries the payout's reference; or the same amount and currency within the window, and the
sender is the one that the PSP's connection names (its account where one is named, else its whole name). Everything
else stays an unallocated receipt: a guess never books.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection as database

from accounts.models import PayoutProof, PayoutReceipt
from accounts.services.booking.facts import BANK, Bookable, Row
from accounts.services.booking.plan import REFERENCE
from backoffice.kernel import clock
from integrations.models import Connection
from integrations.records import PAYOUT_TOKEN, PAYOUT_TOKEN_SQL

# A reference that is shorter may stand in any text by chance.
SHORTEST = 8
# Days from a payout to the bank's line: later by weekends and holidays, a day earlier by time zones.
BEFORE, AFTER = timedelta(days=1), timedelta(days=10)
# What holds a payout and its bank line together (reconciliation: cash_payouts.sql says it too): the form of text that
# is proof enough, else the reference as it is, else the name the payout has in the PSP's report. A payout whose line
# has come, by its text or by an earlier proof, waits for no other.
_OPEN = """
WITH payouts AS (
    SELECT p.*, substring(p.bank_reference FROM %(pattern)s) AS printed,
           coalesce(substring(p.bank_reference FROM %(pattern)s), nullif(p.bank_reference, ''), p.line_key) AS token
      FROM integrations_pspline p
     WHERE p.entity_id = %(entity)s AND p.kind = 'PAYOUT' AND p.net = ANY (%(amounts)s)
       AND p.business_date BETWEEN %(first)s AND %(last)s
)
SELECT p.id, p.connection_id, p.currency, -p.net, p.business_date,
       ARRAY[p.bank_reference, p.payout_key, p.psp_reference, p.modification_reference], p.token
  FROM payouts p
 WHERE NOT EXISTS (SELECT FROM integrations_superseded s WHERE s.fact_kind = 'psp' AND s.fact_id = p.id)
   AND NOT EXISTS (SELECT FROM accounts_payoutreceipt r
                    WHERE r.entity_id = p.entity_id AND r.token = p.token AND r.currency = p.currency
                      AND NOT EXISTS (SELECT FROM integrations_superseded s
                                       WHERE s.fact_kind = 'bank' AND s.fact_id = r.bank_line_id))
   AND NOT (p.printed IS NOT NULL AND EXISTS (
            SELECT FROM integrations_bankline b
             WHERE b.entity_id = p.entity_id AND b.booking_date BETWEEN %(first)s AND %(last)s
               AND strpos(b.end_to_end_id || ' ' || b.remittance, p.printed) > 0))
"""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who pays out for a PSP, as its connection's settings say."""

    names: frozenset[str]
    accounts: frozenset[str]

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> Sender:
        names, accounts = (settings.get(name, "").split(";") for name in ("payout_names", "payout_accounts"))
        return cls(frozenset(map(_name, names)) - {""}, frozenset(map(_account, accounts)) - {""})

    def sent(self, row: Row) -> bool:
        """Whether a bank line comes from it: a name alone proves nothing where an account is known to pay."""
        if self.accounts:
            return _account(row["counterparty_account"]) in self.accounts
        return _name(row["counterparty"]) in self.names


@dataclass(frozen=True, slots=True)
class Payout:
    """A payout of a PSP that waits for its bank line."""

    id: int
    connection_id: int
    currency: str
    amount: Decimal
    day: date
    references: frozenset[str]
    token: str

    def is_named_in(self, said: str) -> bool:
        return any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", said) for name in self.references)


class Payouts:
    """The payouts that bank lines of a batch may be, and which of them each is."""

    def __init__(self, connection: Connection, bookable: Bookable, rows: Sequence[Row]) -> None:
        self._entity_id = connection.entity_id
        self._found: dict[int, tuple[Payout, PayoutProof]] = {}
        rows = [row for row in rows if _may_be(row)] if bookable is BANK else []
        waiting = _waiting(connection.entity_id, rows) if rows else []
        if waiting:
            self._prove(rows, waiting)

    def _prove(self, rows: Sequence[Row], waiting: Sequence[Payout]) -> None:
        senders = {
            row.pk: Sender.of(row.settings)
            for row in Connection.objects.filter(pk__in={payout.connection_id for payout in waiting})
        }
        fits: dict[int, list[tuple[Payout, PayoutProof]]] = {}
        for row in rows:
            same = [p for p in waiting if (p.amount, p.currency) == (row["amount"], row["currency"])]
            said = f"{row['end_to_end_id']} {row['remittance']}"
            named = [(p, PayoutProof.REFERENCE) for p in same if p.is_named_in(said)]
            near = [p for p in same if p.day - BEFORE <= row["booking_date"] <= p.day + AFTER]
            fits[row["id"]] = named or [(p, PayoutProof.SENDER) for p in near if senders[p.connection_id].sent(row)]
        wanted = [payout.id for found in fits.values() for payout, _ in found]
        for row_id, found in fits.items():
            if len(found) == 1 and wanted.count(found[0][0].id) == 1:
                self._found[row_id] = found[0]

    def marked(self, row: Row) -> Row:
        """The row as its plan is to see it."""
        return {**row, "is_payout": True} if row["id"] in self._found else row

    def keep(self, booked: Sequence[int]) -> None:
        """Write down what was proved of the lines that were booked."""
        now = clock.now()
        PayoutReceipt.objects.bulk_create(
            PayoutReceipt(
                entity_id=self._entity_id, bank_line_id=row_id, psp_line_id=payout.id, token=payout.token,
                currency=payout.currency, proof=proof, at=now,
            )
            for row_id, (payout, proof) in self._found.items()
            if row_id in booked
        )  # fmt: skip


def _may_be(row: Row) -> bool:
    said = f"{row['end_to_end_id']} {row['remittance']}"
    clear = REFERENCE.search(said) or PAYOUT_TOKEN.search(said) or "CHRG" in row["bank_code"]
    return bool(row["amount"] > 0 and not clear)


def _waiting(entity_id: int, rows: Sequence[Row]) -> list[Payout]:
    days = [row["booking_date"] for row in rows]
    values: dict[str, Any] = {
        "entity": entity_id,
        "first": min(days) - 3 * AFTER,  # a reference proves an older payout too
        "last": max(days) + BEFORE,
        "amounts": sorted({-row["amount"] for row in rows}),
        "pattern": PAYOUT_TOKEN_SQL,
    }
    with database.cursor() as cursor:
        cursor.execute(_OPEN, values)
        found = cursor.fetchall()
    return [
        Payout(pk, where, currency, amount, day, frozenset(n for n in names if len(n) >= SHORTEST), token)
        for pk, where, currency, amount, day, names, token in found
    ]


def _name(text: str) -> str:
    return " ".join(text.split()).casefold()


def _account(text: str) -> str:
    return "".join(text.split()).upper()
