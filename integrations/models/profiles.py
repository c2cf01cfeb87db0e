"""How files of PSPs, banks and ledgers are laid out where no adapter knows them."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from backoffice.kernel.tables import Access
from backoffice.organisation.models import LegalEntity


class ProfileKind(models.TextChoices):
    PSP = "psp", "PSP"
    BANK = "bank", "bank"
    LEDGER = "ledger", "ledger"


class FileProfile(models.Model):
    """One version of a mapping profile (adapters/csv_profile/profile.py says what `spec` may hold). A change is a new
    version; a connection names the one it reads with, so an old file is read again as it was read then."""

    access = Access.APPEND

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    name = models.SlugField(max_length=40)
    version = models.PositiveIntegerField()
    kind = models.CharField(max_length=6, choices=ProfileKind.choices)
    spec = models.JSONField()
    note = models.CharField(max_length=200)
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=150)

    class Meta:
        ordering: ClassVar[list[str]] = ["name", "-version"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["entity", "name", "version"], name="fileprofile_once"),
            models.CheckConstraint(condition=models.Q(version__gte=1), name="fileprofile_counted"),
        ]

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"
