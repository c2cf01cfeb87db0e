"""Four eyes: a use case stored as a request, decided by other people, and run through the same function.

What makes this a control and not a habit is in the database (sql/guards.sql, sql/guards_of_rules.sql):
- every person takes part in a request at most once: maker, approver and executor are different people;
- a decision refers to the hash of what was decided, and what was asked never changes;
- a request becomes EXECUTED only with enough approvals and, where the policy wants one, an executor;
- a policy begins and ends only by a request of its own that other people have approved.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models

from backoffice.kernel.tables import Access
from backoffice.organisation.models import LegalEntity


class State(models.TextChoices):
    PENDING = "PENDING", "waiting for approval"
    APPROVED = "APPROVED", "approved, waiting for execution"
    EXECUTED = "EXECUTED", "executed"
    REJECTED = "REJECTED", "rejected"
    WITHDRAWN = "WITHDRAWN", "withdrawn"
    EXPIRED = "EXPIRED", "expired"
    RETURNED = "RETURNED", "returned for change"


OPEN = (State.PENDING, State.APPROVED)


class Part(models.TextChoices):
    MAKER = "MAKER", "asked"
    APPROVER = "APPROVER", "approved"
    REJECTER = "REJECTER", "rejected"
    EXECUTOR = "EXECUTOR", "executed"
    RETURNER = "RETURNER", "returned"


class Covers(models.TextChoices):
    """Which of a request's two permissions an approver held: that of its approvers, of its second approver, or both."""

    FIRST = "FIRST", "approver"
    SECOND = "SECOND", "second approver"
    BOTH = "BOTH", "either"


class Policy(models.Model):
    """Who must agree to an action, from which amount on. No matching row means: one approval is needed.

    A row never changes: it begins by an approved request (`request`) and is ended by one (`ended_by`). Which rows
    hold for a request, and how several of them add up, is said in selectors/bars.py. `from_amount` is in the
    entity's reporting currency; `risk_flag` narrows the row to requests whose target carries that flag.
    """

    action = models.CharField(max_length=80)
    entity = models.ForeignKey(LegalEntity, null=True, blank=True, on_delete=models.PROTECT)
    from_amount = models.DecimalField(max_digits=24, decimal_places=8, default=0)
    risk_flag = models.CharField(max_length=40, blank=True, default="")
    approvers = models.PositiveSmallIntegerField(default=1)
    approve_permission = models.CharField(max_length=120, blank=True, help_text="empty: the action's own")
    second_permission = models.CharField(
        max_length=120, blank=True, default="", help_text="one of the approvers must hold this one"
    )
    execute_permission = models.CharField(
        max_length=120, blank=True, help_text="empty: runs at the last approval; else a third person runs it"
    )
    expires_after_hours = models.PositiveSmallIntegerField(default=72)
    sla_hours = models.PositiveSmallIntegerField(default=8, help_text="business hours until it should be decided")
    bulk = models.BooleanField(default=False, help_text="may be approved together with others; never for money")
    request = models.ForeignKey("Request", null=True, on_delete=models.PROTECT, related_name="policies_made")
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey("Request", null=True, on_delete=models.PROTECT, related_name="policies_ended")

    class Meta:
        ordering: ClassVar[list[str]] = ["action", "from_amount"]
        verbose_name_plural = "policies"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=models.Q(approvers__gte=1), name="policy_needs_an_approver"),
            models.CheckConstraint(
                condition=models.Q(second_permission="") | models.Q(approvers__gte=2), name="policy_second_is_one_more"
            ),
            models.CheckConstraint(
                condition=models.Q(risk_flag="") | models.Q(approve_permission=""), name="policy_flag_only_adds"
            ),
            models.CheckConstraint(
                condition=models.Q(expires_after_hours__gte=1, sla_hours__gte=1), name="policy_gives_time"
            ),
            models.CheckConstraint(
                condition=models.Q(ended_at__isnull=True, ended_by__isnull=True)
                | models.Q(ended_at__isnull=False, ended_by__isnull=False),
                name="policy_ended_by_a_request",
            ),
            models.UniqueConstraint(
                fields=["action", "entity", "from_amount", "risk_flag"],
                condition=models.Q(ended_at__isnull=True),
                name="policy_in_force_once",
                nulls_distinct=False,
            ),
        ]
        permissions: ClassVar[list[tuple[str, Any]]] = [
            ("ask_policy", "Can ask for a change of the approval rules"),
            ("approve_policy", "Can approve a change of the approval rules"),
        ]

    def __str__(self) -> str:
        return f"{self.action} from {self.from_amount}: {self.approvers}"


class Request(models.Model):
    """One use case somebody asked for, frozen: payload, its hash, the code's version, what it would do, and the bar
    (approvals, permissions, hours) that the policies of that moment set. A policy changed later does not touch it."""

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    action = models.CharField(max_length=80)
    action_version = models.PositiveSmallIntegerField()
    target = models.CharField(max_length=150)
    target_version = models.CharField(max_length=64, blank=True)
    summary = models.CharField(max_length=300)
    payload = models.JSONField()
    payload_hash = models.CharField(max_length=64)
    preview = models.JSONField(default=dict)
    client = models.CharField(max_length=150, blank=True)
    amount = models.DecimalField(max_digits=24, decimal_places=8, null=True)
    currency = models.CharField(max_length=10, blank=True)
    reason = models.TextField()
    reason_code = models.CharField(max_length=20, default="OTHER", help_text="one of the action's reasons")
    version = models.PositiveSmallIntegerField(default=1)
    replaces = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="replaced_by")
    money = models.BooleanField(default=False)
    bulk = models.BooleanField(default=False)
    risk = models.JSONField(default=list)
    rules = models.JSONField(default=list)
    maker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    due_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    approvals_needed = models.PositiveSmallIntegerField()
    view_permission = models.CharField(max_length=120, blank=True, default="")
    approve_permission = models.CharField(max_length=120)
    second_permission = models.CharField(max_length=120, blank=True, default="")
    execute_permission = models.CharField(max_length=120, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    finished_at = models.DateTimeField(null=True)
    result = models.JSONField(default=dict)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["state", "-id"], name="request_by_state"),
            models.Index(fields=["client", "requested_at"], name="request_by_client"),
            models.Index(fields=["maker", "state", "-id"], name="request_by_maker"),
            models.Index(fields=["due_at", "id"], name="request_by_due"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["action", "target"],
                condition=models.Q(state__in=["PENDING", "APPROVED"]),
                name="one_open_request_per_target",
            ),
            models.UniqueConstraint(fields=["id", "payload_hash"], name="request_content"),
            models.CheckConstraint(condition=models.Q(approvals_needed__gte=1), name="request_needs_approval"),
            models.CheckConstraint(
                condition=models.Q(second_permission="") | models.Q(approvals_needed__gte=2),
                name="request_second_is_one_more",
            ),
            models.CheckConstraint(condition=~models.Q(money=True, bulk=True), name="request_no_bulk_for_money"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.summary}"


class Participation(models.Model):
    """One person's part in a request: at most one part per person and request, for ever."""

    access = Access.APPEND

    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="participations")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    part = models.CharField(max_length=8, choices=Part.choices)
    payload_hash = models.CharField(max_length=64)
    covers = models.CharField(max_length=6, choices=Covers.choices, db_default=Covers.FIRST)
    at = models.DateTimeField()
    reason = models.TextField(blank=True)
    # How the automatic checks stood when this person decided.
    checks = models.JSONField(null=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["request", "person"], name="one_part_per_person"),
            models.UniqueConstraint(fields=["request"], condition=models.Q(part="EXECUTOR"), name="executed_once"),
            models.CheckConstraint(condition=models.Q(covers__in=["FIRST", "SECOND", "BOTH"]), name="part_covers"),
        ]

    def __str__(self) -> str:
        return f"{self.person_id} {self.part} #{self.request_id}"


class Blob(models.Model):
    """The bytes of an attachment, once per content: `hash` is their SHA-256 (hex), checked by the database."""

    access = Access.APPEND

    hash = models.CharField(max_length=64, primary_key=True)
    content = models.BinaryField()

    def __str__(self) -> str:
        return self.hash


class Attachment(models.Model):
    """A file that the maker puts beside a request, before anybody approved it."""

    access = Access.APPEND

    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="attachments")
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=120)
    content_type = models.CharField(max_length=40)
    size = models.PositiveIntegerField()
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    added_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["request", "blob"], name="attached_once"),
        ]

    def __str__(self) -> str:
        return self.name


class NoticeKind(models.TextChoices):
    WAITS = "WAITS", "waits for your decision"
    DECIDED = "DECIDED", "your request was decided"


class Notice(models.Model):
    """A request a person should look at: told once per request and person."""

    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="notices")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=7, choices=NoticeKind.choices)
    at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["person"], name="notice_unread", condition=models.Q(read_at__isnull=True)),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["request", "person"], name="told_once"),
        ]

    def __str__(self) -> str:
        return f"{self.person_id} {self.kind} #{self.request_id}"
