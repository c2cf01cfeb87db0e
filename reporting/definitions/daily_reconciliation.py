"""The daily reconciliation report: does everything agree, what does not, since when, and who works on it.

One definition for page, PDF, XLSX and CSV. It is a function of the business day, the entities, the cut-off and
the code: built again later with the same cut-off it is the same.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from accounts.selectors.technical import LeftOut, left_out
from backoffice.ui.charts import Series
from integrations.models import ImportState
from reconciliation.models import CLASSES, RunState
from reconciliation.selectors.open_breaks import BUCKETS
from reporting.definitions import daily_tables as tables
from reporting.definitions.daily_tables import ComparisonRow, FoundRow, MovementRow, StakeRow
from reporting.records import Chart, Definition, Parameters, Report, Section, Signature
from reporting.selectors import breaks, comparisons, days, money, sources
from reporting.selectors.breaks import BreakLine, History, bucketed
from reporting.selectors.code_version import code_version
from reporting.selectors.comparisons import Comparison, Key
from reporting.selectors.days import Days
from reporting.selectors.money import Control, Flow, flow_charts
from reporting.selectors.snapshot import snapshot
from reporting.selectors.sources import FileLine, SourceLine

NAME = "daily_reconciliation"
VERSION = 2
TITLE = "Daily reconciliation report"
_FLOW_DAYS = 10
_AGES = tuple(f"{label} bd" for label, _ in BUCKETS)


@dataclass(frozen=True, slots=True)
class _Data:
    """Everything the report is made of, read in one picture of the database."""

    calendars: Mapping[int, Days]
    since: Mapping[Key, datetime]
    compared: Sequence[Comparison]
    history: History
    sources: Sequence[SourceLine]
    files: Sequence[FileLine]
    flows: Sequence[Flow]
    controls: Sequence[Control]
    left_out: LeftOut
    beside: Collection[int]


def build(parameters: Parameters) -> Report:
    """The report for these parameters, from what is in the database now."""
    data = _read(parameters)
    return Report(
        name=NAME,
        version=VERSION,
        title=TITLE,
        parameters=parameters,
        code_version=code_version(),
        facts=_facts(parameters, data),
        sections=(
            *_comparison_sections(parameters, data),
            *_break_sections(data),
            *_source_sections(data),
            *_money_sections(parameters, data),
        ),
        signatures=(Signature("Prepared by"), Signature("Checked by")),
    )


DEFINITION = Definition(NAME, VERSION, TITLE, build)


def _read(parameters: Parameters) -> _Data:
    codes, day, cutoff = parameters.codes, parameters.day, parameters.cutoff_at
    with snapshot():
        named = days.of((entity.calendar for entity in parameters.entities), max(cutoff.date(), day))
        calendars = {entity.id: named[entity.calendar] for entity in parameters.entities}
        since = comparisons.since(codes, day, cutoff)
        without = left_out(codes, cutoff)
        found = breaks.history(codes, since=since, cutoff=cutoff, calendars=calendars)
        first = min(calendar.newest(day, _FLOW_DAYS)[0] for calendar in calendars.values())
        return _Data(
            calendars=calendars,
            since=since,
            compared=comparisons.comparisons(dict.fromkeys(codes, day), cutoff),
            history=found,
            sources=sources.source_lines(codes, day, cutoff),
            files=sources.file_lines(codes, since=_since_of_entities(since), cutoff=cutoff),
            flows=money.flows(codes, first=first, last=day, cutoff=cutoff, without=without),
            controls=money.controls(codes, day=day, cutoff=cutoff),
            left_out=without,
            beside=breaks.about(without, (line.id for line in found.open)),
        )


def _facts(parameters: Parameters, data: _Data) -> tuple[tuple[str, Any], ...]:
    compared = [item.done for item in data.compared if item.done is not None]
    missing = len(data.compared) - len(compared)
    oldest = max((line.age for line in data.history.open), default=None)
    held = sum(1 for file in data.files if file.state == ImportState.HELD)
    broken = sum(1 for control in data.controls if control.difference)
    return (
        ("Definition", f"version {VERSION}"),
        ("Reconciliations", f"{len(compared)} done" + (f", {missing} not done" if missing else "")),
        ("Compared", Decimal(sum(run.compared for run in compared))),
        ("Matched", Decimal(sum(run.matched for run in compared))),
        ("Differences found", Decimal(sum(run.breaks for run in compared))),
        ("Open breaks", Decimal(len(data.history.open))),
        ("Oldest open break", None if oldest is None else f"{oldest} business day{'' if oldest == 1 else 's'}"),
        ("Files held back", Decimal(held)),
        ("Books", f"out of balance in {broken} of {len(data.controls)} currencies" if broken else _in_balance(data)),
        ("Client money", data.left_out.words),
        ("Movements since", min(data.since.values(), default=None)),
        ("Cut-off", parameters.cutoff_at),
        ("Code", code_version()),
    )


def _in_balance(data: _Data) -> str:
    return "in balance in every currency" if data.controls else "nothing booked"


def _comparison_sections(parameters: Parameters, data: _Data) -> tuple[Section, ...]:
    codes = parameters.codes
    rows = tuple(_comparison(item, codes[item.entity_id]) for item in data.compared)
    found = tuple(
        FoundRow(codes[item.entity_id], item.kind.value, klass, CLASSES[klass].meaning, count)
        for item in data.compared
        if item.done is not None
        for klass, count in sorted(item.done.by_class.items(), key=lambda pair: list(CLASSES).index(pair[0]))
    )
    return (
        Section(
            "reconciliations",
            "Reconciliations of the day",
            "The newest finished run of each kind up to the cut-off, with the rule it used and the data it saw.",
            tables.ComparisonTable(),
            rows,
        ),
        Section(
            "differences",
            "Differences by class",
            "What these runs found, known differences included.",
            tables.FoundTable(),
            found,
        ),
    )


def _comparison(item: Comparison, entity: str) -> ComparisonRow:
    run = item.done
    if run is None:
        state = "failed" if item.newest is not None and item.newest.state == RunState.FAILED else "not run"
        return ComparisonRow(entity, item.kind.value, state)
    return ComparisonRow(
        entity=entity,
        kind=item.kind.value,
        state="done",
        run=run.pk,
        rule=str(run.rule),
        cutoff_at=run.cutoff_at,
        compared=run.compared,
        matched=run.matched,
        differences=run.breaks,
        notes="; ".join(run.notes),
    )


def _break_sections(data: _Data) -> tuple[Section, ...]:
    past = data.history
    movement = _movement(past)
    ages = tuple(sum(row.ages[n] for row in movement if not row.is_total) for n in range(len(BUCKETS)))
    chart = Chart("Open breaks by age in business days", tuple(b for b, _ in BUCKETS), (Series("", ages),))
    return (
        Section(
            "movement",
            "Open breaks by class and age",
            "Open before, opened and closed since, open at the cut-off. Ages in business days (bd).",
            tables.MovementTable(),
            movement,
            (chart,) if past.open else (),
        ),
        Section(
            "opened",
            "Breaks opened",
            "Differences seen for the first time, or again.",
            tables.OpenedTable(),
            past.opened,
        ),
        Section("closed", "Breaks closed", "How, by whom, and why.", tables.ClosedTable(), past.closed),
        Section(
            "open",
            "All open breaks",
            "By class, the oldest first. The owner is the person who took it, else the desk.",
            tables.OpenTable(),
            past.open,
        ),
        Section(
            "stake",
            "Open differences by currency",
            f"The sum of amounts without their sign; currencies are never added; {data.left_out.words}.",
            tables.StakeTable(),
            _stake([line for line in past.open if line.id not in data.beside]),
        ),
    )


def _movement(past: History) -> tuple[MovementRow, ...]:
    keys = set(past.before) | {(line.entity, line.klass) for line in (*past.opened, *past.open)}
    keys |= {(line.entity, line.klass) for line in past.closed}
    place = list(CLASSES)
    rows = [_moved(past, entity, klass) for entity, klass in sorted(keys, key=lambda k: (k[0], place.index(k[1])))]
    if len(rows) > 1:
        rows.append(
            MovementRow(
                entity="",
                kind="",
                klass="all classes",
                desk="",
                before=sum(row.before for row in rows),
                opened=sum(row.opened for row in rows),
                closed=sum(row.closed for row in rows),
                open=sum(row.open for row in rows),
                ages=tuple(sum(row.ages[n] for row in rows) for n in range(len(BUCKETS))),
                is_total=True,
            )
        )
    return tuple(rows)


def _moved(past: History, entity: str, klass: str) -> MovementRow:
    meaning = CLASSES[klass]
    still = [line for line in past.open if (line.entity, line.klass) == (entity, klass)]
    return MovementRow(
        entity=entity,
        kind=meaning.kind.value,
        klass=klass,
        desk=meaning.owner,
        before=past.before.get((entity, klass), 0),
        opened=sum(1 for line in past.opened if (line.entity, line.klass) == (entity, klass)),
        closed=sum(1 for line in past.closed if (line.entity, line.klass) == (entity, klass)),
        open=len(still),
        ages=bucketed(line.age for line in still),
    )


def _stake(lines: Sequence[BreakLine]) -> tuple[StakeRow, ...]:
    found: dict[tuple[str, str], list[Decimal]] = {}
    for line in lines:
        if line.amount is not None and line.currency:
            found.setdefault((line.entity, line.currency), []).append(abs(line.amount))
    return tuple(
        StakeRow(entity, currency, len(amounts), sum(amounts, Decimal(0)))
        for (entity, currency), amounts in sorted(found.items())
    )


def _source_sections(data: _Data) -> tuple[Section, ...]:
    totals = tuple(total for file in data.files for total in file.totals)
    return (
        Section(
            "sources",
            "Sources",
            "What each source has said about the business day up to the cut-off.",
            tables.SourceTable(),
            tuple(data.sources),
        ),
        Section(
            "files",
            "Files",
            "Received since the report before, and every file that is held back: nothing of a held file is booked.",
            tables.FileTable(),
            tuple(data.files),
        ),
        Section("totals", "Control totals", "What these files say of themselves.", tables.TotalTable(), totals),
    )


def _money_sections(parameters: Parameters, data: _Data) -> tuple[Section, ...]:
    today = tuple(flow for flow in data.flows if flow.day == parameters.day)
    return (
        Section(
            "money",
            "Money in and out",
            f"Deposits and withdrawals of clients booked for the business day; {data.left_out.words}.",
            tables.FlowTable(),
            today,
            flow_charts(data.flows, _flow_days(parameters, data)),
        ),
        Section(
            "balance",
            "Trial balance control",
            "Debit and credit balances of all accounts at the end of the business day; each currency sums to zero.",
            tables.ControlTable(),
            tuple(data.controls),
        ),
    )


def _flow_days(parameters: Parameters, data: _Data) -> list[date]:
    """The last business days, and any other day on which money moved."""
    usual = {day for calendar in data.calendars.values() for day in calendar.newest(parameters.day, _FLOW_DAYS)}
    return sorted(usual | {flow.day for flow in data.flows})


def _since_of_entities(since: Mapping[Key, datetime]) -> dict[int, datetime]:
    """The earliest start of an entity, where every kind has one."""
    found: dict[int, datetime] = {}
    for (entity_id, _), at in since.items():
        found[entity_id] = min(at, found.get(entity_id, at))
    return found
