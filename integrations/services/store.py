"""Facts into rows: what is new or changed is added as a version, what is known adds nothing.

One writer per connection at a time (an advisory lock), so looking up the latest versions and adding to them
cannot be overtaken, and ids commit in order within a connection.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db import connection as database

from backoffice.kernel import bulk, locking
from backoffice.kernel.locking import Lock
from integrations.models import Connection
from integrations.models.columns import Table, is_storable, storable

_SPECIAL = re.compile(r"[\\\t\n\r]")
BATCH = 20_000


class Row(NamedTuple):
    """A fact about to be stored: what the source said, what follows from it, and where it was read."""

    said: tuple[str, ...]
    derived: tuple[str, ...]
    raw_id: int
    raw_line: int


@dataclass(slots=True)
class Stored:
    """How many facts were added, added as a newer version, and known already."""

    new: int = 0
    changed: int = 0
    same: int = 0

    def __iadd__(self, other: Stored) -> Stored:
        self.new += other.new
        self.changed += other.changed
        self.same += other.same
        return self


def lock_feed(connection: Connection) -> None:
    """Be the one writer of a connection's facts until the transaction ends."""
    locking.advisory(Lock.FEED, connection.pk)


def store(*, connection: Connection, table: Table, rows: Sequence[Row], received_at: datetime) -> Stored:
    """Add facts of one kind. The caller holds the feed lock and passes at most BATCH rows with distinct keys."""
    locking.require_transaction()
    assert len(rows) <= BATCH, "cut the batch"
    if not rows:
        return Stored()
    rows = _storable(rows)
    keys = [table.key_of(row.said) for row in rows]
    assert len(set(keys)) == len(keys), f"a {table.kind} twice in one batch"
    known = _latest(connection, table, keys)
    head = f"{connection.entity_id}\t{connection.pk}\t"
    tail = f"\t{received_at.isoformat()}"
    stored = Stored()
    lines: list[str] = []
    superseded: list[str] = []
    for key, row in zip(keys, rows, strict=True):
        text = table.content(row.said)
        content = hashlib.sha256(text.encode()).digest()
        before = known.get(key)
        if before is not None and bytes(before[2]) == content:
            stored.same += 1
            continue
        if before is None:
            stored.new += 1
            version = 1
        else:
            stored.changed += 1
            version = before[1] + 1
            superseded.append(f"{table.kind}\t{before[0]}\n")
        values: Iterable[str] = (*row.said, *row.derived)
        if _SPECIAL.search(text):
            values = map(bulk.field, values)
        fields = "\t".join(values) if not table.later else table.copied(values)
        lines.append(f"{head}{version}\t\\\\x{content.hex()}\t{row.raw_id}\t{row.raw_line}{tail}\t{fields}\n")
    if lines:
        bulk.copy_lines(table.table, (*_COMMON, *table.columns), lines)
    if superseded:
        bulk.copy_lines("integrations_superseded", ("fact_kind", "fact_id"), superseded)
    return stored


_COMMON = ("entity_id", "connection_id", "version", "content_hash", "raw_id", "raw_line", "received_at")


def _storable(rows: Sequence[Row]) -> Sequence[Row]:
    """The rows as PostgreSQL can keep them; one look over all texts first, since damage is rare."""
    if is_storable("".join(["".join(row.said) for row in rows])):
        return rows
    return [row._replace(said=storable(row.said)) for row in rows]


def _latest(
    connection: Connection, table: Table, keys: Sequence[tuple[str, ...]]
) -> dict[tuple[str, ...], tuple[int, int, bytes]]:
    """id, version and hash of the newest version of each key that is known."""
    if _all_beyond(connection, table, keys):
        return {}
    columns = [bulk.array(column) for column in zip(*keys, strict=True)]
    names = ", ".join(f"k.{name}" for name in table.key)
    unnested = ", ".join(f"%s::{cast}[]" for cast in table.key_casts)
    matches = " AND ".join(f"f.{name} = k.{name}" for name in table.key)
    with database.cursor() as cursor:
        cursor.execute(
            f"""SELECT f.id, f.version, f.content_hash, {names}
                  FROM unnest({unnested}) AS k ({", ".join(table.key)})
                 CROSS JOIN LATERAL (
                     SELECT f.id, f.version, f.content_hash FROM {table.table} f
                      WHERE f.entity_id = %s AND f.connection_id = %s AND {matches}
                      ORDER BY f.version DESC LIMIT 1) f""",  # noqa: S608 - names from our own table definitions
            [*columns, connection.entity_id, connection.pk],
        )
        return {tuple(map(str, row[3:])): (row[0], row[1], row[2]) for row in cursor.fetchall()}


def _all_beyond(connection: Connection, table: Table, keys: Sequence[tuple[str, ...]]) -> bool:
    """Whether nothing is known between the lowest and the highest of numbers that count up, as tickets do: one look
    at the index says of most batches that all of it is new."""
    if table.key_casts != ("bigint",):
        return False
    numbers = [int(key) for (key,) in keys]
    with database.cursor() as cursor:
        cursor.execute(
            f"SELECT NOT EXISTS (SELECT FROM {table.table} WHERE entity_id = %s AND connection_id = %s"  # noqa: S608
            f" AND {table.key[0]} BETWEEN %s AND %s)",
            [connection.entity_id, connection.pk, min(numbers), max(numbers)],
        )
        return bool(cursor.fetchone()[0])
