"""Journals and their lines: append-only, written by the posting function only (sql/post.sql).

The tables are made by SQL: the key of both begins with the legal entity, lines are partitioned by month of
the business day, and neither has row-by-row foreign keys (decision 0002).
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from backoffice.kernel.tables import Access
from backoffice.organisation.models import LegalEntity
from ledger.models.accounts import LedgerAccount


class Journal(models.Model):
    """One booking: why, for which business day, by whom, and under which idempotency key."""

    access = Access.READ

    id = models.BigIntegerField(primary_key=True)
    entity = models.ForeignKey(LegalEntity, on_delete=models.DO_NOTHING, db_constraint=False)
    key = models.TextField()
    input_hash = models.BinaryField(max_length=32)
    business_date = models.DateField()
    kind = models.TextField()
    description = models.TextField()
    reference = models.TextField()
    actor = models.TextField()
    posted_at = models.DateTimeField()
    line_count = models.SmallIntegerField()
    reverses_id = models.BigIntegerField(null=True)

    class Meta:
        managed = False
        db_table = "ledger_journal"
        ordering: ClassVar[list[str]] = ["-id"]

    def __str__(self) -> str:
        return f"Journal {self.pk}"


class Line(models.Model):
    """One signed amount on one account: debit positive, credit negative, in the account's currency.

    `account_seq` numbers the lines of an account without a gap and `balance_after` is its balance after this
    line; both are empty on striped accounts, whose writers do not wait for each other.
    """

    access = Access.READ

    # The real key is (entity, business_date, journal, line_no).
    pk = models.CompositePrimaryKey("entity", "business_date", "journal_id", "line_no")
    entity = models.ForeignKey(LegalEntity, on_delete=models.DO_NOTHING, db_constraint=False)
    business_date = models.DateField()
    journal_id = models.BigIntegerField()
    line_no = models.SmallIntegerField()
    account = models.ForeignKey(LedgerAccount, on_delete=models.DO_NOTHING, db_constraint=False)
    currency = models.TextField()
    amount = models.DecimalField(max_digits=38, decimal_places=18)
    account_seq = models.BigIntegerField(null=True)
    balance_after = models.DecimalField(max_digits=38, decimal_places=18, null=True)

    class Meta:
        managed = False
        db_table = "ledger_line"

    def __str__(self) -> str:
        return f"{self.journal_id}.{self.line_no}: {self.amount} {self.currency}"
