"""The legal entities of a report, in the order of their codes."""

from __future__ import annotations

from collections.abc import Iterable

from backoffice.organisation.models import LegalEntity
from reporting.records import Entity


def entities(ids: Iterable[int]) -> tuple[Entity, ...]:
    """What a report's head says of each."""
    rows = LegalEntity.objects.filter(pk__in=list(ids)).order_by("code")
    return tuple(Entity(*row) for row in rows.values_list("pk", "code", "name", "lei", "calendar"))
