"""Closed days: an entity's books are closed up to and including a date."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from backoffice.approvals.models import Request as Approval
from backoffice.kernel.tables import Access
from backoffice.organisation.models import LegalEntity
from ledger.models.accounts import LedgerAccount


class Closing(models.Model):
    """Books closed through a date; the newest row of an entity holds. Reopening is a row with an earlier date."""

    access = Access.APPEND

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    closed_through = models.DateField()
    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["entity_id", "-id"]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["entity", "-id"], name="closing_newest")]

    def __str__(self) -> str:
        return f"{self.entity_id} closed through {self.closed_through}"


class DayBalance(models.Model):
    """An account's balance at the end of a closed day; where a statement starts counting from.

    Written when a day is closed, for accounts that moved since their previous row.
    """

    access = Access.APPEND

    closing = models.ForeignKey(Closing, on_delete=models.PROTECT)
    account = models.ForeignKey(LedgerAccount, on_delete=models.PROTECT)
    date = models.DateField()
    amount = models.DecimalField(max_digits=38, decimal_places=18)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["account", "-date", "-closing"], name="daybalance_newest"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["closing", "account"], name="daybalance_once"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.date}: {self.amount}"


class Period(models.Model):
    """A month closed behind an approved request, with the list as it stood. It holds as long as none of its days is
    opened again: then the closing after it has an earlier date, and the month is closed anew by another row."""

    access = Access.APPEND

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    last_day = models.DateField()
    # The closing of days that held then.
    closing = models.ForeignKey(Closing, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    checks: Any = models.JSONField(default=list)
    request = models.OneToOneField(Approval, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering: ClassVar[list[str]] = ["entity_id", "-id"]
        permissions: ClassVar[list[tuple[str, Any]]] = [
            ("ask_period", "Can ask to close a month"),
            ("approve_period", "Can approve the closing of a month"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["entity", "last_day", "-id"], name="period_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.entity_id} month to {self.last_day}"
