"""What PSPs and banks said about a request, by its reference; and how far their lines and messages were read."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from backoffice.kernel.tables import Access
from backoffice.organisation.models import Currency
from payments.models.requests import MoneyRequest


class Evidence(models.Model):
    """A booked PSP or bank line that brings a request's reference. `amount` is signed as the source has it, plus is
    money to the house. Kept whatever the request's state, because a bank may be faster than the person who types."""

    access = Access.APPEND

    request = models.ForeignKey(MoneyRequest, on_delete=models.PROTECT, related_name="evidence")
    fact_kind = models.CharField(max_length=4)
    fact_id = models.BigIntegerField()
    amount = models.DecimalField(max_digits=38, decimal_places=18)
    currency = models.ForeignKey(Currency, on_delete=models.PROTECT)
    booked_date = models.DateField()
    seen_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]
        default_permissions = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["request", "fact_kind", "fact_id"], name="evidence_once"),
        ]

    def __str__(self) -> str:
        return f"{self.fact_kind} {self.fact_id} for {self.request_id}"


class Cursor(models.Model):
    """How far lines of a connection, or events of all, were read. `name` is "psp:5", "bank:7" or "events"."""

    name = models.CharField(max_length=40, unique=True)
    through_id = models.BigIntegerField(default=0)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.name} through {self.through_id}"
