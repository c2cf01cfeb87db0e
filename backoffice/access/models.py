"""Who was given which role, where and until when, by whose consent; and what keeps two roles apart.

What makes this a control is in the database (sql/guards.sql): once the set-up of an installation has ended, a role, a
place or a direct permission enters the tables of rights only behind a `Grant` that an approved request names, and two
roles of a forbidden pair never meet in one person unless a waiver or a break-glass grant is in force.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from backoffice.approvals.models import Request
from backoffice.kernel.tables import Access

BREAK_GLASS_MOST = timedelta(hours=8)
WAIVER_MOST = timedelta(days=366)


class SetupEnd(models.Model):
    """The moment from which rights need a second person. One row, for ever; without it, the first staff can be
    given their roles by one person."""

    access = Access.APPEND

    at = models.DateTimeField()
    by = models.CharField(max_length=150)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(models.Value(1), name="setup_ends_once"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} by {self.by}"


class Conflict(models.Model):
    """Two roles that a forbidden pair keeps apart, as the database knows them: the rows of the highest version.
    Written by `manage load_roles` as the owner, from organisation/pairs.py."""

    access = Access.READ

    version = models.PositiveIntegerField()
    pair = models.PositiveSmallIntegerField()
    role = models.CharField(max_length=8)
    other = models.CharField(max_length=8)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["version", "pair", "role", "other"], name="conflict_once"),
        ]

    def __str__(self) -> str:
        return f"pair {self.pair}: {self.role} and {self.other}"


class Kind(models.TextChoices):
    SETUP = "SETUP", "set-up"
    GRANT = "GRANT", "granted"
    BREAK_GLASS = "BREAK_GLASS", "break-glass"


class Grant(models.Model):
    """A role given to a person, with the places it brings. In force until `ended_at`, and never after `until`.

    `entities` and `desks` are ids. A grant never changes: what is other is a new one.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="grants")
    role = models.CharField(max_length=8)
    kind = models.CharField(max_length=11, choices=Kind.choices)
    entities = ArrayField(models.BigIntegerField(), default=list, blank=True)
    desks = ArrayField(models.BigIntegerField(), default=list, blank=True)
    granted_at = models.DateTimeField()
    until = models.DateTimeField(null=True)
    request = models.OneToOneField(Request, null=True, on_delete=models.PROTECT, related_name="+")
    ended_at = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=120, blank=True)

    class Meta:
        permissions: ClassVar[list[tuple[str, Any]]] = [
            ("view_matrix", "Can see the matrix of roles and rights"),
            ("ask_grant", "Can ask for roles and waivers for others"),
            ("approve_grant", "Can approve roles, waivers and break-glass"),
            ("ask_break_glass", "Can ask for a role for a few hours, for oneself"),
            ("administer", "Can use the administration of users"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["user", "role"], name="grant_in_force", condition=models.Q(ended_at__isnull=True)),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=models.Q(kind="SETUP", request__isnull=True)
                | models.Q(kind__in=["GRANT", "BREAK_GLASS"], request__isnull=False),
                name="grant_has_consent",
            ),
            models.CheckConstraint(
                condition=~models.Q(kind="BREAK_GLASS")
                | models.Q(until__isnull=False, until__lte=models.F("granted_at") + BREAK_GLASS_MOST),
                name="break_glass_is_short",
            ),
            models.CheckConstraint(
                condition=models.Q(until__isnull=True) | models.Q(until__gt=models.F("granted_at")),
                name="grant_ends_after_it_begins",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.role}"


class Waiver(models.Model):
    """That one person may hold both sides of a forbidden pair, until a day, because the firm is small.

    It lets roles meet in a person. That maker, approver and executor of one request are different people is the
    request's own rule, and nothing here touches it.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="waivers")
    pair = models.PositiveSmallIntegerField()
    reason = models.TextField()
    granted_at = models.DateTimeField()
    until = models.DateTimeField()
    request = models.OneToOneField(Request, on_delete=models.PROTECT, related_name="+")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # Nobody waives that a hold is released by another person (9), nor that an auditor only looks (10).
            models.CheckConstraint(condition=models.Q(pair__gte=1, pair__lte=8), name="waiver_of_a_pair_that_has_one"),
            models.CheckConstraint(
                condition=models.Q(until__gt=models.F("granted_at"))
                & models.Q(until__lte=models.F("granted_at") + WAIVER_MOST),
                name="waiver_ends",
            ),
            models.UniqueConstraint(
                fields=["user", "pair"], condition=models.Q(ended_at__isnull=True), name="waiver_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} pair {self.pair}"
