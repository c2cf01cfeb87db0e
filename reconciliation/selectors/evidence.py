"""What a match is made of, for people: which values agreed, and how much of which line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from django.urls import reverse

from backoffice.kernel.money import Money
from integrations.models import BankLine, Deal, PspLine
from ledger.models import Journal
from reconciliation.models import CashMatch, FactKind

_LABELS = {
    "psp": "PSP",
    "bank": "bank",
    "points": "basis points",
    "points_allowed": "basis points allowed",
    "likeness": "likeness, percent",
    "days": "days between",
}
# Facts are listed with their amounts, not by number.
_LISTED = frozenset({"deals", "journals", "psp_lines", "bank_lines"})
_AMOUNTS = frozenset({"server", "ledger", "psp", "bank", "tolerance"})


@dataclass(frozen=True, slots=True)
class Allocated:
    """How much of one fact belongs to a match, and the way to it."""

    label: str
    what: str
    url: str
    amount: Money


def said(evidence: Mapping[str, Any], currency: str = "") -> list[tuple[str, Any]]:
    """Evidence as labels and values; the sides' amounts as money where their currency is known."""
    rows = [
        (_LABELS.get(name, name.replace("_", " ")), _typed(name, value, currency))
        for name, value in evidence.items()
        if name not in _LISTED
    ]
    return [(label[:1].upper() + label[1:], value) for label, value in rows]


def _typed(name: str, value: Any, currency: str) -> Any:
    if name not in _AMOUNTS or not currency:
        return value
    try:
        return Money(Decimal(value), currency)
    except (InvalidOperation, TypeError):
        return value


def allocated(match: CashMatch) -> list[Allocated]:
    """The facts of a match in the order server, ledger, PSP, bank; one query per kind of fact."""
    rows = list(match.allocations.all())
    here = {"entity_id": match.entity_id}
    found: list[Allocated] = []
    for kind, route in (("deal", "deal"), ("journal", "journal"), ("psp", "psp-line"), ("bank", "bank-line")):
        parts = {row.fact_id: row.amount for row in rows if row.fact_kind == kind}
        if not parts:
            continue
        facts: Any = _MODELS[kind].objects.filter(**here, id__in=parts)
        for fact in facts:
            currency = getattr(fact, "currency", "") or match.currency
            money = Money(parts[fact.id], currency)
            found.append(Allocated(FactKind(kind).label, str(fact), reverse(route, args=[fact.id]), money))
    return found


_MODELS: Mapping[str, Any] = {"deal": Deal, "journal": Journal, "psp": PspLine, "bank": BankLine}
