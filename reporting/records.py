"""What a report is, as values: parameters in, sections out. Page, PDF, XLSX and CSV render the same object.

A section's table is the same description that lists have (`backoffice.ui.tables`): one typed value per cell feeds
every format. Charts are data too: a drawing on page and paper, a small table in files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from backoffice.kernel.plain import digest
from backoffice.ui.charts import Series
from backoffice.ui.tables import Table


@dataclass(frozen=True, slots=True)
class Entity:
    """A legal entity as it stands in a report's head."""

    id: int
    code: str
    name: str
    lei: str
    calendar: str


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a report is a function of, besides the data: business day, entities, and the moment after which
    nothing is known."""

    day: date
    entities: tuple[Entity, ...]
    cutoff_at: datetime

    @property
    def entity_ids(self) -> list[int]:
        return [entity.id for entity in self.entities]

    @property
    def codes(self) -> dict[int, str]:
        return {entity.id: entity.code for entity in self.entities}


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars over labels; several series stand on top of each other, negative values hang below zero."""

    title: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report. `key` is its anchor and the name of its sheet's content in hashes."""

    key: str
    title: str
    note: str
    table: Table
    rows: tuple[Any, ...]
    charts: tuple[Chart, ...] = ()


@dataclass(frozen=True, slots=True)
class Signature:
    """A place to sign; the name is written by hand."""

    role: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A finished report. `facts` are labels with typed values for its head."""

    name: str
    version: int
    title: str
    parameters: Parameters
    code_version: str
    facts: tuple[tuple[str, Any], ...]
    sections: tuple[Section, ...]
    signatures: tuple[Signature, ...] = ()

    @property
    def stem(self) -> str:
        """The beginning of its files' names."""
        codes = "-".join(entity.code for entity in self.parameters.entities)
        return f"{self.name.replace('_', '-')}-{codes}-{self.parameters.day}"[:100]

    def content_hash(self) -> str:
        """SHA-256 over every typed value, whatever format it is shown in."""
        return digest(
            {
                "report": [self.name, self.version, self.title, self.parameters, self.code_version],
                "facts": [[label, value] for label, value in self.facts],
                "sections": [
                    {
                        "title": [section.key, section.title, section.note],
                        "rows": [[label, *column] for label, column in values_of(section)],
                        "charts": section.charts,
                    }
                    for section in self.sections
                ],
                "signatures": self.signatures,
            }
        )


def values_of(section: Section) -> Sequence[tuple[str, list[Any]]]:
    """A section's columns with their typed values, in the order of files."""
    return [(column.label, [column.read(row) for row in section.rows]) for column in section.table.export_columns()]


@dataclass(frozen=True, slots=True)
class Definition:
    """A kind of report. A change of what it shows is a new `version`; runs keep the one they were made with."""

    name: str
    version: int
    title: str
    build: Callable[[Parameters], Report]
    formats: tuple[str, ...] = field(default=("html", "pdf", "xlsx", "csv"))
