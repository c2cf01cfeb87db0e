"""Where the outside world is reached: trade servers, liquidity providers, PSPs, banks."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from simple_history.models import HistoricalRecords

from backoffice.kernel.tables import Access
from backoffice.organisation.models import Currency, LegalEntity


class Connection(models.Model):
    """One source of truth of one legal entity. `adapter` names how it is read; secrets are encrypted.

    `paired_with` ties a liquidity provider to the trade server whose deals it covers.
    """

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    name = models.CharField(max_length=60, unique=True)
    adapter = models.CharField(max_length=40)
    settings = models.JSONField(default=dict, blank=True)
    secrets = models.TextField(blank=True, editable=False, help_text="encrypted; never shown")
    is_active = models.BooleanField(default=True)
    paired_with = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="paired")
    created_at = models.DateTimeField()
    history = HistoricalRecords(excluded_fields=["secrets"])

    class Meta:
        ordering: ClassVar[list[str]] = ["name"]
        permissions: ClassVar[list[tuple[str, Any]]] = [
            ("test_connection", "Can test a connection"),
            ("pull_connection", "Can fetch from a connection now"),
        ]

    def __str__(self) -> str:
        return self.name


class FeedState(models.Model):
    """How far a connection has been read and how it is doing. Changes with every pull, so it has no history.

    `cursor` is server wall time: everything before it has been read at least once. `users_read_at` is when the last
    whole reading of the server's logins began: a login without a reading since then was not there.
    """

    connection = models.OneToOneField(Connection, on_delete=models.PROTECT, related_name="feed")
    cursor = models.DateTimeField(null=True)
    last_attempt_at = models.DateTimeField(null=True)
    last_success_at = models.DateTimeField(null=True)
    last_fact_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    last_error = models.TextField(blank=True)
    users_read_at = models.DateTimeField(null=True)
    users_error = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"feed of {self.connection_id}"


class ServerClock(models.Model):
    """A trade server's offset from UTC, from a moment on. Dated, because a deal keeps the offset of its day."""

    access = Access.APPEND

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT)
    valid_from = models.DateTimeField()
    offset_minutes = models.SmallIntegerField()
    source = models.CharField(max_length=40)

    class Meta:
        ordering: ClassVar[list[str]] = ["connection_id", "valid_from"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["connection", "valid_from"], name="serverclock_once"),
            models.CheckConstraint(
                condition=models.Q(offset_minutes__gte=-840, offset_minutes__lte=840), name="serverclock_sane"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.connection_id} from {self.valid_from}: {self.offset_minutes:+d} min"


class Instrument(models.Model):
    """What is traded, whatever each server calls it. `contract_size` is units of the base per lot."""

    code = models.CharField(max_length=32, unique=True)
    name = models.CharField(max_length=80)
    base = models.CharField(max_length=10, help_text="what one unit is: EUR, XAU, DAX")
    quote = models.ForeignKey(Currency, on_delete=models.PROTECT, related_name="+")
    contract_size = models.DecimalField(max_digits=20, decimal_places=8)
    digits = models.PositiveSmallIntegerField(default=5)
    history = HistoricalRecords()

    class Meta:
        ordering: ClassVar[list[str]] = ["code"]

    def __str__(self) -> str:
        return self.code


class SymbolMapping(models.Model):
    """What a source's symbol stands for. `contract_size` overrides the instrument's (a mini lot of gold)."""

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT)
    symbol = models.CharField(max_length=40)
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT)
    contract_size = models.DecimalField(max_digits=20, decimal_places=8)
    history = HistoricalRecords()

    class Meta:
        ordering: ClassVar[list[str]] = ["connection_id", "symbol"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["connection", "symbol"], name="symbolmapping_once"),
            models.CheckConstraint(condition=models.Q(contract_size__gt=0), name="symbolmapping_size_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.symbol} = {self.instrument_id}"
