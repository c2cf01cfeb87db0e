"""The tables of the daily reconciliation report: which columns, and how each value is meant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse

from backoffice.ui import components
from backoffice.ui.columns import Column, Kind
from backoffice.ui.components import Tone
from backoffice.ui.tables import Table
from integrations.models import ImportState
from integrations.tables import IMPORT_TONES
from reconciliation.models import CLASSES, BreakState
from reporting.selectors.breaks import BreakLine, Closing
from reporting.selectors.money import Control
from reporting.selectors.sources import FileLine, TotalLine

CLASS_TITLES = {code: item.title for code, item in CLASSES.items()}
_STATES = dict(BreakState.choices)
_STATE_TONES: dict[str, Tone] = {
    BreakState.ASSIGNED: Tone.INFO,
    BreakState.EXPLAINED: Tone.INFO,
    BreakState.RESOLVED: Tone.GOOD,
}
_RUN_TONES = {"done": Tone.GOOD, "not run": Tone.BAD, "failed": Tone.BAD}
_PROVES = {"yes": Tone.GOOD, "no": Tone.BAD}


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """One reconciliation and the run that counts; without one, only its state says something."""

    entity: str
    kind: str
    state: str
    run: int | None = None
    rule: str = ""
    cutoff_at: datetime | None = None
    compared: int | None = None
    matched: int | None = None
    differences: int | None = None
    notes: str = ""


@dataclass(frozen=True, slots=True)
class FoundRow:
    """How many differences of a class a run found."""

    entity: str
    kind: str
    klass: str
    meaning: str
    count: int


@dataclass(frozen=True, slots=True)
class MovementRow:
    """The open breaks of a class, rolled forward: before + opened - closed = open; and the open ones by age."""

    entity: str
    kind: str
    klass: str
    desk: str
    before: int
    opened: int
    closed: int
    open: int
    ages: tuple[int, ...]
    is_total: bool = False


@dataclass(frozen=True, slots=True)
class StakeRow:
    """Open differences of one currency, without sign."""

    entity: str
    currency: str
    breaks: int
    amount: Any


def yes_no(value: bool | None) -> str | None:
    return None if value is None else "yes" if value else "no"


def _age(row: BreakLine) -> Any:
    return components.business_age(row.age)


def _owner(row: BreakLine) -> str:
    return row.owner or f"desk {row.desk}"


def _title(row: FoundRow | MovementRow | BreakLine | Closing) -> str:
    return CLASS_TITLES.get(row.klass, row.klass)


_ENTITY = Column("entity", "Entity", Kind.CODE)
_KIND = Column("kind", "Reconciliation")
_CLASS = Column(_title, "Class")
_WHAT = Column("summary", "What differs", wrap=True, width=60)
_AMOUNT = Column("amount", "Difference", Kind.MONEY, currency="currency")
_DAY = Column("business_date", "Business day", Kind.DATE)
_NUMBER = Column("id", "Break", Kind.CODE)


class ComparisonTable(Table):
    columns = (
        _ENTITY,
        _KIND,
        Column("state", "State", Kind.STATUS, tones=_RUN_TONES),
        Column("run", "Run", Kind.CODE),
        Column("rule", "Rule", Kind.CODE),
        Column("cutoff_at", "Data up to", Kind.DATETIME),
        Column("compared", "Compared", Kind.NUMBER),
        Column("matched", "Matched", Kind.NUMBER),
        Column("differences", "Differences", Kind.NUMBER),
        Column("notes", "Notes", wrap=True, width=50),
    )
    empty = "Nothing is connected, so there was nothing to compare."

    def link(self, row: ComparisonRow) -> str | None:
        return reverse("run", args=[row.run]) if row.run else None

    def row_class(self, row: ComparisonRow) -> str:
        return "bad" if row.state in ("not run", "failed") else ""


class FoundTable(Table):
    columns = (
        _ENTITY,
        _KIND,
        _CLASS,
        Column("meaning", "What it means", wrap=True, width=60),
        Column("count", "Differences", Kind.NUMBER),
    )
    empty = "No differences were found."


class MovementTable(Table):
    columns = (
        _ENTITY,
        _KIND,
        _CLASS,
        Column("desk", "Desk", Kind.CODE),
        Column("before", "Open before", Kind.NUMBER),
        Column("opened", "Opened", Kind.NUMBER),
        Column("closed", "Closed", Kind.NUMBER),
        Column("open", "Open now", Kind.NUMBER, css="strong"),
        # The buckets of reconciliation.selectors.open_breaks.BUCKETS, in business days.
        Column(lambda r: r.ages[0], "0–1 bd", Kind.NUMBER),
        Column(lambda r: r.ages[1], "2–3 bd", Kind.NUMBER),
        Column(lambda r: r.ages[2], "4–7 bd", Kind.NUMBER),
        Column(lambda r: r.ages[3], "8–30 bd", Kind.NUMBER),
        Column(lambda r: r.ages[4], "> 30 bd", Kind.NUMBER),
    )
    empty = "No breaks were open, opened or closed."

    def row_class(self, row: MovementRow) -> str:
        return "total" if row.is_total else ""


class OpenedTable(Table):
    columns = (
        _NUMBER,
        _ENTITY,
        _CLASS,
        _WHAT,
        _AMOUNT,
        _DAY,
        Column("opened_at", "Opened", Kind.DATETIME),
        Column("state", "State now", Kind.STATUS, tones=_STATE_TONES, labels=_STATES),
    )
    empty = "No break was opened."

    def link(self, row: BreakLine) -> str:
        return reverse("break", args=[row.id])


class ClosedTable(Table):
    columns = (
        _NUMBER,
        _ENTITY,
        _CLASS,
        _WHAT,
        _AMOUNT,
        _DAY,
        Column("closed_at", "Closed", Kind.DATETIME),
        Column("how", "How", wrap=True, width=34),
        Column("by", "By", Kind.ACTOR),
        Column("reason", "Reason", wrap=True, width=50),
    )
    empty = "No break was closed."

    def link(self, row: Closing) -> str:
        return reverse("break", args=[row.id])


class OpenTable(Table):
    columns = (
        _NUMBER,
        _ENTITY,
        _CLASS,
        _WHAT,
        _AMOUNT,
        _DAY,
        Column(_age, "Age", export=lambda r: r.age, align="right"),
        Column("state", "State", Kind.STATUS, tones=_STATE_TONES, labels=_STATES),
        Column(_owner, "Owner"),
    )
    empty = "No break is open."

    def link(self, row: BreakLine) -> str:
        return reverse("break", args=[row.id])


class StakeTable(Table):
    columns = (
        _ENTITY,
        Column("currency", "Currency", Kind.CODE),
        Column("breaks", "Breaks", Kind.NUMBER),
        Column("amount", "Sum of differences", Kind.MONEY, currency="currency"),
    )
    empty = "No open break has an amount."


class SourceTable(Table):
    columns = (
        _ENTITY,
        Column("name", "Source", Kind.CODE),
        Column("reads", "What it is", wrap=True, width=40),
        Column("facts", "Facts of the day", Kind.NUMBER),
        Column("last_received_at", "Last received", Kind.DATETIME),
        Column("listed", "Deals listed", Kind.NUMBER),
        Column("listed_at", "Listed", Kind.DATETIME),
        Column("balances", "Balances read", Kind.NUMBER),
    )
    empty = "No source is connected."


class FileTable(Table):
    columns = (
        Column("id", "Import", Kind.CODE),
        _ENTITY,
        Column("name", "File", wrap=True, width=40),
        Column("source", "Source", Kind.CODE),
        Column("state", "State", Kind.STATUS, tones=IMPORT_TONES, labels=dict(ImportState.choices), css="wrap"),
        Column("rows", "Rows", Kind.NUMBER),
        Column("new", "New", Kind.NUMBER),
        Column("duplicate", "Known", Kind.NUMBER),
        Column("rejected", "Rejected", Kind.NUMBER),
        Column(lambda r: yes_no(r.proves), "Proves itself", Kind.STATUS, tones=_PROVES),
        Column("received_at", "Received", Kind.DATETIME),
        Column("received_by", "By", Kind.ACTOR),
        Column("sha256", "SHA-256", Kind.HASH),
    )
    empty = "No file was received."

    def link(self, row: FileLine) -> str:
        return reverse("import", args=[row.id])

    def row_class(self, row: FileLine) -> str:
        return {ImportState.HELD: "warn", ImportState.REFUSED: "bad"}.get(ImportState(row.state), "")


class TotalTable(Table):
    columns = (
        Column("file", "Import", Kind.CODE),
        _ENTITY,
        Column("source", "Source", Kind.CODE),
        Column("name", "Control total", wrap=True, width=60),
        Column("says", "The file says", css="right figure", width=20),
        Column("found", "Its rows say", css="right figure", width=20),
        Column(lambda r: yes_no(r.holds), "Holds", Kind.STATUS, tones=_PROVES),
    )
    empty = "No file of the day has control totals."

    def link(self, row: TotalLine) -> str:
        return reverse("import", args=[row.file])

    def row_class(self, row: TotalLine) -> str:
        return "" if row.holds else "bad"


class FlowTable(Table):
    columns = (
        _ENTITY,
        Column("currency", "Currency", Kind.CODE),
        Column("into", "In", Kind.MONEY, currency="currency"),
        Column("out", "Out", Kind.MONEY, currency="currency"),
        Column("net", "Net", Kind.MONEY, currency="currency"),
    )
    empty = "No money moved."


class ControlTable(Table):
    columns = (
        _ENTITY,
        Column("currency", "Currency", Kind.CODE),
        Column("accounts", "Accounts", Kind.NUMBER),
        Column("debit", "Debit balances", Kind.MONEY, currency="currency"),
        Column("credit", "Credit balances", Kind.MONEY, currency="currency"),
        Column("difference", "Difference", Kind.MONEY, currency="currency"),
        Column(lambda r: yes_no(r.difference == 0), "In balance", Kind.STATUS, tones=_PROVES),
    )
    empty = "Nothing has been booked."

    def row_class(self, row: Control) -> str:
        return "bad" if row.difference else ""
