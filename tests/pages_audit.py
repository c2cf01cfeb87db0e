"""Rows for the pages of the audit log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db import transaction

from backoffice.audit import services as audit
from backoffice.audit.models import Change, Check, Entry
from backoffice.audit.services import personal
from backoffice.kernel.actor import Person
from backoffice.organisation.models import Desk, LegalEntity
from tests.builders import person, user
from tests.pages import Made, builds

START = datetime(2026, 11, 19, 8, 15, tzinfo=UTC)
EVA = "accounts.client:5"


def write(here: LegalEntity, number: int, who: Person, target: str = EVA) -> list[Entry]:
    """`number` more entries about one client, each with a personal value."""
    with transaction.atomic():
        return [
            audit.record(
                actor=who,
                action="signin.tested",
                target=target,
                entity_id=here.pk,
                data={"n": n, "why": "a typing error", "email": personal.hide(person=target, value="eva@example.com")},
            )
            for n in range(number)
        ]


@builds("audit-log", "audit-technical", "audit-object", "audit-entry")
def entries(here: LegalEntity, number: int) -> Made:
    row = write(here, number, person(user("anna", entities=(here,))))[-1]
    return Made(kwargs={"pk": row.pk, "target": EVA}, words=("a typing error",))


@builds("audit-person")
def of_a_person(here: LegalEntity, number: int) -> Made:
    anna = person(user("anna", entities=(here,)))
    write(here, number, anna)
    return Made(kwargs={"pk": anna.user_id}, words=("a typing error",))


@builds("audit-mine")
def own(here: LegalEntity, number: int) -> Made:
    write(here, number, person(user("mara", entities=(here,))))
    return Made()


@builds("audit-changes")
def changed(here: LegalEntity, number: int) -> Made:
    known = Desk.objects.count()
    for n in range(known, known + number):
        Desk.objects.create(entity=here, code=f"D{n}", name=f"changed desk {n}")
    return Made(words=("changed desk",) if Change.objects.exists() else ())


@builds("audit-checks", "audit-check", "audit-check-progress", "audit-verify")
def checks(here: LegalEntity, number: int) -> Made:
    rows = [
        Check.objects.create(
            asked_by="system: test",
            asked_at=START + timedelta(seconds=n),
            started_at=START + timedelta(seconds=n),
            finished_at=START + timedelta(minutes=1, seconds=n),
            state="BROKEN",
            progress=100,
            result={
                "clean": False,
                "first_bad": "audit.entries 7: position 7 has no row any more",
                "findings": [{"rule": "a sealed row is still there", "subject": "audit.entries 7", "detail": "gone"}],
                "seals": 3,
                "rows": {"audit.entries": 12},
                "waiting": 0,
                "head": "0" * 64,
                "seconds": 1,
            },
        )
        for n in range(number)
    ]
    return Made(kwargs={"pk": rows[0].pk})
