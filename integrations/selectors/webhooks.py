"""Webhooks for those who take them in and for those who look at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection as database
from django.db.models import Q, Sum
from django.db.models.query import QuerySet

from backoffice.kernel import clock
from integrations.hints import PspEvent
from integrations.models import Connection, PspLine, Verdict, Webhook, WebhookEndpoint, WebhookOverflow

_AGREE_MAX = 20
_KNOWN = """
SELECT id, kind, amount, currency, psp_reference, merchant_reference FROM integrations_webhook
 WHERE entity_id = %s AND connection_id = %s AND event_id = %s AND verdict = 'VERIFIED'
"""


@dataclass(frozen=True, slots=True)
class Known:
    """What the first delivery of an event said."""

    id: int
    said: tuple[Any, ...]


def known_event(entity_id: int, connection_id: int, event_id: str) -> Known | None:
    """The verified webhook of an event."""
    with database.cursor() as cursor:
        cursor.execute(_KNOWN, [entity_id, connection_id, event_id])
        found: tuple[Any, ...] | None = cursor.fetchone()
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
