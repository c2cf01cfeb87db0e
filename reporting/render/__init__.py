"""A report in each format: a function from the report to bytes, and what the file is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reporting.models import Format
from reporting.records import Report
from reporting.render import csv, html, pdf, xlsx


@dataclass(frozen=True, slots=True)
class Renderer:
    """`slow` ones are left to a worker."""

    render: Callable[[Report], bytes]
    content_type: str
    slow: bool = False


RENDERERS: dict[str, Renderer] = {
    Format.HTML: Renderer(html.render, "text/html; charset=utf-8"),
    Format.PDF: Renderer(pdf.render, "application/pdf", slow=True),
    Format.XLSX: Renderer(xlsx.render, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    Format.CSV: Renderer(csv.render, "text/csv; charset=utf-8"),
}
