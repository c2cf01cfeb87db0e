"""Who did what, when, from where; the seals over it; what was changed in the tables; keys of personal data.

An entry is one row per use case, written in the use case's own transaction. A change is one row per statement on a
watched table, written by PostgreSQL, whoever sent the statement. The two meet in the transaction's number: a
change whose transaction has no entry was made around the application.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models

from backoffice.kernel.tables import Access
from backoffice.organisation.models import LegalEntity


class ActorKind(models.TextChoices):
    PERSON = "PERSON", "person"
    SYSTEM = "SYSTEM", "job"


class CurrentTransaction(models.Func):
    """The number of the transaction that writes the row, unique in the life of a database cluster."""

    template = "(pg_current_xact_id()::text::bigint)"
    arity = 0
    output_field = models.BigIntegerField()


class Entry(models.Model):
    """One thing that happened. `action` is a stable dotted code; `target` is "app.model:key"."""

    access = Access.APPEND

    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=8, choices=ActorKind.choices)
    actor_id = models.BigIntegerField(null=True)
    actor_label = models.CharField(max_length=150)
    action = models.CharField(max_length=80)
    target = models.CharField(max_length=150, blank=True)
    entity = models.ForeignKey(LegalEntity, null=True, on_delete=models.PROTECT)
    data = models.JSONField(default=dict)
    request_id = models.CharField(max_length=36, blank=True)
    ip = models.GenericIPAddressField(null=True)
    xid = models.BigIntegerField(null=True, db_default=CurrentTransaction())

    class Meta:
        verbose_name_plural = "audit entries"
        permissions: ClassVar[list[tuple[str, Any]]] = [
            ("view_own_entry", "Can see what they did themselves"),
            ("view_technical_entry", "Can see entries about users, roles and connections"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["target", "id"], name="audit_by_target"),
            models.Index(fields=["actor_id", "id"], name="audit_by_actor"),
            models.Index(fields=["at", "id"], name="audit_by_time"),
            models.Index(fields=["entity", "id"], name="audit_by_entity"),
            models.Index(fields=["request_id", "id"], name="audit_by_request"),
            models.Index(fields=["xid"], name="audit_by_transaction"),
            models.Index(OpClass("action", "varchar_pattern_ops"), name="audit_by_action"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=models.Q(actor_kind="SYSTEM", actor_id__isnull=True)
                | models.Q(actor_kind="PERSON", actor_id__isnull=False),
                name="audit_actor_is_someone",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor_label} {self.action} {self.target}"


class Change(models.Model):
    """One statement that changed rows of a watched table; written by a trigger (sql/changes.sql) and by nothing else.

    `content` has what was before and after, by key, for statements of up to a hundred rows; of larger ones it has
    the keys, of the largest nothing but the number. Secrets and personal data stand there as a mark only.
    """

    access = Access.READ

    at = models.DateTimeField()
    xid = models.BigIntegerField()
    table_name = models.CharField(max_length=63)
    operation = models.CharField(max_length=8)
    rows = models.BigIntegerField()
    keys = ArrayField(models.TextField())
    content = models.JSONField()
    role = models.CharField(max_length=63, help_text="the database role that was logged in")
    address = models.GenericIPAddressField(null=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["table_name", "id"], name="change_by_table"),
            models.Index(fields=["xid"], name="change_by_transaction"),
            models.Index(fields=["at", "id"], name="change_by_time"),
            GinIndex(fields=["keys"], name="change_by_key"),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.table_name} ({self.rows})"


class Seal(models.Model):
    """One link of the chain: a signed statement of what was added to each stream since the one before.

    `statement` is canonical JSON, `head` its SHA-256, `signature` Ed25519 over it. The same three stand outside the
    database (heads.py).
    """

    access = Access.APPEND

    number = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    previous = models.CharField(max_length=64)
    head = models.CharField(max_length=64, unique=True)
    statement = models.TextField()
    signature = models.CharField(max_length=88)
    key = models.CharField(max_length=44, help_text="the public key, base64")

    class Meta:
        ordering: ClassVar[list[str]] = ["-number"]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["at"], name="seal_by_time")]

    def __str__(self) -> str:
        return f"seal {self.number}"

    def content(self) -> dict[str, Any]:
        """The statement as a value; empty where it is no JSON any more."""
        try:
            value: dict[str, Any] = json.loads(self.statement)
        except ValueError:
            return {}
        return value


class Batch(models.Model):
    """The rows of one stream under one seal: `count` rows from position `first` on.

    `keys` are the rows' ids in ascending order and `hashes` their leaf hashes, 32 bytes each, in the same order;
    `root` is the Merkle root over them (RFC 6962). The first `late` of them committed after rows with higher ids,
    which an earlier batch has. `through` is the highest id the stream has reached.
    """

    access = Access.APPEND

    seal = models.ForeignKey(Seal, on_delete=models.PROTECT, related_name="batches")
    stream = models.CharField(max_length=40)
    form = models.PositiveSmallIntegerField()
    first = models.BigIntegerField()
    count = models.PositiveIntegerField()
    late = models.PositiveIntegerField()
    through = models.BigIntegerField()
    root = models.CharField(max_length=64)
    keys = ArrayField(models.BigIntegerField())
    hashes = models.BinaryField()

    class Meta:
        verbose_name_plural = "batches"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["stream", "first"], name="batch_position_once"),
            models.UniqueConstraint(fields=["seal", "stream"], name="batch_once_per_seal"),
            models.CheckConstraint(
                condition=models.Q(count__gte=1, late__lte=models.F("count"), first__gte=1), name="batch_sane"
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["stream", "through", "first"], name="batch_by_reach"),
            models.Index(fields=["stream", "first"], name="batch_with_late", condition=models.Q(late__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.stream} {self.first}-{self.first + self.count - 1}"

    def said(self) -> dict[str, Any]:
        """What its seal's statement says about it."""
        return {
            "stream": self.stream,
            "form": self.form,
            "first": self.first,
            "count": self.count,
            "late": self.late,
            "through": self.through,
            "root": self.root,
        }

    def leaves(self) -> list[bytes]:
        """The leaf hashes of its rows, in the order of `keys`."""
        content = bytes(self.hashes)
        return [content[start : start + 32] for start in range(0, len(content), 32)]


class Cursor(models.Model):
    """How far a stream is sealed. `gaps` are ids below `through` that have not been seen: of transactions still
    running or rolled back. A note for the sealer's speed; verification does not believe it."""

    stream = models.CharField(max_length=40, primary_key=True)
    through = models.BigIntegerField(default=0)
    sealed = models.BigIntegerField(default=0)
    gaps = models.TextField(default="{}")
    aging = models.TextField(default="{}")
    aging_mark = models.BigIntegerField(null=True)
    aging_at = models.DateTimeField(null=True)
    at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.stream} through {self.through}"


class PersonKey(models.Model):
    """The key of one person's personal data in the log, wrapped by a key the database does not see.

    Shredding empties `wrapped`; it is never filled again.
    """

    person = models.CharField(max_length=150, primary_key=True)
    wrapped = models.TextField()
    created_at = models.DateTimeField()
    shredded_at = models.DateTimeField(null=True)

    class Meta:
        permissions: ClassVar[list[tuple[str, Any]]] = [
            ("reveal_personal", "Can see personal data in the audit log"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=models.Q(shredded_at=None) ^ models.Q(wrapped=""), name="personkey_kept_or_shredded"
            ),
        ]

    def __str__(self) -> str:
        return self.person


class CheckState(models.TextChoices):
    QUEUED = "QUEUED", "queued"
    RUNNING = "RUNNING", "running"
    CLEAN = "CLEAN", "all holds"
    BROKEN = "BROKEN", "does not hold"
    FAILED = "FAILED", "not finished"


class Check(models.Model):
    """One verification of the whole log, asked for by a person and done by a worker."""

    asked_by = models.CharField(max_length=150)
    asked_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=CheckState.choices, default=CheckState.QUEUED)
    step = models.CharField(max_length=80, blank=True)
    progress = models.PositiveSmallIntegerField(default=0)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    result = models.JSONField(default=dict)
    error = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]
        permissions: ClassVar[list[tuple[str, Any]]] = [("verify_log", "Can verify the audit log")]

    def __str__(self) -> str:
        return f"verification {self.pk}"

    @property
    def under_way(self) -> bool:
        return self.state in (CheckState.QUEUED, CheckState.RUNNING)
