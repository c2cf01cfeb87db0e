"""Files: keep the bytes, read them, prove their control totals, and only then store what they say.

    receive -> RECEIVED -> examine -> PREVIEW -> confirm -> STORED
                              |-> HELD (does not prove itself) -> accept through approval -> STORED
                              |-> REFUSED (not such a file, or hostile)

The bytes are kept whatever becomes of the file. Nothing of a held or refused file reaches the facts, so
nothing of it can be booked or matched. A received file whose reader died, or was never woken, is found by `sweep`.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import islice
from pathlib import PurePath
from typing import IO, Any

from django.conf import settings
from django.db import transaction

from backoffice.audit import services as audit
from backoffice.kernel import clock, jobs
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import DomainError
from integrations import records, registry
from integrations.models import Connection, FeedState, FileImport, ImportState, RawMessage, Rejection
from integrations.ports import FileReader
from integrations.records import Parsed, Unreadable
from integrations.services import profiles, raws, schemas, totals
from integrations.services.facts import store_records
from integrations.services.listings import keep_listing
from integrations.services.store import lock_feed

WAKE = "integrations.examine"
# Longer than the largest file takes to read; until then its first reader is at it.
NOT_READ_AFTER = timedelta(minutes=3)
REJECTIONS_KEPT = 1000
_SPOOL = 8 * 1024 * 1024


class BadUpload(DomainError):
    """A file that cannot be taken at all: empty, too large, or for a connection that reads no files."""


class NotInThatState(DomainError):
    """The import is past the step that was asked for."""


def import_file(*, actor: Actor, connection_id: int, stream: IO[bytes], filename: str) -> FileImport:
    """Receive, examine and, when the file proves itself, store it: what a command or a job does."""
    received = receive(actor=actor, connection_id=connection_id, stream=stream, filename=filename)
    examined = examine(actor=actor, import_id=received.pk)
    if examined.state == ImportState.PREVIEW:
        return confirm(actor=actor, import_id=received.pk)
    return examined


@transaction.atomic
def receive(*, actor: Actor, connection_id: int, stream: IO[bytes], filename: str) -> FileImport:
    """Keep a file's bytes and note that it came. Nothing is read yet."""
    connection = Connection.objects.get(pk=connection_id)
    if registry.is_server(connection.adapter):
        raise BadUpload(f"{connection} is a trade server; it is read over the network and takes no files.")
    digest, size = raws.fingerprint(stream)
    if size == 0:
        raise BadUpload(f"{filename} is empty. Ask the sender for the file again.")
    if size > settings.IMPORT_SIZE_LIMIT:
        limit = settings.IMPORT_SIZE_LIMIT // (1024 * 1024)
        raise BadUpload(f"{filename} is larger than {limit} MB. Split it, or raise the limit.")
    lock_feed(connection)
    name = PurePath(filename.replace("\\", "/")).name[:255] or "file"
    now = clock.now()
    raw, _ = raws.keep_file(
        connection=connection, stream=stream, filename=name, received_at=now, origin=f"file from {actor.label}"
    )
    received = FileImport.objects.create(
        entity_id=connection.entity_id,
        connection=connection,
        filename=name,
        sha256=digest.hex(),
        size=size,
        raw_id=raw.id,
        received_at=now,
        received_by=actor.label,
    )
    audit.record(actor=actor, action="import.received", target=received, data={"file": name, "sha256": digest.hex()})
    return received


def examine(*, actor: Actor, import_id: int) -> FileImport:
    """Read a received file and say what it holds; store nothing of it."""
    examined = FileImport.objects.select_related("connection").get(pk=import_id)
    if examined.state != ImportState.RECEIVED:
        return examined
    try:
        parsed = totals.with_stored(examined.connection, _parse(examined))
    except Unreadable as error:
        return _settle(actor, examined, ImportState.REFUSED, error=str(error))
    if schemas.wanted(parsed):
        with opened(examined) as stream:
            parsed = schemas.judged(parsed, stream)
    held = parsed.balanced is False
    return _settle(actor, examined, ImportState.HELD if held else ImportState.PREVIEW, parsed=parsed)


def sweep() -> int:
    """Wake the reading of files that wait for it still. Called by schedule."""
    waiting = FileImport.objects.filter(state=ImportState.RECEIVED, received_at__lt=clock.now() - NOT_READ_AFTER)
    found = list(waiting.values_list("pk", flat=True))
    for import_id in found:
        jobs.wake(WAKE, import_id=import_id)
    return len(found)


def confirm(*, actor: Actor, import_id: int) -> FileImport:
    """Store the facts of a file that proved itself. One that no longer does, because of another file that was stored
    since (services/totals.py), is held instead."""
    return _store(actor, import_id, ImportState.PREVIEW)


def accept_held(*, actor: Actor, import_id: int, reason: str) -> dict[str, int]:
    """Store the readable rows of a file although it does not prove itself. Runs behind four eyes."""
    stored = _store(actor, import_id, ImportState.HELD, reason=reason)
    return {"new": stored.new, "duplicate": stored.duplicate}


@transaction.atomic
def discard(*, actor: Actor, import_id: int, reason: str) -> FileImport:
    """Put a previewed or held file aside. Its bytes stay; a corrected file is a new import."""
    found = FileImport.objects.select_for_update().get(pk=import_id)
    if found.state not in (ImportState.PREVIEW, ImportState.HELD):
        raise NotInThatState(f"{found.filename} is {found.get_state_display()}; there is nothing to discard.")
    found.state = ImportState.DISCARDED
    found.finished_at = clock.now()
    found.save(update_fields=["state", "finished_at"])
    audit.record(actor=actor, action="import.discarded", target=found, data={"reason": reason})
    return found


def _store(actor: Actor, import_id: int, expected: ImportState, reason: str = "") -> FileImport:
    with transaction.atomic():
        stored = FileImport.objects.select_for_update(of=("self",)).select_related("connection").get(pk=import_id)
        if stored.state != expected:
            raise NotInThatState(f"{stored.filename} is {stored.get_state_display()} already. Nothing was done.")
        connection = stored.connection
        lock_feed(connection)
        parsed = _parse(stored)
        if expected == ImportState.PREVIEW and _now_held(actor, stored, parsed):
            return stored
        now = clock.now()
        counts = store_records(
            connection=connection,
            located=((r, stored.raw_id, line) for r, line in zip(parsed.records, parsed.lines, strict=True)),
            received_at=now,
        )
        _listings(stored, parsed)
        stored.new, stored.changed, stored.duplicate = counts.new, counts.changed, counts.same
        stored.state = ImportState.STORED
        stored.finished_at = now
        stored.save()
        _feed_read(connection, counts.new + counts.changed > 0)
        audit.record(
            actor=actor,
            action="import.stored",
            target=stored,
            data={"new": counts.new, "changed": counts.changed, "duplicate": counts.same, "reason": reason},
        )
    return stored


def _now_held(actor: Actor, stored: FileImport, parsed: Parsed) -> bool:
    """Whether a total over this file and what is stored by now does not hold; the import is held then."""
    proved = totals.with_stored(stored.connection, parsed)
    if proved.balanced is not False:
        return False
    stored.state, stored.balanced = ImportState.HELD, False
    stored.control_totals = _as_kept(proved)
    stored.save(update_fields=["state", "balanced", "control_totals"])
    audit.record(actor=actor, action="import.held", target=stored, data={"totals": stored.control_totals[:20]})
    return True


def _as_kept(parsed: Parsed) -> list[dict[str, Any]]:
    return [{"name": t.name, "expected": t.expected, "found": t.found, "holds": t.holds} for t in parsed.control_totals]


def _listings(stored: FileImport, parsed: Parsed) -> None:
    """A full extract of a trade server is also its listing, for each business day it has rows of."""
    if stored.connection.settings.get("full_extract", "") != "yes":
        return
    days: dict[date, list[tuple[records.Deal, int]]] = {}
    for record in parsed.records:
        if isinstance(record, records.Deal):
            days.setdefault(record.server_time.date(), []).append((record, stored.raw_id))
    for day, deals in sorted(days.items()):
        keep_listing(connection=stored.connection, day=day, taken_at=clock.now(), deals=deals)


@transaction.atomic
def _settle(
    actor: Actor, examined: FileImport, state: ImportState, *, parsed: Parsed | None = None, error: str = ""
) -> FileImport:
    found = FileImport.objects.select_for_update(of=("self",)).get(pk=examined.pk)
    if found.state != ImportState.RECEIVED:
        return found
    found.state, found.error = state, error
    if state == ImportState.REFUSED:
        found.finished_at = clock.now()
    if parsed is not None:
        found.rows = int(parsed.facts.get("rows", len(parsed.records) + len(parsed.rejected)))
        found.rejected = len(parsed.rejected)
        found.balanced = parsed.balanced
        found.control_totals = _as_kept(parsed)
        found.facts = dict(parsed.facts)
        found.warnings = list(parsed.warnings)
        Rejection.objects.bulk_create(
            Rejection(file_import=found, line=r.line, field=r.field[:80], reason=r.reason, raw=r.raw[:2000])
            for r in parsed.rejected[:REJECTIONS_KEPT]
        )
    found.save()
    audit.record(
        actor=actor,
        action="import.examined",
        target=found,
        data={"state": state, "rows": found.rows, "rejected": found.rejected, "error": error[:500]},
    )
    return found


def _feed_read(connection: Connection, fresh: bool) -> None:
    now = clock.now()
    feed = FeedState.objects.select_for_update().get(connection=connection)
    feed.last_attempt_at = feed.last_success_at = now
    feed.failures, feed.last_error = 0, ""
    if fresh:
        feed.last_fact_at = now
    feed.save()


def _parse(examined: FileImport) -> Parsed:
    reader: FileReader = registry.READERS[examined.connection.adapter]
    with opened(examined) as stream:
        return reader.parse(stream, filename=examined.filename, settings=profiles.settings_of(examined.connection))


@contextmanager
def opened(examined: FileImport) -> Iterator[IO[bytes]]:
    """The bytes of an import as a file; a large one goes through the disk, not through memory."""
    raw = RawMessage.objects.get(entity_id=examined.entity_id, id=examined.raw_id)
    with tempfile.SpooledTemporaryFile(max_size=_SPOOL) as spool:
        for chunk in raws.chunks_of(raw):
            spool.write(chunk)
        spool.seek(0)
        yield spool


def preview(examined: FileImport, *, limit: int) -> tuple[list[str], list[list[str]]]:
    """Headings and the first rows of a file as they would be stored, for a person to look at."""
    try:
        parsed = _parse(examined)
    except Unreadable:
        return [], []
    names: list[str] = []
    rows: list[list[str]] = []
    for record, line in islice(zip(parsed.records, parsed.lines, strict=True), limit):
        values = {
            field.name: getattr(record, field.name)
            for field in dataclasses.fields(record)
            if field.name not in ("details", "line_key")
        }
        names = names or ["line", *values]
        rows.append([str(line), *(str(getattr(v, "value", v)) for v in values.values())])
    used = [i for i, _ in enumerate(names) if any(row[i] not in ("", "0", "False") for row in rows)]
    return [names[i].replace("_", " ") for i in used], [[row[i] for i in used] for row in rows]
