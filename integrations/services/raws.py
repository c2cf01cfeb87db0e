"""Raw messages: what came is kept before anything is made of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import IO

from django.db import connection as database

from backoffice.kernel import bulk, locking
from integrations.models import Connection, RawChunk, RawMessage
from integrations.models.raw import CHUNK_SIZE, INLINE_MAX

_COLUMNS = (
    "entity_id", "id", "connection_id", "external_id", "version", "received_at", "sha256", "size", "origin", "body",
)  # fmt: skip


def keep_records(
    *, connection: Connection, bodies: Mapping[str, str], received_at: datetime, origin: str
) -> dict[str, int]:
    """Keep records of an API answer by their external id; returns the raw message's id for each.

    A body equal to the latest version of its key adds nothing. The caller holds the feed lock.
    """
    locking.require_transaction()
    if not bodies:
        return {}
    hashes = {key: hashlib.sha256(body.encode()).digest() for key, body in bodies.items()}
    known = _latest(connection, list(bodies))
    fresh = [key for key, value in hashes.items() if key not in known or known[key][2] != value]
    ids = dict(zip(fresh, _reserve(len(fresh)), strict=True))
    bulk.copy_rows(
        "integrations_rawmessage",
        _COLUMNS,
        (
            (
                connection.entity_id,
                ids[key],
                connection.pk,
                key,
                known[key][1] + 1 if key in known else 1,
                received_at,
                hashes[key],
                len(bodies[key].encode()),
                origin,
                bodies[key].encode(),
            )
            for key in fresh
        ),
    )
    return {key: ids[key] if key in ids else known[key][0] for key in bodies}


def keep_file(
    *, connection: Connection, stream: IO[bytes], filename: str, received_at: datetime, origin: str
) -> tuple[RawMessage, bool]:
    """Keep a file, whatever it holds; returns its raw message and whether these bytes are new for its name.

    Memory stays at one chunk. The caller holds the feed lock.
    """
    locking.require_transaction()
    digest, size = fingerprint(stream)
    known = _latest(connection, [filename]).get(filename)
    if known is not None and known[2] == digest:
        return RawMessage.objects.get(entity_id=connection.entity_id, id=known[0]), False
    (raw_id,) = _reserve(1)
    stream.seek(0)
    body = stream.read(size) if size <= INLINE_MAX else None
    raw = RawMessage(
        entity_id=connection.entity_id,
        id=raw_id,
        connection_id=connection.pk,
        external_id=filename,
        version=known[1] + 1 if known else 1,
        received_at=received_at,
        sha256=digest,
        size=size,
        origin=origin,
        body=body,
    )
    raw.save(force_insert=True)
    if body is None:
        stream.seek(0)
        for number, chunk in enumerate(iter(lambda: stream.read(CHUNK_SIZE), b"")):
            RawChunk(raw_id=raw_id, number=number, body=chunk).save(force_insert=True)
    return raw, True


def fingerprint(stream: IO[bytes]) -> tuple[bytes, int]:
    """SHA-256 and size of a stream, read from its start in chunks."""
    stream.seek(0)
    hashed, size = hashlib.sha256(), 0
    for chunk in iter(lambda: stream.read(CHUNK_SIZE), b""):
        hashed.update(chunk)
        size += len(chunk)
    return hashed.digest(), size


def chunks_of(raw: RawMessage) -> Iterator[bytes]:
    """The bytes of a raw message, a megabyte at a time."""
    if raw.body is not None:
        yield bytes(raw.body)
        return
    for number in range((raw.size + CHUNK_SIZE - 1) // CHUNK_SIZE):
        yield bytes(RawChunk.objects.get(raw_id=raw.id, number=number).body)


def _reserve(count: int) -> Sequence[int]:
    with database.cursor() as cursor:
        cursor.execute("SELECT nextval('integrations_rawmessage_id_seq') FROM generate_series(1, %s)", [count])
        return [row[0] for row in cursor.fetchall()]


def _latest(connection: Connection, external_ids: Iterable[str]) -> dict[str, tuple[int, int, bytes]]:
    """id, version and hash of the newest raw message of each external id."""
    with database.cursor() as cursor:
        cursor.execute(
            """SELECT k.external_id, r.id, r.version, r.sha256
                 FROM unnest(%s::text[]) AS k (external_id)
                CROSS JOIN LATERAL (
                    SELECT id, version, sha256 FROM integrations_rawmessage r
                     WHERE r.entity_id = %s AND r.connection_id = %s AND r.external_id = k.external_id
                     ORDER BY version DESC LIMIT 1) r""",
            [bulk.array(external_ids), connection.entity_id, connection.pk],
        )
        return {row[0]: (row[1], row[2], bytes(row[3])) for row in cursor.fetchall()}
