"""The rows of one stream against their batches: what was changed, what is gone, what came in beside the sealer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from django.db import connection
from django.db.models import QuerySet

from backoffice.audit import merkle, streams
from backoffice.audit.models import Batch

CHANGED = "a sealed row is what was sealed"
GONE = "a sealed row is still there"
BESIDE = "no row has come in beside the sealer"
UNKNOWN = "every sealed stream is one that this version knows"
_FETCH = 5_000
Add = Callable[[str, str, str], None]


class Sealed(NamedTuple):
    """A row as a batch has it."""

    leaf: bytes
    position: int
    form: int


class StreamCheck:
    """Fed with the batches of a stream in their order; reads its rows once, in the order of their ids.

    The two run side by side. A row between two sealed ids belongs to the late part of some batch, is a gap that the
    sealer still watches, or should not be there. Batches above `newest` came while we read and are left alone.
    """

    def __init__(self, name: str, newest: int, add: Add) -> None:
        self.name, self.newest, self.add = name, newest, add
        self.rows = self.waiting = 0
        stream = streams.stream(name)
        self._forms = stream.forms if stream else {}
        self._late = dict(self._late_parts())
        self._through = 0
        self._next: tuple[int, bytes] | None = None
        self._reader: Iterator[tuple[int, bytes]] = iter(())
        first = self._known().order_by("first").values_list("form", flat=True).first()
        self._form = first or (stream.form if stream else 0)
        self._read(self._form)

    def batches(self) -> Iterator[Batch]:
        """Those that are looked at, in the order of their positions."""
        return self._known().select_related("seal").order_by("first").iterator(chunk_size=50)

    def take(self, batch: Batch) -> None:
        """Compare the rows of the next batch."""
        if batch.form != self._form:
            self._drain()
            self._form = batch.form
            self._read(batch.form)
        if batch.form in self._forms:
            leaves = batch.leaves()
            for number in range(batch.late, min(len(batch.keys), len(leaves))):
                self._expect(batch.keys[number], Sealed(leaves[number], batch.first + number, batch.form))
        self._through = max(self._through, batch.through)

    def finish(self) -> None:
        """What is left: late rows, rows not sealed yet, and late ones that never came by."""
        self._drain()
        while self._next is not None:
            self.waiting += 1
            self._step()
        for key, sealed in sorted(self._late.items(), key=lambda item: item[1].position):
            if sealed.form in self._forms:
                self._gone(key, sealed)

    def _drain(self) -> None:
        """Read on to the end of what the batches so far have reached."""
        while self._next is not None and self._next[0] <= self._through:
            self._between(*self._next)
            self._step()

    def _expect(self, key: int, sealed: Sealed) -> None:
        """The row with this id is the next one, or something is wrong before it."""
        while self._next is not None and self._next[0] < key:
            self._between(*self._next)
            self._step()
        if self._next is None or self._next[0] != key:
            self._gone(key, sealed)
            return
        self._compare(key, self._next[1], sealed)
        self._step()

    def _between(self, key: int, leaf: bytes) -> None:
        sealed = self._late.pop(key, None)
        if sealed is not None:
            if sealed.form != self._form and sealed.form in self._forms:
                leaf = next(row for _, row in _rows(self._forms[sealed.form], key - 1))
            self._compare(key, leaf, sealed)
        elif self._is_still_to_come(key):
            self.waiting += 1
        else:
            self.add(BESIDE, f"{self.name} {key}", "stands between sealed rows and is in no batch")

    def _compare(self, key: int, leaf: bytes, sealed: Sealed) -> None:
        self.rows += 1
        if merkle.leaf(leaf) != sealed.leaf:
            self.add(CHANGED, f"{self.name} {key}", f"position {sealed.position} says something else than was sealed")

    def _gone(self, key: int, sealed: Sealed) -> None:
        self.add(GONE, f"{self.name} {key}", f"position {sealed.position} has no row any more")

    def _is_still_to_come(self, key: int) -> bool:
        """Whether the sealer watches for this row, or has sealed it since we began."""
        with connection.cursor() as cursor:
            cursor.execute(_STILL_TO_COME, [self.name, key, self.name, self.newest, key])
            row = cursor.fetchone()
        return row is not None and bool(row[0])

    def _known(self) -> QuerySet[Batch]:
        return Batch.objects.filter(stream=self.name, first__lte=self.newest)

    def _late_parts(self) -> Iterator[tuple[int, Sealed]]:
        """Rows that were sealed after rows with higher ids."""
        for batch in self._known().filter(late__gt=0).order_by("first").iterator(chunk_size=50):
            leaves = batch.leaves()
            for number, key in enumerate(batch.keys[: min(batch.late, len(leaves))]):
                yield key, Sealed(leaves[number], batch.first + number, batch.form)

    def _read(self, form: int) -> None:
        """Read on above what was reached, as a form spells the rows."""
        if form in self._forms:
            self._reader = _rows(self._forms[form], self._through)
        else:
            self.add(UNKNOWN, self.name, f"nobody has registered its form {form}")
            self._reader = iter(())
        self._step()

    def _step(self) -> None:
        self._next = next(self._reader, None)


def _rows(sql: str, after: int) -> Iterator[tuple[int, bytes]]:
    """(id, leaf) in the order of ids, from a cursor in the database."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(_ROWS.replace("{rows}", sql), [after])
        while chunk := cursor.fetchmany(_FETCH):
            for key, leaf in chunk:
                yield key, leaf.encode()


_ROWS = "SELECT s.key, s.leaf FROM ({rows}) s WHERE s.key > %s ORDER BY s.key"
_STILL_TO_COME = """
SELECT EXISTS (SELECT FROM audit_cursor WHERE stream = %s AND gaps::int8multirange @> %s::bigint)
    OR EXISTS (SELECT FROM audit_batch WHERE stream = %s AND first > %s AND late > 0 AND keys @> ARRAY[%s::bigint])
"""
