"""Neutral facts as rows: append-only, versioned, each pointing at the raw message it was read from.

The tables are made by SQL (sql/facts.sql): the entity begins every key, and there are no row-by-row foreign
keys (decision 0002). `content_hash` is over what the source said (services/columns.py), so that `verify`
names a fact that was changed by hand.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from backoffice.kernel.tables import Access
from backoffice.organisation.models import LegalEntity
from integrations.models.connections import Connection


def _money() -> models.DecimalField:  # type: ignore[type-arg]
    return models.DecimalField(max_digits=38, decimal_places=18)


class Fact(models.Model):
    """What every fact has: whose it is, which version, and where it was read."""

    access = Access.APPEND

    entity = models.ForeignKey(LegalEntity, on_delete=models.DO_NOTHING, db_constraint=False)
    connection = models.ForeignKey(Connection, on_delete=models.DO_NOTHING, db_constraint=False)
    version = models.IntegerField()
    content_hash = models.BinaryField(max_length=32)
    raw_id = models.BigIntegerField()
    raw_line = models.IntegerField()
    received_at = models.DateTimeField()

    class Meta:
        abstract = True


class Deal(Fact):
    """A deal of a trade server. Amounts are in the account's currency, which the deal does not carry."""

    ticket = models.BigIntegerField()
    login = models.BigIntegerField()
    kind = models.TextField()
    entry = models.TextField()
    side = models.TextField()
    symbol = models.TextField()
    volume_lots = _money()
    contract_size = _money()
    price = _money()
    profit = _money()
    swap = _money()
    commission = _money()
    fee = _money()
    position_id = models.BigIntegerField()
    order_id = models.BigIntegerField()
    external_id = models.TextField()
    gateway = models.TextField()
    reason = models.TextField()
    comment = models.TextField()
    modify_flags = models.IntegerField()
    deleted = models.BooleanField()
    server_time = models.DateTimeField()
    business_date = models.DateField()
    dealt_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "integrations_deal"
        ordering: ClassVar[list[str]] = ["-dealt_at", "-id"]

    def __str__(self) -> str:
        return f"deal {self.ticket} v{self.version}"


class Fill(Fact):
    """One execution at a liquidity provider."""

    exec_id = models.TextField()
    occurrence = models.IntegerField()
    order_ref = models.TextField()
    symbol = models.TextField()
    side = models.TextField()
    quantity_units = _money()
    price = _money()
    commission = _money()
    commission_currency = models.TextField()
    account = models.TextField()
    traded_at = models.DateTimeField()
    trade_date = models.DateField()

    class Meta:
        managed = False
        db_table = "integrations_fill"
        ordering: ClassVar[list[str]] = ["-traded_at", "-id"]

    def __str__(self) -> str:
        return f"fill {self.exec_id}"


class PspLine(Fact):
    """One movement on the broker's balance at a PSP; positive is money to the broker."""

    line_key = models.TextField()
    kind = models.TextField()
    provider_type = models.TextField()
    psp_reference = models.TextField()
    merchant_reference = models.TextField()
    modification_reference = models.TextField()
    gross = _money()
    fee = _money()
    net = _money()
    currency = models.TextField()
    gross_original = _money()
    currency_original = models.TextField()
    exchange_rate = models.TextField()
    payout_key = models.TextField()
    bank_reference = models.TextField()
    method = models.TextField()
    booked_at = models.DateTimeField()
    booked_zone = models.TextField()
    available_on = models.DateField(null=True)
    business_date = models.DateField()

    class Meta:
        managed = False
        db_table = "integrations_pspline"
        ordering: ClassVar[list[str]] = ["-booked_at", "-id"]

    def __str__(self) -> str:
        return f"{self.provider_type} {self.psp_reference}"


class BankEntry(Fact):
    """One entry on a bank account, signed."""

    line_key = models.TextField()
    account = models.TextField()
    statement_id = models.TextField()
    amount = _money()
    currency = models.TextField()
    booking_date = models.DateField()
    value_date = models.DateField()
    bank_reference = models.TextField()
    end_to_end_id = models.TextField()
    remittance = models.TextField()
    counterparty = models.TextField()
    counterparty_account = models.TextField()
    is_reversal = models.BooleanField()
    bank_code = models.TextField()
    details = models.JSONField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.booking_date} {self.amount} {self.currency}"


class BankLine(BankEntry):
    """An entry of an end-of-day statement: what is booked."""

    class Meta:
        managed = False
        db_table = "integrations_bankline"
        ordering: ClassVar[list[str]] = ["-booking_date", "-id"]


class BankNotice(BankEntry):
    """An entry of an intraday report or a notification: a hint of a line to come, or what is in a batched one."""

    message = models.TextField()
    entry_key = models.TextField()
    entry_reference = models.TextField()
    entry_amount = _money()

    class Meta:
        managed = False
        db_table = "integrations_banknotice"
        ordering: ClassVar[list[str]] = ["-booking_date", "-id"]


class AccountSnapshot(Fact):
    """What a trade server said an account had at a moment; one per account, business day and reading."""

    login = models.BigIntegerField()
    business_date = models.DateField()
    taken_at = models.DateTimeField()
    currency = models.TextField()
    balance = _money()
    credit = _money()
    equity = _money()
    group = models.TextField(db_column="group_name")
    leverage = models.IntegerField()
    name = models.TextField()

    class Meta:
        managed = False
        db_table = "integrations_accountsnapshot"
        ordering: ClassVar[list[str]] = ["-taken_at", "login"]

    def __str__(self) -> str:
        return f"{self.login} on {self.business_date}"


class ServerListing(models.Model):
    """One complete reading of what a server says exists for a business day: the server's side of a
    reconciliation, taken without touching the facts the feed has stored."""

    access = Access.APPEND

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT)
    business_date = models.DateField()
    taken_at = models.DateTimeField()
    rows = models.IntegerField()

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["connection", "business_date", "-id"], name="listing_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.connection_id} {self.business_date} at {self.taken_at}"


class ListingRow(models.Model):
    """One deal in a listing, with what a person needs to see where it differs from ours."""

    access = Access.APPEND

    pk = models.CompositePrimaryKey("listing_id", "ticket")
    listing_id = models.BigIntegerField()
    ticket = models.BigIntegerField()
    content_hash = models.BinaryField(max_length=32)
    raw_id = models.BigIntegerField()
    login = models.BigIntegerField()
    kind = models.TextField()
    side = models.TextField()
    symbol = models.TextField()
    volume_lots = _money()
    contract_size = _money()
    price = _money()
    amount = _money()
    external_id = models.TextField()
    gateway = models.TextField()
    comment = models.TextField()
    dealt_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "integrations_listingrow"

    def __str__(self) -> str:
        return f"listing {self.listing_id}: {self.ticket}"


class Superseded(models.Model):
    """A fact that has a newer version. Few rows, so that "the current ones" is a cheap question."""

    access = Access.APPEND

    pk = models.CompositePrimaryKey("fact_kind", "fact_id")
    fact_kind = models.TextField()
    fact_id = models.BigIntegerField()
    by_id = models.BigIntegerField(null=True)

    class Meta:
        managed = False
        db_table = "integrations_superseded"

    def __str__(self) -> str:
        return f"{self.fact_kind} {self.fact_id}"
