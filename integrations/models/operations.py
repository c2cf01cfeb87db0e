"""Balance operations at trade servers: what was asked for, and the server's ticket once it is done."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q

from backoffice.organisation.models import LegalEntity
from backoffice.outbox.models import Message
from integrations.models.connections import Connection
from integrations.records import DealKind

# What a manager may book by hand, MT5's types 2 to 6.
OPERATION_KINDS = (DealKind.BALANCE, DealKind.CREDIT, DealKind.CHARGE, DealKind.CORRECTION, DealKind.BONUS)


class OperationState(models.TextChoices):
    """What is settled of it. How far an open one has come is its message's state."""

    OPEN = "OPEN", "open"
    DONE = "DONE", "done"
    REFUSED = "REFUSED", "refused"


class ServerOperation(models.Model):
    """Money put on a login of a trade server or taken off it, at most once.

    `amount` is signed from the login's point of view (a deposit is positive) in `currency`, the login's own; empty
    where the login had not been read when it was asked for. `comment` is what the server shows on the deal: our
    reference first. `sent_at` is when the order last left, written before it does. `duplicates` are further tickets
    found with the same reference, kind and amount: the server booked it more than once.

    PostgreSQL keeps what was asked for as it is, and lets an outcome be written once (sql/operations.sql).
    """

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT)
    login = models.BigIntegerField()
    kind = models.CharField(max_length=12, choices=[(kind.value, kind.value.lower()) for kind in OPERATION_KINDS])
    amount = models.DecimalField(max_digits=38, decimal_places=18)
    currency = models.CharField(max_length=10, blank=True)
    reference = models.CharField(max_length=10)
    comment = models.CharField(max_length=31)
    key = models.CharField(max_length=120, unique=True)
    message = models.OneToOneField(Message, on_delete=models.PROTECT, related_name="server_operation")
    state = models.CharField(max_length=8, choices=OperationState.choices, default=OperationState.OPEN)
    ticket = models.BigIntegerField(null=True)
    duplicates = models.JSONField(default=list)
    asked_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["entity", "id"], name="serveroperation_newest"),
            models.Index(fields=["login", "id"], name="serveroperation_by_login"),
            models.Index(fields=["reference", "id"], name="serveroperation_by_reference"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=~Q(amount=0), name="serveroperation_amount_not_zero"),
            models.CheckConstraint(
                condition=Q(state="DONE", ticket__isnull=False, ticket__gt=0) | (~Q(state="DONE") & Q(ticket=None)),
                name="serveroperation_done_has_ticket",
            ),
            models.UniqueConstraint(fields=["connection", "ticket"], name="serveroperation_ticket_once"),
            # Two open ones that look alike at the server could not be told apart when an answer is lost.
            models.UniqueConstraint(
                fields=["connection", "login", "kind", "amount", "reference"],
                condition=Q(state="OPEN"),
                name="serveroperation_one_open",
            ),
        ]
        permissions: ClassVar[list[tuple[str, Any]]] = [
            ("retry_serveroperation", "Can retry a balance operation at a server")
        ]

    def __str__(self) -> str:
        return f"operation {self.pk}, {self.reference}"

    @property
    def is_open(self) -> bool:
        """Whether its outcome is still to come."""
        return self.state == OperationState.OPEN
