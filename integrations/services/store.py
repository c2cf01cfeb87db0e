"""Facts into rows: what is new or changed is added as a version, what is known adds nothing.

One writer per connection at a time (an advisory lock), so looking up the latest versions and adding to them
cannot be overtaken, and ids commit in order within a connection.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import connection as database

from backoffice.kernel import bulk, locking
from backoffice.kernel.locking import Lock
from integrations.models import Connection
from integrations.models.columns import Table, is_storable, storable

_SPECIAL = re.compile(r"[\\\t\n\r]")
BATCH = 20_000


@dataclass(frozen=True, slots=True)
class Row:
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
    positions = [table.said.index(column) for column in table.key]
    known = _latest(connection, table, rows, positions)
    head = f"{connection.entity_id}\t{connection.pk}\t"
    tail = f"\t{received_at.isoformat()}"
    stored = Stored()
    lines: list[str] = []
    superseded: list[str] = []
    seen: set[tuple[str, ...]] = set()
    for row in rows:
        key = tuple(row.said[p] for p in positions)
        assert key not in seen, f"{table.kind} {key} twice in one batch"
        seen.add(key)
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
    return [replace(row, said=storable(row.said)) for row in rows]


def _latest(
    connection: Connection, table: Table, rows: Sequence[Row], positions: Iterable[int]
) -> dict[tuple[str, ...], tuple[int, int, bytes]]:
    """id, version and hash of the newest version of each key that is known."""
    columns = [bulk.array(row.said[p] for row in rows) for p in positions]
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
