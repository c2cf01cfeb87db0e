"""Lists as files: the same columns, order and rows as on the page, all of them, in constant memory.

CSV is UTF-8 with a byte order mark (so that spreadsheets read it right), plain decimals and ISO times with their
zone. XLSX has typed numbers and dates; a number with more digits than a spreadsheet keeps (15) is written as
exact text instead.

Text from outside may look like a formula ("=HYPERLINK(...)" as a client's name). In CSV such a cell gets a
leading apostrophe; in XLSX it is a text cell by type and stays as it is, marked so that editing does not turn it
into a formula either. Numbers are never touched: a negative amount is a number.
"""

from __future__ import annotations

import csv
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import IO, Any

import xlsxwriter

from backoffice.kernel.errors import DomainError
from backoffice.kernel.money import Money
from backoffice.ui import formats
from backoffice.ui.columns import Kind
from backoffice.ui.tables import ExportColumn

CSV_TYPE = "text/csv; charset=utf-8"
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
# The sheet has 1,048,576 rows, one of which is the heading.
XLSX_ROWS = 1_048_575
_XLSX_TEXT = 32_767
_EXCEL_DIGITS = 15
_FIRST_YEAR = 1900
_CHUNK = 500
# Signs that start a formula, also in full width, at the start of a cell or where a program might split it.
_FORMULA = re.compile(r"(^[\s\"']*|[;,|\t\r\n]\s*)([=+\-@\t\r＝＋－＠])")
_WIDTHS = {Kind.DATETIME: 20, Kind.DATE: 12, Kind.MONEY: 18, Kind.HASH: 20, Kind.CODE: 18, Kind.TEXT: 28}
_PLACES = {Kind.LOTS: 2}


class TooManyRows(DomainError):
    """More rows than a spreadsheet holds."""


@dataclass(frozen=True, slots=True)
class About:
    """What the second sheet says about the first."""

    title: str
    filters: Sequence[tuple[str, str]]
    sort: str
    as_of: datetime
    who: str


def neutral(text: str) -> str:
    """Text that no spreadsheet takes for a formula; harmless text comes back unchanged."""
    return _FORMULA.sub(r"\1'\2", text) if _FORMULA.search(text) else text


def csv_chunks(columns: Sequence[ExportColumn], rows: Iterable[Any]) -> Iterator[tuple[bytes, int]]:
    """The file in pieces, each with the number of rows in it."""
    lines = _Lines()
    writer = csv.writer(lines)
    writer.writerow([neutral(column.label) for column in columns])
    yield lines.take().encode("utf-8-sig"), 0
    count = 0
    for row in rows:
        writer.writerow([csv_cell(column.read(row)) for column in columns])
        count += 1
        if count == _CHUNK:
            yield lines.take().encode(), count
            count = 0
    if count:
        yield lines.take().encode(), count


def csv_cell(value: Any) -> str:
    """One typed value as CSV text."""
    if isinstance(value, Money):
        return formats.plain(value.amount, formats.exponent_of(value.currency))
    if value is None or isinstance(value, bool):
        return {None: "", True: "yes", False: "no"}[value]
    if isinstance(value, (int, Decimal)):
        return formats.plain(value)
    if isinstance(value, date):
        return formats.iso(value) if isinstance(value, datetime) else value.isoformat()
    return neutral(str(value))


def xlsx_file(columns: Sequence[ExportColumn], rows: Iterable[Any], about: About) -> tuple[IO[bytes], int]:
    """A workbook in a temporary file, read from its start, and how many rows it has. Raises TooManyRows."""
    # The caller sends and closes it.
    file = tempfile.TemporaryFile()  # noqa: SIM115
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    book = xlsxwriter.Workbook(file, options)
    sheet = _Sheet(book, about.title, columns)
    try:
        for row in rows:
            sheet.add(row)
    except BaseException:
        book.close()
        file.close()
        raise
    sheet.finish()
    _about_sheet(book, about, sheet.count)
    book.close()
    file.seek(0)
    return file, sheet.count


class _Lines:
    """What csv.writer writes to; taken away piece by piece."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def write(self, text: str) -> int:
        self._parts.append(text)
        return len(text)

    def take(self) -> str:
        text = "".join(self._parts)
        self._parts.clear()
        return text


class _Sheet:
    """The sheet of rows while it is written from top to bottom."""

    def __init__(self, book: Any, title: str, columns: Sequence[ExportColumn]) -> None:
        self._book = book
        self._columns = columns
        self._formats: dict[str, Any] = {}
        self._sheet = book.add_worksheet(re.sub(r"[\[\]:*?/\\']", " ", title)[:31].strip() or "Rows")
        self.count = 0
        head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        for number, column in enumerate(columns):
            width = column.width or max(_WIDTHS.get(column.kind, 12), min(len(column.label) + 2, 24))
            self._sheet.set_column(number, number, width)
            self._sheet.write_string(0, number, column.label, head)
        self._sheet.freeze_panes(1, 0)
        self._plain = book.add_format()
        # Marks a text so that editing the cell in a spreadsheet does not make a formula of it.
        self._quoted = book.add_format({"quote_prefix": True})

    def add(self, row: Any) -> None:
        if self.count == XLSX_ROWS:
            raise TooManyRows(
                f"A spreadsheet holds {XLSX_ROWS:,} rows and this list has more. Set filters, or export as CSV."
            )
        self.count += 1
        for number, column in enumerate(self._columns):
            self._cell(number, column, column.read(row))

    def finish(self) -> None:
        self._sheet.autofilter(0, 0, max(self.count, 1), max(len(self._columns) - 1, 0))

    def _cell(self, number: int, column: ExportColumn, value: Any) -> None:
        if value is None:
            return
        if isinstance(value, bool):
            self._sheet.write_boolean(self.count, number, value)
        elif isinstance(value, Money):
            self._number(number, value.amount, formats.exponent_of(value.currency), "#,##0")
        elif isinstance(value, (int, Decimal)):
            grouped = column.kind in (Kind.NUMBER, Kind.MONEY, Kind.LOTS)
            self._number(number, Decimal(value), _PLACES.get(column.kind, 0), "#,##0" if grouped else "0")
        elif isinstance(value, date):
            self._date(number, value)
        else:
            self._text(number, str(value))

    def _number(self, number: int, value: Decimal, least: int, pattern: str) -> None:
        if formats.significant_digits(value) > _EXCEL_DIGITS or not value.is_finite():
            self._text(number, formats.plain(value, least))
            return
        places = max(least, formats.decimals(value))
        code = f"{pattern}.{'0' * places}" if places else pattern
        # XlsxWriter spells a number with 16 digits; from a Decimal of at most 15 that is exact.
        self._sheet.write_number(self.count, number, value, self._format(code))

    def _date(self, number: int, value: date) -> None:
        if value.year < _FIRST_YEAR:
            self._text(number, formats.iso(value) if isinstance(value, datetime) else value.isoformat())
        elif isinstance(value, datetime):
            moment = value.astimezone(UTC).replace(tzinfo=None)
            self._sheet.write_datetime(self.count, number, moment, self._format("yyyy-mm-dd hh:mm:ss"))
        else:
            self._sheet.write_datetime(self.count, number, value, self._format("yyyy-mm-dd"))

    def _text(self, number: int, text: str) -> None:
        if len(text) > _XLSX_TEXT:
            note = "… (cut here: a cell holds no more; the CSV has all of it)"
            text = text[: _XLSX_TEXT - len(note)] + note
        risky = _FORMULA.search(text) is not None
        self._sheet.write_string(self.count, number, text, self._quoted if risky else self._plain)

    def _format(self, pattern: str) -> Any:
        if pattern not in self._formats:
            self._formats[pattern] = self._book.add_format({"num_format": pattern})
        return self._formats[pattern]


def _about_sheet(book: Any, about: About, rows: int) -> None:
    sheet = book.add_worksheet("About")
    bold = book.add_format({"bold": True})
    lines = [
        ("List", about.title),
        ("As of (UTC)", formats.iso(about.as_of)),
        ("Rows", f"{rows:,}"),
        ("Sorted by", about.sort),
        ("Exported by", about.who),
        *((f"Filter: {label}", words) for label, words in about.filters),
    ]
    if not about.filters:
        lines.append(("Filters", "none"))
    sheet.set_column(0, 0, 24)
    sheet.set_column(1, 1, 60)
    for number, (label, words) in enumerate(lines):
        sheet.write_string(number, 0, label, bold)
        sheet.write_string(number, 1, words)
