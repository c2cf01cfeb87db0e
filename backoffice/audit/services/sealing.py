"""The sealer: one process that numbers what was written, hashes it, signs it, and says so outside the database.

Writers know nothing of it and never wait. Each pass reads, per stream, the rows above the highest id it has seen and
those below it that had not committed then (`Cursor.gaps`), gives them the next positions, and adds one link to the
chain. The heads outside follow after the commit: what is missing there is written by the next pass, so a crash at
any line neither loses a head nor forks the chain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection, transaction
from django.db.models import Max

from backoffice.audit import heads, merkle, signing, streams
from backoffice.audit.heads import Head
from backoffice.audit.models import Batch, Cursor, Seal
from backoffice.audit.streams import Stream
from backoffice.kernel import clock, locking
from backoffice.kernel.errors import DomainError

MOST = 5_000  # rows of a stream under one seal
AT_ONCE = 500  # heads written outside at a time
SETTLED = timedelta(minutes=10)


class OlderThanOutside(DomainError):
    """The database does not continue what stands outside. Sealing on would fork the chain."""


@dataclass(frozen=True, slots=True)
class Row:
    key: int
    leaf: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """What one pass has found of one stream: rows with their hashes in ascending order of ids."""

    stream: Stream
    cursor: Cursor
    rows: tuple[Row, ...]
    late: int

    @property
    def through(self) -> int:
        return max(self.cursor.through, self.rows[-1].key)


def seal(*, most: int = MOST) -> int:
    """Seal all that is committed and publish the heads. Returns the number of rows sealed.

    Raises NoSealKey without a key and OlderThanOutside where the chain outside is not ours.
    """
    key, total = signing.private_key(), 0
    publish()
    while True:
        outside = [target.last() for target in heads.targets()]
        rows, full = _pass(key, outside, most)
        if rows:
            publish()
        total += rows
        if not full:
            return total


def publish() -> int:
    """Bring every target up to the newest seal. Returns the number of heads written."""
    newest = Seal.objects.aggregate(newest=Max("number"))["newest"] or 0
    written = 0
    for target in heads.targets():
        last = target.last()
        through = last.number if last else 0
        while through < newest:
            rows = Seal.objects.filter(number__gt=through).order_by("number")[:AT_ONCE]
            lines = [Head(s.number, s.head, s.statement, s.signature, s.key) for s in rows]
            if not lines:
                break
            target.append(lines)
            through = lines[-1].number
            written += len(lines)
    return written


@transaction.atomic
def _pass(key: Ed25519PrivateKey, outside: Sequence[Head | None], most: int) -> tuple[int, bool]:
    """One link of the chain, if there is anything to say: rows sealed, and whether more may be waiting."""
    if not locking.try_advisory(locking.Lock.JOB, "audit.seal"):
        return 0, False
    last = Seal.objects.order_by("-number").first()
    _require_same_chain(last, outside)
    found = [part for stream in streams.registered() if (part := _collect(stream, most)).rows]
    if found:
        _write(key, last, found)
    for stream in streams.registered():
        _age(stream)
    return sum(len(part.rows) for part in found), any(len(part.rows) >= most for part in found)


def _require_same_chain(last: Seal | None, outside: Sequence[Head | None]) -> None:
    """Refuse to add to a chain that is shorter than, or other than, what stands outside."""
    for head in filter(None, outside):
        if last is not None and last.number > head.number:
            continue
        if last is None or (last.number, last.head) != (head.number, head.head):
            raise OlderThanOutside(
                f"The newest seal outside the database is number {head.number}, the database ends with "
                f"{last.number if last else 'none'}: it was cut, rewritten or restored from an older copy. Nothing is "
                "sealed until this is cleared up; see “After a restore” in the documentation of the audit log."
            )


def _collect(stream: Stream, most: int) -> Found:
    cursor, _ = Cursor.objects.get_or_create(stream=stream.name)
    late = _read(_LATE, stream, (cursor.gaps, most)) if cursor.gaps != "{}" else []
    fresh = _read(_FRESH, stream, (cursor.through, most))
    return Found(stream, cursor, (*late, *fresh), len(late))


def _read(query: str, stream: Stream, values: tuple[Any, ...]) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(query.replace("{rows}", stream.sql), values)
        return [Row(key, merkle.leaf(leaf.encode())) for key, leaf in cursor.fetchall()]


def _write(key: Ed25519PrivateKey, last: Seal | None, found: Sequence[Found]) -> None:
    """The seal, its batches and the cursors."""
    number = last.number + 1 if last else 1
    previous = last.head if last else signing.START
    at = max(clock.now(), last.at) if last else clock.now()
    batches = [_batch(part) for part in found]
    text = signing.statement(
        {"number": number, "previous": previous, "at": at.isoformat(), "streams": [batch.said() for batch in batches]}
    )
    seal = Seal.objects.create(
        number=number,
        at=at,
        previous=previous,
        head=signing.head(text),
        statement=text,
        signature=signing.sign(key, text),
        key=signing.public_text(key),
    )
    for batch in batches:
        batch.seal = seal
    Batch.objects.bulk_create(batches)
    for part in found:
        _advance(part)


def _batch(part: Found) -> Batch:
    hashes = [row.leaf for row in part.rows]
    return Batch(
        stream=part.stream.name,
        form=part.stream.form,
        first=part.cursor.sealed + 1,
        count=len(hashes),
        late=part.late,
        through=part.through,
        root=merkle.root(hashes).hex(),
        keys=[row.key for row in part.rows],
        hashes=b"".join(hashes),
    )


def _advance(part: Found) -> None:
    keys = [row.key for row in part.rows]
    with connection.cursor() as cursor:
        cursor.execute(
            _ADVANCE, [clock.now(), part.through, len(keys), part.cursor.through, part.through, keys, part.stream.name]
        )


def _age(stream: Stream) -> None:
    """Forget gaps that every transaction of their time has left open: those were rolled back."""
    if not stream.settles:
        return
    with connection.cursor() as cursor:
        now = clock.now()
        cursor.execute(_AGE, [now, stream.name, now - SETTLED])


# Gaps are few ranges of ids; OFFSET keeps the planner at one index scan for each of them.
_LATE = """
SELECT x.key, x.leaf
  FROM unnest(%s::int8multirange) gap
 CROSS JOIN LATERAL (SELECT s.key, s.leaf FROM ({rows}) s WHERE s.key >= lower(gap) AND s.key < upper(gap) OFFSET 0) x
 ORDER BY x.key LIMIT %s
"""
_FRESH = "SELECT s.key, s.leaf FROM ({rows}) s WHERE s.key > %s ORDER BY s.key LIMIT %s"
_ADVANCE = """
UPDATE audit_cursor
   SET at = %s, through = %s, sealed = sealed + %s,
       gaps = (gaps::int8multirange + int8multirange(int8range(%s, %s, '(]'))
               - (SELECT range_agg(int8range(k, k, '[]')) FROM unnest(%s::bigint[]) k))::text
 WHERE stream = %s
"""
# What was a gap one round ago, and every transaction of that time has ended since, stays one for ever.
_AGE = """
UPDATE audit_cursor
   SET gaps = (gaps::int8multirange - CASE WHEN aging_mark IS NULL THEN '{}' ELSE aging::int8multirange END)::text,
       aging = (gaps::int8multirange - CASE WHEN aging_mark IS NULL THEN '{}' ELSE aging::int8multirange END)::text,
       aging_mark = pg_snapshot_xmax(pg_current_snapshot())::text::bigint, aging_at = %s
 WHERE stream = %s
   AND (aging_at IS NULL OR aging_at < %s AND aging_mark <= pg_snapshot_xmin(pg_current_snapshot())::text::bigint)
"""
