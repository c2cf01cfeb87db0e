"""From a fact to its journals and to the raw message it was read from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from accounts.models import Unbooked
from accounts.selectors.journal_keys import journal_key
from integrations.models import BankLine, Deal, Fill, PspLine, RawMessage
from ledger.models import Journal

MODELS: dict[str, Any] = {"deal": Deal, "psp": PspLine, "bank": BankLine, "fill": Fill}


@dataclass(frozen=True, slots=True)
class Trace:
    """What belongs to a fact: other versions of it, its journals, what holds it up, what it was read from."""

    versions: list[Any]
    journals: list[Journal]
    unbooked: Unbooked | None
    raw: RawMessage | None


def trace(kind: str, row: Any) -> Trace:
    """Everything around one stored fact."""
    versions = list(_versions(kind, row))
    keys = [journal_key(kind, v.connection_id, v.__dict__, v.version) for v in versions]
    booked = Journal.objects.filter(entity_id=row.entity_id, key__in=[*keys, *(f"{key}:reversed" for key in keys)])
    return Trace(
        versions=versions,
        journals=list(booked.order_by("id")),
        unbooked=Unbooked.objects.filter(fact_kind=kind, fact_id=row.pk, closed_at=None).first(),
        raw=RawMessage.objects.filter(entity_id=row.entity_id, id=row.raw_id).first(),
    )


def _versions(kind: str, row: Any) -> Any:
    key = {
        "deal": ("ticket",),
        "psp": ("line_key",),
        "bank": ("line_key",),
        "fill": ("exec_id", "occurrence"),
    }[kind]
    found = MODELS[kind].objects.filter(entity_id=row.entity_id, connection_id=row.connection_id)
    return found.filter(**{name: getattr(row, name) for name in key}).order_by("version")
