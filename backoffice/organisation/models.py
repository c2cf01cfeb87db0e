"""The broker itself: people, legal entities, desks, currencies, business calendars, reference rates.

Everything here is reference data that people edit one row at a time, so it keeps its history.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Upper
from guardian.models import UserObjectPermissionBase
from simple_history.models import HistoricalRecords

from backoffice.kernel.tables import Access


class Currency(models.Model):
    """An ISO 4217 currency or a crypto asset. `exponent` is its number of decimal places (JPY 0, BTC 8)."""

    code = models.CharField(max_length=10, primary_key=True)
    name = models.CharField(max_length=80)
    exponent = models.PositiveSmallIntegerField()

    class Meta:
        ordering: ClassVar[list[str]] = ["code"]
        verbose_name_plural = "currencies"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=models.Q(exponent__lte=18), name="currency_exponent_sane"),
            models.CheckConstraint(condition=models.Q(code=Upper("code")), name="currency_code_upper"),
        ]

    def __str__(self) -> str:
        return self.code


class LegalEntity(models.Model):
    """A licensed company of the group. Every row about money belongs to exactly one."""

    code = models.CharField(max_length=8, unique=True)
    name = models.CharField(max_length=120)
    lei = models.CharField("LEI", max_length=20, blank=True)
    jurisdiction = models.CharField(max_length=2, help_text="ISO 3166 country of the licence")
    regulator = models.CharField(max_length=40, blank=True)
    reporting_currency = models.ForeignKey(Currency, on_delete=models.PROTECT, related_name="+")
    calendar = models.CharField(max_length=12, help_text="business calendar, see Holiday")
    history = HistoricalRecords()

    class Meta:
        ordering: ClassVar[list[str]] = ["code"]
        verbose_name_plural = "legal entities"
        permissions: ClassVar[list[tuple[str, Any]]] = [
            ("work_in_legalentity", "Can work with the rows of this legal entity"),
            ("export_rows", "Can export lists"),
        ]

    def __str__(self) -> str:
        return self.code


class Desk(models.Model):
    """A team inside an entity; the second level of what a person may see."""

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    code = models.CharField(max_length=16)
    name = models.CharField(max_length=80)
    history = HistoricalRecords()

    class Meta:
        ordering: ClassVar[list[str]] = ["entity_id", "code"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["entity", "code"], name="desk_code_once_per_entity"),
        ]
        permissions: ClassVar[list[tuple[str, Any]]] = [
            ("work_in_desk", "Can work with the clients of this desk, and in its entity with no others"),
        ]

    def __str__(self) -> str:
        return f"{self.entity_id}/{self.code}"


class Holiday(models.Model):
    """A weekday on which a calendar has no business. Weekends need no row."""

    calendar = models.CharField(max_length=12)
    date = models.DateField()
    name = models.CharField(max_length=80)

    class Meta:
        ordering: ClassVar[list[str]] = ["calendar", "date"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["calendar", "date"], name="holiday_once_per_calendar"),
        ]

    def __str__(self) -> str:
        return f"{self.calendar} {self.date}"


class FxRate(models.Model):
    """A reference rate: 1 `base` = `rate` `quote` at the close of `date`, the middle of `bid` and `ask` where the
    source names them. Rows are added, never changed: what a source corrects is a later `version`, and the newest
    counts. `published_at` is when the source says it was made, `raw_id` the message it was read from."""

    access = Access.APPEND
    date = models.DateField()
    base = models.ForeignKey(Currency, on_delete=models.PROTECT, related_name="+")
    quote = models.ForeignKey(Currency, on_delete=models.PROTECT, related_name="+")
    rate = models.DecimalField(max_digits=24, decimal_places=12)
    source = models.CharField(max_length=40)
    version = models.PositiveSmallIntegerField(default=1)
    bid = models.DecimalField(max_digits=24, decimal_places=12, null=True)
    ask = models.DecimalField(max_digits=24, decimal_places=12, null=True)
    published_at = models.DateTimeField(null=True)
    raw_id = models.BigIntegerField(null=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-date", "base_id", "quote_id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["date", "base", "quote", "source", "version"], name="fxrate_once"),
            models.CheckConstraint(
                condition=models.Q(bid=None, ask=None)
                | models.Q(bid__gt=0, bid__lte=models.F("rate"), ask__isnull=False, ask__gte=models.F("rate")),
                name="fxrate_between_bid_and_ask",
            ),
            models.CheckConstraint(condition=models.Q(rate__gt=0), name="fxrate_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.date} {self.base_id}/{self.quote_id}"


class User(AbstractUser):
    """A member of staff. What they may do comes from groups (roles), where from object permissions on entities."""

    title = models.CharField(max_length=60, blank=True, help_text="what colleagues call the job")
    history: ClassVar[Any] = HistoricalRecords(excluded_fields=["password", "last_login"])

    class Meta:
        ordering: ClassVar[list[str]] = ["username"]

    def __str__(self) -> str:
        return self.get_full_name() or self.username


class EntityAccess(UserObjectPermissionBase):
    """That a person works in a legal entity: guardian's object permission as a row with real foreign keys, so that
    it cannot outlive the entity and fall to another one with the same number."""

    access = Access.ALL
    content_object = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)

    class Meta(UserObjectPermissionBase.Meta):
        abstract = False
        verbose_name_plural = "access to entities"

    def __str__(self) -> str:
        return f"{self.user} in {self.content_object}"


class DeskAccess(UserObjectPermissionBase):
    """That a person works at a desk: in its entity they see the clients of their desks only."""

    access = Access.ALL
    content_object = models.ForeignKey(Desk, on_delete=models.PROTECT)

    class Meta(UserObjectPermissionBase.Meta):
        abstract = False
        verbose_name_plural = "access to desks"

    def __str__(self) -> str:
        return f"{self.user} at {self.content_object}"
