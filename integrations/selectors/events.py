"""Verified hints in the order they came, for readers above this room. A reader keeps the last id it has seen.

What is read is parsed again from the bytes: a reader of webhooks that has learnt a new type tells it of old messages
too, from wherever the cursor is set back to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection as database

from integrations import registry
from integrations.hints import PspEvent, PspEventKind
from integrations.models import Verdict, Webhook, WebhookEndpoint
from integrations.ports import Incoming
from integrations.records import Unreadable


@dataclass(frozen=True, slots=True)
class Received:
    """A hint with its place: `id` is the webhook's, in which cursors count."""

    id: int
    entity_id: int
    connection_id: int
    provider: str
    received_at: datetime
    event: PspEvent


def events_after(connection_id: int | None, after_id: int, limit: int = 200) -> Sequence[Received]:
    """Verified hints of a connection (None: of all) with a greater id, in ascending order.

    Only as far as none is missing: a webhook that is being written at this moment comes with the next call, and so do
    those that were given greater ids (sql/webhooks.sql).
    """
    rows = Webhook.objects.filter(verdict=Verdict.VERIFIED, id__gt=after_id, id__lte=_complete())
    if connection_id is not None:
        rows = rows.filter(connection_id=connection_id)
    found = list(rows.order_by("id")[:limit])
    settings = dict(
        WebhookEndpoint.objects.filter(connection_id__in={row.connection_id for row in found}).values_list(
            "connection_id", "settings"
        )
    )
    return [
        Received(
            row.id, row.entity_id, row.connection_id, row.provider, row.received_at,
            event_of(row, settings.get(row.connection_id, {})),
        )
        for row in found
    ]  # fmt: skip


def event_of(row: Webhook, settings: dict[str, str]) -> PspEvent:
    """What a stored webhook says, read from its bytes."""
    reader = registry.WEBHOOKS.get(row.provider)
    try:
        if reader is not None:
            events = reader.read(Incoming(bytes(row.body), row.headers), settings=settings)
            if row.item < len(events):
                return events[row.item]
    except Unreadable:
        pass
    return PspEvent(event_id=row.event_id, kind=PspEventKind.OTHER, status=row.status)


def _complete() -> int:
    with database.cursor() as cursor:
        cursor.execute("SELECT integrations_webhook_complete()")
        return int(cursor.fetchone()[0])
