"""Report runs and the files that were handed out, kept byte for byte.

A run says what went in (report, definition version, parameters, data cut-off, code version) and what came out
(a hash of the content, and per file its hash and size). Files are append-only: what somebody was given can be
fetched again, and `verify` recomputes the hashes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django.db import models
from django.db.models import Exists, OuterRef

from backoffice.kernel.tables import Access
from backoffice.organisation.models import LegalEntity

CHUNK_SIZE = 1024 * 1024


class Format(models.TextChoices):
    """What a report can be made as."""

    HTML = "html", "HTML"
    PDF = "pdf", "PDF"
    XLSX = "xlsx", "XLSX"
    CSV = "csv", "CSV"


class RunState(models.TextChoices):
    QUEUED = "QUEUED", "queued"
    RUNNING = "RUNNING", "being made"
    DONE = "DONE", "done"
    FAILED = "FAILED", "failed"


class ReportRuns(models.QuerySet["ReportRun"]):
    def within(self, entity_ids: Iterable[int]) -> ReportRuns:
        """Runs about these legal entities and no other: a report over two is shown to nobody who sees only one."""
        parts = RunEntity.objects.filter(run=OuterRef("pk"))
        return self.filter(Exists(parts), ~Exists(parts.exclude(entity__in=list(entity_ids))))


class ReportRun(models.Model):
    """One report, asked for by somebody. `cutoff_at` says what it could know; nothing later is in it."""

    report = models.CharField(max_length=60)
    definition_version = models.PositiveSmallIntegerField()
    parameters = models.JSONField()
    formats = models.JSONField(default=list)
    cutoff_at = models.DateTimeField()
    requested_by = models.CharField(max_length=150)
    requested_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=RunState.choices, default=RunState.QUEUED)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    step = models.CharField(max_length=80, blank=True)
    progress = models.PositiveSmallIntegerField(default=0, help_text="percent")
    error = models.TextField(blank=True)
    code_version = models.CharField(max_length=40, blank=True)
    content_hash = models.CharField(max_length=64, blank=True)
    entities = models.ManyToManyField(LegalEntity, through="RunEntity", related_name="+")

    objects = ReportRuns.as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["state", "requested_at"],
                name="reportrun_waiting",
                condition=models.Q(state__in=["QUEUED", "RUNNING"]),
            ),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=~models.Q(state="DONE") | (models.Q(finished_at__isnull=False) & ~models.Q(content_hash="")),
                name="reportrun_done_has_content",
            ),
        ]
        permissions: ClassVar[list[tuple[str, Any]]] = [
            ("view_today", "Can see the Today page"),
            ("run_report", "Can make reports"),
        ]

    def __str__(self) -> str:
        return f"{self.report} {self.parameters.get('day', '')}".strip()

    @property
    def under_way(self) -> bool:
        return self.state in (RunState.QUEUED, RunState.RUNNING)


class RunEntity(models.Model):
    """A legal entity that a report is about."""

    access = Access.APPEND

    run = models.ForeignKey(ReportRun, on_delete=models.PROTECT, related_name="scope")
    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, related_name="+")

    class Meta:
        verbose_name_plural = "run entities"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["run", "entity"], name="runentity_once"),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}: {self.entity_id}"


class ReportFile(models.Model):
    """A file of a run; its bytes are in chunks."""

    access = Access.APPEND

    run = models.ForeignKey(ReportRun, on_delete=models.PROTECT, related_name="files")
    format = models.CharField(max_length=4, choices=Format.choices)
    name = models.CharField(max_length=120)
    sha256 = models.CharField(max_length=64)
    size = models.BigIntegerField()
    made_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["run", "format"], name="reportfile_once"),
        ]

    def __str__(self) -> str:
        return self.name


class ReportChunk(models.Model):
    """At most a megabyte of a report file."""

    access = Access.APPEND

    file = models.ForeignKey(ReportFile, on_delete=models.PROTECT, related_name="chunks")
    number = models.PositiveIntegerField()
    body = models.BinaryField()

    class Meta:
        ordering: ClassVar[list[str]] = ["file_id", "number"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["file", "number"], name="reportchunk_once"),
        ]

    def __str__(self) -> str:
        return f"{self.file_id}/{self.number}"
