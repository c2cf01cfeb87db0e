"""Which way a client's status may go, and the record of each step.

The table of steps stands here for people and services, and again in sql/lifecycle.sql, where PostgreSQL refuses every
other step whoever asks. tests/test_accounts_lifecycle.py tries all pairs in both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from django.conf import settings
from django.db import models
from simple_history.models import HistoricalRecords

from accounts.models.clients import Client, ClientStatus
from accounts.models.reasons import Reason
from backoffice.kernel.tables import Access
from backoffice.organisation.models import LegalEntity

S = ClientStatus

# The status a client may begin with: an applicant, or somebody taken over who trades already.
FIRST: frozenset[ClientStatus] = frozenset({S.APPLICATION, S.ACTIVE})

# (from, to) -> whether a second person must agree. What else must hold is asked by the use case of the step.
STEPS: Mapping[tuple[ClientStatus, ClientStatus], bool] = {
    (S.APPLICATION, S.PENDING_KYC): False,
    (S.PENDING_KYC, S.KYC_REVIEW): False,
    (S.KYC_REVIEW, S.PENDING_KYC): False,
    (S.KYC_REVIEW, S.APPROVED): False,  # two where the client is a PEP, high risk or a company
    (S.KYC_REVIEW, S.REJECTED): False,  # two where money is held
    (S.APPLICATION, S.WITHDRAWN): False,
    (S.PENDING_KYC, S.WITHDRAWN): False,
    (S.KYC_REVIEW, S.WITHDRAWN): False,
    (S.APPROVED, S.ACTIVE): False,
    (S.ACTIVE, S.UNDER_REVIEW): False,
    (S.UNDER_REVIEW, S.ACTIVE): True,
    (S.ACTIVE, S.SUSPENDED): False,
    (S.UNDER_REVIEW, S.SUSPENDED): False,
    (S.SUSPENDED, S.ACTIVE): True,
    (S.ACTIVE, S.DORMANT): False,
    (S.DORMANT, S.ACTIVE): True,
    (S.APPROVED, S.CLOSING): False,
    (S.ACTIVE, S.CLOSING): False,
    (S.UNDER_REVIEW, S.CLOSING): False,
    (S.SUSPENDED, S.CLOSING): False,
    (S.DORMANT, S.CLOSING): False,
    (S.CLOSING, S.ACTIVE): True,
    (S.CLOSING, S.CLOSED): True,
    (S.CLOSED, S.UNDER_REVIEW): True,
    (S.CLOSED, S.ARCHIVED): False,
}


def legal(before: str, after: str) -> bool:
    """Whether a client may go from one status to the other in one step."""
    return (before, after) in STEPS


class StatusChange(models.Model):
    """One step of one client. Written by the database itself when the status changes, and by nobody else."""

    access = Access.READ

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="status_changes")
    before = models.CharField(max_length=12, choices=ClientStatus.choices)
    after = models.CharField(max_length=12, choices=ClientStatus.choices)
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=20, choices=Reason.choices, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]

    def __str__(self) -> str:
        return f"{self.client_id}: {self.before} to {self.after}"


class LifecycleRule(models.Model):
    """The periods that jobs go by. The row without an entity holds where an entity has none of its own."""

    entity = models.OneToOneField(LegalEntity, null=True, blank=True, on_delete=models.PROTECT)
    review_hours = models.PositiveSmallIntegerField(default=24, help_text="a protective step is reviewed within")
    dormant_months = models.PositiveSmallIntegerField(default=12, help_text="without a deal")
    notice_days = models.PositiveSmallIntegerField(default=30, help_text="between the notice and the step")
    document_grace_days = models.PositiveSmallIntegerField(default=14)
    retention_years = models.PositiveSmallIntegerField(default=5)  # whose rules: services/erasing.py
    history = HistoricalRecords()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["entity"], name="lifecyclerule_once", nulls_distinct=False),
        ]

    def __str__(self) -> str:
        return f"periods of {self.entity_id or 'all entities'}"


class Notice(models.Model):
    """Something a client was told, because a later step needs that it was."""

    access = Access.APPEND

    class Kind(models.TextChoices):
        DORMANCY = "DORMANCY", "account will become dormant"

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="notices")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    at = models.DateTimeField()

    class Meta:
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["client", "kind", "-at"], name="notice_latest")]

    def __str__(self) -> str:
        return f"{self.client_id} {self.kind} {self.at:%Y-%m-%d}"
