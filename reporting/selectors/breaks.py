"""Breaks as they stood at a moment, told from their history: what was open, what opened, what closed and how.

A break's row says how it is now; its events say how it was. So a report with an older cut-off is the same
tomorrow: state, owner, amount and the sentence that says what differs are those of the cut-off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Q

from accounts.selectors.technical import LeftOut
from reconciliation.models import (
    CLASSES,
    OPEN_STATES,
    Break,
    BreakClass,
    BreakEvent,
    BreakState,
    EventKind,
    Kind,
    Resolution,
)
from reconciliation.selectors.open_breaks import BUCKETS
from reporting.selectors.comparisons import Key
from reporting.selectors.days import Days

_OPENS = frozenset({EventKind.OPENED, EventKind.REOPENED})
_CLOSES = frozenset({EventKind.RESOLVED, EventKind.WRITTEN_OFF})
_CHANGES = frozenset({EventKind.CHANGED, EventKind.REOPENED})
_HOW = dict(Resolution.choices)
_FIELDS = ("id", "entity_id", "kind", "klass", "business_date", "summary", "amount", "currency", "owner_role")


@dataclass(frozen=True, slots=True)
class BreakLine:
    """A break as it stood at the cut-off. `age` is in business days since its business day; `owner` is empty while
    only the desk is responsible."""

    id: int
    entity: str
    kind: str
    klass: str
    business_date: date
    summary: str
    amount: Decimal | None
    currency: str
    desk: str
    opened_at: datetime
    state: str
    owner: str
    age: int

    @property
    def meaning(self) -> BreakClass:
        return CLASSES[self.klass]


@dataclass(frozen=True, slots=True)
class Closing:
    """A break that was closed: when, by whom, how, and the reason given."""

    id: int
    entity: str
    kind: str
    klass: str
    business_date: date
    summary: str
    amount: Decimal | None
    currency: str
    desk: str
    opened_at: datetime
    closed_at: datetime
    how: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class History:
    """Breaks over a stretch of time. `before` counts those open at its start, by entity's code and class."""

    before: Mapping[tuple[str, str], int]
    opened: tuple[BreakLine, ...]
    closed: tuple[Closing, ...]
    open: tuple[BreakLine, ...]


@dataclass(slots=True)
class _Told:
    """What a break's events say while they are read from the oldest on."""

    state: str = ""
    owner: str = ""
    opened_at: datetime | None = None
    was_open: bool = False
    openings: list[BreakLine] = field(default_factory=list)
    closings: list[Closing] = field(default_factory=list)


def history(
    codes: Mapping[int, str], *, since: Mapping[Key, datetime], cutoff: datetime, calendars: Mapping[int, Days]
) -> History:
    """Breaks of these entities (id to code) from `since` (per entity and kind; absent: from the beginning) to the
    cut-off."""
    rows = _candidates(codes, since, cutoff)
    events = _events(row["id"] for row in rows)
    before: dict[tuple[str, str], int] = {}
    opened: list[BreakLine] = []
    closed: list[Closing] = []
    still: list[BreakLine] = []
    for row in rows:
        told = _tell(row, events.get(row["id"], []), since.get((row["entity_id"], row["kind"])), cutoff, calendars)
        if told.was_open:
            key = (row["entity"], row["klass"])
            before[key] = before.get(key, 0) + 1
        opened += [replace(line, state=told.state, owner=told.owner) for line in told.openings]
        closed += told.closings
        if told.state in OPEN_STATES:
            still.append(_line(row, told, cutoff, calendars))
    return History(before, tuple(opened), tuple(closed), tuple(still))


def about(without: LeftOut, break_ids: Iterable[int]) -> frozenset[int]:
    """Those of these breaks that are about technical logins alone: their amounts are no client's."""
    if not without.accounts:
        return frozenset()
    with connection.cursor() as cursor:
        cursor.execute(_ABOUT, {"breaks": list(break_ids), "without": list(without.accounts)})
        return frozenset(row[0] for row in cursor.fetchall())


# A break of balances and rights names its account, one of trades its deal, one of cash the deals of its reference.
_ABOUT = """
WITH login AS (
    SELECT id, connection_id, login FROM accounts_tradingaccount WHERE id = ANY (%(without)s::bigint[])
)
SELECT b.id
  FROM reconciliation_break b
 WHERE b.id = ANY (%(breaks)s::bigint[])
   AND (b.refs -> 'trading_account' IN (SELECT to_jsonb(id) FROM login)
    OR EXISTS (
        SELECT FROM jsonb_array_elements(coalesce(b.refs -> 'deals', jsonb_build_array(b.refs -> 'deal'))) AS named (id)
          JOIN integrations_deal d ON d.entity_id = b.entity_id AND to_jsonb(d.id) = named.id
        HAVING bool_and(EXISTS (SELECT FROM login l WHERE l.connection_id = d.connection_id AND l.login = d.login))))
"""


def bucketed(ages: Iterable[int]) -> tuple[int, ...]:
    """How many ages fall into each bucket of `BUCKETS`."""
    counts = [0] * len(BUCKETS)
    for age in ages:
        counts[bucket_of(age)] += 1
    return tuple(counts)


def bucket_of(age: int) -> int:
    """The place in `BUCKETS` of an age in business days."""
    return next(number for number, (_, limit) in enumerate(BUCKETS) if age <= limit)


def _candidates(codes: Mapping[int, str], since: Mapping[Key, datetime], cutoff: datetime) -> list[dict[str, Any]]:
    """Breaks that were open at some moment of the stretch, in the order of classes, then of their days."""
    recent = Q(state__in=OPEN_STATES)
    if since:
        recent |= Q(closed_at__gt=min(since.values()))
    for key in ((entity_id, kind.value) for entity_id in codes for kind in Kind):
        if key not in since:
            recent |= Q(entity_id=key[0], kind=key[1])
    rows = Break.objects.filter(recent, entity_id__in=codes, opened_at__lte=cutoff).values(*_FIELDS)
    found = [{**row, "entity": codes[row["entity_id"]]} for row in rows]
    place = {code: number for number, code in enumerate(CLASSES)}
    return sorted(found, key=lambda row: (row["entity"], place[row["klass"]], row["business_date"], row["id"]))


def _events(break_ids: Iterable[int]) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    rows = BreakEvent.objects.filter(item_id__in=list(break_ids)).order_by("id")
    for event in rows.values("item_id", "at", "actor", "event", "data"):
        found.setdefault(event["item_id"], []).append(dict(event))
    return found


def _tell(
    row: dict[str, Any],
    events: list[dict[str, Any]],
    since: datetime | None,
    cutoff: datetime,
    calendars: Mapping[int, Days],
) -> _Told:
    told = _Told()
    row["amount"], row["summary"] = _said_at(row, events, cutoff)
    for event in events:
        if event["at"] > cutoff:
            break
        inside = since is None or event["at"] > since
        _turn(told, event)
        if inside and event["event"] in _OPENS:
            told.openings.append(_line(row, told, cutoff, calendars))
        elif inside and event["event"] in _CLOSES:
            told.closings.append(_closing(row, told, event))
        if not inside:
            told.was_open = told.state in OPEN_STATES
    return told


def _turn(told: _Told, event: dict[str, Any]) -> None:
    """What one event makes of the break."""
    kind = event["event"]
    if kind in _OPENS:
        told.state, told.owner, told.opened_at = BreakState.OPEN, "", event["at"]
    elif kind == EventKind.ASSIGNED:
        told.owner = str(event["data"].get("to", ""))
        told.state = BreakState.ASSIGNED if told.state == BreakState.OPEN else told.state
    elif kind == EventKind.EXPLAINED:
        told.state = BreakState.EXPLAINED
    elif kind in _CLOSES:
        told.state = BreakState.RESOLVED if kind == EventKind.RESOLVED else BreakState.WRITTEN_OFF


def _said_at(row: dict[str, Any], events: list[dict[str, Any]], cutoff: datetime) -> tuple[Decimal | None, str]:
    """Amount and summary at the cut-off: what the first change after it says they were, else what they are now."""
    later = next((e["data"] for e in events if e["at"] > cutoff and e["event"] in _CHANGES), None)
    if later is None:
        return row["amount"], row["summary"]
    return (None if later["from"] is None else Decimal(later["from"])), later["summary_from"]


def _line(row: dict[str, Any], told: _Told, cutoff: datetime, calendars: Mapping[int, Days]) -> BreakLine:
    assert told.opened_at is not None, "a break's history begins with its opening"
    return BreakLine(
        id=row["id"],
        entity=row["entity"],
        kind=row["kind"],
        klass=row["klass"],
        business_date=row["business_date"],
        summary=row["summary"],
        amount=row["amount"],
        currency=row["currency"],
        desk=row["owner_role"],
        opened_at=told.opened_at,
        state=told.state,
        owner=told.owner,
        age=calendars[row["entity_id"]].age(row["business_date"], cutoff.date()),
    )


def _closing(row: dict[str, Any], told: _Told, event: dict[str, Any]) -> Closing:
    assert told.opened_at is not None, "a break's history begins with its opening"
    written_off = event["event"] == EventKind.WRITTEN_OFF
    how = Resolution.WRITTEN_OFF if written_off else Resolution(event["data"].get("how", Resolution.BY_PERSON))
    return Closing(
        id=row["id"],
        entity=row["entity"],
        kind=row["kind"],
        klass=row["klass"],
        business_date=row["business_date"],
        summary=row["summary"],
        amount=row["amount"],
        currency=row["currency"],
        desk=row["owner_role"],
        opened_at=told.opened_at,
        closed_at=event["at"],
        how=_HOW[how],
        by=event["actor"],
        reason=str(event["data"].get("reason", "")),
    )
