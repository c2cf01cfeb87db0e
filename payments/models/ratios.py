"""Disputes against settled payments, per merchant connection, scheme and month: counted by a job, read by a page.

Thresholds of the schemes' monitoring programmes, dated, with their source. A programme looks at all of a merchant's
traffic with an acquirer; where one connection is one merchant account, these are its numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import ClassVar

from django.db import models

from backoffice.organisation.models import LegalEntity
from integrations.models import Connection


class Scheme(models.TextChoices):
    VISA = "VISA", "Visa"
    MASTERCARD = "MASTERCARD", "Mastercard"
    OTHER = "OTHER", "other"


@dataclass(frozen=True, slots=True)
class Threshold:
    """From `since` on a merchant is listed with at least this ratio and at least this count in a month."""

    scheme: Scheme
    since: date
    ratio: Decimal
    count: int
    source: str


# Visa counts fraud notices (TC40) and disputes (TC15) against settled payments; "more than 1,500" is from 1,501 on.
# Mastercard counts chargebacks against the payments of the month before.
_VAMP = "Visa Acquirer Monitoring Program, merchant excessive, outside MENA (Checkout.com support article)"
THRESHOLDS = (
    Threshold(Scheme.VISA, date(2025, 4, 1), Decimal("0.0220"), 1501, _VAMP),
    Threshold(Scheme.VISA, date(2026, 4, 1), Decimal("0.0150"), 1501, _VAMP),
    Threshold(
        Scheme.MASTERCARD, date(2019, 10, 1), Decimal("0.0150"), 100,
        "Mastercard Excessive Chargeback Merchant programme (paymentsandrisk.com)",
    ),
)  # fmt: skip
OVER, NEAR, WELL = "OVER", "NEAR", "WELL"
LEVELS = {OVER: "over the threshold", NEAR: "ratio or count reached", WELL: "below"}


class DisputeMonth(models.Model):
    """A month of one connection and scheme. `notices` and `disputes` by the month in which they came, `of_payments`
    disputes by the month in which the disputed payment was made, `settled` payments of the month, `settled_before` of
    the month before."""

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="+")
    scheme = models.CharField(max_length=10, choices=Scheme.choices)
    month = models.DateField()
    settled = models.BigIntegerField(default=0)
    settled_before = models.BigIntegerField(default=0)
    notices = models.IntegerField(default=0)
    disputes = models.IntegerField(default=0)
    of_payments = models.IntegerField(default=0)
    counted_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar[list[str]] = ["-month", "connection_id", "scheme"]
        default_permissions = ()
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["month", "id", "entity"], name="disputemonth_newest"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["connection", "scheme", "month"], name="disputemonth_once"),
        ]

    def __str__(self) -> str:
        return f"{self.connection_id} {self.scheme} {self.month:%Y-%m}"

    @property
    def counted(self) -> int:
        """What the scheme counts in this month."""
        return self.disputes + (self.notices if self.scheme == Scheme.VISA else 0)

    @property
    def ratio(self) -> Decimal | None:
        """As the scheme counts it, by the month of the dispute; None without a payment to compare with."""
        base = self.settled_before if self.scheme == Scheme.MASTERCARD else self.settled
        return Decimal(self.counted) / base if base else None

    @property
    def ratio_of_payments(self) -> Decimal | None:
        """By the month of the payment: how many of its payments were disputed so far."""
        return Decimal(self.of_payments) / self.settled if self.settled else None

    @property
    def threshold(self) -> Threshold | None:
        """The one in force in this month."""
        fit = [t for t in THRESHOLDS if t.scheme == self.scheme and t.since <= self.month]
        return max(fit, key=lambda t: t.since) if fit else None

    @property
    def level(self) -> str:
        limit = self.threshold
        if limit is None:
            return WELL
        # Disputes of a month with nothing to compare with are more than any ratio.
        ratio = self.ratio if self.ratio is not None else Decimal(self.counted)
        reached = (ratio >= limit.ratio and self.counted > 0, self.counted >= limit.count)
        return OVER if all(reached) else NEAR if any(reached) else WELL
