"""What came, exactly as it came. Added, never changed; a new version whenever the latest one differs."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from backoffice.kernel.tables import Access
from backoffice.organisation.models import LegalEntity
from integrations.models.connections import Connection

INLINE_MAX = 64 * 1024
CHUNK_SIZE = 1024 * 1024


class RawMessage(models.Model):
    """One record or file of a source. Small bodies stand in the row, large ones in chunks.

    A (version 1), B (version 2), A again (version 3): only the latest version is compared with.
    """

    access = Access.APPEND

    entity = models.ForeignKey(LegalEntity, on_delete=models.DO_NOTHING, db_constraint=False)
    connection = models.ForeignKey(Connection, on_delete=models.DO_NOTHING, db_constraint=False)
    external_id = models.TextField()
    version = models.IntegerField()
    received_at = models.DateTimeField()
    sha256 = models.BinaryField(max_length=32)
    size = models.BigIntegerField()
    origin = models.TextField(help_text="the call or file it came by")
    body = models.BinaryField(null=True)

    class Meta:
        managed = False
        db_table = "integrations_rawmessage"
        ordering: ClassVar[list[str]] = ["-id"]

    def __str__(self) -> str:
        return f"{self.external_id} v{self.version}"


class RawChunk(models.Model):
    """A megabyte of a large raw message."""

    access = Access.APPEND

    pk = models.CompositePrimaryKey("raw_id", "number")
    raw_id = models.BigIntegerField()
    number = models.IntegerField()
    body = models.BinaryField()

    class Meta:
        managed = False
        db_table = "integrations_rawchunk"

    def __str__(self) -> str:
        return f"{self.raw_id}/{self.number}"
