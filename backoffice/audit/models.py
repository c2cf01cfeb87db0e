"""Who did what, when, from where. One row per use case, written in the use case's own transaction."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from backoffice.kernel.tables import Access
from backoffice.organisation.models import LegalEntity


class ActorKind(models.TextChoices):
    PERSON = "PERSON", "person"
    SYSTEM = "SYSTEM", "job"


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

    class Meta:
        verbose_name_plural = "audit entries"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["target", "id"], name="audit_by_target"),
            models.Index(fields=["actor_id", "id"], name="audit_by_actor"),
            models.Index(fields=["at", "id"], name="audit_by_time"),
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
