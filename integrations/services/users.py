"""Readings of logins into rows: one row per login, replaced only by a reading that was asked for later."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import connection as database

from backoffice.kernel import bulk
from integrations.models import Connection
from integrations.models.columns import storable
from integrations.records import User

_KEEP = """
INSERT INTO integrations_serveruser AS known (connection_id, login, rights, "group", leverage, currency, read_at)
SELECT %(connection)s, n.login, n.rights, left(n.group_name, 200), n.leverage, left(n.currency, 10), %(asked_at)s
  FROM unnest(%(logins)s::bigint[], %(rights)s::bigint[], %(groups)s::text[], %(leverages)s::int[],
              %(currencies)s::text[]) AS n (login, rights, group_name, leverage, currency)
    ON CONFLICT (connection_id, login) DO UPDATE
   SET rights = excluded.rights, "group" = excluded."group", leverage = excluded.leverage,
       currency = excluded.currency, read_at = excluded.read_at
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
    }
    with database.cursor() as cursor:
        cursor.execute(_KEEP, values)
