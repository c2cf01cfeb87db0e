"""Payments out through a PSP's interface: what was ordered, and how far the PSP says it has come."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q

from backoffice.organisation.models import LegalEntity
from backoffice.outbox.models import Message
from integrations.models.connections import Connection


class OrderState(models.TextChoices):
    """How far the money is. FAILED and RETURNED are ends: another attempt is another reference."""

    OPEN = "OPEN", "not sent"
    SENT = "SENT", "sent"
    PAID = "PAID", "paid"
    FAILED = "FAILED", "failed"
    RETURNED = "RETURNED", "returned"


class PayoutOrder(models.Model):
    """One payment out, at most once: `reference` is unique here and is the idempotency key at the PSP.

    `amount` is positive, in major units of `currency`. `destination` names where it goes in the gateway's words (a
    stored card's token, an address), `original_reference` the payment it refunds, as the PSP calls it.
    `psp_reference` is the PSP's name for the payout; `duplicates` are further payouts the PSP made for the same
    reference. `look_at` is when the PSP is asked next how far it is, empty when nothing more is expected.

    PostgreSQL keeps what was ordered as it is, and lets the state only go forward (sql/operations.sql).
    """

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT)
    reference = models.CharField(max_length=10, unique=True)
    key = models.CharField(max_length=120, unique=True)
    amount = models.DecimalField(max_digits=38, decimal_places=18)
    currency = models.CharField(max_length=10)
    destination = models.JSONField(default=dict)
    original_reference = models.CharField(max_length=80, blank=True)
    message = models.OneToOneField(Message, on_delete=models.PROTECT, related_name="payout_order")
    state = models.CharField(max_length=8, choices=OrderState.choices, default=OrderState.OPEN)
    psp_reference = models.CharField(max_length=80, blank=True)
    duplicates = models.JSONField(default=list)
    error = models.CharField(max_length=500, blank=True)
    asked_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    state_at = models.DateTimeField()
    look_at = models.DateTimeField(null=True)
    looks = models.PositiveIntegerField(default=0)

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["entity", "id"], name="payoutorder_newest"),
            models.Index(fields=["look_at", "id"], name="payoutorder_due", condition=Q(look_at__isnull=False)),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="payoutorder_amount_positive"),
            models.CheckConstraint(
                condition=~Q(state__in=["SENT", "PAID", "RETURNED"]) | ~Q(psp_reference=""),
                name="payoutorder_sent_has_reference",
            ),
            models.UniqueConstraint(
                fields=["connection", "psp_reference"],
                condition=~Q(psp_reference=""),
                name="payoutorder_psp_reference_once",
            ),
        ]
        permissions: ClassVar[list[tuple[str, Any]]] = [("retry_payoutorder", "Can retry a payout at a PSP")]

    def __str__(self) -> str:
        return f"payout {self.reference}"
