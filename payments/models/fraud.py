"""Rules that look for fraud, and what they found: alerts for people. No rule does anything to a client.

What a rule looks at is fixed in services/fraud_rules.py; from how much on it speaks is a version here, agreed to by two
people. An alert is seen by those who work on it and by nobody at support or with partners: who is suspected must not
learn of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.models import Client
from accounts.models.personal import Kept, UnderKey
from backoffice.approvals.models import Request as Approval
from backoffice.kernel.tables import Access
from backoffice.organisation.models import LegalEntity


class FraudKind(models.TextChoices):
    SHARED_PAYEE = "SHARED_PAYEE", "one destination, several clients"
    CRYPTO_OUT = "CRYPTO_OUT", "card in, crypto out"
    NO_TRADING = "NO_TRADING", "deposit and withdrawal without trading"
    SPLIT = "SPLIT", "amounts just under a limit"
    VELOCITY = "VELOCITY", "many requests in a short time"
    NAME = "NAME", "another name on the money"
    CARDS = "CARDS", "many cards of one client"
    DEVICE = "DEVICE", "one device or address, several clients"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A whole number of a rule, with what it means and what it may be."""

    meaning: str
    first: int
    least: int
    most: int


_K = FraudKind
_DAYS = Parameter("days between the two", 30, 1, 365)
PARAMETERS: Mapping[str, Mapping[str, Parameter]] = {
    _K.SHARED_PAYEE: {"clients": Parameter("clients with the same destination", 2, 2, 50)},
    _K.CRYPTO_OUT: {"days": _DAYS},
    _K.NO_TRADING: {"days": _DAYS, "share": Parameter("percent of the deposit that goes out", 80, 1, 100)},
    _K.SPLIT: {
        "limit": Parameter("the limit, in the request's currency", 10000, 1, 10**9),
        "band": Parameter("percent below the limit that count as just under", 15, 1, 90),
        "number": Parameter("requests", 3, 2, 100),
        "hours": Parameter("hours in which they come", 48, 1, 720),
    },
    _K.VELOCITY: {
        "number": Parameter("requests", 6, 2, 1000),
        "hours": Parameter("hours in which they come", 24, 1, 720),
    },
    _K.NAME: {"fit": Parameter("names that agree by less, of 100", 60, 1, 100)},
    _K.CARDS: {
        "number": Parameter("different cards", 3, 2, 50),
        "days": Parameter("days in which they are given", 90, 1, 365),
    },
    _K.DEVICE: {
        "clients": Parameter("clients signed in from one device", 2, 2, 50),
        "addresses": Parameter("clients signed in from one network address", 3, 2, 1000),
    },
}


class FraudRule(models.Model):
    """One version of a rule's parameters for an entity, or for all that have none of their own; the newest holds.
    Rows are only added, each by an approved request; the first ones come with the installation."""

    access = Access.APPEND

    kind = models.CharField(max_length=12, choices=FraudKind.choices)
    entity = models.ForeignKey(LegalEntity, null=True, on_delete=models.PROTECT)
    is_on = models.BooleanField(default=True)
    parameters: Any = models.JSONField(default=dict)
    at = models.DateTimeField()
    request = models.OneToOneField(Approval, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]
        permissions: ClassVar[list[tuple[str, Any]]] = [
            ("ask_fraudrule", "Can ask for other parameters of fraud rules"),
            ("approve_fraudrule", "Can approve parameters of fraud rules"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, version {self.pk}"


class AlertState(models.TextChoices):
    OPEN = "OPEN", "open"
    ASSIGNED = "ASSIGNED", "assigned"
    CLOSED = "CLOSED", "closed"


class Outcome(models.TextChoices):
    EXPLAINED = "EXPLAINED", "explained: nothing wrong"
    WATCHED = "WATCHED", "no proof: watched"
    CONFIRMED = "CONFIRMED", "confirmed: measures were taken by people"
    PASSED_ON = "PASSED_ON", "passed on to compliance"


class FraudAlert(models.Model):
    """What a rule found about a client, once: `subject` names the rows that made it speak. `evidence` holds references
    and numbers, nothing personal. CLOSED is the end; the same rows never make another alert."""

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="fraud_alerts")
    kind = models.CharField(max_length=12, choices=FraudKind.choices)
    rule = models.ForeignKey(FraudRule, on_delete=models.PROTECT, related_name="+")
    subject = models.CharField(max_length=80)
    evidence: Any = models.JSONField(default=dict)
    state = models.CharField(max_length=8, choices=AlertState.choices, default=AlertState.OPEN)
    outcome = models.CharField(max_length=9, choices=Outcome.choices, blank=True)
    assignee = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering: ClassVar[list[str]] = ["-opened_at", "-id"]
        permissions: ClassVar[list[tuple[str, Any]]] = [("work_fraudalert", "Can assign, explain and close alerts")]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["opened_at", "id", "entity"], name="fraudalert_newest"),
            models.Index(fields=["client", "-id"], name="fraudalert_by_client"),
            models.Index(fields=["opened_at", "id"], name="fraudalert_open", condition=~Q(state="CLOSED")),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["kind", "client", "subject"], name="fraudalert_once"),
            models.CheckConstraint(
                condition=Q(state="CLOSED", closed_at__isnull=False, closed_by__isnull=False) & ~Q(outcome="")
                | ~Q(state="CLOSED") & Q(closed_at=None, closed_by=None, outcome=""),
                name="fraudalert_closed_by_somebody",
            ),
            models.CheckConstraint(
                condition=~Q(state="ASSIGNED") | Q(assignee__isnull=False), name="fraudalert_assigned_to_somebody"
            ),
        ]

    def __str__(self) -> str:
        return f"FA-{self.pk}"

    @property
    def is_open(self) -> bool:
        return self.state != AlertState.CLOSED


class FraudEvent(UnderKey):
    """What people did with an alert, and said about it, under the client's key."""

    access = Access.APPEND

    alert = models.ForeignKey(FraudAlert, on_delete=models.PROTECT, related_name="events")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    what = models.CharField(max_length=60)
    text = Kept()

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.alert_id}: {self.what}"
