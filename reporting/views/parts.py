"""The parts of Today: each a template with what it shows, left out for those who may not see it.

A part knows a digest of its own markup, so that the page's refresh brings only parts that have changed and
nobody loses the row they are on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from accounts.selectors.technical import left_out
from backoffice.approvals.selectors.waiting import waiting_for
from backoffice.kernel import clock
from backoffice.organisation.models import User
from backoffice.organisation.selectors import scope
from integrations.selectors import feeds
from reconciliation.models import RunState
from reconciliation.selectors.open_breaks import BUCKETS
from reporting import tables
from reporting.records import Entity
from reporting.render import html
from reporting.selectors import comparisons, days, entities, money, today
from reporting.selectors.days import Days

_FLOW_DAYS = 10
_REFUSED_FOR = 3  # business days that a refused file stays on the page


@dataclass(frozen=True, slots=True)
class Part:
    """One part, drawn."""

    key: str
    html: SafeString
    digest: str


class Desk:
    """What a person sees today: their entities, the business days that matter, read once for all parts."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.now: datetime = clock.now()

    @property
    def day(self) -> date:
        return self.now.date()

    @cached_property
    def entities(self) -> tuple[Entity, ...]:
        return entities.entities(scope.entity_ids(self.user))

    @cached_property
    def codes(self) -> dict[int, str]:
        return {entity.id: entity.code for entity in self.entities}

    @cached_property
    def calendars(self) -> dict[int, Days]:
        since = today.oldest_open(self.codes)
        named = days.of((entity.calendar for entity in self.entities), self.day, since)
        return {entity.id: named[entity.calendar] for entity in self.entities}

    @cached_property
    def last_days(self) -> dict[int, date]:
        """For each entity the business day before today: what the night has reconciled."""
        return {entity_id: calendar.before(self.day) for entity_id, calendar in self.calendars.items()}

    @cached_property
    def held(self) -> today.Held:
        since = min((c.newest(self.day, _REFUSED_FOR)[0] for c in self.calendars.values()), default=self.day)
        return today.held(self.codes, since)

    def may(self, permission: str) -> bool:
        return scope.may(self.user, permission)


def work(desk: Desk) -> dict[str, Any]:
    """What waits for this person."""
    count, oldest = today.mine(desk.user) if desk.may("reconciliation.view_break") else (0, [])
    calendars = desk.calendars
    return {
        "homeless": not desk.entities,
        "figures": _figures(desk, count),
        "mine": [(item, calendars[item.entity_id].age(item.business_date, desk.day)) for item in oldest],
        "today": desk.day,
        "last_day": max(desk.last_days.values(), default=None),
    }


def _figures(desk: Desk, assigned: int) -> list[tuple[str, int, str, str]]:
    """(what, count, route, query) of everything countable that this person may see."""
    figures = []
    if desk.may("reconciliation.view_break"):
        figures.append(("break{} assigned to me", assigned, "breaks", "?mine=1"))
    if desk.may("approvals.view_request"):
        figures.append(("approval{} waiting for me", waiting_for(desk.user), "requests", ""))
    if desk.may("integrations.view_fileimport"):
        figures.append(("file{} waiting", desk.held.waiting, "imports", "?state=HELD&state=PREVIEW&state=RECEIVED"))
    if desk.may("accounts.view_unbooked"):
        figures.append(("fact{} not booked", today.unbooked(desk.codes), "unbooked", ""))
    return [(what.format("" if count == 1 else "s"), count, route, query) for what, count, route, query in figures]


def compared(desk: Desk) -> dict[str, Any]:
    """The last business day's reconciliations."""
    found = comparisons.comparisons(desk.last_days, desk.now)
    rows = [tables.compared_row(item, desk.codes[item.entity_id]) for item in found]
    done = sum(1 for item in found if item.done is not None)
    return {
        "table": tables.ComparedTable().html(rows, caption="Reconciliations of the last business day"),
        "note": f"{done} of {len(found)} done" if found else "",
    }


def open_breaks(desk: Desk) -> dict[str, Any]:
    """Open breaks by class and age."""
    rows = today.open_breaks(desk.calendars, desk.day)
    totals = tuple(sum(row.cells[n].count for row in rows) for n in range(len(BUCKETS)))
    return {"rows": rows, "buckets": [label for label, _ in BUCKETS], "totals": totals, "all": sum(totals)}


def sources(desk: Desk) -> dict[str, Any]:
    """The state of every feed."""
    lines = feeds.feed_lines(desk.codes)
    rows = [tables.FeedRow(line, desk.codes[line.entity_id]) for line in lines]
    troubled = sum(1 for line in lines if line.state in ("failing", "late", "never read"))
    return {
        "table": tables.FeedTable().html(rows, caption="Feeds"),
        "note": f"{troubled} of {len(lines)} need a look" if troubled else "all well" if lines else "",
        "may_add": bool(desk.entities) and not lines and desk.may("integrations.add_connection"),
    }


def flows(desk: Desk) -> dict[str, Any]:
    """Money in and out of the last business days, one chart per currency."""
    calendars = list(desk.calendars.values())
    on = sorted({day for calendar in calendars for day in calendar.newest(desk.day, _FLOW_DAYS)})[-_FLOW_DAYS:]
    without = left_out(desk.codes, desk.now)
    found = money.flows(desk.codes, first=on[0], last=desk.day, cutoff=desk.now, without=without) if on else []
    charts = money.flow_charts(found, sorted({*on, *(flow.day for flow in found)}))
    return {
        "left_out": without.words if without.accounts else "",
        "charts": [
            (chart.unit, html.draw(chart, width=250, height=120), *money.sums(found, chart.unit)) for chart in charts
        ],
    }


def files(desk: Desk) -> dict[str, Any]:
    """Files that are held, wait for confirmation or were refused."""
    return {"table": tables.WaitingFileTable().html(desk.held.files, caption="Files that wait or were refused")}


def runs(desk: Desk) -> dict[str, Any]:
    """The newest runs, with what is under way."""
    rows = list(today.newest_runs(desk.codes))
    busy = sum(1 for run in rows if run.state in (RunState.QUEUED, RunState.RUNNING))
    return {
        "table": tables.NewestRunTable().html(rows, caption="Newest runs"),
        "note": f"{busy} under way" if busy else "",
    }


# key -> (permission, what it shows); the key is also the template's name.
LEFT: dict[str, tuple[str, Callable[[Desk], dict[str, Any]]]] = {
    "compared": ("reconciliation.view_run", compared),
    "breaks": ("reconciliation.view_break", open_breaks),
}
RIGHT: dict[str, tuple[str, Callable[[Desk], dict[str, Any]]]] = {
    "feeds": ("integrations.view_connection", sources),
    "files": ("integrations.view_fileimport", files),
    "money": ("ledger.view_ledgeraccount", flows),
    "runs": ("reconciliation.view_run", runs),
}
TOP: dict[str, tuple[str, Callable[[Desk], dict[str, Any]]]] = {"work": ("", work)}


def draw(desk: Desk, column: dict[str, tuple[str, Callable[[Desk], dict[str, Any]]]]) -> list[Part]:
    """The parts of one column that this person may see."""
    return [_part(key, show(desk)) for key, (permission, show) in column.items() if desk.may(permission)]


def seen(parts: Iterable[Part]) -> str:
    """What a page has, in short, for its next refresh: "work:0f3a…,breaks:77b1…"."""
    return ",".join(f"{part.key}:{part.digest}" for part in parts)


def _part(key: str, context: dict[str, Any]) -> Part:
    drawn = render_to_string(f"reporting/today_{key}.html", context)
    return Part(key, drawn, hashlib.sha256(drawn.encode()).hexdigest()[:12])
