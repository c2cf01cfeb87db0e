"""Matches of cash: facts that are the same money, how much of each, by which rule, and what a person decided.

A match is never deleted: one that does not hold any more is undone, with who and why, and keeps what it said. How much
of a fact is taken is never more than the fact has; PostgreSQL holds that (sql/cash_matches.sql).
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.indexes import OpClass
from django.db import models

from backoffice.kernel.tables import Access
from backoffice.organisation.models import LegalEntity
from reconciliation.models.rungs import Rung
from reconciliation.models.runs import Rule, Run


class FactKind(models.TextChoices):
    """What can be part of a match. A journal stands for its line on client money on its way."""

    DEAL = "deal", "server operation"
    JOURNAL = "journal", "ledger"
    PSP = "psp", "PSP line"
    BANK = "bank", "bank line"


class SuggestionState(models.TextChoices):
    OPEN = "OPEN", "open"
    ACCEPTED = "ACCEPTED", "accepted"
    DISMISSED = "DISMISSED", "dismissed"
    GONE = "GONE", "no longer fits"


class Suggestion(models.Model):
    """What a run found likely to be the same money, ranked by `score`; a person accepts or dismisses it.

    `ours` lists [reference, amount, currency, [[kind, id, amount]]], `theirs` [kind, id, amount, currency]. `tie` says
    that others fit as well. `fingerprint` identifies it over runs; one that is not found again is GONE.

    One that a person put together (`person`, rung HAND, with a reason) waits for another person: who proposed it does
    not accept it. `difference_is` is the ledger account that takes what theirs is more or less than ours."""

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    run = models.ForeignKey(Run, null=True, on_delete=models.PROTECT)
    rule = models.ForeignKey(Rule, on_delete=models.PROTECT)
    rung = models.CharField(max_length=9, choices=Rung.choices)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=300, blank=True)
    difference_is = models.CharField(max_length=40, blank=True)
    score = models.PositiveSmallIntegerField()
    tie = models.BooleanField(default=False)
    reference = models.CharField(max_length=120)
    amount = models.DecimalField(max_digits=38, decimal_places=18)
    currency = models.CharField(max_length=10)
    difference = models.DecimalField(max_digits=38, decimal_places=18, default=0)
    business_date = models.DateField()
    summary = models.CharField(max_length=300)
    ours = models.JSONField()
    theirs = models.JSONField()
    evidence = models.JSONField()
    fingerprint = models.CharField(max_length=64)
    state = models.CharField(max_length=9, choices=SuggestionState.choices, default=SuggestionState.OPEN)
    made_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        default_permissions = ("view",)
        ordering: ClassVar[list[str]] = ["-score", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["entity", "fingerprint"], name="suggestion_once"),
            models.CheckConstraint(
                condition=models.Q(state__in=["OPEN", "GONE"]) | models.Q(decided_by__isnull=False),
                name="suggestion_decided_by_a_person",
            ),
            models.CheckConstraint(
                condition=models.Q(rung=Rung.HAND, person__isnull=False, run=None) & ~models.Q(reason="")
                | ~models.Q(rung=Rung.HAND) & models.Q(person=None, run__isnull=False, reason="", difference_is=""),
                name="suggestion_by_hand_has_a_person",
            ),
            models.CheckConstraint(
                condition=models.Q(person=None)
                | ~models.Q(state="ACCEPTED")
                | ~models.Q(decided_by=models.F("person")),
                name="suggestion_accepted_by_another",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["score", "id", "entity"], name="suggestion_ranked"),
            models.Index(OpClass("reference", "varchar_pattern_ops"), name="suggestion_by_reference"),
        ]

    def __str__(self) -> str:
        return f"suggestion {self.pk} {self.reference}"


class CashMatch(models.Model):
    """Facts that are the same money. `key` is "ref:<reference>" or "payout:<token>:<currency>". `amount` in `currency`
    is how much of ours it settles; `difference` is the outside less that, not nought only inside the rule's tolerance
    or where a person said what it is (`difference_is`, a ledger account). `evidence` says which values agreed on which
    side. Where rungs only propose, `person` decided, and `booked` is the journal that followed, 0 without one;
    such a match is about one outside fact."""

    # A run writes a million of these: what they refer to is checked as a set (sql/allocations_sets.sql), not by row.
    id = models.BigAutoField(primary_key=True)
    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, db_constraint=False, db_index=False)
    run = models.ForeignKey(Run, null=True, on_delete=models.PROTECT, db_index=False)
    rule = models.ForeignKey(Rule, on_delete=models.PROTECT, db_constraint=False, db_index=False)
    rung = models.CharField(max_length=9, choices=Rung.choices)
    key = models.CharField(max_length=120)
    currency = models.CharField(max_length=10)
    amount = models.DecimalField(max_digits=38, decimal_places=18)
    difference = models.DecimalField(max_digits=38, decimal_places=18, default=0)
    difference_is = models.CharField(max_length=40, blank=True)
    evidence = models.JSONField()
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    suggestion = models.ForeignKey(
        Suggestion, null=True, on_delete=models.PROTECT, related_name="matches", db_index=False
    )
    made_by = models.CharField(max_length=150)
    made_at = models.DateTimeField()
    booked = models.BigIntegerField(default=0)
    undone_at = models.DateTimeField(null=True)
    undone_by = models.CharField(max_length=150, blank=True)
    undone_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        verbose_name_plural = "cash matches"
        default_permissions = ("view",)
        ordering: ClassVar[list[str]] = ["-id"]
        permissions: ClassVar[list[tuple[str, Any]]] = [
            ("match_cash", "Can accept a suggested match, match by hand and undo a match"),
            ("ask_rule", "Can ask for another version of a reconciliation's rule"),
            ("approve_rule", "Can approve another version of a reconciliation's rule"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # What runs match by themselves stands once per key; people's matches add parts to it.
            models.UniqueConstraint(
                fields=["entity", "key"],
                condition=models.Q(undone_at=None, person=None),
                name="cashmatch_by_run_once",
            ),
            models.CheckConstraint(
                condition=models.Q(undone_at=None, undone_by="", undone_reason="")
                | (models.Q(undone_at__isnull=False) & ~models.Q(undone_by="") & ~models.Q(undone_reason="")),
                name="cashmatch_undone_by_somebody",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["entity", "key"], name="cashmatch_by_hand", condition=models.Q(person__isnull=False)),
            models.Index(
                fields=["suggestion"], name="cashmatch_of_suggestion", condition=models.Q(suggestion__isnull=False)
            ),
            models.Index(OpClass("key", "varchar_pattern_ops"), name="cashmatch_by_beginning"),
            models.Index(fields=["made_at", "id", "entity"], name="cashmatch_newest"),
        ]

    def __str__(self) -> str:
        return f"match {self.pk} {self.key}"

    @property
    def stands(self) -> bool:
        return self.undone_at is None


class CashAllocation(models.Model):
    """How much of one fact belongs to a match, signed as the fact is for us (a deposit is positive on every side)."""

    access = Access.APPEND

    id = models.BigAutoField(primary_key=True)
    match = models.ForeignKey(CashMatch, on_delete=models.PROTECT, related_name="allocations", db_constraint=False)
    fact_kind = models.CharField(max_length=7, choices=FactKind.choices)
    fact_id = models.BigIntegerField()
    amount = models.DecimalField(max_digits=38, decimal_places=18)

    class Meta:
        default_permissions = ()
        ordering: ClassVar[list[str]] = ["id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["fact_kind", "fact_id"], name="cashallocation_fact")
        ]

    def __str__(self) -> str:
        return f"{self.fact_kind} {self.fact_id}: {self.amount}"
