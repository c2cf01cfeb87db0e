"""Reading deals: the current version of each, and which ones a window holds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection as database

from integrations import records
from integrations.models import Connection


def known_since(connection: Connection, start: datetime) -> set[int]:
    """Tickets with server time from `start` on whose newest version is not deleted."""
    with database.cursor() as cursor:
        cursor.execute(
            """SELECT d.ticket FROM integrations_deal d
                WHERE d.entity_id = %s AND d.connection_id = %s AND d.business_date >= %s AND d.server_time >= %s
                  AND NOT d.deleted
                  AND NOT EXISTS (SELECT FROM integrations_superseded s
                                   WHERE s.fact_kind = 'deal' AND s.fact_id = d.id)""",
            [connection.entity_id, connection.pk, start.date(), start],
        )
        return {row[0] for row in cursor.fetchall()}


def known_of_login(connection: Connection, login: int, start: datetime) -> set[int]:
    """Tickets of one login with server time from `start` on whose newest version is not deleted."""
    with database.cursor() as cursor:
        cursor.execute(
            """SELECT d.ticket FROM integrations_deal d
                WHERE d.entity_id = %s AND d.connection_id = %s AND d.login = %s AND d.server_time >= %s
                  AND NOT d.deleted
                  AND NOT EXISTS (SELECT FROM integrations_superseded s
                                   WHERE s.fact_kind = 'deal' AND s.fact_id = d.id)""",
            [connection.entity_id, connection.pk, login, start],
        )
        return {row[0] for row in cursor.fetchall()}


def current_records(connection: Connection, tickets: Iterable[int]) -> dict[int, records.Deal]:
    """The newest version of deals as records, by ticket."""
    wanted = list(tickets)
    if not wanted:
        return {}
    with database.cursor() as cursor:
        cursor.execute(
            """SELECT DISTINCT ON (ticket) ticket, login, kind, entry, side, symbol, volume_lots, contract_size,
                      price, profit, swap, commission, fee, position_id, order_id, external_id, gateway, reason,
                      comment, modify_flags, deleted, server_time, dealt_at
                 FROM integrations_deal
                WHERE entity_id = %s AND connection_id = %s AND ticket = ANY (%s)
                ORDER BY ticket, version DESC""",
            [connection.entity_id, connection.pk, wanted],
        )
        names = [column.name for column in cursor.description or ()]
        return {row[0]: _record(dict(zip(names, row, strict=True))) for row in cursor.fetchall()}


def _record(row: dict[str, Any]) -> records.Deal:
    offset = row["server_time"] - row.pop("dealt_at").replace(tzinfo=None)
    return records.Deal(
        **{
            **row,
            "kind": records.DealKind(row["kind"]),
            "entry": records.Entry(row["entry"]),
            "side": records.Side(row["side"]),
            "price": Decimal(row["price"]),
            "utc_offset_minutes": int(offset.total_seconds() // 60),
        }
    )
