"""A report as markup: the body that page and paper share, and the whole document of the paper."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from backoffice.ui import charts, formats
from backoffice.ui.markup import safe
from backoffice.ui.tables import Table
from reporting.records import Chart, Report, Section

# A section prints no more rows than this; spreadsheets have all of them. 1,000 rows are some 20 pages.
ROWS_ON_PAPER = 1_000
ROWS_ON_PAGE = 200
_STYLE = Path(__file__).with_name("paper.css")


@dataclass(frozen=True, slots=True)
class Part:
    """A section ready for a template. `cut` says that rows were left out, and where they are."""

    key: str
    title: str
    note: str
    count: int
    table: SafeString
    charts: tuple[tuple[str, SafeString], ...]
    cut: str


def parts(report: Report, *, paper: bool) -> list[Part]:
    """Every section as markup; on paper without links and with more rows."""
    return [_part(section, paper=paper) for section in report.sections]


def document(report: Report) -> str:
    """The report as one HTML document that needs nothing else: what the PDF is made of."""
    parameters = report.parameters
    return render_to_string(
        "reporting/paper.html",
        {
            "report": report,
            "facts": report.facts,
            "parts": parts(report, paper=True),
            "entities": parameters.entities,
            "day": parameters.day.isoformat(),
            "cutoff": f"{formats.moment(parameters.cutoff_at)} UTC",
            "created": parameters.cutoff_at.replace(microsecond=0).isoformat(),
            # Our own file, and without it nothing on paper looks right.
            "style": safe(_STYLE.read_text()),
        },
    )


def render(report: Report) -> bytes:
    """The document as a file."""
    return document(report).encode()


def draw(chart: Chart, *, width: int = 340, height: int = 130) -> SafeString:
    """A chart as SVG, the same on page and paper."""
    return charts.stacked(chart.title, chart.labels, chart.series, unit=chart.unit, width=width, height=height)


def _part(section: Section, *, paper: bool) -> Part:
    most = ROWS_ON_PAPER if paper else ROWS_ON_PAGE
    count = len(section.rows)
    table = _without_links(section.table) if paper else section.table
    return Part(
        key=section.key,
        title=section.title,
        note=section.note,
        count=count,
        table=table.html(section.rows[:most], caption=section.title),
        charts=tuple((chart.title, draw(chart)) for chart in section.charts),
        cut=f"The first {most:,} of {count:,} rows. XLSX and CSV have all of them." if count > most else "",
    )


def _without_links(table: Table) -> Table:
    """The same table as paper shows it: an address inside the house means nothing on it."""
    changes: dict[str, Any] = {
        "link": Table.link,
        "columns": tuple(replace(column, link=None) for column in table.columns),
    }
    plain: type[Table] = type(f"{type(table).__name__}OnPaper", (type(table),), changes)
    return plain()
