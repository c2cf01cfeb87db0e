"""Readings of logins, their margin and groups into rows: one row each, always the newest."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import connection as database

from backoffice.kernel import bulk, marks
from integrations.models import Connection, ServerGroup, ServerMargin
from integrations.models.columns import storable
from integrations.records import GroupTerms, Margin, User

_KEEP = """
INSERT INTO integrations_serveruser AS known (connection_id, login, rights, "group", leverage, currency, device,
                                             address, read_at)
SELECT %(connection)s, n.login, n.rights, left(n.group_name, 200), n.leverage, left(n.currency, 10), n.device,
       n.address, %(asked_at)s
  FROM unnest(%(logins)s::bigint[], %(rights)s::bigint[], %(groups)s::text[], %(leverages)s::int[],
              %(currencies)s::text[], %(devices)s::text[], %(addresses)s::text[])
       AS n (login, rights, group_name, leverage, currency, device, address)
    ON CONFLICT (connection_id, login) DO UPDATE
   SET rights = excluded.rights, "group" = excluded."group", leverage = excluded.leverage,
       currency = excluded.currency, device = excluded.device, address = excluded.address, read_at = excluded.read_at
 WHERE known.read_at <= excluded.read_at
"""


def keep_users(*, connection: Connection, users: Iterable[User], asked_at: datetime) -> None:
    """Store what a server said of logins when it was asked at `asked_at`; one statement for all of them."""
    # In one order, so that two readings at once queue instead of deadlock.
    rows = sorted(users, key=lambda user: user.login)
    values: dict[str, Any] = {
        "connection": connection.pk,
        "asked_at": asked_at,
        "logins": bulk.array(str(user.login) for user in rows),
        "rights": bulk.array(str(user.rights) for user in rows),
        "groups": bulk.array(storable([user.group for user in rows])),
        "leverages": bulk.array(str(user.leverage) for user in rows),
        "currencies": bulk.array(storable([user.currency for user in rows])),
        "devices": bulk.array(marks.mark("login.device", user.device) for user in rows),
        "addresses": bulk.array(marks.mark("login.address", user.address) for user in rows),
    }
    with database.cursor() as cursor:
        cursor.execute(_KEEP, values)


def keep_margins(*, connection: Connection, margins: Iterable[Margin], asked_at: datetime) -> None:
    """Store what a server said of the margin of logins when it was asked at `asked_at`."""
    rows = [
        ServerMargin(
            connection=connection,
            login=item.login,
            equity=item.equity,
            margin=item.margin,
            leverage=item.leverage,
            read_at=asked_at,
        )
        for item in sorted(margins, key=lambda item: item.login)
    ]
    ServerMargin.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["connection", "login"],
        update_fields=["equity", "margin", "leverage", "read_at"],
    )


def keep_group(*, connection: Connection, group: GroupTerms, asked_at: datetime) -> None:
    """Store what a server said of a group when it was asked at `asked_at`."""
    values = {
        "currency": group.currency[:10],
        "stop_out": group.stop_out,
        "in_money": group.in_money,
        "read_at": asked_at,
    }
    ServerGroup.objects.update_or_create(connection=connection, name=group.name[:200], defaults=values)
