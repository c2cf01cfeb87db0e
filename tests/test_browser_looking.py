"""A system administrator looks as somebody else in a real browser: the reason, the banner, the end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backoffice.audit.models import Entry
from backoffice.signin.models import Impersonation
from tests.browser import DESK, PHONE, staff
from tests.builders import entity
from tests.pages_accounts import many_clients

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WHY = "ticket 4711: the list of clients is empty"


def test_sam_looks_as_dana_and_changes_nothing(visit):
    here = entity("CY")
    many_clients(here, 3)
    sam, dana = staff("sam", "SYS", here), staff("dana", "DLR", here)
    who = visit().enter(sam)
    page = who.go("person-sign-in", dana.pk)
    who.press("Look as this person")
    who.sees("For at most 30 minutes", "under your name")
    page.get_by_label("Reason").fill(WHY)
    who.press("Look as this person")

    banner = page.get_by_role("complementary", name="You look as somebody else")
    for route in ("today", "clients", "breaks"):
        who.go(route)
        assert "Sam looks as Dana" in banner.inner_text()
    assert page.locator("#rail").get_by_text("Grants").count() == 0
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    assert banner.bounding_box()["y"] >= 0

    banner.get_by_role("button", name="End").click()
    who.sees("You no longer look as Dana")
    assert banner.count() == 0
    assert Impersonation.objects.get().end == "BY_PERSON"
    paths = [entry.data["path"] for entry in Entry.objects.filter(action="read.impersonated")]
    assert {"/clients/", "/breaks/"} <= set(paths)


@pytest.mark.parametrize(("size", "theme"), [(DESK, "light"), (DESK, "dark"), (PHONE, "light"), (PHONE, "dark")])
def test_the_banner_fits_every_window(visit, size, theme):
    here = entity("CY")
    many_clients(here, 60)
    sam, dana = staff("sam", "SYS", here), staff("dana", "DLR", here)
    who = visit(size=size, theme=theme).enter(sam)
    page = who.go("impersonate", dana.pk)
    page.get_by_label("Reason").fill(WHY)
    who.press("Look as this person")
    banner = page.locator(".looking")
    for route in ("clients", "today"):
        who.go(route)
        box, top = banner.bounding_box(), page.locator("header.top").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= size[0]
        assert abs(box["y"] - top["y"] - top["height"]) <= 1
        button = banner.get_by_role("button", name="End").bounding_box()
        assert button["y"] + button["height"] <= box["y"] + box["height"]
        below = page.locator("main > *:visible:not(.looking):not(#messages)").first.bounding_box()
        assert below["y"] >= box["y"] + box["height"]
        keep(page, f"looking-{route}-{size[0]}-{theme}")


def keep(page, name: str) -> None:
    """A picture for whoever wants to look: BACKOFFICE_PICTURES names the folder."""
    folder = os.environ.get("BACKOFFICE_PICTURES")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png")
