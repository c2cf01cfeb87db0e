"""A report as a workbook: a cover with the report's head, then one sheet per section.

Numbers and dates are typed; a number with more digits than a spreadsheet keeps stays exact text. Text is text by
type and can be no formula. The same report gives the same bytes: the workbook's date is the cut-off.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import xlsxwriter

from backoffice.kernel.money import Money
from backoffice.ui import exports, formats
from backoffice.ui.columns import FIGURES, Kind
from reporting.records import Report, Section
from reporting.render.csv import chart_lines

_DIGITS = 15  # a spreadsheet keeps no more
_TEXT = 32_767  # and no longer text
_WIDTHS = {Kind.DATETIME: 20, Kind.DATE: 12, Kind.MONEY: 18, Kind.HASH: 20, Kind.CODE: 12, Kind.TEXT: 22}


def render(report: Report) -> bytes:
    """The workbook's bytes. Raises TooManyRows for a section that no sheet holds."""
    file = io.BytesIO()
    # In memory, the parts of the file carry no times of this machine.
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(file, options)
    book.set_properties(
        {
            "title": f"{report.title} {report.parameters.day}",
            "author": ", ".join(entity.name for entity in report.parameters.entities),
            "comments": f"code {report.code_version}, content {report.content_hash()}",
            "created": report.parameters.cutoff_at.astimezone(UTC).replace(tzinfo=None, microsecond=0),
        }
    )
    writer = _Writer(book)
    _cover(writer, report)
    for section in report.sections:
        _sheet(writer, section)
    book.close()
    return file.getvalue()


def _cover(writer: _Writer, report: Report) -> None:
    sheet = writer.add("Report", (24, 40, 44, 24))
    writer.line(sheet, 0, [report.title], bold=True)
    writer.line(sheet, 1, ["Business day", report.parameters.day])
    row = 2
    for entity in report.parameters.entities:
        writer.line(sheet, row, ["Entity", entity.code, entity.name, entity.lei])
        row += 1
    for label, value in report.facts:
        writer.line(sheet, row, [label, value, value.currency] if isinstance(value, Money) else [label, value])
        row += 1
    row += 1
    for section in report.sections:
        writer.line(sheet, row, [section.title, f"{len(section.rows):,} rows", section.note])
        row += 1
    row += 1
    for signature in report.signatures:
        writer.line(sheet, row, [signature.role, signature.name])
        row += 1


def _sheet(writer: _Writer, section: Section) -> None:
    columns = section.table.export_columns()
    if len(section.rows) > exports.XLSX_ROWS - 10:
        raise exports.TooManyRows(f"“{section.title}” has more rows than a spreadsheet holds. Take the CSV.")
    sheet = writer.add(section.title, [column.width or _WIDTHS.get(column.kind, 14) for column in columns])
    writer.line(sheet, 0, [section.title], bold=True)
    writer.line(sheet, 1, [section.note])
    writer.line(sheet, 3, [column.label for column in columns], bold=True)
    sheet.freeze_panes(4, 0)
    for number, row in enumerate(section.rows, start=4):
        for place, column in enumerate(columns):
            writer.cell(sheet, number, place, column.read(row), grouped=column.kind in FIGURES)
    if section.rows:
        sheet.autofilter(3, 0, 3 + len(section.rows), len(columns) - 1)
    row_number = 4 + len(section.rows)
    for chart in section.charts:
        row_number += 1
        for index, values in enumerate(chart_lines(chart)):
            writer.line(sheet, row_number, values, bold=index == 0)
            row_number += 1


class _Writer:
    """Typed values into cells, with one format per way of writing a number."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self._formats: dict[str, Any] = {}
        self._bold = book.add_format({"bold": True})
        self._plain = book.add_format()
        # Marks a text so that editing the cell in a spreadsheet does not make a formula of it.
        self._quoted = book.add_format({"quote_prefix": True})

    def add(self, title: str, widths: Sequence[int]) -> Any:
        """Another sheet; `widths` are in characters."""
        sheet = self._book.add_worksheet(title[:31])
        for number, width in enumerate(widths):
            sheet.set_column(number, number, width)
        return sheet

    def line(self, sheet: Any, row: int, values: Sequence[Any], *, bold: bool = False) -> None:
        """Values next to each other from the first column on."""
        for place, value in enumerate(values):
            if bold and isinstance(value, str):
                sheet.write_string(row, place, value, self._bold)
            else:
                self.cell(sheet, row, place, value, grouped=True)

    def cell(self, sheet: Any, row: int, place: int, value: Any, *, grouped: bool) -> None:
        """One typed value; None leaves the cell empty."""
        if value is None:
            return
        if isinstance(value, bool):
            sheet.write_boolean(row, place, value)
        elif isinstance(value, Money):
            self._number(sheet, row, place, value.amount, formats.exponent_of(value.currency), grouped=True)
        elif isinstance(value, int | Decimal):
            self._number(sheet, row, place, Decimal(value), 0, grouped=grouped)
        elif isinstance(value, datetime):
            moment = value.astimezone(UTC).replace(tzinfo=None)
            sheet.write_datetime(row, place, moment, self._format("yyyy-mm-dd hh:mm:ss"))
        elif isinstance(value, date):
            sheet.write_datetime(row, place, value, self._format("yyyy-mm-dd"))
        else:
            text = str(value)[:_TEXT]
            sheet.write_string(row, place, text, self._plain if exports.neutral(text) == text else self._quoted)

    def _number(self, sheet: Any, row: int, place: int, value: Decimal, least: int, *, grouped: bool) -> None:
        if formats.significant_digits(value) > _DIGITS:
            sheet.write_string(row, place, formats.plain(value, least), self._plain)
            return
        places = max(least, formats.decimals(value))
        pattern = "#,##0" if grouped else "0"
        sheet.write_number(row, place, value, self._format(f"{pattern}.{'0' * places}" if places else pattern))

    def _format(self, pattern: str) -> Any:
        if pattern not in self._formats:
            self._formats[pattern] = self._book.add_format({"num_format": pattern})
        return self._formats[pattern]
