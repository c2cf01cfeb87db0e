"""Clients of a legal entity."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models.functions import Upper
from simple_history.models import HistoricalRecords

from backoffice.organisation.models import Desk, LegalEntity


class ClientStatus(models.TextChoices):
    """Where a client stands in an entity; one at a time."""

    APPLICATION = "APPLICATION", "application"
    PENDING_KYC = "PENDING_KYC", "pending KYC"
    KYC_REVIEW = "KYC_REVIEW", "KYC review"
    APPROVED = "APPROVED", "approved"
    ACTIVE = "ACTIVE", "active"
    UNDER_REVIEW = "UNDER_REVIEW", "under review"
    SUSPENDED = "SUSPENDED", "suspended"
    DORMANT = "DORMANT", "dormant"
    CLOSING = "CLOSING", "closing"
    CLOSED = "CLOSED", "closed"
    ARCHIVED = "ARCHIVED", "archived"
    REJECTED = "REJECTED", "rejected"
    WITHDRAWN = "WITHDRAWN", "withdrawn"


class ClientCategory(models.TextChoices):
    """MiFID II client categories (Directive 2014/65/EU, Annex II)."""

    RETAIL = "RETAIL", "retail"
    PROFESSIONAL = "PROFESSIONAL", "professional"
    COUNTERPARTY = "COUNTERPARTY", "eligible counterparty"


class Client(models.Model):
    """A person or company that the entity holds money or positions for. `number` is what staff call it by."""

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    desk = models.ForeignKey(Desk, null=True, blank=True, on_delete=models.PROTECT)
    number = models.CharField(max_length=20, db_collation="C")
    name = models.CharField(max_length=150)
    email = models.EmailField(blank=True)
    country = models.CharField(max_length=2, help_text="ISO 3166 country of residence")
    category = models.CharField(max_length=12, choices=ClientCategory.choices, default=ClientCategory.RETAIL)
    status = models.CharField(max_length=12, choices=ClientStatus.choices, default=ClientStatus.ACTIVE)
    opened_at = models.DateTimeField()
    history = HistoricalRecords()

    class Meta:
        ordering: ClassVar[list[str]] = ["number"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["entity", "number"], name="client_number_once"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["number", "id"], name="client_by_number"),
            models.Index(fields=["name", "id"], name="client_by_name"),
            models.Index(OpClass(Upper("name"), "text_pattern_ops"), name="client_by_beginning"),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.name}"
