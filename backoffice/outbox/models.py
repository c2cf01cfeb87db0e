"""Promises to the outside world: written with their reason, kept later by a sender."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class State(models.TextChoices):
    QUEUED = "QUEUED", "queued"
    SENDING = "SENDING", "sending"
    DONE = "DONE", "done"
    REFUSED = "REFUSED", "refused"
    # The call may or may not have had its effect. It is asked about, never sent again blindly.
    UNKNOWN = "UNKNOWN", "outcome unknown"


class Message(models.Model):
    """One outside effect. `key` is its idempotency key: the same key never leaves twice with other content."""

    kind = models.CharField(max_length=60)
    key = models.CharField(max_length=120, unique=True)
    payload = models.JSONField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    taken_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    answer = models.JSONField(default=dict)
    error = models.TextField(blank=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["due_at", "id"],
                name="outbox_open",
                condition=models.Q(state__in=["QUEUED", "SENDING", "UNKNOWN"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key} {self.state}"
