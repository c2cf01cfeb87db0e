"""Approvals in the browser: decided with the keyboard alone, returned, changed, approved by two and carried out."""

from __future__ import annotations

from decimal import Decimal

import pytest
from playwright.sync_api import expect

from backoffice.approvals.models import Request
from backoffice.approvals.services import requests
from backoffice.kernel import clock
from backoffice.organisation.models import User
from ledger.actions import MANUAL_JOURNAL, ManualJournal
from ledger.models import Journal, Kind
from ledger.services.manual import ManualLine
from tests.browser import staff
from tests.builders import entity, ledger_account, person
from tests.desk import policy

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_request_is_returned_changed_and_decided_with_the_keyboard(visit, settings):
    settings.STEP_UP = False  # the second factor has tests of its own
    here = entity("CY")
    cash, owed = ledger_account(here, "cash", kind=Kind.ASSET), ledger_account(here, "owed")
    policy(approvers=1, from_amount=Decimal(0))
    fred, fiona = (visit().enter(staff(name, role, here)) for name, role in (("fred", "FMK"), ("fiona", "FAP")))
    ask_for(here, cash, owed)

    page = fiona.go("to-decide")
    expect(page.locator("#rail .count").first).to_have_text("1")
    page.keyboard.press("j")
    page.keyboard.press("r")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Reject")
    page.go_back()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    fiona.sees("Fred asked", "needs one more approval by FAP", "5.00 USD", "To decide")
    page.keyboard.press("c")
    page.get_by_label("Reason").fill("The amount is 6.")
    fiona.press("Return for change")
    fiona.sees("returned for change")

    page = fred.go("my-requests")
    page.get_by_role("row", name="correction").get_by_role("link").first.click()
    fred.press("Make a new version")
    page.get_by_label("Lines 1 amount").fill("6")
    page.get_by_label("Lines 2 amount").fill("-6")
    fred.press("Ask for approval")
    fred.sees("waiting for approval", "Version", "6.00 USD")

    page = fiona.go("request", Request.objects.latest("pk").pk)
    page.keyboard.press("a")
    page.get_by_role("button", name="Approve").click()
    fiona.sees("executed")
    assert Journal.objects.filter(kind="MANUAL").count() == 1


def ask_for(here, cash, owed):
    """Fred's request; the page for it belongs to the ledger."""
    lines = (ManualLine(cash.pk, Decimal(5)), ManualLine(owed.pk, Decimal(-5)))
    requests.submit(
        actor=person(User.objects.get(username="fred")),
        action=MANUAL_JOURNAL,
        payload=ManualJournal("one", here.pk, clock.today(), "correction of a typing error", lines),
        reason="typing error",
    )
