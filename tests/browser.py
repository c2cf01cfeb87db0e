"""A person in front of a real Chromium: signs in, clicks, reads. Everything the browser complains about is kept."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from guardian.shortcuts import assign_perm
from playwright.sync_api import Browser, ConsoleMessage, Page

from backoffice.launcher.system_packages import BROWSERS, CHROMIUM, MAC_BROWSER, how_to
from backoffice.organisation.models import LegalEntity, User
from backoffice.signin.selectors import standing
from tests import signed_in

PASSWORD = "a long enough pass phrase"
DESK, PHONE = (1440, 900), (390, 844)


def chromium() -> str:
    """The system's browser; the test is skipped, with the line that brings one, where there is none."""
    for name in BROWSERS:
        if found := shutil.which(name):
            return found
    if MAC_BROWSER.exists():
        return str(MAC_BROWSER)
    pytest.skip(f"these tests need Chromium: {how_to(CHROMIUM)}")


def staff(username: str, role: str, *entities: LegalEntity) -> User:
    """A member of staff in one of the product's own roles, who can sign in."""
    found, _ = User.objects.get_or_create(username=username, defaults={"first_name": username.capitalize()})
    found.set_password(PASSWORD)
    found.save(update_fields=["password"])
    found.groups.add(Group.objects.get(name=role))
    for here in entities:
        assign_perm("organisation.work_in_legalentity", found, here)
    if standing.people().get(pk=found.pk).role_needs:
        signed_in.enrolled(found)
    return found


class Visitor:
    """One person's window. `complaints` are errors and warnings of the console, policy violations among them."""

    def __init__(self, browser: Browser, address: str, *, size: tuple[int, int] = DESK, theme: str = "light") -> None:
        self.address = address
        self.complaints: list[str] = []
        viewport = {"width": size[0], "height": size[1]}
        self.window = browser.new_context(viewport=viewport, color_scheme=theme)  # type: ignore[arg-type]
        self.page: Page = self.window.new_page()
        self.page.set_default_timeout(10_000)
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.text} at {self.page.url}")

    def sign_in(self, user: User) -> Visitor:
        """Through the form, as everybody does."""
        self.page.goto(self.address + reverse("sign-in"))
        self.page.get_by_label("Username").fill(user.username)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(lambda url: "sign-in" not in url)
        if "second-factor" in self.page.url:
            signed_in.forget_codes(user)
            self.page.get_by_label("Code of your authenticator").fill(signed_in.code())
            self.page.get_by_role("button", name="Sign in").click()
            self.page.wait_for_url(lambda url: "second-factor" not in url)
        return self

    def enter(self, user: User) -> Visitor:
        """Signed in already: with a session as the form would have made it."""
        client = Client()
        client.force_login(user)
        name = settings.SESSION_COOKIE_NAME
        self.window.add_cookies([{"name": name, "value": client.cookies[name].value, "url": self.address}])
        return self

    def go(self, route: str, *arguments: object) -> Page:
        self.page.goto(self.address + reverse(route, args=arguments))
        return self.page

    def press(self, *names: str) -> None:
        """Buttons, or links that look like some, one after the other."""
        for name in names:
            button = self.page.get_by_role("button", name=name, exact=True)
            link = self.page.locator("main").get_by_role("link", name=name, exact=True)
            button.or_(link).first.click()

    def text(self) -> str:
        return self.page.locator("main").inner_text()

    def sees(self, *words: str) -> None:
        said = " ".join(self.text().split())
        assert [word for word in words if word not in said] == [], said


def upload(who: Visitor, source: str, path: Path) -> None:
    """Hand in a file as far as its preview."""
    page = who.go("upload")
    page.get_by_label("Source", exact=True).select_option(label=source)
    page.get_by_label("File", exact=True).set_input_files(path)
    who.press("Upload and look at it")


def cells(page: Page, row: str) -> Sequence[str]:
    """The texts of the first table row that contains `row`."""
    found: Sequence[str] = page.locator("table tr").filter(has_text=row).first.locator("th, td").all_inner_texts()
    return [" ".join(text.split()) for text in found]
