"""Payouts: the one payment a withdrawal becomes, and how far it has come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from backoffice.organisation.models import Currency, LegalEntity
from integrations.models import Connection
from payments.models.payees import Payee
from payments.models.requests import MoneyRequest


class PayoutWay(models.TextChoices):
    """How the money leaves: by the PSP's interface, in a payment file of a bank, or by hand at the bank."""

    PSP = "PSP", "PSP"
    FILE = "FILE", "payment file"
    HAND = "HAND", "by hand"


class PayoutState(models.TextChoices):
    """UNKNOWN is asked about, never sent again blindly; a payout that FAILED or came back is never sent again: another
    way is another request."""

    READY = "READY", "ready"
    SENDING = "SENDING", "sending"
    UNKNOWN = "UNKNOWN", "unknown"
    SENT = "SENT", "sent"
    PAID = "PAID", "paid"
    FAILED = "FAILED", "failed"
    RETURNED = "RETURNED", "returned"


_P = PayoutState
# The same table is in sql/requests.sql.
PAYOUT_STEPS: Mapping[PayoutState, frozenset[PayoutState]] = {
    _P.READY: frozenset({_P.SENDING, _P.FAILED}),
    _P.SENDING: frozenset({_P.UNKNOWN, _P.SENT, _P.PAID, _P.FAILED, _P.RETURNED}),
    _P.UNKNOWN: frozenset({_P.SENDING, _P.SENT, _P.PAID, _P.FAILED, _P.RETURNED}),
    _P.SENT: frozenset({_P.PAID, _P.FAILED, _P.RETURNED}),
    _P.PAID: frozenset({_P.RETURNED}),
    _P.FAILED: frozenset(),
    _P.RETURNED: frozenset(),
}


class Payout(models.Model):
    """One payment out. `reference` is the withdrawal's and goes to the other side as its idempotency key and
    EndToEndId; one request has one payout by constraint. A withdrawal split over sources is split into requests."""

    request = models.OneToOneField(MoneyRequest, on_delete=models.PROTECT, related_name="payout")
    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    reference = models.CharField(max_length=10, unique=True)
    way = models.CharField(max_length=4, choices=PayoutWay.choices)
    connection = models.ForeignKey(Connection, null=True, on_delete=models.PROTECT, related_name="+")
    payee = models.ForeignKey(Payee, on_delete=models.PROTECT, related_name="payouts")
    amount = models.DecimalField(max_digits=38, decimal_places=18)
    currency = models.ForeignKey(Currency, on_delete=models.PROTECT)
    # The payment that a refund gives back, as the PSP calls it.
    original_reference = models.CharField(max_length=80, blank=True)
    state = models.CharField(max_length=8, choices=PayoutState.choices, default=PayoutState.READY)
    provider_reference = models.CharField(max_length=80, blank=True)
    # Which payment file it stands in, as the part that writes files calls it.
    file_reference = models.CharField(max_length=80, blank=True)
    error = models.CharField(max_length=500, blank=True)
    executed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    state_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["state", "way", "id"], name="payout_open", condition=~Q(state__in=["PAID", "FAILED"])),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="payout_amount_positive"),
        ]

    def __str__(self) -> str:
        return self.reference
