"""Disputes of card and wallet payments: one case per dispute, what happened to it, and what it moved in the books.

A case goes forward along STEPS only. A reversal is not its end: the issuer may come back with a second chargeback or
pre-arbitration. Messages that come twice or late are kept as events and change nothing. sql/chargebacks.sql has the
same steps and refuses all others, whoever asks. States: common names of the schemes; which message of which provider
leads to which is in services/cases.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q

from accounts.models import Client, Wallet
from accounts.models.personal import Kept, UnderKey
from backoffice.approvals.models import Request as Approval
from backoffice.kernel.tables import Access
from backoffice.organisation.models import Currency, LegalEntity
from integrations.models import Connection
from payments.models.requests import MoneyRequest


class CaseState(models.TextChoices):
    FRAUD_NOTICE = "FRAUD_NOTICE", "fraud notice"
    INQUIRY = "INQUIRY", "inquiry"
    NOTIFIED = "NOTIFIED", "notified"
    CHARGED_BACK = "CHARGED_BACK", "charged back"
    DEFENDED = "DEFENDED", "defended"
    REVERSED = "REVERSED", "reversed, provisional"
    PRE_ARBITRATION = "PRE_ARBITRATION", "pre-arbitration"
    SECOND_ROUND = "SECOND_ROUND", "second chargeback"
    ARBITRATION = "ARBITRATION", "arbitration"
    WON = "WON", "won"
    LOST = "LOST", "lost"
    ACCEPTED = "ACCEPTED", "accepted"
    EXPIRED = "EXPIRED", "expired"
    PREVENTED = "PREVENTED", "prevented"


_S = CaseState
ENDS = frozenset({_S.WON, _S.LOST, _S.ACCEPTED, _S.EXPIRED, _S.PREVENTED})
OPEN_STATES = tuple(state for state in _S if state not in ENDS)
_LATE = {_S.PRE_ARBITRATION, _S.SECOND_ROUND, _S.ARBITRATION, _S.WON, _S.LOST, _S.ACCEPTED, _S.EXPIRED}
STEPS: Mapping[CaseState, frozenset[CaseState]] = {
    _S.FRAUD_NOTICE: frozenset(
        {_S.INQUIRY, _S.NOTIFIED, _S.CHARGED_BACK, _S.DEFENDED, _S.REVERSED, _S.PREVENTED} | _LATE
    ),
    # Answering an inquiry is no defence: the chargeback may still come, and would have to move the case back.
    _S.INQUIRY: frozenset({_S.NOTIFIED, _S.CHARGED_BACK, _S.REVERSED, _S.PREVENTED} | _LATE),
    _S.NOTIFIED: frozenset({_S.CHARGED_BACK, _S.DEFENDED, _S.REVERSED, _S.PREVENTED} | _LATE),
    _S.CHARGED_BACK: frozenset({_S.DEFENDED, _S.REVERSED} | _LATE),
    _S.DEFENDED: frozenset({_S.REVERSED} | _LATE),
    _S.REVERSED: frozenset(_LATE),
    _S.PRE_ARBITRATION: frozenset(_LATE - {_S.PRE_ARBITRATION}),
    _S.SECOND_ROUND: frozenset(_LATE - {_S.PRE_ARBITRATION, _S.SECOND_ROUND}),
    _S.ARBITRATION: frozenset({_S.WON, _S.LOST, _S.ACCEPTED}),
    # An end that the other side may open again; only by something that happened after it.
    _S.WON: frozenset({_S.PRE_ARBITRATION, _S.SECOND_ROUND, _S.ARBITRATION, _S.LOST}),
    _S.EXPIRED: frozenset({_S.NOTIFIED, _S.CHARGED_BACK, _S.REVERSED, _S.WON, _S.LOST}),
    _S.PREVENTED: frozenset({_S.NOTIFIED, _S.CHARGED_BACK}),
    _S.LOST: frozenset(),
    _S.ACCEPTED: frozenset(),
}
# The house has been told of a dispute: the client is kept from taking money out. An inquiry or a fraud notice is none.
PROTECTING = frozenset({_S.NOTIFIED, _S.CHARGED_BACK, _S.SECOND_ROUND})
# Before that: nothing, or nothing that is about money yet.
QUIET = frozenset({"", _S.FRAUD_NOTICE, _S.INQUIRY})
# In these the deposit is gone or may go: it is not refunded as well, which would lose it twice.
BLOCKING_REFUND = frozenset(set(_S) - {_S.FRAUD_NOTICE, _S.INQUIRY, _S.WON, _S.PREVENTED})
# Ends that the other side may open again.
ENDS_THAT_OPEN = frozenset({_S.WON, _S.EXPIRED, _S.PREVENTED})


def legal(before: str, after: str) -> bool:
    """Whether a case may go from one state to the other in one step."""
    return _S(after) in STEPS[_S(before)]


class ChargebackCase(models.Model):
    """One dispute. `amount` is what is disputed, positive, as the provider says it last (None: it has not said); it
    stands once something was booked to the client. `client` and `deposit` are empty while nobody knows whose it was.

    `dispute_reference` is the provider's name of the dispute, `psp_reference` that of the payment, `our_reference` the
    deposit's. `deadline_at` is what the provider says, never computed: providers want evidence earlier than schemes.
    `mid` is the merchant account that took the payment, where the provider names it.
    """

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    client = models.ForeignKey(Client, null=True, on_delete=models.PROTECT, related_name="chargebacks")
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="+")
    dispute_reference = models.CharField(max_length=80, blank=True)
    psp_reference = models.CharField(max_length=80, blank=True)
    our_reference = models.CharField(max_length=10, blank=True)
    deposit = models.ForeignKey(MoneyRequest, null=True, on_delete=models.PROTECT, related_name="chargebacks")
    amount = models.DecimalField(max_digits=38, decimal_places=18, null=True)
    currency = models.ForeignKey(Currency, null=True, on_delete=models.PROTECT, related_name="+")
    reason_code = models.CharField(max_length=20, blank=True)
    reason_text = models.CharField(max_length=200, blank=True)
    method = models.CharField(max_length=40, blank=True)
    mid = models.CharField(max_length=80, blank=True)
    state = models.CharField(max_length=15, choices=CaseState.choices)
    deadline_at = models.DateTimeField(null=True)
    paid_at = models.DateTimeField(null=True, help_text="when the disputed payment was made")
    opened_at = models.DateTimeField()
    state_at = models.DateTimeField()
    # When money was first taken, whatever order the messages came in.
    taken_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-opened_at", "-id"]
        permissions: ClassVar[list[tuple[str, Any]]] = [
            ("work_chargeback", "Can open chargeback cases and work on them"),
            ("ask_chargeback", "Can ask to book a chargeback to the client, or back"),
            ("approve_chargeback", "Can approve the booking of a chargeback"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["opened_at", "id", "entity"], name="case_newest"),
            models.Index(fields=["client", "-id"], name="case_by_client"),
            models.Index(fields=["entity", "psp_reference"], name="case_by_payment"),
            models.Index(fields=["deposit"], name="case_by_deposit"),
            models.Index(fields=["deadline_at", "id"], name="case_due", condition=Q(ended_at=None)),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(amount__gt=0, currency__isnull=False) | Q(amount=None, currency=None),
                name="case_amount_positive",
            ),
            models.UniqueConstraint(
                fields=["connection", "dispute_reference"], condition=~Q(dispute_reference=""), name="case_once"
            ),
        ]

    def __str__(self) -> str:
        return f"CB-{self.pk}"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES


class EventSource(models.TextChoices):
    MESSAGE = "hook", "message of the provider"
    LINE = "psp", "line of the provider's report"
    PERSON = "hand", "by hand"


class CaseEvent(UnderKey):
    """Something that happened to a case. `kind` is what was said (a state, or NOTE), `before` and `after` are the
    case's states around it: alike where it changed nothing. `amount` is positive as said; `text` is a person's words,
    under the client's key. One message or line is one event."""

    access = Access.APPEND

    case = models.ForeignKey(ChargebackCase, on_delete=models.PROTECT, related_name="events")
    client = models.ForeignKey(Client, null=True, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=15)
    source = models.CharField(max_length=4, choices=EventSource.choices)
    source_id = models.BigIntegerField(null=True)
    before = models.CharField(max_length=15, blank=True)
    after = models.CharField(max_length=15, choices=CaseState.choices)
    happened_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    amount = models.DecimalField(max_digits=38, decimal_places=18, null=True)
    currency = models.CharField(max_length=10, blank=True)
    said = models.CharField(max_length=200, blank=True)
    text = Kept()

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]
        default_permissions = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["source", "source_id"], condition=Q(source_id__isnull=False), name="caseevent_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.case_id}: {self.kind}"


class PostingKind(models.TextChoices):
    CHARGE = "CHARGE", "charged to the client"
    RETURN = "RETURN", "given back to the client"


class CasePosting(models.Model):
    """What a case moved between the client's wallet and the house's loss, each behind an executed approval. A charge
    debits the wallet and takes the loss down by as much; a return is the exact opposite of one charge."""

    access = Access.APPEND

    case = models.ForeignKey(ChargebackCase, on_delete=models.PROTECT, related_name="postings")
    kind = models.CharField(max_length=6, choices=PostingKind.choices)
    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="+")
    amount = models.DecimalField(max_digits=38, decimal_places=18)
    currency = models.ForeignKey(Currency, on_delete=models.PROTECT, related_name="+")
    reverses = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="reversed_by")
    journal_id = models.BigIntegerField()
    approval = models.ForeignKey(Approval, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]
        default_permissions = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="caseposting_amount_positive"),
            models.CheckConstraint(
                condition=Q(kind="CHARGE", reverses=None) | Q(kind="RETURN", reverses__isnull=False),
                name="caseposting_return_of_a_charge",
            ),
            models.UniqueConstraint(fields=["case", "journal_id"], name="caseposting_once"),
        ]

    def __str__(self) -> str:
        return f"{self.case_id}: {self.kind} {self.amount}"
