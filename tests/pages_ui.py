"""Rows for the pages of tests/ui_site.py."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from backoffice.audit.models import Entry
from backoffice.organisation.models import Desk, LegalEntity
from tests.pages import Made, builds

START = datetime(2026, 11, 20, 8, 15, tzinfo=UTC)


def make_desks(here: LegalEntity, number: int) -> list[Desk]:
    known = Desk.objects.count()
    return [Desk.objects.create(entity=here, code=f"D{known + n:04d}", name=f"Desk {known + n}") for n in range(number)]


@builds("desk", "desk-rename", "desks", "desks-rename", "desk-ask", "refusing")
def desks(here: LegalEntity, number: int) -> Made:
    rows = make_desks(here, number)
    return Made(kwargs={"pk": rows[0].pk}, ids=(rows[0].pk,))


def make_entries(here: LegalEntity, number: int) -> list[Entry]:
    """Audit rows, every three of them at the same moment."""
    known = Entry.objects.count()
    rows = [
        Entry(
            at=START + timedelta(seconds=(known + n) // 3),
            actor_kind="SYSTEM",
            actor_label="system: booking",
            action="test.happened",
            target=f"test.row:{known + n}",
            entity=here,
        )
        for n in range(number)
    ]
    return Entry.objects.bulk_create(rows)


@builds("entries")
def entries(here: LegalEntity, number: int) -> Made:
    make_entries(here, number)
    return Made()
