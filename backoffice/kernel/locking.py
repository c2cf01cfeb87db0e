"""Locks, in one place. The order in which they may be taken is on one page: docs/locks.md."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from enum import IntEnum
from typing import TypeVar

from django.db import connection, models

M = TypeVar("M", bound=models.Model)


class Lock(IntEnum):
    """Namespaces of advisory locks: the first of PostgreSQL's two lock keys."""

    ENTITY_DAY = 1  # shared: posting; exclusive: closing a day. The key is the entity's id.
    FEED = 2  # one writer of facts per connection; the key is the connection's id.
    RUN = 3  # one reconciliation of a kind and entity at a time
    JOB = 4  # one instance of a periodic job
    BOOKING = 5  # one booking pass per connection
    CLIENT_SUM = 6  # one request at a time per client, so that the daily sum sees all of them
    READING = 7  # one note per reader and object at a time
    WEBHOOKS_REFUSED = 8  # the hourly measure of refused webhooks; the key is the connection's id
    WEBHOOKS_WRITTEN = 9  # shared: writing webhooks; alone: how far they are complete (integrations/sql/webhooks.sql)


def require_transaction() -> None:
    """Fail where a lock would be given back before it protected anything."""
    assert connection.in_atomic_block, "locks and outbox rows need an open transaction"


def lock_rows(queryset: models.QuerySet[M], pks: Iterable[int]) -> dict[int, M]:
    """Lock rows by primary key in ascending order and return them by key.

    Ascending order is what makes two use cases that need the same rows queue instead of deadlock.
    """
    require_transaction()
    wanted = sorted(set(pks))
    rows = {row.pk: row for row in queryset.filter(pk__in=wanted).order_by("pk").select_for_update(of=("self",))}
    assert rows.keys() == set(wanted), f"rows to lock are missing: {sorted(set(wanted) - rows.keys())}"
    return rows


def advisory(namespace: Lock, key: int | str) -> None:
    """Wait for a lock that belongs to the transaction and ends with it."""
    require_transaction()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [int(namespace), _number(key)])


def try_advisory(namespace: Lock, key: int | str) -> bool:
    """Take the lock if it is free; it ends with the transaction."""
    require_transaction()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [int(namespace), _number(key)])
        row = cursor.fetchone()
    assert row is not None
    return bool(row[0])


def _number(key: int | str) -> int:
    """PostgreSQL takes a signed 32-bit key; names are hashed into it."""
    if isinstance(key, int):
        return key
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big", signed=True)
