"""What a PSP's payout is made of, and what the bank received of it.

captured - fees - reserves - refunds - chargebacks - chargeback fees (+ other) = paid out = bank receipt
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet

from backoffice.kernel import bulk
from backoffice.kernel.money import Money
from integrations.models import BankLine, PspLine, Superseded
from integrations.records import PspKind
from reconciliation.models import CashAllocation


@dataclass(frozen=True, slots=True)
class Settlement:
    """The parts of one payout in its currency, each as it is said: a fee or a refund is positive where it takes away.
    `other` is conversions, transfers and adjustments, signed as money to the house. `received` is what the matched bank
    lines brought, None while none is matched."""

    currency: str
    lines: int
    captured: Decimal
    fees: Decimal
    reserves: Decimal
    refunds: Decimal
    chargebacks: Decimal
    chargeback_fees: Decimal
    other: Decimal
    paid: Decimal
    received: Decimal | None

    @property
    def expected(self) -> Decimal:
        """What the lines say that the bank receives."""
        taken = self.fees + self.reserves + self.refunds + self.chargebacks + self.chargeback_fees
        return self.captured - taken + self.other

    @property
    def open(self) -> Decimal:
        """What the bank received less what the lines say; nothing while no bank line is matched."""
        return Decimal(0) if self.received is None else self.received - self.expected

    @property
    def proves(self) -> bool:
        """Whether lines and payout agree, and the bank where its line is matched."""
        return self.expected == self.paid and not self.open

    def steps(self) -> Sequence[tuple[str, str, Money]]:
        """The formula as sign, label and amount."""

        def of(amount: Decimal) -> Money:
            return Money(amount, self.currency)

        other = [("+", "Conversions, transfers and adjustments", of(self.other))] if self.other else []
        return [
            ("", "Captured", of(self.captured)),
            ("−", "Fees", of(self.fees)),
            ("−", "Reserves", of(self.reserves)),
            ("−", "Refunds", of(self.refunds)),
            ("−", "Chargebacks", of(self.chargebacks)),
            ("−", "Chargeback fees", of(self.chargeback_fees)),
            *other,
            ("=", "Bank receipt by the lines", of(self.expected)),
        ]


def _current() -> QuerySet[PspLine]:
    return PspLine.objects.exclude(pk__in=Superseded.objects.filter(fact_kind="psp").values("fact_id"))


def payouts() -> QuerySet[PspLine]:
    """Every payout line that no later file replaced."""
    return _current().filter(kind=PspKind.PAYOUT)


def lines_of(payout: PspLine) -> QuerySet[PspLine]:
    """The lines that `settlements_of` adds up for a payout, the payout itself among them."""
    rows = _current().filter(connection=payout.connection_id, entity=payout.entity_id, currency=payout.currency)
    same = Q(payout_key=payout.payout_key) if payout.payout_key else Q(pk=payout.pk)
    return rows.filter(same).exclude(kind=PspKind.PAYMENT_STATE)


def bank_lines_of(payout: PspLine) -> QuerySet[BankLine]:
    """The bank lines of the standing matches of a payout."""
    standing = CashAllocation.objects.filter(match__undone_at=None)
    matches = standing.filter(fact_kind="psp", fact_id=payout.pk).values("match")
    lines = standing.filter(fact_kind="bank", match__in=matches).values("fact_id")
    return BankLine.objects.filter(entity=payout.entity_id, pk__in=lines)


def settlements_of(payouts: Iterable[PspLine]) -> dict[int, Settlement]:
    """The settlement of each payout line, in one query. Lines belong to a payout by the PSP's payout key."""
    rows = list(payouts)
    with connection.cursor() as cursor:
        cursor.execute(_PARTS, {"ids": bulk.array(str(row.pk) for row in rows)})
        found: list[Any] = cursor.fetchall()
    return {pk: Settlement(*values) for pk, *values in found}


# Fees of a chargeback are on its own line; a line of fees says in its type whether it is about one.
_PARTS = """
WITH payouts AS (
    SELECT p.* FROM integrations_pspline p WHERE p.id = ANY (%(ids)s::bigint[]) AND p.kind = 'PAYOUT'
), parts AS (
    SELECT o.id AS payout, l.kind, l.kind IN ('CHARGEBACK', 'CHARGEBACK_REVERSED')
                OR l.kind = 'FEE' AND l.provider_type ~* 'chargeback|dispute' AS disputed,
           l.gross, l.fee, l.net
      FROM payouts o
      JOIN integrations_pspline l ON l.connection_id = o.connection_id AND l.payout_key = o.payout_key
           AND l.entity_id = o.entity_id AND l.currency = o.currency
           AND (o.payout_key <> '' OR l.id = o.id) AND l.kind <> 'PAYMENT_STATE'
     WHERE NOT EXISTS (SELECT FROM integrations_superseded s WHERE s.fact_kind = 'psp' AND s.fact_id = l.id)
)
SELECT o.id, o.currency, count(p.*) FILTER (WHERE p.kind <> 'PAYOUT')::int,
       coalesce(sum(p.gross) FILTER (WHERE p.kind = 'PAYMENT'), 0),
       coalesce(sum(CASE WHEN p.kind = 'FEE' THEN -p.net ELSE p.fee END) FILTER (
           WHERE NOT p.disputed AND p.kind NOT IN ('PAYOUT', 'RESERVE')), 0),
       coalesce(-sum(p.net) FILTER (WHERE p.kind = 'RESERVE'), 0),
       coalesce(-sum(p.gross) FILTER (WHERE p.kind IN ('REFUND', 'REFUND_REVERSED')), 0),
       coalesce(-sum(p.gross) FILTER (WHERE p.disputed AND p.kind <> 'FEE'), 0),
       coalesce(sum(CASE WHEN p.kind = 'FEE' THEN -p.net ELSE p.fee END) FILTER (WHERE p.disputed), 0),
       coalesce(sum(p.gross) FILTER (
           WHERE p.kind IN ('CONVERSION', 'TRANSFER', 'ADJUSTMENT', 'UNKNOWN')), 0),
       coalesce(-sum(p.net) FILTER (WHERE p.kind = 'PAYOUT'), 0),
       (SELECT sum(b.amount) FROM reconciliation_cashallocation a
          JOIN reconciliation_cashmatch m ON m.id = a.match_id AND m.undone_at IS NULL
          JOIN reconciliation_cashallocation b ON b.match_id = m.id AND b.fact_kind = 'bank'
         WHERE a.fact_kind = 'psp' AND a.fact_id = o.id)
  FROM payouts o LEFT JOIN parts p ON p.payout = o.id
 GROUP BY o.id, o.currency
"""
