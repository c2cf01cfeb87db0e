"""Four eyes: a use case stored as a request, decided by other people, and run through the same function.

What makes this a control and not a habit is in the database (sql/guards.sql):
- every person takes part in a request at most once: maker, approver and executor are different people;
- a decision refers to the hash of what was decided, and what was asked never changes;
- a request becomes EXECUTED only with enough approvals and, where the policy wants one, an executor.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from simple_history.models import HistoricalRecords

from backoffice.kernel.tables import Access
from backoffice.organisation.models import LegalEntity


class State(models.TextChoices):
    PENDING = "PENDING", "waiting for approval"
    APPROVED = "APPROVED", "approved, waiting for execution"
    EXECUTED = "EXECUTED", "executed"
    REJECTED = "REJECTED", "rejected"
    WITHDRAWN = "WITHDRAWN", "withdrawn"
    EXPIRED = "EXPIRED", "expired"


OPEN = (State.PENDING, State.APPROVED)


class Part(models.TextChoices):
    MAKER = "MAKER", "asked"
    APPROVER = "APPROVER", "approved"
    REJECTER = "REJECTER", "rejected"
    EXECUTOR = "EXECUTOR", "executed"


class Policy(models.Model):
    """Who must agree to an action, from which amount on. No matching row means: one approval is needed.

    Among the rows of an action that fit (entity or all entities, amount reached), the one with the highest
    `from_amount` holds. `from_amount` is in the entity's reporting currency and is compared with the amount
    of the request plus what the same client had executed or waiting in the last 24 hours.
    """

    action = models.CharField(max_length=80)
    entity = models.ForeignKey(LegalEntity, null=True, blank=True, on_delete=models.PROTECT)
    from_amount = models.DecimalField(max_digits=24, decimal_places=8, default=0)
    approvers = models.PositiveSmallIntegerField(default=1)
    approve_permission = models.CharField(max_length=120, blank=True, help_text="empty: the action's own")
    execute_permission = models.CharField(
        max_length=120, blank=True, help_text="empty: runs at the last approval; else a third person runs it"
    )
    expires_after_hours = models.PositiveSmallIntegerField(default=72)
    history = HistoricalRecords()

    class Meta:
        ordering: ClassVar[list[str]] = ["action", "from_amount"]
        verbose_name_plural = "policies"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=models.Q(approvers__gte=1), name="policy_needs_an_approver"),
            models.UniqueConstraint(
                fields=["action", "entity", "from_amount"], name="policy_once", nulls_distinct=False
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} from {self.from_amount}: {self.approvers}"


class Request(models.Model):
    """One use case somebody asked for, frozen: payload, its hash, the code's version, what it would do."""

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    action = models.CharField(max_length=80)
    action_version = models.PositiveSmallIntegerField()
    target = models.CharField(max_length=150)
    target_version = models.CharField(max_length=64, blank=True)
    summary = models.CharField(max_length=300)
    payload = models.JSONField()
    payload_hash = models.CharField(max_length=64)
    preview = models.JSONField(default=dict)
    client = models.CharField(max_length=150, blank=True)
    amount = models.DecimalField(max_digits=24, decimal_places=8, null=True)
    currency = models.CharField(max_length=10, blank=True)
    reason = models.TextField()
    maker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    approvals_needed = models.PositiveSmallIntegerField()
    approve_permission = models.CharField(max_length=120)
    execute_permission = models.CharField(max_length=120, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    finished_at = models.DateTimeField(null=True)
    result = models.JSONField(default=dict)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["state", "-id"], name="request_by_state"),
            models.Index(fields=["client", "requested_at"], name="request_by_client"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["action", "target"],
                condition=models.Q(state__in=["PENDING", "APPROVED"]),
                name="one_open_request_per_target",
            ),
            models.UniqueConstraint(fields=["id", "payload_hash"], name="request_content"),
            models.CheckConstraint(condition=models.Q(approvals_needed__gte=1), name="request_needs_approval"),
        ]
        permissions: ClassVar[list[tuple[str, Any]]] = []

    def __str__(self) -> str:
        return f"#{self.pk} {self.summary}"


class Participation(models.Model):
    """One person's part in a request: at most one part per person and request, for ever."""

    access = Access.APPEND

    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="participations")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    part = models.CharField(max_length=8, choices=Part.choices)
    payload_hash = models.CharField(max_length=64)
    at = models.DateTimeField()
    reason = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["request", "person"], name="one_part_per_person"),
            models.UniqueConstraint(fields=["request"], condition=models.Q(part="EXECUTOR"), name="executed_once"),
        ]

    def __str__(self) -> str:
        return f"{self.person_id} {self.part} #{self.request_id}"
