"""Files that people or jobs hand in: what was read, what was refused, and whether the file proves itself."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from backoffice.kernel.tables import Access
from backoffice.organisation.models import LegalEntity
from integrations.models.connections import Connection


class ImportState(models.TextChoices):
    RECEIVED = "RECEIVED", "received"
    PREVIEW = "PREVIEW", "waiting to be confirmed"
    HELD = "HELD", "held: does not prove itself"
    STORED = "STORED", "stored"
    REFUSED = "REFUSED", "refused"
    DISCARDED = "DISCARDED", "discarded"


class FileImport(models.Model):
    """One file handed in for a connection. The bytes are in its raw message, whatever became of them."""

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT)
    filename = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64)
    size = models.BigIntegerField()
    raw_id = models.BigIntegerField()
    received_at = models.DateTimeField()
    received_by = models.CharField(max_length=150)
    state = models.CharField(max_length=9, choices=ImportState.choices, default=ImportState.RECEIVED)
    rows = models.IntegerField(default=0)
    new = models.IntegerField(default=0)
    duplicate = models.IntegerField(default=0)
    changed = models.IntegerField(default=0)
    rejected = models.IntegerField(default=0)
    balanced = models.BooleanField(null=True)
    control_totals = models.JSONField(default=list)
    facts = models.JSONField(default=dict)
    warnings = models.JSONField(default=list)
    error = models.TextField(blank=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["connection", "sha256"], name="fileimport_by_content"),
            models.Index(fields=["entity", "-id"], name="fileimport_newest"),
            models.Index(fields=["filename"], name="fileimport_by_name"),
        ]
        permissions: ClassVar[list[tuple[str, Any]]] = [
            ("import_file", "Can import a file"),
            ("ask_accept_held", "Can ask to accept a file that does not prove itself"),
            ("approve_accept_held", "Can approve accepting such a file"),
        ]

    def __str__(self) -> str:
        return f"{self.filename} ({self.get_state_display()})"


class Rejection(models.Model):
    """A row of a file that could not be read; the others were kept."""

    access = Access.APPEND

    file_import = models.ForeignKey(FileImport, on_delete=models.PROTECT, related_name="rejections")
    line = models.IntegerField()
    field = models.CharField(max_length=80)
    reason = models.TextField()
    raw = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["file_import_id", "line", "id"]

    def __str__(self) -> str:
        return f"line {self.line}, {self.field}: {self.reason}"
