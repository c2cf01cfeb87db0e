"""Rows of a CSV file, streamed, with true line numbers: `Sheet` gives cells, `Table` cells by header name.

Each physical line is decoded by itself: UTF-8 (with or without byte order mark), else cp1252, and the facts
say which. A row is one line, or several where a quoted field holds line breaks; a quote that is never closed
costs its own line only, not the rest of the file.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import IO

from integrations.adapters import reading
from integrations.adapters.reading import BadField, Findings
from integrations.records import Unreadable

LINE_MAX = 1024 * 1024
ROWS_MAX = 2_000_000
COLUMNS_MAX = 1_000
# Lines a quoted field may span before its quote counts as never closed.
_ROW_LINES_MAX = 20
_BYTE_ORDER_MARKS_16 = (b"\xff\xfe", b"\xfe\xff")


def name_of(header: str) -> str:
    """A header as it is compared: case and runs of blanks do not matter."""
    return " ".join(header.split()).casefold()


def numbered(headers: Sequence[str]) -> dict[str, int]:
    """Places of headers by name; one that stands there twice has only its numbered names, "description#1"."""
    places: dict[str, int] = {}
    seen: dict[str, int] = {}
    for place, header in enumerate(headers):
        name = name_of(header)
        seen[name] = seen.get(name, 0) + 1
        places[f"{name}#{seen[name]}"] = place
    places.update({name: places[f"{name}#1"] for name, times in seen.items() if times == 1})
    return places


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its first line in the file, its text, and its cells by the names the reader asked for."""

    line: int
    raw: str
    cells: Sequence[str]
    places: Mapping[str, int]

    def text(self, name: str) -> str:
        """The cell without surrounding blanks; empty where the file has no such column."""
        place = self.places.get(name)
        return "" if place is None else self.cells[place].strip()

    def needed(self, name: str) -> str:
        text = self.text(name)
        if not text:
            raise BadField(name, "is empty.")
        return text

    def amount(self, name: str, *, blank: Decimal | None = None) -> Decimal:
        """A plain decimal number; `blank` is what an empty cell stands for (None: it may not be empty)."""
        text = self.text(name)
        if not text and blank is not None:
            return blank
        return reading.amount(text, field=name)

    def whole(self, name: str) -> int:
        text = self.needed(name)
        if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) <= 19):
            raise BadField(name, f"{text[:40]!r} is not a whole number.")
        return int(text)


class Sheet:
    """The rows of a CSV file that are not blank, one after the other. `width` is how many cells a row has (0: any):
    it decides whether a field over several lines makes a row whole."""

    def __init__(self, stream: IO[bytes], *, filename: str, delimiter: str = ",", encoding: str = "") -> None:
        self.filename = filename
        self.width = 0
        self._delimiter = delimiter
        self._encoding = encoding
        self._used: dict[str, int] = {}
        self._pending: deque[tuple[int, str]] = deque()
        self._lines = self._physical(reading.chunks(stream, filename=filename))

    def encoding(self) -> str:
        """What the file was decoded with, for the facts: "utf-8", "cp1252", or both with a number of lines."""
        names = sorted(self._used, key=lambda name: -self._used[name])
        other = [name for name in names if name != "ascii"]
        if len(other) < 2:
            return other[0] if other else "utf-8"
        return ", ".join(f"{name} ({self._used[name]} lines)" for name in other)

    def take(self) -> tuple[int, str, list[str] | BadField] | None:
        """The next row that is not blank: first line, text, and cells or why there are none."""
        while first := self._line():
            number, text = first
            if not text.strip():
                continue
            cells = self._cells(text)
            if isinstance(cells, BadField) or any(map(str.strip, cells)):
                return number, text.replace("\x00", "␀"), cells
        return None

    def _cells(self, text: str) -> list[str] | BadField:
        """The cells of a row that begins with this line; more lines are taken only if that makes it whole."""
        borrowed: list[tuple[int, str]] = []
        found: list[str] | BadField
        while True:
            try:
                found = next(csv.reader([text], delimiter=self._delimiter, strict=True))
                if borrowed and self.width and len(found) != self.width:
                    found = BadField("row", "a quote is opened and not closed.")
                elif "\x00" in text:
                    found = BadField("row", "holds a NUL byte or bytes of no known encoding: the file is damaged.")
                break
            except csv.Error as error:
                is_open = "unexpected end" in str(error)
                unclosed = is_open or bool(borrowed)
                found = BadField("row", "a quote is opened and not closed." if unclosed else f"not CSV: {error}.")
                if not is_open:
                    break
                more = self._line() if len(borrowed) < _ROW_LINES_MAX else None
                if more is None:
                    break
                borrowed.append(more)
                text = f"{text}\n{more[1]}"
        if isinstance(found, BadField):
            self._pending.extendleft(reversed(borrowed))
        return found

    def _line(self) -> tuple[int, str] | None:
        if self._pending:
            return self._pending.popleft()
        following = next(self._lines, None)
        return None if following is None else (following[0], self._decoded(following[1]))

    def _decoded(self, line: bytes) -> str:
        for name in (self._encoding,) if self._encoding else ("ascii", "utf-8", "cp1252"):
            try:
                text = line.decode(name)
            except UnicodeDecodeError:
                continue
            self._used[name] = self._used.get(name, 0) + 1
            return text
        # NUL marks damage from here on: it is in no text that a row may hold.
        return line.decode("ascii", "replace").replace("\ufffd", "\x00")

    def _physical(self, pieces: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
        number, rest = 0, b""
        for piece in pieces:
            if not number and not rest and piece.startswith(_BYTE_ORDER_MARKS_16):
                raise Unreadable(f"{self.filename}: this is UTF-16 text. Save it as UTF-8 and hand it in again.")
            if not number and not rest:
                piece = piece.removeprefix(b"\xef\xbb\xbf")  # noqa: PLW2901
            lines = (rest + piece).splitlines(keepends=True)
            # A line feed may follow in the next piece, so a carriage return at the end is not yet a line end.
            rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
            for line in lines:
                number += 1
                yield number, line.rstrip(b"\r\n")
            if len(rest) > LINE_MAX:
                raise Unreadable(
                    f"{self.filename}: line {number + 1} is longer than {LINE_MAX:,} bytes: not a CSV file."
                )
        if rest:
            yield number + 1, rest.rstrip(b"\r\n")


class Table:
    """A CSV file of known columns.

    `aside` sees the cells of every row first and takes out what is not data (a trailer). What stands above line
    `header` is passed over. A name that stands there twice is asked for by its number: "Description#2". Raises
    Unreadable when a required column is missing or could be either of two; bad rows go to `findings`.
    """

    def __init__(
        self,
        stream: IO[bytes],
        *,
        filename: str,
        findings: Findings,
        required: Sequence[str],
        optional: Sequence[str] = (),
        delimiter: str = ",",
        encoding: str = "",
        header: int = 1,
        aside: Callable[[int, list[str]], bool] | None = None,
    ) -> None:
        self.filename = filename
        self.data_rows = 0
        self._findings = findings
        self._aside = aside
        self._sheet = Sheet(stream, filename=filename, delimiter=delimiter, encoding=encoding)
        self._header_line = header
        self._places = self._header(required, optional)
        self._sheet.width = self._width

    def rows(self) -> Iterator[Row]:
        """The rows that have as many cells as the header."""
        while taken := self._sheet.take():
            number, raw, cells = taken
            if self._aside is not None and not isinstance(cells, BadField) and self._aside(number, cells):
                continue
            self.data_rows += 1
            if self.data_rows > ROWS_MAX:
                raise Unreadable(f"{self.filename}: more than {ROWS_MAX:,} rows. Ask the sender for smaller files.")
            if isinstance(cells, BadField):
                self._findings.reject(number, cells, raw)
            elif len(cells) != self._width:
                reason = f"has {len(cells)} fields, the header has {self._width}: cut off, or a stray delimiter."
                self._findings.reject(number, BadField("row", reason), raw)
            else:
                yield Row(number, raw, cells, self._places)

    def encoding(self) -> str:
        return self._sheet.encoding()

    def has(self, name: str) -> bool:
        """Whether the file has this column."""
        return name in self._places

    def _header(self, required: Sequence[str], optional: Sequence[str]) -> dict[str, int]:
        taken = self._sheet.take()
        while taken is not None and taken[0] < self._header_line:
            taken = self._sheet.take()
        if taken is None:
            raise Unreadable(f"{self.filename}: there is no header line. Fetch it again from the source.")
        number, _, cells = taken
        if isinstance(cells, BadField):
            raise Unreadable(f"{self.filename}: line {number}, header: {cells.reason}")
        if len(cells) > COLUMNS_MAX:
            raise Unreadable(f"{self.filename}: line {number} has {len(cells)} columns; {COLUMNS_MAX} are allowed.")
        self._width = len(cells)
        names = numbered(cells)
        wanted = [*required, *optional]
        doubled = [name for name in wanted if f"{name_of(name)}#2" in names and name_of(name) not in names]
        if doubled:
            raise Unreadable(f"{self.filename}: line {number}: column {doubled[0]!r} stands there twice.")
        missing = [name for name in required if name_of(name) not in names]
        if missing:
            listed = ", ".join(repr(name) for name in missing)
            raise Unreadable(f"{self.filename}: line {number}: no column {listed}. Is this the right report?")
        return {name: names[name_of(name)] for name in wanted if name_of(name) in names}
