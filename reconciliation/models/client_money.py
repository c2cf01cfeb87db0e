"""Client money: what the house owes its clients against what lies on segregated bank accounts, day by day.

A calculation is kept with every part it was made of, so that any past one can be shown and explained as it was signed.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from accounts.models import Client
from backoffice.approvals.models import Request as Approval
from backoffice.kernel.tables import Access
from backoffice.organisation.models import Currency, LegalEntity
from ledger.models import LedgerAccount


class Regime(models.TextChoices):
    """Whose rules the calculation follows; the formula is the same, its rule reference and deadlines are not."""

    CASS = "CASS", "FCA CASS 7.16, individual client balance method with margined transactions"
    CYSEC = "CYSEC", "CySEC Directive DI87-01 (C418), safeguarding of client funds"
    ASIC = "ASIC", "ASIC Client Money Reporting Rules 2017"
    HOUSE = "HOUSE", "house rule where no regulator names one"


class ClientMoneyRule(models.Model):
    """How an entity calculates (or all that have no rule of their own), from a business day on. A change is a new row,
    agreed to by two people; calculations keep the rule they were made with.

    `rate_source` names the source of exchange rates, `rate_days` how old a rate may be. `counts` says, for each part of
    what a client is owed, whether it counts: see Part.
    """

    access = Access.APPEND

    entity = models.ForeignKey(LegalEntity, null=True, on_delete=models.PROTECT)
    regime = models.CharField(max_length=6, choices=Regime.choices)
    valid_from = models.DateField()
    rate_source = models.CharField(max_length=40, blank=True)
    rate_days = models.PositiveSmallIntegerField(default=7)
    counts: Any = models.JSONField()
    note = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField(db_default=Now())
    request = models.OneToOneField(Approval, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]
        permissions: ClassVar[list[tuple[str, Any]]] = [
            ("ask_clientmoneyrule", "Can ask for another client-money rule or segregated account"),
            ("approve_clientmoneyrule", "Can approve a client-money rule or segregated account"),
        ]

    def __str__(self) -> str:
        return f"{self.regime} from {self.valid_from}"


class SegregatedAccount(models.Model):
    """A client bank account: money on it is the clients' and nobody else's. Only these are the resource; balances at
    PSPs and on the house's own accounts never are."""

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    account = models.OneToOneField(LedgerAccount, on_delete=models.PROTECT, related_name="segregated")
    bank = models.CharField(max_length=80)
    since = models.DateField()
    until = models.DateField(null=True)
    request = models.OneToOneField(Approval, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering: ClassVar[list[str]] = ["entity_id", "account_id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(until=None) | Q(until__gte=F("since")), name="segregatedaccount_ends_after_it_begins"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.bank} {self.account_id}"


class ClientMoneyRun(models.Model):
    """One calculation: for the close of `as_of`, with what was known at `cutoff_at`, in the entity's reporting
    currency.

    `difference` = resource - requirement: negative is a shortfall that the house pays in the same day. `rates` are
    those used, `notes` what a reader has to know. Made by one person or the schedule, signed by another; then it
    stands.
    """

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    as_of = models.DateField()
    number = models.PositiveIntegerField()
    cutoff_at = models.DateTimeField()
    rule = models.ForeignKey(ClientMoneyRule, on_delete=models.PROTECT)
    currency = models.ForeignKey(Currency, on_delete=models.PROTECT)
    requirement = models.DecimalField(max_digits=38, decimal_places=18)
    resource = models.DecimalField(max_digits=38, decimal_places=18)
    difference = models.DecimalField(max_digits=38, decimal_places=18)
    clients = models.PositiveIntegerField()
    rates: Any = models.JSONField(default=list)
    notes: Any = models.JSONField(default=list)
    content_hash = models.CharField(max_length=64)
    prepared_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    prepared_name = models.CharField(max_length=150)
    prepared_at = models.DateTimeField()
    signed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    signed_name = models.CharField(max_length=150, blank=True)
    signed_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-as_of", "-id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["as_of", "id", "entity"], name="clientmoneyrun_newest"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["entity", "as_of", "number"], name="clientmoneyrun_once"),
            models.CheckConstraint(
                condition=Q(signed_by=None) | Q(prepared_by=None) | ~Q(signed_by=F("prepared_by")),
                name="clientmoneyrun_signed_by_another",
            ),
            models.CheckConstraint(
                condition=Q(difference=F("resource") - F("requirement")), name="clientmoneyrun_adds_up"
            ),
        ]
        permissions: ClassVar[list[tuple[str, Any]]] = [
            ("run_client_money", "Can calculate client money"),
            ("sign_client_money", "Can sign a client-money calculation"),
            ("ask_top_up", "Can ask to top up client money"),
            ("approve_top_up", "Can approve a top-up of client money"),
            ("execute_top_up", "Can send an approved top-up of client money"),
        ]

    def __str__(self) -> str:
        return f"client money {self.as_of} #{self.number}"

    @property
    def is_short(self) -> bool:
        return self.difference < 0


class Part(models.TextChoices):
    """What a client is owed is made of these."""

    ACCOUNT = "ACCOUNT", "trading account: balance and floating result, without credit"
    WALLET = "WALLET", "wallet"
    IN_FLIGHT = "IN_FLIGHT", "withdrawal debited, not yet gone from the bank"
    RECEIPT = "RECEIPT", "receipt not yet allocated"


class ClientMoneyLine(models.Model):
    """One part of what is owed: to a client, or to nobody known yet (an unallocated receipt). `converted` is `amount`
    in the run's currency, rounded once."""

    access = Access.APPEND

    run = models.ForeignKey(ClientMoneyRun, on_delete=models.PROTECT, related_name="lines")
    client = models.ForeignKey(Client, null=True, on_delete=models.PROTECT, related_name="+")
    part = models.CharField(max_length=9, choices=Part.choices)
    what = models.CharField(max_length=120)
    amount = models.DecimalField(max_digits=38, decimal_places=18)
    currency = models.ForeignKey(Currency, on_delete=models.PROTECT)
    converted = models.DecimalField(max_digits=38, decimal_places=18)
    source = models.CharField(max_length=60, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["client_id", "id"]
        default_permissions = ()
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["run", "client", "id"], name="clientmoneyline_of_client"),
        ]

    def __str__(self) -> str:
        return f"{self.what}: {self.amount} {self.currency_id}"


class ClientMoneyClient(models.Model):
    """What one client is owed in a run: the sum of the parts, and the requirement, which is never below nought."""

    access = Access.APPEND

    run = models.ForeignKey(ClientMoneyRun, on_delete=models.PROTECT, related_name="of_clients")
    client = models.ForeignKey(Client, null=True, on_delete=models.PROTECT, related_name="+")
    equity = models.DecimalField(max_digits=38, decimal_places=18)
    requirement = models.DecimalField(max_digits=38, decimal_places=18)

    class Meta:
        ordering: ClassVar[list[str]] = ["-requirement", "id"]
        default_permissions = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["run", "client"], name="clientmoneyclient_once", nulls_distinct=False),
            models.CheckConstraint(
                condition=Q(equity__gte=0, requirement=F("equity")) | Q(equity__lt=0, requirement=0),
                name="clientmoneyclient_never_below_nought",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.client_id}: {self.requirement}"


class ClientMoneyResource(models.Model):
    """One account in a run: `counted` ones are segregated bank accounts (or a top-up on its way to one); others are
    listed and left outside. `at_bank` is what the bank's own lines come to, where the account has any: the external
    reconciliation."""

    access = Access.APPEND

    run = models.ForeignKey(ClientMoneyRun, on_delete=models.PROTECT, related_name="resources")
    what = models.CharField(max_length=120)
    counted = models.BooleanField()
    balance = models.DecimalField(max_digits=38, decimal_places=18)
    currency = models.ForeignKey(Currency, on_delete=models.PROTECT)
    converted = models.DecimalField(max_digits=38, decimal_places=18)
    at_bank = models.DecimalField(max_digits=38, decimal_places=18, null=True)
    source = models.CharField(max_length=60, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-counted", "id"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.what}: {self.balance} {self.currency_id}"


class TopUp(models.Model):
    """The house's own money sent to a client bank account because a calculation was short. `reference` travels with the
    payment; until the bank shows it, it counts as on its way."""

    access = Access.APPEND

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    run = models.ForeignKey(ClientMoneyRun, on_delete=models.PROTECT, related_name="top_ups")
    reference = models.CharField(max_length=10, unique=True)
    to = models.ForeignKey(SegregatedAccount, on_delete=models.PROTECT, related_name="+")
    amount = models.DecimalField(max_digits=38, decimal_places=18)
    currency = models.ForeignKey(Currency, on_delete=models.PROTECT)
    request = models.OneToOneField(Approval, on_delete=models.PROTECT, related_name="+")
    sent_at = models.DateTimeField()
    sent_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]
        default_permissions = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="topup_amount_positive"),
        ]

    def __str__(self) -> str:
        return self.reference
