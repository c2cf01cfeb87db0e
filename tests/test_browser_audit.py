"""The auditor in the browser: searches the log, opens an entry with its proof, verifies all of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.db import transaction
from playwright.sync_api import expect

from backoffice.audit import services as audit
from backoffice.audit.models import Check
from backoffice.audit.services import sealing, verification
from backoffice.organisation.models import Desk
from tests.attacks import open_books
from tests.browser import PHONE, staff
from tests.builders import ROBOT, person, user
from tests.pages_audit import write

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def picture(who, name: str) -> None:
    """Kept where the variable BACKOFFICE_PICTURES names a folder, to be looked at."""
    folder = os.environ.get("BACKOFFICE_PICTURES")
    if folder:
        who.page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


def test_the_auditor_finds_an_entry_and_verifies_the_log(visit, settings, tmp_path: Path) -> None:
    settings.SEAL_HEADS = tmp_path / "heads"
    books = open_books()
    places = (books.here, books.abroad)
    write(books.here, 3, person(user("anna", entities=places)))
    desk = Desk.objects.create(entity=books.here, code="A", name="first desk")
    Desk.objects.filter(pk=desk.pk).update(name="second desk")
    said = {"before": "first desk", "after": "second desk"}
    with transaction.atomic():
        audit.record(actor=ROBOT, action="desk.renamed", target=desk, data=said)
    sealing.seal()
    auditor = staff("ada", "AUD", *places)
    ada = visit().sign_in(auditor)

    ada.go("audit-log")
    ada.sees("desk.renamed", "signin.tested")
    picture(ada, "log")
    ada.page.get_by_role("link", name="organisation.desk:").first.click()
    ada.sees("first desk → second desk", "desk.renamed")
    picture(ada, "object")
    ada.go("audit-log")
    ada.page.locator("tr", has_text="desk.renamed").locator("a.row-link").click()
    ada.sees("sealed", "Position", "Signed by")
    picture(ada, "entry")
    ada.go("audit-changes")
    ada.sees("organisation_desk", "first desk → second desk")
    picture(ada, "changes")

    ada.go("audit-checks")
    ada.press("Verify now", "Verify now")
    ada.sees("waiting for a worker")
    picture(ada, "waiting")
    verification.carry_out(check_id=Check.objects.get().pk)
    expect(ada.page.get_by_text("all holds")).to_be_visible()
    ada.sees("audit.entries", "ledger.journals", "Newest head")
    picture(ada, "check")
    ada.go("audit-checks")
    picture(ada, "checks")

    small = visit(size=PHONE, theme="dark").enter(auditor)
    for route in ("audit-log", "audit-checks", "audit-changes"):
        small.go(route)
        wide = small.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= PHONE[0], f"{route} is {wide} wide"
        picture(small, f"phone-{route}")
