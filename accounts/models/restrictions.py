"""What a client may not do for now, whatever the status: a set, each with who, why, until when."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from accounts.models.clients import Client, ClientStatus
from accounts.models.reasons import Reason
from accounts.models.trading import TradingAccount


class RestrictionKind(models.TextChoices):
    """Those of money bind here at once; those of trading and log-in are pushed to the trade server."""

    NO_LOGIN = "NO_LOGIN", "no log-in"
    READ_ONLY = "READ_ONLY", "trading off"
    CLOSE_ONLY = "CLOSE_ONLY", "close only"
    NO_DEPOSIT = "NO_DEPOSIT", "no deposits"
    NO_WITHDRAWAL = "NO_WITHDRAWAL", "no withdrawals"
    NO_TRANSFER = "NO_TRANSFER", "no transfers"
    NO_IB_COMMISSION = "NO_IB_COMMISSION", "no partner commission"
    NO_NEW_ACCOUNT = "NO_NEW_ACCOUNT", "no new accounts"
    FREEZE = "FREEZE", "frozen: no trading, no money"


class What(StrEnum):
    """What services ask about before they do it."""

    DEPOSIT = "deposit"
    CARD_DEPOSIT = "deposit by a new card"
    WITHDRAWAL = "withdrawal"
    TRANSFER = "transfer"
    NEW_ACCOUNT = "new account"
    IB_COMMISSION = "partner commission"
    BONUS = "bonus"


K = RestrictionKind
FORBIDS: Mapping[str, frozenset[What]] = {
    K.NO_DEPOSIT: frozenset({What.DEPOSIT, What.CARD_DEPOSIT}),
    K.NO_WITHDRAWAL: frozenset({What.WITHDRAWAL}),
    K.NO_TRANSFER: frozenset({What.TRANSFER}),
    K.NO_IB_COMMISSION: frozenset({What.IB_COMMISSION}),
    K.NO_NEW_ACCOUNT: frozenset({What.NEW_ACCOUNT}),
    K.FREEZE: frozenset(
        {What.DEPOSIT, What.CARD_DEPOSIT, What.WITHDRAWAL, What.TRANSFER, What.NEW_ACCOUNT, What.IB_COMMISSION}
    ),
}
TRADING_KINDS = frozenset({K.NO_LOGIN, K.READ_ONLY, K.CLOSE_ONLY, K.FREEZE})

# Lifted by dealing as well as by compliance where a person set them by themselves: no money is in them, no log-in.
OF_DEALING = frozenset({K.READ_ONLY, K.CLOSE_ONLY})

# What a status brings along. Steps that protect only add; the way back to ACTIVE takes all of it away again.
MONEY_OFF = (K.NO_DEPOSIT, K.NO_WITHDRAWAL, K.NO_TRANSFER)
BROUGHT_BY: Mapping[str, tuple[RestrictionKind, ...]] = {
    ClientStatus.UNDER_REVIEW: (K.NO_DEPOSIT, K.NO_WITHDRAWAL),
    ClientStatus.SUSPENDED: MONEY_OFF,  # with READ_ONLY or CLOSE_ONLY, as decided with the step
    ClientStatus.DORMANT: (K.READ_ONLY,),
    ClientStatus.CLOSING: (K.CLOSE_ONLY, K.NO_DEPOSIT, K.NO_NEW_ACCOUNT),
    ClientStatus.CLOSED: (K.NO_LOGIN, K.READ_ONLY, *MONEY_OFF, K.NO_NEW_ACCOUNT),
    ClientStatus.REJECTED: (K.NO_LOGIN, K.READ_ONLY, K.NO_DEPOSIT, K.NO_NEW_ACCOUNT),
    ClientStatus.WITHDRAWN: (K.NO_LOGIN, K.READ_ONLY, K.NO_DEPOSIT, K.NO_NEW_ACCOUNT),
}


class Restriction(models.Model):
    """One restriction of a client, or of one of the logins. `origin` is the status that brought it; empty: a person.

    Written once; then only the review and the end are added (sql/lifecycle.sql).
    """

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="restrictions")
    account = models.ForeignKey(
        TradingAccount, null=True, blank=True, on_delete=models.PROTECT, related_name="restrictions"
    )
    kind = models.CharField(max_length=16, choices=RestrictionKind.choices)
    origin = models.CharField(max_length=12, choices=ClientStatus.choices, blank=True)
    reason = models.CharField(max_length=20, choices=Reason.choices)
    set_at = models.DateTimeField()
    set_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    review_due_at = models.DateTimeField(null=True)
    reviewed_at = models.DateTimeField(null=True)
    reviewed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    reminded_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    lift_reason = models.CharField(max_length=20, choices=Reason.choices, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["review_due_at", "id"], name="restriction_due", condition=Q(lifted_at=None)),
            models.Index(
                fields=["expires_at"],
                name="restriction_expiring",
                condition=Q(lifted_at=None, expires_at__isnull=False),
            ),
            models.Index(fields=["client", "id"], name="restriction_of_client"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["client", "account", "kind", "origin"],
                condition=Q(lifted_at=None),
                nulls_distinct=False,
                name="restriction_open_once",
            ),
            models.CheckConstraint(
                condition=Q(review_due_at__isnull=False) | Q(expires_at__isnull=False) | ~Q(origin=""),
                name="restriction_is_looked_at_again",
            ),
            models.CheckConstraint(
                condition=Q(lifted_by=None) | Q(set_by=None) | ~Q(lifted_by=F("set_by")),
                name="restriction_lifted_by_another",
            ),
            models.CheckConstraint(
                condition=Q(reviewed_by=None) | Q(set_by=None) | ~Q(reviewed_by=F("set_by")),
                name="restriction_reviewed_by_another",
            ),
            models.CheckConstraint(
                condition=Q(lifted_at=None, lifted_by=None, lift_reason="")
                | (Q(lifted_at__isnull=False) & ~Q(lift_reason="")),
                name="restriction_lifted_with_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} on {self.client_id}"

    @property
    def is_of_dealing(self) -> bool:
        """Whether dealing may agree to its end: it is about trading, and did not come with a status."""
        return self.kind in OF_DEALING and self.origin == ""

    @property
    def is_open(self) -> bool:
        return self.lifted_at is None
