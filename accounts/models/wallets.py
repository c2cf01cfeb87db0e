"""Wallets: what the house holds for a client beside trading accounts; and reservations, what is promised away."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from accounts.models.clients import Client
from accounts.models.trading import TradingAccount
from backoffice.organisation.models import Currency, LegalEntity
from ledger.models import Journal, LedgerAccount


class Wallet(models.Model):
    """A client's money in one currency. Booked = `account` + `reserved`; available = `account`. Both have the floor
    nought in the books, so that nobody can spend twice what is there."""

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="wallets")
    currency = models.ForeignKey(Currency, on_delete=models.PROTECT)
    account = models.OneToOneField(LedgerAccount, on_delete=models.PROTECT, related_name="wallet")
    reserved = models.OneToOneField(LedgerAccount, on_delete=models.PROTECT, related_name="wallet_reserved")
    opened_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar[list[str]] = ["client_id", "currency_id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["client", "currency"], name="wallet_once"),
        ]

    def __str__(self) -> str:
        return f"wallet {self.currency_id}"


class ReservationState(models.TextChoices):
    HELD = "HELD", "held"
    USED = "USED", "used"
    RELEASED = "RELEASED", "released"


class Reservation(models.Model):
    """Money set aside for one reference, on a wallet or on a trading account. It ends once: used or released."""

    reference = models.CharField(max_length=10, unique=True)
    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="reservations")
    wallet = models.ForeignKey(Wallet, null=True, on_delete=models.PROTECT, related_name="reservations")
    trading_account = models.ForeignKey(
        TradingAccount, null=True, on_delete=models.PROTECT, related_name="reservations"
    )
    amount = models.DecimalField(max_digits=38, decimal_places=18)
    currency = models.ForeignKey(Currency, on_delete=models.PROTECT)
    state = models.CharField(max_length=8, choices=ReservationState.choices, default=ReservationState.HELD)
    held_at = models.DateTimeField()
    held_journal = models.ForeignKey(Journal, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+")
    ended_at = models.DateTimeField(null=True)
    ended_journal = models.ForeignKey(
        Journal, null=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    reason = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["client"], name="reservation_held", condition=Q(state="HELD")),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="reservation_amount_positive"),
            models.CheckConstraint(
                condition=Q(wallet=None, trading_account__isnull=False) | Q(wallet__isnull=False, trading_account=None),
                name="reservation_of_one",
            ),
            models.CheckConstraint(
                condition=Q(state="HELD", ended_at=None, ended_journal=None)
                | Q(state__in=["USED", "RELEASED"], ended_at__isnull=False, ended_journal__isnull=False),
                name="reservation_ended_with_a_journal",
            ),
        ]

    def __str__(self) -> str:
        return self.reference
