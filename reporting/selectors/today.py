"""What the Today page shows, each part in a fixed number of queries, whatever the number of rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from django.db.models import Count, Min, Q, QuerySet

from accounts.models import Unbooked, UnbookedReason
from backoffice.organisation.models import User
from backoffice.organisation.selectors import scope
from integrations.models import FileImport, ImportState
from reconciliation.models import CLASSES, OPEN_STATES, Break, BreakClass, Run
from reconciliation.selectors.open_breaks import BUCKETS
from reporting.selectors.breaks import bucket_of
from reporting.selectors.days import Days

_NEWEST = 8
_MOST = 100


@dataclass(frozen=True, slots=True)
class Cell:
    """Open breaks of one class and age; `query` narrows the list of breaks to them."""

    count: int
    query: str


@dataclass(frozen=True, slots=True)
class ClassRow:
    """Open breaks of one class, by age."""

    meaning: BreakClass
    total: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """How many files wait for somebody (up to 100); and the newest of them and of those refused lately."""

    waiting: int
    files: Sequence[FileImport]


def open_breaks(calendars: Mapping[int, Days], today: date) -> list[ClassRow]:
    """Open breaks of the entities (id to calendar) by class and age, in the order of their reconciliation."""
    rows = Break.objects.filter(entity_id__in=calendars, state__in=OPEN_STATES)
    counts: dict[str, list[int]] = {}
    for row in rows.values("klass", "business_date", "entity_id").annotate(n=Count("pk")).order_by():
        age = calendars[row["entity_id"]].age(row["business_date"], today)
        counts.setdefault(row["klass"], [0] * len(BUCKETS))[bucket_of(age)] += row["n"]
    spans = _spans(calendars, today)
    return [
        ClassRow(
            meaning,
            sum(counts[code]),
            tuple(Cell(n, f"klass={code}{span}") for n, span in zip(counts[code], spans, strict=True)),
        )
        for code, meaning in CLASSES.items()
        if code in counts
    ]


def _spans(calendars: Mapping[int, Days], today: date) -> list[str]:
    """For each age bucket the business days it means, as the list's filter says it.

    Where the calendars of two entities mean different days, the link narrows by class alone.
    """
    found: list[str] = []
    newest = ""
    for _, limit in BUCKETS:
        oldest = {days.oldest_of_age(limit, today) for days in calendars.values()} if limit < 10**6 else set()
        begin = min(oldest, default=None) if len(oldest) < 2 else None
        span = f"&day_from={begin}" if begin else ""
        found.append(span + newest)
        newest = f"&day_to={_day_before(begin)}" if begin else ""
    return found


def _day_before(day: date) -> date:
    return date.fromordinal(day.toordinal() - 1)


def oldest_open(entity_ids: Iterable[int]) -> date | None:
    """The earliest business day that an open break is about."""
    rows = Break.objects.filter(entity_id__in=list(entity_ids), state__in=OPEN_STATES)
    first: date | None = rows.aggregate(first=Min("business_date"))["first"]
    return first


def mine(user: User) -> tuple[int, list[Break]]:
    """Open breaks assigned to a person: how many (up to 100), and the oldest of them."""
    rows = Break.objects.filter(assignee=user, state__in=OPEN_STATES, entity__in=scope.entity_ids(user))
    oldest = list(rows.select_related("entity").order_by("business_date", "id")[:_MOST])
    return len(oldest), oldest[:5]


def held(entity_ids: Iterable[int], since: date) -> Held:
    """Held files and unconfirmed previews, and files refused from `since` on."""
    waiting = Q(state__in=[ImportState.HELD, ImportState.PREVIEW, ImportState.RECEIVED])
    refused = Q(state=ImportState.REFUSED, received_at__date__gte=since)
    rows = FileImport.objects.filter(waiting | refused, entity_id__in=list(entity_ids))
    files = list(rows.select_related("connection").order_by("-id")[:_MOST])
    return Held(sum(1 for file in files if file.state != ImportState.REFUSED), files[:_NEWEST])


def unbooked(entity_ids: Iterable[int]) -> int:
    """Facts that could not be booked (a reserve that waits for its release is none); counting stops at 100."""
    rows = Unbooked.objects.filter(entity_id__in=list(entity_ids), closed_at=None).order_by()
    rows = rows.exclude(reason=UnbookedReason.NOT_YET)
    return rows[:_MOST].count()


def newest_runs(entity_ids: Iterable[int]) -> QuerySet[Run]:
    """The last reconciliations that were asked for."""
    rows = Run.objects.filter(entity_id__in=list(entity_ids)).select_related("entity")
    return rows.order_by("-id")[:_NEWEST]
