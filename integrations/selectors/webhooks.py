"""Webhooks for those who take them in and for those who look at them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import OperationalError
from django.db import connection as database
from django.db.models import Q, Sum
from django.db.models.query import QuerySet

from backoffice.kernel import clock
from integrations.hints import PspEvent
from integrations.models import Connection, PspLine, Verdict, Webhook, WebhookEndpoint, WebhookOverflow

_AGREE_MAX = 20
_DOOR = """
SELECT c.id, c.entity_id, e.provider, e.settings::text, e.secrets, e.previous_until
  FROM integrations_webhookendpoint e JOIN integrations_connection c ON c.id = e.connection_id
 WHERE e.token = %s AND e.is_active AND c.is_active
"""
_KNOWN = """
SELECT id, kind, amount, currency, psp_reference, merchant_reference FROM integrations_webhook
 WHERE entity_id = %s AND connection_id = %s AND event_id = %s AND verdict = 'VERIFIED'
"""


@dataclass(frozen=True, slots=True)
class Door:
    """What is needed to take in a webhook, read in one query."""

    connection_id: int
    entity_id: int
    provider: str
    settings: Mapping[str, str]
    secrets: str
    previous_until: datetime | None


def door(token: str) -> Door | None:
    """The open endpoint with this token: it and its connection are active. Plain SQL: through the ORM this one query
    costs as much processor time as everything else that is done with a webhook."""
    found = _first_row(_DOOR, [token])
    if found is None:
        return None
    connection_id, entity_id, provider, settings, secrets, previous_until = found
    return Door(connection_id, entity_id, provider, json.loads(settings), secrets, previous_until)


def _first_row(query: str, values: Sequence[Any]) -> tuple[Any, ...] | None:
    """The first query of a request. It is itself the question whether the kept link to the database is still good,
    which would else be asked before it; one that broke while nobody used it is made anew, once."""
    fresh = database.connection is None or database.in_atomic_block
    database.health_check_done = True  # type: ignore[attr-defined]
    try:
        return _row(query, values)
    except OperationalError:
        if fresh:
            raise
        database.close()
        return _row(query, values)


def _row(query: str, values: Sequence[Any]) -> tuple[Any, ...] | None:
    with database.cursor() as cursor:
        cursor.execute(query, values)
        found: tuple[Any, ...] | None = cursor.fetchone()
    return found


@dataclass(frozen=True, slots=True)
class Known:
    """What the first delivery of an event said."""

    id: int
    said: tuple[Any, ...]


def known_event(here: Door, event_id: str) -> Known | None:
    """The verified webhook of an event."""
    found = _row(_KNOWN, [here.entity_id, here.connection_id, event_id])
    return Known(found[0], found[1:]) if found else None


def same_hint(known: Known, event: PspEvent, texts: tuple[str, ...]) -> bool:
    """Whether a delivery says the same of an event as the first one; words like a reason may change. `texts` are its
    currency and its references as they are stored."""
    return known.said == (event.kind.value, event.amount, *texts)


@dataclass(frozen=True, slots=True)
class Agreement:
    """A line of a provider's report that is about the same thing. `same` compares amounts where the currency is the
    same: the client's amount, whatever the settlement took off."""

    line: PspLine
    by: str
    same: bool | None


def agreements(webhook: Webhook, lines: QuerySet[PspLine]) -> Sequence[Agreement]:
    """Lines of reports with the references of a hint, among those the asker may see."""
    names = [ref for ref in (webhook.psp_reference, webhook.original_reference) if ref]
    found = Q(psp_reference__in=names) if names else Q()
    if webhook.merchant_reference:
        found |= Q(merchant_reference=webhook.merchant_reference)
    if not found or webhook.verdict != Verdict.VERIFIED:
        return []
    rows = lines.filter(found, entity_id=webhook.entity_id).order_by("booked_at", "id")[:_AGREE_MAX]
    return [Agreement(row, _by(webhook, row), _same(webhook, row)) for row in rows]


def _by(webhook: Webhook, line: PspLine) -> str:
    if webhook.psp_reference and webhook.psp_reference in (line.psp_reference, line.modification_reference):
        return "the provider's reference"
    return "our reference" if line.merchant_reference == webhook.merchant_reference else "the original payment"


def _same(webhook: Webhook, line: PspLine) -> bool | None:
    if webhook.amount is None or webhook.currency != line.currency_original:
        return None
    return bool(abs(line.gross_original) == abs(webhook.amount))


@dataclass(frozen=True, slots=True)
class Traffic:
    """How the webhooks of a connection are doing. `refused` and `dropped` are of the last 24 hours."""

    endpoint: WebhookEndpoint
    last_at: datetime | None
    refused: int
    dropped: int

    @property
    def dropped_words(self) -> str:
        return f"{self.dropped} more counted and dropped"


def traffic(connection: Connection) -> Traffic | None:
    """None where no webhooks are set up."""
    endpoint = WebhookEndpoint.objects.filter(connection=connection).first()
    if endpoint is None:
        return None
    since = clock.now() - timedelta(hours=24)
    mine: QuerySet[Any] = Webhook.objects.filter(connection=connection)
    last = mine.filter(verdict=Verdict.VERIFIED).order_by("-id").values_list("received_at", flat=True).first()
    refused = mine.exclude(verdict=Verdict.VERIFIED).filter(received_at__gt=since).count()
    dropped = WebhookOverflow.objects.filter(connection=connection, hour__gt=since).aggregate(n=Sum("dropped"))["n"]
    return Traffic(endpoint, last, refused, dropped or 0)
