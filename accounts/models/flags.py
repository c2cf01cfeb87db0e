"""What some people must know about a client and others must not.

`RULES` says of each kind who sets it, who sees it, what the others see instead, who must agree to its end and what it
forbids. An AML hold and an ordinary operational review are alike in everything that somebody outside compliance can
notice: the same words, the same effect, the same use case and the same permissions to end them. Telling a client of a
report can be an offence (UK: Proceeds of Crime Act 2002, s. 333A), so the likeness is tested byte by byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from accounts.models.clients import Client
from accounts.models.personal import Kept, UnderKey
from accounts.models.restrictions import What
from backoffice.kernel.tables import Access

NEUTRAL = "under operational review"


class FlagKind(models.TextChoices):
    AML_HOLD = "AML_HOLD", "AML hold"
    OPERATIONAL_REVIEW = "OPERATIONAL_REVIEW", NEUTRAL
    PEP = "PEP", "PEP or high risk"
    VULNERABLE = "VULNERABLE", "vulnerable client"
    CHARGEBACK_RISK = "CHARGEBACK_RISK", "chargeback risk"
    TOXIC = "TOXIC", "toxic flow"
    PAYEE_CHANGED = "PAYEE_CHANGED", "payee changed lately"
    DOCUMENT_EXPIRED = "DOCUMENT_EXPIRED", "document expired"
    DECEASED = "DECEASED", "deceased or legal matter"
    STAFF = "STAFF", "staff or related"


class Decider(models.TextChoices):
    """Who must agree before a flag ends: the group's permission, so that it does not name the kind."""

    REVIEW = "accounts.approve_end_review", "compliance"
    COMPLIANCE = "accounts.approve_clear_by_compliance", "compliance"
    FINANCE = "accounts.approve_clear_by_finance", "finance"
    MANAGEMENT = "accounts.approve_clear_by_management", "management"


@dataclass(frozen=True, slots=True)
class FlagRule:
    """`put`, `see`, `end` are permissions: empty `see` is everybody, empty `put` is jobs only, empty `end` is the time.
    `decider` None: whoever holds `end` may end it alone."""

    put: str
    see: str
    end: str
    decider: Decider | None = None
    otherwise: str = ""
    forbids: frozenset[What] = frozenset()
    freezes: bool = False


_ON_HOLD = frozenset({What.WITHDRAWAL, What.TRANSFER})
_KIND = FlagKind
RULES: Mapping[str, FlagRule] = {
    _KIND.AML_HOLD: FlagRule(
        "accounts.set_aml_hold", "accounts.see_aml_hold", "accounts.end_review", Decider.REVIEW, NEUTRAL, _ON_HOLD
    ),
    _KIND.OPERATIONAL_REVIEW: FlagRule(
        "accounts.set_review_flag", "", "accounts.end_review", Decider.REVIEW, "", _ON_HOLD
    ),
    _KIND.PEP: FlagRule(
        "accounts.set_pep", "accounts.see_pep", "accounts.set_pep", Decider.COMPLIANCE, "enhanced checks"
    ),
    _KIND.VULNERABLE: FlagRule("accounts.set_vulnerable", "accounts.see_vulnerable", "accounts.end_vulnerable"),
    _KIND.CHARGEBACK_RISK: FlagRule(
        "accounts.set_chargeback_risk",
        "accounts.see_chargeback_risk",
        "accounts.set_chargeback_risk",
        Decider.FINANCE,
        forbids=frozenset({What.CARD_DEPOSIT}),
    ),
    _KIND.TOXIC: FlagRule("accounts.set_toxic", "accounts.see_toxic", "accounts.set_toxic", Decider.MANAGEMENT),
    _KIND.PAYEE_CHANGED: FlagRule("", "accounts.see_payee_changed", ""),
    _KIND.DOCUMENT_EXPIRED: FlagRule("", "", "accounts.end_document_expired"),
    _KIND.DECEASED: FlagRule(
        "accounts.set_deceased", "accounts.see_deceased", "accounts.set_deceased", Decider.MANAGEMENT, freezes=True
    ),
    _KIND.STAFF: FlagRule(
        "accounts.set_staff",
        "accounts.see_staff",
        "accounts.set_staff",
        forbids=frozenset({What.IB_COMMISSION, What.BONUS}),
    ),
}
# Reading like the kinds that block: what everybody is told, whichever of them it is.
BLOCKING = tuple(kind for kind, rule in RULES.items() if rule.forbids == _ON_HOLD)
TWO_PERSONS = tuple(sorted(kind for kind, rule in RULES.items() if rule.decider is not None))


class Flag(UnderKey):
    """One flag of a client. `note` is for those who see the kind. Written once; then only its end is added."""

    # Not to be read in the log of table changes, whoever reads it.
    personal: ClassVar[tuple[str, ...]] = ("kind", "under_key")

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="flags")
    kind = models.CharField(max_length=20, choices=FlagKind.choices)
    note = Kept()
    set_at = models.DateTimeField()
    set_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    expires_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]
        default_permissions = ()
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["client", "id"], name="flag_of_client"),
            models.Index(fields=["kind", "client"], name="flag_open", condition=Q(ended_at=None)),
            models.Index(
                fields=["expires_at"], name="flag_expiring", condition=Q(ended_at=None, expires_at__isnull=False)
            ),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["client", "kind"], condition=Q(ended_at=None), name="flag_open_once"),
            models.CheckConstraint(
                condition=Q(ended_by=None) | Q(set_by=None) | ~Q(ended_by=F("set_by")) | ~Q(kind__in=TWO_PERSONS),
                name="flag_ended_by_another",
            ),
            models.CheckConstraint(
                condition=Q(ended_by=None) | Q(ended_at__isnull=False), name="flag_end_has_a_moment"
            ),
        ]

    def __str__(self) -> str:
        return f"flag {self.pk}"


class ConsentStep(models.Model):
    """A step on the way to the authority's consent to an AML hold's transaction; the newest says where it stands.

    UK practice: seven working days for an answer from the day after the request; after a refusal a moratorium of 31
    days (Proceeds of Crime Act 2002, s. 335). Rows are only added: a table of changes would show that there is a case.
    """

    class Kind(models.TextChoices):
        ASKED = "ASKED", "consent asked for"
        GRANTED = "GRANTED", "consent given"
        REFUSED = "REFUSED", "consent refused"
        SILENT = "SILENT", "no answer in time"
        OVER = "OVER", "moratorium over"

    access = Access.APPEND

    flag = models.ForeignKey(Flag, on_delete=models.PROTECT, related_name="consent_steps")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    on_date = models.DateField(help_text="the day of the letter, or of the deadline")
    deadline_date = models.DateField(null=True, help_text="what is waited for until when")

    class Meta:
        default_permissions = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["flag", "kind"], name="consentstep_once"),
        ]

    def __str__(self) -> str:
        return f"step {self.pk}"
