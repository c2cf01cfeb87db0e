"""Runs of a reconciliation, the rules they ran with, and what matched."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from backoffice.approvals.models import Request as Approval
from backoffice.kernel.tables import Access
from backoffice.organisation.models import LegalEntity
from reconciliation.models.classes import Kind

# The rule of comparisons between files of other houses (models/files.py), which are no runs.
FILES = "files"
# The rule of how breaks are graded and how long they may take (services/grading.py).
BREAKS = "breaks"
RULE_KINDS = [
    *Kind.choices,
    (FILES, "files: another ledger against files of PSP or bank"),
    (BREAKS, "breaks: severity and time limits"),
]


class Rule(models.Model):
    """The parameters of a kind of reconciliation. A change is a new version; runs keep the one they used.

    `parameters` (amounts and factors as text): windows in business days, tolerances, and `off`, classes that
    are not reported.
    """

    access = Access.APPEND

    kind = models.CharField(max_length=10, choices=RULE_KINDS)
    version = models.PositiveIntegerField()
    parameters = models.JSONField()
    note = models.CharField(max_length=200, blank=True)
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=150)
    # The approved request behind it; what came with an installation has none.
    request = models.ForeignKey(Approval, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering: ClassVar[list[str]] = ["kind", "-version"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["kind", "version"], name="rule_version_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} v{self.version}"


class RunState(models.TextChoices):
    QUEUED = "QUEUED", "queued"
    RUNNING = "RUNNING", "running"
    DONE = "DONE", "done"
    FAILED = "FAILED", "failed"


class Run(models.Model):
    """One reconciliation of one entity's business day. `cutoff_at` says which facts it could see."""

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    business_date = models.DateField()
    rule = models.ForeignKey(Rule, on_delete=models.PROTECT)
    state = models.CharField(max_length=8, choices=RunState.choices, default=RunState.QUEUED)
    requested_by = models.CharField(max_length=150)
    requested_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    cutoff_at = models.DateTimeField(null=True)
    step = models.CharField(max_length=80, blank=True)
    progress = models.PositiveSmallIntegerField(default=0, help_text="percent")
    compared = models.IntegerField(default=0)
    matched = models.IntegerField(default=0)
    breaks = models.IntegerField(default=0)
    by_class = models.JSONField(default=dict)
    notes = models.JSONField(default=list)
    error = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["entity", "kind", "business_date", "-id"], name="run_newest"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["entity", "kind", "business_date"],
                condition=models.Q(state__in=["QUEUED", "RUNNING"]),
                name="one_run_at_a_time",
            ),
        ]
        permissions: ClassVar[list[tuple[str, Any]]] = [("start_run", "Can start a reconciliation")]

    def __str__(self) -> str:
        return f"{self.kind} {self.business_date}"


class TradeMatch(models.Model):
    """A deal that books and server agree on and, where it was hedged, the liquidity provider too."""

    pk = models.CompositePrimaryKey("entity_id", "deal_id")
    entity_id = models.BigIntegerField()
    deal_id = models.BigIntegerField()
    listing_id = models.BigIntegerField(null=True)
    fill_id = models.BigIntegerField(null=True)
    run_id = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "reconciliation_tradematch"
        verbose_name_plural = "trade matches"

    def __str__(self) -> str:
        return f"deal {self.deal_id}"
