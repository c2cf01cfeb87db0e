"""Breaks: a difference between two sources of truth, with an owner, an age and a history.

A break keeps its identity over runs: the same difference found again is the same row. Nothing is deleted.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.db import models

from backoffice.kernel.tables import Access
from backoffice.organisation.models import LegalEntity
from reconciliation.models.classes import CLASSES, BreakClass, Kind
from reconciliation.models.runs import Rule, Run
from reconciliation.models.severity import Severity


class BreakState(models.TextChoices):
    OPEN = "OPEN", "open"
    ASSIGNED = "ASSIGNED", "assigned"
    EXPLAINED = "EXPLAINED", "explained"
    RESOLVED = "RESOLVED", "resolved"
    WRITTEN_OFF = "WRITTEN_OFF", "written off"


OPEN_STATES = (BreakState.OPEN, BreakState.ASSIGNED, BreakState.EXPLAINED)


class Resolution(models.TextChoices):
    """How a break ended."""

    NONE = "", "not yet"
    BY_ITSELF = "BY_ITSELF", "by itself: the sides agree now"
    BY_PERSON = "BY_PERSON", "by a person, with a reason"
    WRITTEN_OFF = "WRITTEN_OFF", "written off through approval"


class Break(models.Model):
    """One difference. `amount` is what is at stake in `currency`, signed as the difference right minus left;
    `refs` names the facts on each side; `owner_role` is whose work it is until somebody takes it. `severity` is what it
    has been since `severity_at`, by the rule `graded_by`: until `own_by` somebody has to have taken it, until
    `resolve_by` it has to be closed."""

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    klass = models.CharField("class", max_length=20)
    key = models.CharField(max_length=160)
    business_date = models.DateField()
    summary = models.CharField(max_length=300)
    amount = models.DecimalField(max_digits=38, decimal_places=18, null=True)
    currency = models.CharField(max_length=10, blank=True)
    refs = models.JSONField(default=dict)
    state = models.CharField(max_length=11, choices=BreakState.choices, default=BreakState.OPEN)
    resolution = models.CharField(max_length=11, choices=Resolution.choices, default=Resolution.NONE, blank=True)
    owner_role = models.CharField(max_length=8)
    assignee = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    explanation = models.TextField(blank=True)
    severity = models.PositiveSmallIntegerField(
        choices=Severity.choices, default=Severity.LOW, db_default=Severity.LOW.value
    )
    severity_at = models.DateTimeField(null=True)
    graded_by = models.ForeignKey(Rule, null=True, on_delete=models.PROTECT, related_name="+")
    own_by = models.DateTimeField(null=True)
    resolve_by = models.DateTimeField(null=True)
    opened_at = models.DateTimeField()
    opened_by = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="+")
    seen_by = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="+")
    closed_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["entity", "klass"],
                name="break_open",
                condition=models.Q(state__in=["OPEN", "ASSIGNED", "EXPLAINED"]),
            ),
            models.Index(fields=["opened_at", "id", "entity"], name="break_newest"),
            models.Index(fields=["business_date", "id", "entity"], name="break_by_day"),
            models.Index(fields=["severity", "opened_at", "id", "entity"], name="break_by_severity"),
            GinIndex(fields=["refs"], opclasses=["jsonb_path_ops"], name="break_by_what"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["entity", "kind", "klass", "key"], name="break_identity"),
            models.CheckConstraint(
                condition=models.Q(state__in=["RESOLVED", "WRITTEN_OFF"], closed_at__isnull=False)
                | models.Q(state__in=["OPEN", "ASSIGNED", "EXPLAINED"], closed_at=None),
                name="break_closed_has_a_time",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="ASSIGNED") | models.Q(assignee__isnull=False),
                name="break_assigned_to_somebody",
            ),
        ]
        permissions: ClassVar[list[tuple[str, Any]]] = [
            ("assign_break", "Can assign a break"),
            ("explain_break", "Can explain or resolve a break"),
            ("ask_write_off", "Can ask to write off a break"),
            ("approve_write_off", "Can approve writing off a break"),
            ("push_again", "Can send the wanted state of a login to its server again"),
        ]

    def __str__(self) -> str:
        return f"{self.klass} {self.key}"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES

    @property
    def due_at(self) -> datetime | None:
        """The next moment something has to have happened: that somebody takes it, or that it is closed."""
        if not self.is_open:
            return None
        waits = [self.resolve_by] if self.assignee_id else [self.own_by, self.resolve_by]
        return min((moment for moment in waits if moment is not None), default=None)

    @property
    def meaning(self) -> BreakClass:
        return CLASSES[self.klass]


class EventKind(models.TextChoices):
    OPENED = "OPENED", "opened"
    CHANGED = "CHANGED", "difference changed"
    GRADED = "GRADED", "severity changed"
    ASSIGNED = "ASSIGNED", "assigned"
    EXPLAINED = "EXPLAINED", "explained"
    RESOLVED = "RESOLVED", "resolved"
    REOPENED = "REOPENED", "opened again"
    FETCHED = "FETCHED", "fetched from the server"
    PUSHED = "PUSHED", "sent to the server again"
    WRITE_OFF_ASKED = "WRITE_OFF_ASKED", "write-off asked for"
    WRITTEN_OFF = "WRITTEN_OFF", "written off"


class BreakEvent(models.Model):
    """One thing that happened to a break; together they are its history."""

    access = Access.APPEND

    item = models.ForeignKey(Break, on_delete=models.PROTECT, related_name="events")
    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    event = models.CharField(max_length=16, choices=EventKind.choices)
    data = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]

    def __str__(self) -> str:
        return f"{self.event} by {self.actor}"
