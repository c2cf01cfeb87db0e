"""Clients of a legal entity."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models.functions import Upper
from simple_history.models import HistoricalRecords

from accounts.models.personal import ERASED, LIVE, ClientPast
from accounts.models.reasons import Reason
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


# With which status the personal data of a client may be erased.
ERASABLE = (ClientStatus.CLOSED, ClientStatus.ARCHIVED, ClientStatus.REJECTED, ClientStatus.WITHDRAWN)


class ClientCategory(models.TextChoices):
    """MiFID II client categories (Directive 2014/65/EU, Annex II)."""

    RETAIL = "RETAIL", "retail"
    PROFESSIONAL = "PROFESSIONAL", "professional"
    COUNTERPARTY = "COUNTERPARTY", "eligible counterparty"


# Who may set, see and end which flag: models/flags.py. Words of permissions never name a hidden state of a client.
PERMISSIONS: list[tuple[str, Any]] = [
    ("onboard_client", "Can take an applicant to the identity check"),
    ("record_kyc", "Can record identity checks and decide on applications"),
    ("review_client", "Can put a client under review"),
    ("suspend_client", "Can suspend a client"),
    ("restrict_client", "Can restrict a client"),
    ("confirm_restriction", "Can review protective steps of others"),
    ("start_closing", "Can start to close a client"),
    ("ask_protect", "Can ask for a review, a suspension or a restriction"),
    ("ask_lift", "Can ask to lift a restriction or a suspension"),
    ("ask_lift_trading", "Can ask to lift “trading off” or “close only”"),
    ("approve_lift_trading", "Can agree to lift “trading off” or “close only”"),
    ("ask_wake", "Can ask to make a dormant client active"),
    ("decide_status", "Can agree to changes of a client's status and restrictions"),
    ("ask_close", "Can ask to close a client for good"),
    ("approve_close", "Can agree to close a client for good"),
    ("ask_reopen_client", "Can ask to open a closed client again"),
    ("approve_reopen_client", "Can agree to open a closed client again"),
    ("ask_terms", "Can ask for another group or leverage"),
    ("approve_terms", "Can agree to another group or leverage"),
    ("ask_technical", "Can ask to mark a login as technical, or not any more"),
    ("approve_technical", "Can agree to mark a login as technical, or not any more"),
    ("force_password", "Can make a client choose a new password at the server"),
    ("ask_category", "Can ask for another client category"),
    ("approve_category", "Can agree to another client category"),
    ("ask_erase", "Can ask to erase a client's personal data"),
    ("approve_erase", "Can agree to erase a client's personal data"),
    ("write_note", "Can write notes about clients"),
    ("add_client_document", "Can enter documents of clients"),
    ("see_aml_hold", "Can see AML holds and their deadlines"),
    ("set_aml_hold", "Can set an AML hold"),
    ("release_aml_hold", "Can be the one of two who releases an AML hold"),
    ("set_review_flag", "Can mark a client as under operational review"),
    ("end_review", "Can ask to end an operational review"),
    ("approve_end_review", "Can agree to end an operational review"),
    ("set_pep", "Can flag PEP or high risk"),
    ("see_pep", "Can see PEP and high risk"),
    ("set_vulnerable", "Can flag a vulnerable client"),
    ("see_vulnerable", "Can see vulnerable clients"),
    ("see_vulnerable_detail", "Can see what a vulnerable client needs"),
    ("end_vulnerable", "Can end the flag of a vulnerable client"),
    ("set_chargeback_risk", "Can flag a chargeback risk"),
    ("see_chargeback_risk", "Can see chargeback risks"),
    ("set_toxic", "Can flag toxic flow"),
    ("see_toxic", "Can see toxic flow"),
    ("see_payee_changed", "Can see a late change of payee"),
    ("end_document_expired", "Can end the flag of an expired document"),
    ("set_deceased", "Can flag a death or a legal matter"),
    ("see_deceased", "Can see a death or a legal matter"),
    ("set_staff", "Can flag staff and related people"),
    ("see_staff", "Can see staff and related people"),
    ("set_flag", "Can open the page that sets flags"),
    ("end_flag", "Can open the page that ends flags"),
    ("approve_clear_by_compliance", "Can agree to end a flag as compliance"),
    ("approve_clear_by_finance", "Can agree to end a flag as finance"),
    ("approve_clear_by_management", "Can agree to end a flag as management"),
]


class Client(models.Model):
    """A person or company that the entity holds money or positions for. `number` is what staff call it by.

    The status goes along the steps of models/lifecycle.py only, each with its moment, person and reason beside it.
    """

    # Shown as a mark in the log of changes.
    personal: ClassVar[tuple[str, ...]] = LIVE["accounts.client"]
    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    desk = models.ForeignKey(Desk, null=True, blank=True, on_delete=models.PROTECT)
    number = models.CharField(max_length=20, db_collation="C")
    name = models.CharField(max_length=150)
    email = models.EmailField(blank=True)
    country = models.CharField(max_length=2, help_text="ISO 3166 country of residence")
    category = models.CharField(max_length=12, choices=ClientCategory.choices, default=ClientCategory.RETAIL)
    status = models.CharField(max_length=12, choices=ClientStatus.choices, default=ClientStatus.ACTIVE)
    status_at = models.DateTimeField()
    status_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    status_reason = models.CharField(max_length=20, choices=Reason.choices, blank=True)
    opened_at = models.DateTimeField()
    erased_at = models.DateTimeField(null=True, editable=False)
    # The history has no columns for personal values, so that nobody can write one in clear there.
    history: Any = HistoricalRecords(excluded_fields=list(LIVE["accounts.client"]), bases=[ClientPast])

    class Meta:
        ordering: ClassVar[list[str]] = ["number"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["entity", "number"], name="client_number_once"),
            models.CheckConstraint(
                condition=models.Q(erased_at=None)
                | models.Q(status__in=ERASABLE, **dict.fromkeys(LIVE["accounts.client"], ERASED)),
                name="client_erased_for_good",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["number", "id"], name="client_by_number"),
            models.Index(fields=["name", "id"], name="client_by_name"),
            models.Index(OpClass(Upper("name"), "text_pattern_ops"), name="client_by_beginning"),
            models.Index(
                fields=["status", "status_at"], name="client_on_the_way", condition=~models.Q(status="ACTIVE")
            ),
        ]
        permissions: ClassVar[list[tuple[str, Any]]] = PERMISSIONS

    def __str__(self) -> str:
        return f"{self.number} {self.name}"
