"""The log for people outside: JSON lines with inclusion proofs, and the script that checks them without our code.

The first line says what it is; `head` lines are the signed statements of the range, oldest first; `row` lines carry
the row's exact text with its proof. Rows are taken as they stand in the database today: one that was changed since
fails in the script, as it should.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet

from backoffice.audit import merkle, signing, streams
from backoffice.audit.models import Batch, Entry, Seal
from backoffice.audit.services.recording import record
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import DomainError

FORMAT = "backoffice-audit-1"
SCRIPT = Path(__file__).resolve().parent.parent / "standalone" / "verify_export.py"
ENTRIES = "audit.entries"
_ROWS = "SELECT s.key, s.leaf FROM ({rows}) s WHERE s.key = ANY (%s)"


class NothingToExport(DomainError):
    """The range has no sealed row."""


@dataclass(frozen=True, slots=True)
class Exported:
    path: Path
    script: Path
    heads: int
    rows: int
    last_head: str


@transaction.atomic
def export(
    *,
    actor: Actor,
    path: Path,
    first: date,
    last: date,
    only: Sequence[str] = (),
    keys: Sequence[int] = (),
    target: str = "",
) -> Exported:
    """Write what was sealed on the UTC days from `first` to `last` to a file, and the script beside it.

    `only` names streams; `keys` ids of one stream; `target` takes the entries about one object. Without any of
    these the export is whole, and the script checks that no row of the range is missing.
    """
    seals = Seal.objects.filter(at__gte=_start(first), at__lt=_start(last + timedelta(days=1))).order_by("number")
    ends = seals.first(), seals.last()
    if ends[0] is None or ends[1] is None:
        raise NothingToExport(f"Nothing was sealed from {first} to {last}. Choose other days.")
    unknown = sorted(set(only) - {stream.name for stream in streams.registered()})
    if unknown:
        known = ", ".join(stream.name for stream in streams.registered())
        raise DomainError(f"There is no stream {', '.join(unknown)}. There are {known}.")
    wanted: set[int] | None = set(keys) or None
    if target:
        only, wanted = (ENTRIES,), set(Entry.objects.filter(target=target).values_list("pk", flat=True))
    batches = Batch.objects.filter(seal__in=seals).order_by("stream", "first")
    batches = batches.filter(stream__in=only) if only else batches
    heads = rows = 0
    with path.open("w", encoding="utf-8") as file:
        file.write(_about(ends[0], ends[1], only, whole=wanted is None))
        for seal in seals.iterator(chunk_size=2_000):
            file.write(_head(seal))
            heads += 1
        for row in _rows(batches, wanted):
            file.write(signing.statement(row) + "\n")
            rows += 1
    script = path.with_name(SCRIPT.name)
    script.write_text(SCRIPT.read_text(encoding="utf-8"), encoding="utf-8")
    record(
        actor=actor,
        action="audit.exported",
        target=target,
        data={"from": first, "to": last, "streams": list(only), "keys": sorted(keys), "heads": heads, "rows": rows},
    )
    return Exported(path, script, heads, rows, ends[1].head)


@transaction.atomic
def one(*, actor: Actor, stream: str, key: int) -> str:
    """The proof of one row as an export of its own."""
    batch, row = batch_of(stream, key), proof(stream=stream, key=key)
    if batch is None or row is None:
        raise NothingToExport("The row waits for its seal. Ask again in a few seconds.")
    record(actor=actor, action="audit.exported", data={"streams": [stream], "keys": [key], "heads": 1, "rows": 1})
    about = _about(batch.seal, batch.seal, (stream,), whole=False)
    return about + _head(batch.seal) + signing.statement(row) + "\n"


def proof(*, stream: str, key: int) -> dict[str, Any] | None:
    """The sealed place of one row with its inclusion proof; None while it waits for its seal."""
    batch = batch_of(stream, key)
    if batch is None:
        return None
    return next(iter(_rows_of(batch, {key})), None)


def batch_of(stream: str, key: int) -> Batch | None:
    """The batch a row is in."""
    found = Batch.objects.filter(stream=stream, through__gte=key).order_by("through", "first").first()
    if found is None or key in found.keys:
        return found
    return Batch.objects.filter(stream=stream, late__gt=0, first__gt=found.first, keys__contains=[key]).first()


def _rows(batches: QuerySet[Batch], wanted: set[int] | None) -> Iterator[dict[str, Any]]:
    for batch in batches.iterator(chunk_size=50):
        if wanted is None or not wanted.isdisjoint(batch.keys):
            yield from _rows_of(batch, wanted)


def _rows_of(batch: Batch, wanted: set[int] | None) -> Iterator[dict[str, Any]]:
    stream = streams.stream(batch.stream)
    sql = stream.forms.get(batch.form) if stream else None
    if sql is None:
        raise DomainError(f"This version does not know the stream {batch.stream} in form {batch.form}.")
    tree = merkle.levels(batch.leaves())
    keys = [key for key in batch.keys if wanted is None or key in wanted]
    with connection.cursor() as cursor:
        cursor.execute(_ROWS.replace("{rows}", sql), [keys])
        leaves = dict(cursor.fetchall())
    for index, key in enumerate(batch.keys):
        if key in leaves:
            yield {
                "type": "row",
                "stream": batch.stream,
                "key": key,
                "seal": batch.seal_id,
                "position": batch.first + index,
                "leaf": leaves[key],
                "path": [node.hex() for node in merkle.path(tree, index)],
            }


def _about(first: Seal, last: Seal, only: Sequence[str], *, whole: bool) -> str:
    about = {
        "type": "about",
        "format": FORMAT,
        "made_at": clock.now().isoformat(),
        "first_seal": first.number,
        "last_seal": last.number,
        "streams": sorted(only) or "all",
        "whole": whole,
    }
    return signing.statement(about) + "\n"


def _head(seal: Seal) -> str:
    head = {
        "type": "head",
        "number": seal.number,
        "statement": seal.statement,
        "signature": seal.signature,
        "key": seal.key,
    }
    return signing.statement(head) + "\n"


def _start(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
