"""What the sides of every kind of break are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.urls import reverse

from backoffice.kernel.money import Money
from backoffice.ui import formats
from backoffice.ui.components import Difference
from integrations.models import RawMessage
from reconciliation.models import Break


@dataclass(frozen=True, slots=True)
class Step:
    """One step on the way from a break down to what was received."""

    label: str
    what: str
    url: str


@dataclass(frozen=True, slots=True)
class Sides:
    """What a break compares: headings, lines with their difference, and the way down."""

    headings: Sequence[str]
    rows: Sequence[Difference]
    path: Sequence[Step]


def raw_step(item: Break, raw_id: int) -> list[Step]:
    """The message a fact was read from."""
    return raw_steps(item, [raw_id]).get(raw_id, [])


def raw_steps(item: Break, raw_ids: Iterable[int]) -> dict[int, list[Step]]:
    """The messages of many facts in one query, by id; their bodies are not read."""
    found = RawMessage.objects.filter(entity_id=item.entity_id, id__in=set(raw_ids)).defer("body")
    return {
        raw.pk: [Step("Raw message", f"{raw.external_id} v{raw.version}", reverse("raw-message", args=[raw.pk]))]
        for raw in found
    }


def attribute(row: Any, name: str) -> Any:
    """A value of a row; None where there is no row, or where it says nothing."""
    value = None if row is None else getattr(row, name)
    return value if value != "" else None


def money(amount: Decimal | None, currency: str) -> Money | None:
    """An amount in major units of `currency`."""
    return None if amount is None else Money(amount, currency)


def written(amount: Decimal, currency: str) -> str:
    """An amount within a sentence: 1,234.50 EUR."""
    return f"{formats.grouped(amount, formats.exponent_of(currency))} {currency}"
