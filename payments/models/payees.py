"""Payees: where a client's money may be sent. An object of its own, because who edits one may not send to it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.models import Client
from accounts.models.personal import Kept, UnderKey
from backoffice.approvals.models import Request as Approval
from backoffice.organisation.models import Currency, LegalEntity
from integrations.models import Connection


class PayeeKind(models.TextChoices):
    BANK = "BANK", "bank account"
    CARD = "CARD", "card"
    EWALLET = "EWALLET", "e-wallet"
    CRYPTO = "CRYPTO", "crypto address"


class PayeeState(models.TextChoices):
    """A payee is used once a second person has verified it; what is changed is a new payee that replaces the old."""

    PROPOSED = "PROPOSED", "proposed"
    VERIFIED = "VERIFIED", "verified"
    RETIRED = "RETIRED", "retired"


# What each kind consists of, besides holder and label; every value is kept under the client's key.
DETAILS: dict[str, tuple[str, ...]] = {
    PayeeKind.BANK: ("iban", "account", "bic", "bank", "town", "country"),
    PayeeKind.CARD: ("token", "last4", "brand"),
    PayeeKind.EWALLET: ("address",),
    PayeeKind.CRYPTO: ("address", "network", "tag"),
}
KEPT = ("holder", "label", *dict.fromkeys(name for names in DETAILS.values() for name in names))


class Payee(UnderKey):
    """One destination. Everything about it is the client's personal data and stands under the client's key: `holder`,
    `label` (what lists show: last digits and bank or brand) and the values of DETAILS. `fingerprint` is a keyed digest
    of what identifies the destination, so that one account used by several clients shows without reading it;
    `name_match` is how well the holder fits the client's name, 0 to 100.
    """

    personal: ClassVar[tuple[str, ...]] = ("under_key", "fingerprint")

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="payees")
    kind = models.CharField(max_length=7, choices=PayeeKind.choices)
    currency = models.ForeignKey(Currency, on_delete=models.PROTECT)
    holder = Kept()
    label = Kept()
    fingerprint = models.CharField(max_length=64)
    name_match = models.PositiveSmallIntegerField()
    # The PSP a card or wallet is known at; a card is paid by refunding what came by it.
    connection = models.ForeignKey(Connection, null=True, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=8, choices=PayeeState.choices, default=PayeeState.PROPOSED)
    replaces = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="replaced_by")
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField()
    verified_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    verified_at = models.DateTimeField(null=True)
    approval = models.OneToOneField(Approval, null=True, on_delete=models.PROTECT, related_name="+")
    retired_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    retired_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["client_id", "-id"]
        permissions: ClassVar[list[tuple[str, Any]]] = [
            ("propose_payee", "Can propose and retire payees of clients"),
            ("approve_payee", "Can verify a payee that somebody else proposed"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["client", "state"], name="payee_by_client"),
            models.Index(fields=["fingerprint"], name="payee_by_fingerprint"),
            models.Index(fields=["proposed_at", "id"], name="payee_newest"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=~Q(state="VERIFIED") | Q(verified_at__isnull=False), name="payee_verified_has_a_time"
            ),
            models.CheckConstraint(
                condition=Q(verified_by=None) | Q(proposed_by=None) | ~Q(verified_by=models.F("proposed_by")),
                name="payee_verified_by_another",
            ),
            models.CheckConstraint(
                condition=Q(state="RETIRED", retired_at__isnull=False) | (~Q(state="RETIRED") & Q(retired_at=None)),
                name="payee_retired_has_a_time",
            ),
            models.UniqueConstraint(
                fields=["client", "fingerprint", "currency"],
                condition=~Q(state="RETIRED"),
                name="payee_once_per_client",
            ),
        ]

    def __str__(self) -> str:
        return f"payee {self.pk}"

    @property
    def details(self) -> dict[str, str]:
        """The values of this kind, by name, where the row was revealed."""
        said = self.revealed or {}
        return {name: said[name] for name in DETAILS[self.kind] if said.get(name)}
