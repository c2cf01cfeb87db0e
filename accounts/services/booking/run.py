"""The booking pass: facts in the order they were stored, in batches, each batch in one transaction.

A fact version is booked under a key of its own, so a pass that is killed and repeated books nothing twice. A
newer version is booked as the reversal of what the older one booked, and then as itself. What cannot be booked
is noted with its reason, does not hold up the facts behind it, and is tried again on every pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from django.db import models, transaction

from accounts.models import BookingCursor, Unbooked, UnbookedReason
from accounts.services.booking.facts import BOOKABLE, Bookable, Row
from accounts.services.booking.payouts import Payouts
from accounts.services.booking.plan import CannotBook
from accounts.services.booking.reserved import Reserved
from accounts.services.booking.resolve import Books
from backoffice.audit import services as audit
from backoffice.kernel import clock, locking
from backoffice.kernel.actor import Actor
from backoffice.kernel.locking import Lock
from integrations.models import Connection, Superseded
from ledger.models import Journal
from ledger.selectors.lines import journals_by_key
from ledger.services import journal, periods
from ledger.services.journal import Draft

BATCH = 5_000
# How many facts that could not be booked are tried again per pass.
RETRIES = 2_000


@dataclass(slots=True)
class Booked:
    """What a pass did: facts looked at, journals posted, facts that moved no money, facts left unbooked."""

    facts: int = 0
    journals: int = 0
    reversals: int = 0
    no_effect: int = 0
    unbooked: int = 0

    def __iadd__(self, other: Booked) -> Booked:
        self.facts += other.facts
        self.journals += other.journals
        self.reversals += other.reversals
        self.no_effect += other.no_effect
        self.unbooked += other.unbooked
        return self


@dataclass(slots=True)
class _Batch:
    """The outcome of planning a batch, before anything is posted."""

    reserved: Reserved
    payouts: Payouts
    drafts: list[Draft] = field(default_factory=list)
    failed: dict[int, tuple[Row, CannotBook]] = field(default_factory=dict)
    booked: list[int] = field(default_factory=list)
    counts: Booked = field(default_factory=Booked)


def book_all(*, actor: Actor) -> Booked:
    """Book what is waiting, of every connection."""
    total = Booked()
    for connection_id in Connection.objects.order_by("pk").values_list("pk", flat=True):
        total += book_connection(actor=actor, connection_id=connection_id)
    return total


def book_connection(*, actor: Actor, connection_id: int) -> Booked:
    """Book everything of one connection that is waiting; first what failed before, then what is new."""
    total = Booked()
    for bookable in BOOKABLE:
        total += _retry(actor, connection_id, bookable)
        while (batch := _book_batch(actor, connection_id, bookable)).facts:
            total += batch
    return total


@transaction.atomic
def _book_batch(actor: Actor, connection_id: int, bookable: Bookable) -> Booked:
    locking.advisory(Lock.BOOKING, connection_id)
    connection = Connection.objects.get(pk=connection_id)
    cursor, _ = BookingCursor.objects.get_or_create(connection=connection, fact_kind=bookable.kind)
    rows = _one_version_each(bookable, bookable.read(connection, after=cursor.through_id, limit=BATCH))
    if not rows:
        return Booked()
    batch = _plan(actor, connection, bookable, rows)
    _post(actor, connection, bookable, batch)
    cursor.through_id = rows[-1]["id"]
    cursor.save(update_fields=["through_id"])
    return batch.counts


def _one_version_each(bookable: Bookable, rows: Sequence[Row]) -> Sequence[Row]:
    """The rows up to the second version of a fact: the first must be in the books before it is reversed."""
    seen: set[str] = set()
    for index, row in enumerate(rows):
        key = bookable.key(row)
        if key in seen:
            return rows[:index]
        seen.add(key)
    return rows


@transaction.atomic
def _retry(actor: Actor, connection_id: int, bookable: Bookable) -> Booked:
    """Facts that could not be booked: the login may have been opened, the symbol mapped since."""
    open_ones = Unbooked.objects.filter(connection_id=connection_id, fact_kind=bookable.kind, closed_at=None)
    if not open_ones.exists():
        return Booked()
    locking.advisory(Lock.BOOKING, connection_id)
    connection = Connection.objects.get(pk=connection_id)
    _close_replaced(bookable, open_ones)
    due = open_ones.exclude(reason=UnbookedReason.NOT_YET, business_date__gt=clock.today())
    ids = list(due.order_by("fact_id").values_list("fact_id", flat=True)[:RETRIES])
    rows = bookable.read_ids(connection, ids)
    batch = _plan(actor, connection, bookable, rows)
    batch.counts.facts = 0
    _post(actor, connection, bookable, batch)
    return batch.counts


def _plan(actor: Actor, connection: Connection, bookable: Bookable, rows: Sequence[Row]) -> _Batch:
    books = Books(actor, connection, bookable, rows)
    undo = _reversals(connection, bookable, rows)
    batch = _Batch(Reserved(connection, bookable, rows, undo.values()), Payouts(connection, bookable, rows))
    batch.counts.facts = len(rows)
    days: dict[date, date] = {}
    today = clock.today()
    for row in rows:
        wanted = row[bookable.day_column]
        if wanted not in days:
            days[wanted] = periods.posting_date(connection.entity_id, wanted)
        day = days[wanted]
        original = undo.get(bookable.journal_key(connection.pk, row, row["version"] - 1))
        if original is not None:
            key = f"{original.key}:reversed"
            why = f"{original.description} (changed at the source)"
            batch.drafts.append(journal.reversal(original, key=key, business_date=day, why=why))
            batch.reserved.undone(original)
            batch.counts.reversals += 1
        try:
            plan = bookable.plan(batch.payouts.marked(row))
            if (due := bookable.due(row)) is not None and due > today:
                raise CannotBook(UnbookedReason.NOT_YET, f"{plan.description}: on {due}")
            entries = books.entries(row, plan)
        except CannotBook as reason:
            batch.failed[row["id"]] = (row, reason)
            continue
        batch.booked.append(row["id"])
        if not entries:
            batch.counts.no_effect += 1
            continue
        key = bookable.journal_key(connection.pk, row, row["version"])
        entries = batch.reserved.taken_by(row, entries, key)
        batch.drafts.append(Draft(key, day, plan.kind, plan.description, entries, f"{bookable.kind}:{row['id']}"))
        batch.counts.journals += 1
    batch.counts.unbooked = len(batch.failed)
    return batch


def _reversals(connection: Connection, bookable: Bookable, rows: Sequence[Row]) -> dict[str, Journal]:
    """Journals of the versions before these that still stand, by key."""
    keys = [bookable.journal_key(connection.pk, row, row["version"] - 1) for row in rows if row["version"] > 1]
    if not keys:
        return {}
    ids = list(journals_by_key(connection.entity_id, keys).values())
    here = Journal.objects.filter(entity_id=connection.entity_id)
    undone = set(here.filter(reverses_id__in=ids).values_list("reverses_id", flat=True))
    return {row.key: row for row in here.filter(id__in=ids) if row.id not in undone}


def _close_replaced(bookable: Bookable, open_ones: models.QuerySet[Unbooked]) -> None:
    """A fact with a newer version is no longer waited for; the newer one is."""
    replaced = Superseded.objects.filter(fact_kind=bookable.kind, fact_id=models.OuterRef("fact_id"))
    open_ones.filter(models.Exists(replaced)).update(closed_at=clock.now())


def _post(actor: Actor, connection: Connection, bookable: Bookable, batch: _Batch) -> None:
    posted = journal.post_many(actor=actor, entity_id=connection.entity_id, drafts=batch.drafts)
    batch.reserved.keep({draft.key: done.journal_id for draft, done in zip(batch.drafts, posted, strict=True)})
    batch.payouts.keep(batch.booked)
    noted = _note_failures(connection, bookable, batch)
    if batch.drafts or noted:
        audit.record(
            actor=actor,
            action="booking.batch",
            target=connection,
            data={
                "kind": bookable.kind,
                "journals": batch.counts.journals,
                "reversals": batch.counts.reversals,
                "unbooked": noted,
            },
        )


def _note_failures(connection: Connection, bookable: Bookable, batch: _Batch) -> int:
    """Remember what failed and why; close what failed before and was booked now. Returns how many failures are news:
    what is tried again every few seconds and fails as before writes nothing."""
    now = clock.now()
    Unbooked.objects.filter(fact_kind=bookable.kind, fact_id__in=batch.booked, closed_at=None).update(closed_at=now)
    before = {
        fact_id: said
        for fact_id, *said in Unbooked.objects.filter(
            fact_kind=bookable.kind, fact_id__in=batch.failed, closed_at=None
        ).values_list("fact_id", "reason", "detail")
    }
    news = {
        fact_id: (row, failure)
        for fact_id, (row, failure) in batch.failed.items()
        if before.get(fact_id) != [failure.reason, failure.detail[:200]]
    }
    Unbooked.objects.bulk_create(
        (
            Unbooked(
                entity_id=connection.entity_id,
                connection=connection,
                fact_kind=bookable.kind,
                fact_id=fact_id,
                reason=failure.reason,
                detail=failure.detail[:200],
                business_date=row[bookable.day_column],
                since=now,
            )
            for fact_id, (row, failure) in news.items()
        ),
        update_conflicts=True,
        unique_fields=["fact_kind", "fact_id"],
        update_fields=["reason", "detail"],
    )
    return len(news)
