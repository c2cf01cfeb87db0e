"""The way from a fact, a journal or an order of money back to the request that it belongs to: a card on their pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import Q

from accounts.services.booking.plan import REFERENCE
from backoffice.organisation.models import User
from backoffice.organisation.selectors import scope
from backoffice.ui.panels import Panel, Provider
from payments.models import MoneyRequest, RequestState
from payments.selectors import lists
from payments.tables import desk as tables

# Where a row of each page carries our reference.
_SAID: Mapping[str, Callable[[Any], str]] = {
    "psp-line": lambda row: str(row.merchant_reference),
    "bank-line": lambda row: f"{row.end_to_end_id} {row.remittance}",
    "deal": lambda row: str(row.comment),
    "journal": lambda row: str(row.description),
    "psp-payout": lambda row: str(row.reference),
    "server-operation": lambda row: str(row.reference),
    "match": lambda row: str(row.key),
    "break": lambda row: str(row.summary),
    "webhook": lambda row: str(row.merchant_reference),
    "fraud-alert": lambda row: str(row.evidence),
}
# A line may belong to a request without naming it: what was allocated by hand.
_KINDS = {"psp-line": "psp", "bank-line": "bank"}
MOST = 20


def providers() -> Mapping[str, Provider]:
    """For each page, what it shows of requests."""
    return {route: _provider(route) for route in _SAID}


def _provider(route: str) -> Provider:
    def provide(user: User, row: Any) -> Panel | None:
        if not scope.may(user, lists.VIEW):
            return None
        wanted = Q(reference__in=REFERENCE.findall(_SAID[route](row)))
        if route in _KINDS:
            wanted |= Q(evidence__fact_kind=_KINDS[route], evidence__fact_id=row.pk)
        rows = MoneyRequest.objects.filter(wanted, entity=row.entity_id).select_related("client").distinct()
        found = list(scope.visible(user, rows, lists.VIEW).order_by("pk")[:MOST])
        if not found:
            return None
        context = {"requests": found, "tones": tables.TONES, "labels": dict(RequestState.choices)}
        return Panel("payments/linked.html", context)

    return provide
