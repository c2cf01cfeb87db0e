"""A report as one CSV file: a head, then every section with its title, its headings and its rows.

UTF-8 with a byte order mark, plain decimals, ISO times, no formulas: the cells are those of list exports.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from backoffice.kernel.money import Money
from backoffice.ui import exports
from reporting.records import Chart, Report, Section


def render(report: Report) -> bytes:
    """The file's bytes."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    for line in _lines(report):
        writer.writerow([exports.csv_cell(value) for value in line])
    return file.getvalue().encode("utf-8-sig")


def _lines(report: Report) -> Iterator[Sequence[Any]]:
    yield [report.title]
    yield ["Business day", report.parameters.day]
    for entity in report.parameters.entities:
        yield ["Entity", entity.code, entity.name, entity.lei]
    for label, value in report.facts:
        yield [label, value, value.currency] if isinstance(value, Money) else [label, value]
    for section in report.sections:
        yield []
        yield [section.title, section.note]
        yield from _table(section)
        for chart in section.charts:
            yield []
            yield from chart_lines(chart)
    yield []
    for signature in report.signatures:
        yield [signature.role, signature.name]


def _table(section: Section) -> Iterator[Sequence[Any]]:
    columns = section.table.export_columns()
    yield [column.label for column in columns]
    for row in section.rows:
        yield [column.read(row) for column in columns]


def chart_lines(chart: Chart) -> Iterator[Sequence[Any]]:
    """A chart as a small table: its labels, and what each series says there."""
    unit = f" ({chart.unit})" if chart.unit else ""
    yield [f"{chart.title}", *(f"{one.label or 'count'}{unit}" for one in chart.series)]
    for number, label in enumerate(chart.labels):
        yield [label, *(one.values[number] for one in chart.series)]
