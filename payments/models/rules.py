"""The rules of the payments desk as rows: what a legal entity decided about sources, thresholds and credits."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q

from backoffice.approvals.models import Request as Approval
from backoffice.kernel.tables import Access
from backoffice.organisation.models import LegalEntity


class SourceOrder(models.TextChoices):
    """In which order a withdrawal gives back what came in (money goes back to where it came from)."""

    FIFO = "FIFO", "first in, first out"
    LIFO = "LIFO", "last in, first out"
    PRIORITY = "PRIORITY", "by method, each first in, first out"
    PRO_RATA = "PRO_RATA", "in proportion to what is left of each"


class CreditOn(models.TextChoices):
    """What is enough to credit a deposit that brings our reference, its currency and its amount."""

    EVENT = "EVENT", "the PSP's message that it was paid"
    LINE = "LINE", "the line of the PSP or bank in the books"
    PERSON = "PERSON", "two people"


class PaymentRule(models.Model):
    """One version of the rules of an entity (or of all that have none of their own); the newest row holds.

    `priority` names methods (PayeeKind) from the first to the last; `windows` says for how many days after a deposit a
    method can take a refund, none meaning for ever; `profit_methods` are the methods that may pay what is more than
    all deposits. `typed_from` is the amount, in the entity's reporting currency, from which whoever sends types the
    amount once more. Rows are only added, each by an approved request; the first one comes with the installation.
    """

    access = Access.APPEND

    entity = models.ForeignKey(LegalEntity, null=True, on_delete=models.PROTECT)
    source_order = models.CharField(max_length=8, choices=SourceOrder.choices, default=SourceOrder.FIFO)
    priority: Any = models.JSONField(default=list)
    windows: Any = models.JSONField(default=dict)
    profit_methods: Any = models.JSONField(default=list)
    tolerance = models.DecimalField(
        max_digits=24, decimal_places=8, default=0, help_text="fees a source may be short by"
    )
    cool_off_days = models.PositiveSmallIntegerField(default=7, help_text="a younger payee needs a second approver")
    typed_from = models.DecimalField(max_digits=24, decimal_places=8)
    credit_on = models.CharField(max_length=6, choices=CreditOn.choices, default=CreditOn.LINE)
    at = models.DateTimeField()
    request = models.OneToOneField(Approval, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]
        permissions: ClassVar[list[tuple[str, Any]]] = [
            ("ask_paymentrule", "Can ask for other rules of the payments desk"),
            ("approve_paymentrule", "Can approve rules of the payments desk"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(typed_from__gte=0, tolerance__gte=0), name="paymentrule_amounts"),
        ]

    def __str__(self) -> str:
        return f"rules {self.pk}"
