"""Payment files: orders to a bank, the payments in them, who took them out, and what the bank reported back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from backoffice.approvals.models import Request as Approval
from backoffice.kernel.tables import Access
from backoffice.organisation.models import Currency, LegalEntity
from ledger.models import LedgerAccount
from payments.models.payouts import Payout


class FileScheme(models.TextChoices):
    SEPA = "SEPA", "SEPA"
    SWIFT = "SWIFT", "SWIFT or domestic"


class Charges(models.TextChoices):
    """Who pays the banks' charges (ISO 20022 ChargeBearerType1Code)."""

    SHAR = "SHAR", "shared"
    DEBT = "DEBT", "we pay"
    CRED = "CRED", "the payee pays"
    SLEV = "SLEV", "as the scheme says"


class FileState(models.TextChoices):
    MADE = "MADE", "made"
    SENT = "SENT", "handed out"
    ACCEPTED = "ACCEPTED", "accepted"
    PARTLY = "PARTLY", "refused in part"
    REJECTED = "REJECTED", "refused"


_F = FileState
# The same table is in sql/files.sql.
FILE_STEPS: Mapping[FileState, frozenset[FileState]] = {
    _F.MADE: frozenset({_F.SENT, _F.REJECTED}),
    _F.SENT: frozenset({_F.ACCEPTED, _F.PARTLY, _F.REJECTED}),
    _F.ACCEPTED: frozenset({_F.PARTLY, _F.REJECTED}),
    _F.PARTLY: frozenset({_F.REJECTED}),
    _F.REJECTED: frozenset(),
}


class OwnBank(models.Model):
    """One version of how an account of the house is written into payment files; the newest row of an account in the
    books holds. Rows are only added, each by an approved request."""

    access = Access.APPEND

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    account = models.ForeignKey(LedgerAccount, on_delete=models.PROTECT, related_name="+")
    currency = models.ForeignKey(Currency, on_delete=models.PROTECT, related_name="+")
    holder = models.CharField(max_length=70)
    iban = models.CharField(max_length=34, blank=True)
    number = models.CharField(max_length=34, blank=True)
    bic = models.CharField(max_length=11, blank=True)
    clearing_system = models.CharField(max_length=5, blank=True)
    clearing_member = models.CharField(max_length=35, blank=True)
    street = models.CharField(max_length=70, blank=True)
    town = models.CharField(max_length=35)
    country = models.CharField(max_length=2)
    charges = models.CharField(max_length=4, choices=Charges.choices, default=Charges.SHAR)
    at = models.DateTimeField()
    request = models.OneToOneField(Approval, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]
        permissions: ClassVar[list[tuple[str, Any]]] = [
            ("ask_ownbank", "Can ask to pay from an account of the house, or to change how it is written"),
            ("approve_ownbank", "Can approve an account of the house to pay from"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=(Q(iban="") | Q(number="")) & ~Q(iban="", number=""), name="ownbank_one_number"
            ),
            models.CheckConstraint(condition=~Q(bic="", clearing_member=""), name="ownbank_names_its_bank"),
        ]

    def __str__(self) -> str:
        return f"{self.holder} …{(self.iban or self.number)[-4:]} {self.currency_id}"


class PaymentFile(models.Model):
    """One payment file, byte for byte as the bank gets it: `message_id` is MsgId, `batch_id` the PmtInfId of its one
    batch (a bank that books batches as one line names it). `total` is positive in `currency`.

    The bytes name payees: they are a payment order, kept as long as the books are, and leave through an export that
    is noted. What it is never changes; the state goes along FILE_STEPS.
    """

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    bank = models.ForeignKey(OwnBank, on_delete=models.PROTECT, related_name="files")
    currency = models.ForeignKey(Currency, on_delete=models.PROTECT, related_name="+")
    scheme = models.CharField(max_length=5, choices=FileScheme.choices)
    message_id = models.CharField(max_length=35, unique=True)
    batch_id = models.CharField(max_length=35, unique=True)
    format = models.CharField(max_length=20)
    execution_date = models.DateField()
    number = models.PositiveIntegerField()
    total = models.DecimalField(max_digits=38, decimal_places=18)
    sha256 = models.CharField(max_length=64)
    content = models.BinaryField()
    state = models.CharField(max_length=8, choices=FileState.choices, default=FileState.MADE)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    state_at = models.DateTimeField()
    approval = models.OneToOneField(Approval, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]
        permissions: ClassVar[list[tuple[str, Any]]] = [
            ("ask_paymentfile", "Can put payouts into a payment file"),
            ("approve_paymentfile", "Can approve a payment file that somebody else put together"),
            ("import_statusreport", "Can import a bank's report on a payment file"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["made_at", "id"], name="paymentfile_newest"),
        ]

    def __str__(self) -> str:
        return self.message_id


class PaymentFileLine(models.Model):
    """One payment of a file. A payout stands in one file once, by constraint."""

    access = Access.APPEND

    file = models.ForeignKey(PaymentFile, on_delete=models.PROTECT, related_name="lines")
    payout = models.OneToOneField(Payout, on_delete=models.PROTECT, related_name="file_line")
    end_to_end_id = models.CharField(max_length=35, unique=True)
    amount = models.DecimalField(max_digits=38, decimal_places=18)

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]
        default_permissions = ()

    def __str__(self) -> str:
        return self.end_to_end_id


class FileExport(models.Model):
    """The bytes of a file left the house: the first time, or handed out again for a reason."""

    access = Access.APPEND

    file = models.ForeignKey(PaymentFile, on_delete=models.PROTECT, related_name="exports")
    number = models.PositiveSmallIntegerField()
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    sha256 = models.CharField(max_length=64)
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]
        default_permissions = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["file", "number"], name="fileexport_once"),
            models.CheckConstraint(
                condition=Q(number=1, reason="") | (Q(number__gt=1) & ~Q(reason="")),
                name="fileexport_again_has_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"export {self.number} of {self.file_id}"


class StatusReport(models.Model):
    """A pain.002 message as it came. `unknown` are EndToEndIds that the file does not have, `conflicts` what it says
    against what is known: neither did anything, and both are shown."""

    access = Access.APPEND

    file = models.ForeignKey(PaymentFile, on_delete=models.PROTECT, related_name="reports")
    sha256 = models.CharField(max_length=64, unique=True)
    content = models.BinaryField()
    message_id = models.CharField(max_length=140)
    status = models.CharField(max_length=4, blank=True)
    reasons: Any = models.JSONField(default=list)
    unknown: Any = models.JSONField(default=list)
    conflicts: Any = models.JSONField(default=list)
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]
        default_permissions = ()

    def __str__(self) -> str:
        return self.message_id


class LineStatus(models.Model):
    """What one report says of one payment."""

    access = Access.APPEND

    report = models.ForeignKey(StatusReport, on_delete=models.PROTECT, related_name="lines")
    line = models.ForeignKey(PaymentFileLine, on_delete=models.PROTECT, related_name="statuses")
    status = models.CharField(max_length=4)
    reasons: Any = models.JSONField(default=list)

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]
        default_permissions = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["report", "line"], name="linestatus_once_per_report"),
        ]

    def __str__(self) -> str:
        return f"{self.line_id} {self.status}"
