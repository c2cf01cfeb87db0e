"""The chart of accounts: what money can be on.

Sign, everywhere in the ledger: one signed amount per line, debit positive, credit negative (decision 0001).
A client's wallet is the broker's liability, so a deposit is a negative line on it; people are shown the
balance of a liability, income or equity account with the sign turned.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q

from backoffice.kernel.tables import Access
from backoffice.organisation.models import Currency, LegalEntity


class Kind(models.TextChoices):
    ASSET = "ASSET", "asset"
    LIABILITY = "LIABILITY", "liability"
    EQUITY = "EQUITY", "equity"
    INCOME = "INCOME", "income"
    EXPENSE = "EXPENSE", "expense"


# Kinds whose balance is shown as debits minus credits; the others are shown with the sign turned.
DEBIT_KINDS = (Kind.ASSET, Kind.EXPENSE)


class LedgerAccount(models.Model):
    """An account of one legal entity in one currency.

    `striped` accounts are hot ones (clearing, revenue): their balance is spread over rows so that writers do
    not queue. `floor` is the lowest balance as shown to people that the account may have; such an account is
    never striped. `holder` names whom it is for ("accounts.tradingaccount:5"), empty for the house's own.
    Entity, code, currency, kind, striped and floor never change, and accounts are never deleted.
    """

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    # The byte order of "C" serves both the sort and the search by beginning with one index.
    code = models.CharField(max_length=80, db_collation="C")
    currency = models.ForeignKey(Currency, on_delete=models.PROTECT)
    name = models.CharField(max_length=150)
    kind = models.CharField(max_length=9, choices=Kind.choices)
    striped = models.BooleanField(default=False)
    floor = models.DecimalField(max_digits=38, decimal_places=18, null=True, blank=True)
    exponent = models.PositiveSmallIntegerField(help_text="decimal places a line may have; from the currency")
    holder = models.CharField(max_length=80, blank=True)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["entity_id", "code", "currency_id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["holder"], name="ledgeraccount_by_holder", condition=~Q(holder="")),
            models.Index(fields=["code", "currency", "id"], name="ledgeraccount_by_code"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["entity", "code", "currency"], name="ledgeraccount_once"),
            models.CheckConstraint(condition=Q(striped=False) | Q(floor=None), name="floor_is_never_striped"),
        ]
        permissions: ClassVar[list[tuple[str, Any]]] = [
            ("ask_manual_journal", "Can ask for a manual journal"),
            ("approve_manual_journal", "Can approve a manual journal"),
            ("close_day", "Can close a business day"),
            ("ask_reopen", "Can ask to open closed days again"),
            ("approve_reopen", "Can approve opening closed days again"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.currency_id}"

    @property
    def shown_balance(self) -> Decimal | None:
        """The balance as people read it, where the queryset has annotated `balance` (signed as in the books)."""
        balance: Decimal | None = getattr(self, "balance", None)
        return None if balance is None else balance * self.sign

    @property
    def sign(self) -> int:
        """+1 where people see debits as positive, -1 where they see credits as positive."""
        return 1 if self.kind in DEBIT_KINDS else -1


class Balance(models.Model):
    """The running sum of an account's lines; 16 rows for a striped account, one for any other.

    Written by the trigger on lines and by nothing else.
    """

    access = Access.READ

    pk = models.CompositePrimaryKey("account", "stripe")
    account = models.ForeignKey(LedgerAccount, on_delete=models.DO_NOTHING, related_name="stripes")
    stripe = models.SmallIntegerField()
    amount = models.DecimalField(max_digits=38, decimal_places=18)
    version = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "ledger_balance"

    def __str__(self) -> str:
        return f"{self.account_id}/{self.stripe}: {self.amount}"
