"""Every page of the product in a real browser: both themes, wide and narrow, and by keyboard alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.auth.models import Permission
from django.db import transaction
from playwright.sync_api import expect

from backoffice.organisation.models import User
from tests import pages
from tests.browser import DESK, PHONE, Visitor, staff
from tests.builders import entity
from tests.pages_reconciliation import uncovered_deals

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

CHECKS = (Path(__file__).parent / "browser_checks.js").read_text()
COUNT_SHIFTS = """
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""


def somebody_who_may_do_everything() -> User:
    user = staff("mara", "AUD", entity("CY"))
    user.user_permissions.set(Permission.objects.all())
    return user


def as_in_a_test() -> transaction.Atomic:
    """The transaction in which the builders work elsewhere; here it is committed, so that the server sees the rows."""
    block = transaction.atomic()
    block._from_testcase = True  # lets a durable block stand within it
    return block


def problems(visitor: Visitor, address: str) -> list[str]:
    """What the checks find at an address, drawn in both themes, wide and narrow."""
    page, found = visitor.page, []
    answer = page.goto(visitor.address + address)
    assert answer is not None
    if answer.status != 200:
        return [f"{address}: {answer.status}"]
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        for width, height in (PHONE, DESK):
            page.set_viewport_size({"width": width, "height": height})
            found += [f"{address} {theme} {width}: {sentence}" for sentence in page.evaluate(CHECKS)]
    return found


# All but those that answer with a piece of another page, or with a file.
ROUTES = [
    found for found in pages.pages("backoffice.urls") if not found.route.endswith(("-progress", "-parts", "-file"))
]
BUILDERS = list(dict.fromkeys(found.builder for found in ROUTES))


@pytest.mark.parametrize("builder", BUILDERS, ids=lambda builder: builder.__name__ if builder else "no rows")
def test_every_page_is_sound_in_both_themes_wide_and_narrow(visit, builder):
    here = entity("CY")
    with as_in_a_test():
        made = builder(here, 2) if builder else None
    visitor = visit(size=PHONE)
    visitor.window.add_init_script(COUNT_SHIFTS)
    visitor.enter(somebody_who_may_do_everything())

    shown = [found.address(made) for found in ROUTES if found.builder is builder]

    assert [problem for address in shown for problem in problems(visitor, address)] == []


def test_refusals_are_pages_too(visit):
    visitor = visit(size=PHONE)
    visitor.enter(staff("sue", "SUP", entity("CY")))

    visitor.go("journals")
    visitor.sees("This needs the permission", "ledger.view_journal")
    assert visitor.page.evaluate(CHECKS) == []
    visitor.page.goto(visitor.address + "/nowhere/")
    visitor.sees("There is nothing at this address for you")
    assert visitor.page.evaluate(CHECKS) == []

    # The browser's own note of the two answers, and nothing else.
    assert [complaint for complaint in visitor.complaints if "Failed to load resource" not in complaint] == []
    visitor.complaints.clear()


def test_lists_and_navigation_by_keyboard_alone(visit):
    uncovered_deals(entity("CY"), 3)
    page = visit().enter(somebody_who_may_do_everything()).go("today")
    keys = page.keyboard

    keys.press("g")
    keys.press("k")
    expect(page.get_by_role("heading", level=1)).to_have_text("Breaks")
    keys.press("/")
    assert page.evaluate("document.activeElement.closest('[data-filters]') !== null")
    keys.press("Escape")
    keys.press("j")
    keys.press("j")
    assert page.locator("tr.here").count() == 1
    keys.press("Enter")
    expect(page.locator(".diff")).to_be_visible()
    keys.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    keys.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()

    # The first stop leads past the navigation, and every stop shows where it is.
    page.reload()
    keys.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    for _ in range(25):
        keys.press("Tab")
        style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert style != "none", page.evaluate("document.activeElement.outerHTML")


def test_the_chosen_colours_stay(visit):
    visitor = visit().enter(staff("dana", "DLR", entity("CY")))
    page = visitor.go("today")
    page.locator(".who summary").click()
    page.get_by_role("button", name="Dark").click()
    page.reload()
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
    page.locator(".who summary").click()
    expect(page.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")
