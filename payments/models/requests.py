"""Requests for money: one row per thing a client or the house wants done with money, and what happened to it.

A request is asked for by one person, approved by another and, where it leaves the house, executed by a third. Its
state goes along STEPS only; sql/requests.sql has the same table and refuses every other step whoever asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.models import Client, TradingAccount, Wallet
from accounts.models.personal import Kept, UnderKey
from backoffice.approvals.models import Request as Approval
from backoffice.kernel.tables import Access
from backoffice.organisation.models import Currency, LegalEntity
from integrations.models import Connection
from payments.models.payees import Payee, PayeeKind


class RequestKind(models.TextChoices):
    """What is wanted. The letter begins the reference that travels with the money."""

    DEPOSIT = "D", "deposit"
    WITHDRAWAL = "W", "withdrawal"
    TRANSFER = "T", "transfer"
    ADJUSTMENT = "A", "adjustment"
    CREDIT = "C", "credit or bonus"
    FEE = "F", "fee"
    CONVERSION = "X", "conversion"


class RequestState(models.TextChoices):
    """Where a request stands. AT_SERVER and PAYING are shown with the state of their outbox message beside them."""

    ASKED = "ASKED", "asked"
    IN_REVIEW = "IN_REVIEW", "in review"
    APPROVED = "APPROVED", "approved"
    AT_SERVER = "AT_SERVER", "at the trade server"
    TO_PAY = "TO_PAY", "to pay"
    PAYING = "PAYING", "being paid"
    SENT = "SENT", "sent"
    DONE = "DONE", "done"
    REJECTED = "REJECTED", "rejected"
    WITHDRAWN = "WITHDRAWN", "withdrawn"
    FAILED = "FAILED", "failed"
    RETURNED = "RETURNED", "returned"
    SPLIT = "SPLIT", "split"


_S = RequestState
STEPS: Mapping[RequestState, frozenset[RequestState]] = {
    _S.ASKED: frozenset({_S.IN_REVIEW, _S.WITHDRAWN, _S.REJECTED, _S.AT_SERVER, _S.DONE, _S.SPLIT}),
    _S.IN_REVIEW: frozenset({_S.APPROVED, _S.REJECTED, _S.WITHDRAWN, _S.ASKED, _S.AT_SERVER, _S.TO_PAY, _S.DONE}),
    _S.APPROVED: frozenset({_S.AT_SERVER, _S.TO_PAY, _S.PAYING, _S.DONE, _S.FAILED, _S.REJECTED, _S.WITHDRAWN}),
    _S.AT_SERVER: frozenset({_S.TO_PAY, _S.PAYING, _S.DONE, _S.FAILED}),
    _S.TO_PAY: frozenset({_S.PAYING, _S.FAILED}),
    _S.PAYING: frozenset({_S.SENT, _S.DONE, _S.TO_PAY, _S.FAILED}),
    _S.SENT: frozenset({_S.DONE, _S.FAILED, _S.RETURNED}),
    _S.DONE: frozenset({_S.RETURNED}),
    _S.REJECTED: frozenset(),
    _S.WITHDRAWN: frozenset(),
    _S.FAILED: frozenset(),
    _S.RETURNED: frozenset(),
    _S.SPLIT: frozenset(),
}
# What did not happen, or was undone, or is other requests now: it counts for no sum.
UNDONE_STATES = (_S.REJECTED, _S.WITHDRAWN, _S.FAILED, _S.RETURNED, _S.SPLIT)
OPEN_STATES = tuple(state for state in _S if state not in {_S.DONE, *UNDONE_STATES})


def legal(before: str, after: str) -> bool:
    """Whether a request may go from one state to the other in one step."""
    return _S(after) in STEPS[_S(before)]


PERMISSIONS: list[tuple[str, Any]] = [
    ("submit_withdrawal", "Can enter a client's withdrawal"),
    ("ask_withdrawal", "Can review a withdrawal and send it for approval"),
    ("approve_withdrawal", "Can approve or reject a withdrawal"),
    ("approve_withdrawal_aml", "Can approve a withdrawal as compliance"),
    ("approve_withdrawal_large", "Can approve a withdrawal above the high threshold"),
    ("reject_withdrawal", "Can reject a withdrawal that waits for them"),
    ("send_payout", "Can send an approved withdrawal to the bank or PSP"),
    ("ask_deposit", "Can ask to confirm or allocate a deposit"),
    ("approve_deposit", "Can approve a deposit confirmed by hand"),
    ("open_wallet", "Can open a wallet of a client"),
    ("ask_transfer", "Can ask for a transfer or conversion of a client's money"),
    ("approve_transfer", "Can approve a transfer or conversion of a client's money"),
    ("ask_adjustment", "Can ask for a correction, credit, bonus or fee"),
    ("approve_adjustment", "Can approve a correction, credit, bonus or fee"),
    ("approve_adjustment_large", "Can approve a correction, credit, bonus or fee above the high threshold"),
]


class MoneyRequest(models.Model):
    """One request. `amount` is positive in `currency`, what the source gives (an adjustment or credit is signed: plus
    is to the client); `amount_to` in `currency_to` is what the target gets where it differs (conversion, transfer
    between currencies), with `rate` = amount_to / amount and where the rate came from.

    Source and target are a wallet or a trading account each, or nothing where the money comes from or goes outside.
    Words about a request stand in its events, under the client's key.
    """

    reference = models.CharField(max_length=10, unique=True)
    kind = models.CharField(max_length=1, choices=RequestKind.choices)
    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="money_requests")
    state = models.CharField(max_length=9, choices=RequestState.choices, default=RequestState.ASKED)
    amount = models.DecimalField(max_digits=38, decimal_places=18)
    currency = models.ForeignKey(Currency, on_delete=models.PROTECT, related_name="+")
    amount_to = models.DecimalField(max_digits=38, decimal_places=18, null=True)
    currency_to = models.ForeignKey(Currency, null=True, on_delete=models.PROTECT, related_name="+")
    rate = models.DecimalField(max_digits=38, decimal_places=18, null=True)
    rate_source = models.CharField(max_length=60, blank=True)
    source_wallet = models.ForeignKey(Wallet, null=True, on_delete=models.PROTECT, related_name="+")
    source_account = models.ForeignKey(TradingAccount, null=True, on_delete=models.PROTECT, related_name="+")
    target_wallet = models.ForeignKey(Wallet, null=True, on_delete=models.PROTECT, related_name="+")
    target_account = models.ForeignKey(TradingAccount, null=True, on_delete=models.PROTECT, related_name="+")
    payee = models.ForeignKey(Payee, null=True, on_delete=models.PROTECT, related_name="requests")
    # How the money comes or goes; which deposit a withdrawal gives back to its source.
    method = models.CharField(max_length=7, choices=PayeeKind.choices, blank=True)
    original = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="refunds")
    # The withdrawal that this one is a part of: its amount and its reservation went over to its parts.
    split_from = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="parts")
    # The PSP or bank the money comes by or leaves by, and what the provider calls the payment.
    connection = models.ForeignKey(Connection, null=True, on_delete=models.PROTECT, related_name="+")
    psp_reference = models.CharField(max_length=80, blank=True)
    reason = models.CharField(max_length=20, blank=True)
    approval = models.OneToOneField(Approval, null=True, on_delete=models.PROTECT, related_name="+")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    state_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-asked_at", "-id"]
        permissions: ClassVar[list[tuple[str, Any]]] = PERMISSIONS
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["asked_at", "id", "entity"], name="moneyrequest_newest"),
            models.Index(fields=["client", "-id"], name="moneyrequest_by_client"),
            models.Index(
                fields=["kind", "state", "id"],
                name="moneyrequest_open",
                condition=Q(ended_at=None),
            ),
            models.Index(fields=["kind", "asked_at", "id"], name="moneyrequest_by_kind"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=~Q(amount=0), name="moneyrequest_amount_not_zero"),
            models.CheckConstraint(
                condition=Q(amount__gt=0) | Q(kind__in=["A", "C"]), name="moneyrequest_amount_positive"
            ),
            models.CheckConstraint(
                condition=Q(source_wallet=None) | Q(source_account=None), name="moneyrequest_one_source"
            ),
            models.CheckConstraint(
                condition=Q(target_wallet=None) | Q(target_account=None), name="moneyrequest_one_target"
            ),
            # One payment that came in is one deposit, however often it is reported.
            models.UniqueConstraint(
                fields=["connection", "psp_reference"],
                condition=Q(kind="D") & ~Q(psp_reference="") & ~Q(state__in=["REJECTED", "WITHDRAWN", "FAILED"]),
                name="moneyrequest_deposit_once",
            ),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES


class RequestEvent(UnderKey):
    """One step of a request: who, when, from where to where. `public` is what the client may read; `text` stays in
    the house, under the client's key. `data` holds facts without personal values: checks as they stood, numbers."""

    access = Access.APPEND

    request = models.ForeignKey(MoneyRequest, on_delete=models.PROTECT, related_name="events")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    before = models.CharField(max_length=9, blank=True)
    after = models.CharField(max_length=9, choices=RequestState.choices)
    text = Kept()
    public = models.CharField(max_length=200, blank=True)
    data: Any = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.request_id}: {self.after}"
