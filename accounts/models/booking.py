"""How far the facts of each connection have been booked, and what could not be."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from backoffice.kernel.tables import Access
from backoffice.organisation.models import LegalEntity
from integrations.models import Connection


class BookingCursor(models.Model):
    """The last fact of a kind that booking has looked at. Ids commit in order within a connection."""

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT)
    fact_kind = models.CharField(max_length=10)
    through_id = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["connection", "fact_kind"], name="bookingcursor_once"),
        ]

    def __str__(self) -> str:
        return f"{self.connection_id} {self.fact_kind} through {self.through_id}"


class UnbookedReason(models.TextChoices):
    """Why a fact is in no journal. All but the last are also a class of break."""

    UNKNOWN_LOGIN = "UNKNOWN_LOGIN", "unknown login"
    UNKNOWN_SYMBOL = "UNKNOWN_SYMBOL", "unknown symbol"
    UNKNOWN_CURRENCY = "UNKNOWN_CURRENCY", "unknown currency"
    UNKNOWN_TYPE = "UNKNOWN_TYPE", "unknown type"
    BAD_AMOUNT = "BAD_AMOUNT", "more decimals than the currency has"
    # A reserve whose release is still to come: booked on that day, `business_date`, by itself.
    NOT_YET = "NOT_YET", "waits for its day"


class Unbooked(models.Model):
    """A fact that is kept but could not be booked. Tried again on every pass; closed when it was, or when a
    newer version took its place."""

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT)
    fact_kind = models.CharField(max_length=10)
    fact_id = models.BigIntegerField()
    reason = models.CharField(max_length=16, choices=UnbookedReason.choices)
    detail = models.CharField(max_length=200)
    business_date = models.DateField()
    since = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "unbooked facts"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["fact_kind", "fact_id"], name="unbooked_once"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["connection", "fact_kind"], name="unbooked_open", condition=models.Q(closed_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.fact_kind} {self.fact_id}: {self.reason}"


class PayoutProof(models.TextChoices):
    """By what a bank line is known to be a PSP's payout, beside its exact amount."""

    REFERENCE = "REFERENCE", "carries its reference"
    SENDER = "SENDER", "comes from the PSP's account or name, and only one payout fits"


class PayoutReceipt(models.Model):
    """A bank line that was booked as a payout of a PSP by what is known of the payout, not by the form of its text.

    `token` is what holds the two together in the cash reconciliation."""

    access = Access.APPEND

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    bank_line_id = models.BigIntegerField()
    psp_line_id = models.BigIntegerField()
    token = models.TextField()
    currency = models.CharField(max_length=10)
    proof = models.CharField(max_length=9, choices=PayoutProof.choices)
    at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["entity", "bank_line_id"], name="payoutreceipt_once"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["entity", "token"], name="payoutreceipt_by_token"),
        ]

    def __str__(self) -> str:
        return f"bank line {self.bank_line_id}: {self.token}"
