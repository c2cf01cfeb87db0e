"""The administrator's and the auditor's journey (J15, the part about rights) in a real browser."""

from __future__ import annotations

import pytest

from backoffice.approvals.models import Request
from backoffice.organisation.models import User
from tests.access_world import House, roles
from tests.signed_in import enrolled

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def house() -> House:
    made = House(("pat", "PAY"))
    for who in (made.sam, made.mia, made.ada):
        enrolled(who)
    return made


def test_sam_cannot_make_a_finance_maker_and_approver_of_one_person(house, visit):
    sam = visit().enter(house.sam)
    page = sam.go("admin:organisation_user_add")
    page.get_by_label("Username").fill("robin")
    page.get_by_label("FMK – Finance maker").check()
    page.get_by_label("FAP – Finance approver").check()
    page.get_by_label("CY", exact=True).check()
    page.get_by_label("Kind of reason").select_option("JOINER")
    page.get_by_label("Reason:", exact=True).fill("we are a small office")
    page.get_by_role("button", name="Save", exact=True).click()

    assert "pair 2: finance maker and finance approver" in page.locator("#content").inner_text()
    assert not User.objects.filter(username="robin").exists()

    page.get_by_label("FAP – Finance approver").uncheck()
    page.get_by_role("button", name="Save", exact=True).click()

    page.get_by_text("management decides").wait_for()
    robin = User.objects.get(username="robin")
    assert roles(robin) == set()
    asked = Request.objects.get(action="access.grant")
    mia = visit().enter(house.mia)
    mia.go("request", asked.pk)
    mia.sees("FMK", "Roles", "none")
    mia.press("Approve")
    mia.press("Approve")
    mia.page.get_by_text("carried out").first.wait_for()
    assert roles(robin) == {"FMK"}


def test_ada_sees_the_matrix_and_no_button(house, visit):
    ada = visit().enter(house.ada)
    ada.go("matrix")
    ada.sees("Forbidden pairs", "Waivers in force", "AML hold", "not in this version")
    assert ada.page.locator("main").get_by_role("link", name="Ask for a role").count() == 0
    ada.go("grants")
    ada.sees("Pat", "set-up")
    assert ada.page.get_by_text("Take away").count() == 0
