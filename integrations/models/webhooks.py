"""Webhooks: where each connection takes them, and every one that came, exactly as it came."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from simple_history.models import HistoricalRecords

from backoffice.kernel.tables import Access
from backoffice.organisation.models import LegalEntity
from integrations.hints import PspEventKind
from integrations.models.connections import Connection


class Verdict(models.TextChoices):
    """What we think of a webhook. Only a verified one is ever read by anybody else."""

    VERIFIED = "VERIFIED", "verified"
    # Verified as well, but it says something else under an identity that is known: a person has to look.
    DIFFERS = "DIFFERS", "differs from the first"
    UNREADABLE = "UNREADABLE", "unreadable"
    UNSIGNED = "UNSIGNED", "not signed"
    MISMATCH = "MISMATCH", "wrong signature"
    OUT_OF_WINDOW = "OUT_OF_WINDOW", "too old or too new"


EVENT_KINDS = [(kind.value, kind.value.replace("_", " ").lower()) for kind in PspEventKind]


class WebhookEndpoint(models.Model):
    """Where a provider sends the webhooks of a connection: /hooks/<token>/. The token is no secret, the signature is
    what counts. `secrets` holds the current signing secret and, until `previous_until`, the one before it."""

    connection = models.OneToOneField(Connection, on_delete=models.PROTECT, related_name="webhooks")
    provider = models.CharField(max_length=40)
    token = models.CharField(max_length=64, unique=True)
    settings = models.JSONField(default=dict, blank=True)
    secrets = models.TextField(editable=False, help_text="encrypted; never shown")
    previous_until = models.DateTimeField(null=True, blank=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    history = HistoricalRecords(excluded_fields=["secrets"])

    class Meta:
        ordering: ClassVar[list[str]] = ["connection_id"]

    def __str__(self) -> str:
        return f"webhooks of {self.connection_id}"


class Webhook(models.Model):
    """One event of one webhook; a message with several events is several rows with the same body.

    `event_id` is the provider's identity of the event (hints.PspEvent), unique per connection among the verified ones;
    of the others, one row per body is kept, and only so many an hour (services/webhooks.py). The columns from `kind`
    to `currency` are what was read on arrival, for lists; readers parse `body` again (selectors/events.py).
    """

    access = Access.APPEND

    entity = models.ForeignKey(LegalEntity, on_delete=models.DO_NOTHING, db_constraint=False)
    connection = models.ForeignKey(Connection, on_delete=models.DO_NOTHING, db_constraint=False)
    provider = models.TextField()
    item = models.IntegerField()
    event_id = models.TextField()
    verdict = models.TextField()
    why = models.TextField()
    kind = models.TextField()
    status = models.TextField()
    psp_reference = models.TextField()
    original_reference = models.TextField()
    merchant_reference = models.TextField()
    amount = models.DecimalField(max_digits=40, decimal_places=20, null=True)
    currency = models.TextField()
    received_at = models.DateTimeField()
    sha256 = models.BinaryField(max_length=32)
    size = models.IntegerField()
    headers = models.JSONField()
    body = models.BinaryField()

    class Meta:
        managed = False
        db_table = "integrations_webhook"
        ordering: ClassVar[list[str]] = ["-id"]

    def __str__(self) -> str:
        return f"webhook {self.pk}"


class WebhookOverflow(models.Model):
    """Webhooks that were refused and not kept, because that hour's measure of refused ones was full."""

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="+")
    hour = models.DateTimeField()
    dropped = models.BigIntegerField()
    bytes = models.BigIntegerField()
    last_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar[list[str]] = ["-hour"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["connection", "hour"], name="webhookoverflow_once"),
        ]

    def __str__(self) -> str:
        return f"{self.dropped} dropped in the hour from {self.hour:%Y-%m-%d %H:%M}"
