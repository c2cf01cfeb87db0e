"""What is known and written about a client: notes, documents, results of identity checks."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.models.clients import Client
from accounts.models.personal import Kept, UnderKey
from backoffice.kernel.tables import Access


class Note(UnderKey):
    """Something a member of staff wrote; never changed. A confidential one is for compliance only."""

    access = Access.APPEND

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="notes")
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    text = Kept()
    confidential = models.BooleanField(default=False)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["client", "-id"], name="note_latest")]
        permissions: ClassVar[list[tuple[str, Any]]] = [
            ("see_confidential_note", "Can see and write confidential notes")
        ]

    def __str__(self) -> str:
        return f"note {self.pk}"


class Document(UnderKey):
    """A paper the client handed in: what it is and how long it holds, not its content."""

    class Kind(models.TextChoices):
        IDENTITY = "IDENTITY", "identity"
        ADDRESS = "ADDRESS", "proof of address"
        FUNDS = "FUNDS", "source of funds"
        COMPANY = "COMPANY", "company papers"
        OTHER = "OTHER", "other"

    access = Access.APPEND

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="documents")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    name = Kept()
    sha256 = Kept()
    received_at = models.DateTimeField()
    expires_date = models.DateField(null=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["client", "-id"], name="document_latest"),
            models.Index(fields=["expires_date"], name="document_expiring", condition=Q(expires_date__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"document {self.pk}"


class KycResult(UnderKey):
    """How an identity check came out; a later one does not change an earlier one."""

    class Outcome(models.TextChoices):
        CLEAN = "CLEAN", "clean"
        ACCEPTED = "ACCEPTED", "hit looked at and accepted"
        REJECTED = "REJECTED", "rejected"

    class Risk(models.TextChoices):
        LOW = "LOW", "low"
        MEDIUM = "MEDIUM", "medium"
        HIGH = "HIGH", "high"

    access = Access.APPEND

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="kyc_results")
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    provider = models.CharField(max_length=60)
    reference = Kept()
    outcome = models.CharField(max_length=8, choices=Outcome.choices)
    risk = models.CharField(max_length=6, choices=Risk.choices)
    is_pep = models.BooleanField(default=False)
    is_company = models.BooleanField(default=False)
    next_review_date = models.DateField(null=True)

    class Meta:
        verbose_name = "KYC result"
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["client", "-id"], name="kycresult_latest")]

    def __str__(self) -> str:
        return f"KYC result {self.pk}"

    @property
    def enhanced(self) -> bool:
        """Whether two people must agree to what is decided on it."""
        return self.is_pep or self.is_company or self.risk == self.Risk.HIGH
