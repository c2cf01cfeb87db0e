"""A payee in words: its values by the names people know them by, and what has to happen next with it."""

from __future__ import annotations

from collections.abc import Mapping

from backoffice.approvals.models import OPEN
from backoffice.approvals.models import Request as Approval
from backoffice.audit import services as audit
from payments.models import Payee, PayeeState

_NAMES = {
    "iban": "IBAN",
    "bic": "BIC",
    "account": "Account number",
    "bank": "Bank",
    "town": "Town",
    "country": "Country",
    "token": "Card token",
    "last4": "Last four digits",
    "brand": "Brand",
    "address": "Address",
    "network": "Network",
    "tag": "Memo or tag",
}


def named(details: Mapping[str, str]) -> list[tuple[str, str]]:
    """The values of a payee with their labels, in the order of the form."""
    return [(label, details[name]) for name, label in _NAMES.items() if details.get(name)]


def asked_for(payee: Payee) -> Approval | None:
    """The request to verify it that waits for a decision."""
    return Approval.objects.filter(target=audit.name_of(payee), state__in=OPEN).order_by("pk").last()


def can_be_asked_for(payee: Payee) -> bool:
    return payee.state == PayeeState.PROPOSED and asked_for(payee) is None


def next_step(payee: Payee) -> str:
    """What has to happen before money may go there; empty where nothing has to."""
    if payee.state != PayeeState.PROPOSED:
        return ""
    if (asked := asked_for(payee)) is not None:
        return f"Compliance decides request #{asked.pk}. No withdrawal goes there before."
    return "Support asks to have it verified; then compliance decides. No withdrawal goes there before."
