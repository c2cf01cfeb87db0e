"""Every address × every role × own and other entity × looking, fetching by script and posting, against the matrix.

What is expected stands in tests/access_routes.py, written down by hand from the permission matrix; a new address
without a line there fails. Nothing a request changes outlives it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import transaction
from django.test import Client
from guardian.shortcuts import assign_perm

from backoffice.organisation.duties import CODES
from backoffice.organisation.models import LegalEntity, User
from backoffice.organisation.roles import MATRIX, ROLES
from backoffice.ui import hooks
from backoffice.ui.views import ListPage
from tests import pages
from tests.access_routes import ADMIN, EXPECTED, NOBODY, OWN, PERSONAL, PUBLIC
from tests.builders import entity
from tests.commands import say
from tests.pages import Found, Made

FOUND = pages.walk("backoffice.urls")
PAGES = [found for found in FOUND if found.page is not None]
OTHERS = [found for found in FOUND if found.page is None]
METHODS = ("GET", "POST")
# Parts of pages are fetched by script: the header must neither open nor leak anything.
FETCHED = (*METHODS, "HTMX")
SERVER_ERROR = 500

pytestmark = pytest.mark.django_db


def route(found: Found) -> str:
    return found.route


def roles_for(found: Found) -> frozenset[str]:
    name = "admin:*" if found.route.startswith("admin:") else found.route
    return frozenset(EXPECTED[name].split())


@dataclass(frozen=True)
class Staff:
    """Somebody of every role in each of two entities, signed in once for all cases."""

    here: LegalEntity
    abroad: LegalEntity
    cookies: Mapping[tuple[str, str], str]

    def client(self, role: str, place: LegalEntity) -> Client:
        client = Client(raise_request_exception=False, REMOTE_ADDR="10.0.0.9")
        client.cookies[settings.SESSION_COOKIE_NAME] = self.cookies[role, place.code]
        return client


@pytest.fixture(scope="module")
def staff(django_db_setup: None, django_db_blocker: Any) -> Iterator[Staff]:
    """Everybody is there before the first case and gone after the last: one transaction around all of them."""
    with django_db_blocker.unblock(), transaction.atomic():
        here, abroad = entity("CY"), entity("UK")
        cookies = {
            (role, place.code): sign_in(role, place).cookies[settings.SESSION_COOKIE_NAME].value
            for role in CODES
            for place in (here, abroad)
        }
        django_db_blocker.block()
        yield Staff(here, abroad, cookies)
        django_db_blocker.unblock()
        transaction.set_rollback(True)


@pytest.fixture(autouse=True)
def house(staff, db, monkeypatch, settings):
    """Exports are recorded elsewhere, and nobody's session ends while this runs."""
    monkeypatch.setattr(hooks, "_recorders", [lambda event: None])
    settings.SESSION_IDLE_SECONDS = 36_000


def sign_in(role: str, place: LegalEntity) -> Client:
    user = User.objects.create(username=f"{role}-{place.code}", first_name=role)
    user.groups.add(Group.objects.get(name=role))
    assign_perm("organisation.work_in_legalentity", user, place)
    client = Client()
    client.force_login(user)
    return client


@contextmanager
def undone() -> Iterator[None]:
    """What a request writes is gone afterwards; services that insist on a transaction of their own still run."""
    block = transaction.atomic()
    block._from_testcase = True
    with block:
        yield
        transaction.set_rollback(True)


def ask(client: Client, method: str, address: str, made: Made) -> Any:
    with undone():
        if method == "POST":
            return client.post(address, {"ids": list(made.ids)})
        return client.get(address, headers={"HX-Request": "true"} if method == "HTMX" else {})


def test_every_address_has_a_line_and_every_line_an_address():
    known = {"admin:*" if found.route.startswith("admin:") else found.route for found in FOUND}
    missing, gone = sorted(known - EXPECTED.keys()), sorted(EXPECTED.keys() - known)
    assert missing == [], "say in tests/access_routes.py which roles may open these"
    assert gone == [], "these addresses are gone: take their lines out of tests/access_routes.py"


@pytest.mark.parametrize("found", PAGES, ids=route)
def test_a_page_opens_for_the_roles_of_the_matrix_in_their_entities(found, staff):
    rows = found.builder(staff.here, 1) if found.builder else Made()
    address, wanted = found.address(rows), roles_for(found)
    wrong = []
    for role in CODES:
        for place in (staff.here, staff.abroad):
            answers = {method: ask(staff.client(role, place), method, address, rows) for method in FETCHED}
            for method, answer in answers.items():
                problem = judge(found, rows, answer, may=role in wanted, own=place == staff.here)
                if not problem and method == "HTMX" and answer.status_code != answers["GET"].status_code:
                    problem = f"fetched by script, {answers['GET'].status_code} opened"
                if problem:
                    wrong.append(f"{method} as {role} of {place.code}: {answer.status_code} {problem}")
    assert not wrong, "\n".join(wrong)


def judge(found: Found, rows: Made, answer: Any, *, may: bool, own: bool) -> str:
    """What is wrong with an answer; empty when nothing is."""
    html = "" if answer.streaming else answer.content.decode()
    if not may:
        if answer.status_code != 403:
            return "instead of 403"
        return "" if found.page.permission in html else "without the name of the permission"
    if answer.status_code >= SERVER_ERROR:
        return "is a defect"
    scoped = found.page.entity_path and (found.arguments or getattr(found.page, "bulk", False))
    if scoped and not own:
        return "" if answer.status_code in (404, 405) else "instead of 404"
    if answer.status_code == 404 and found.route in PERSONAL:
        return ""
    if answer.status_code in (403, 404):
        return "although the role may"
    leaked = [word for word in rows.words if word in html] if found.page.entity_path and not own else []
    return f"shows {leaked}" if leaked else ""


@pytest.mark.parametrize("found", [f for f in PAGES if f.page and issubclass(f.page, ListPage)], ids=route)
def test_a_file_is_taken_by_the_roles_of_the_matrix_from_their_entities(found, staff):
    rows = found.builder(staff.here, 1) if found.builder else Made()
    address = found.address(rows)
    address += ("&" if "?" in address else "?") + "export=csv"
    takers = {role.code for role in ROLES if found.page.export_permission in role.permissions}
    wrong = []
    for role in CODES:
        for place in (staff.here, staff.abroad):
            answer = staff.client(role, place).get(address)
            may = role in roles_for(found) & takers
            scoped_away = place != staff.here and found.page.entity_path and found.arguments
            sees = role in roles_for(found)
            expected = (404,) if scoped_away and sees else (200,) if may else (403,)
            if answer.status_code not in expected:
                wrong.append(f"{role} of {place.code}: {answer.status_code} instead of {expected}")
            elif answer.status_code == 200 and place != staff.here and found.page.entity_path:
                text = b"".join(answer.streaming_content).decode("utf-8-sig")
                wrong += [f"{role} of {place.code}: the file has {word!r}" for word in rows.words if word in text]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("found", OTHERS, ids=route)
def test_an_address_that_is_no_page_of_ours_opens_for_whom_it_should(found, staff):
    """Doors and one's own pages for everybody, the administration of users for one role."""
    expected = EXPECTED["admin:*" if found.route.startswith("admin:") else found.route]
    address, wrong = "/admin/auth/" if found.route == "admin:app_list" else found.address(), []
    for role in CODES:
        for method in METHODS:
            answer = ask(staff.client(role, staff.here), method, address, Made())
            may = expected in (PUBLIC, OWN) or role in expected.split()
            if method == "POST" and found.route.endswith("_change") and found.route != "admin:organisation_user_change":
                may = False  # looked at only, by the administrator too
            if answer.status_code >= SERVER_ERROR:
                wrong.append(f"{method} as {role}: {answer.status_code} is a defect")
            elif may and expected != PUBLIC and answer.status_code == 403:
                wrong.append(f"{method} as {role}: 403 although the role may")
            elif not may and answer.status_code != 403:
                wrong.append(f"{method} as {role}: {answer.status_code} instead of 403")
    assert not wrong, "\n".join(wrong)


def test_somebody_without_any_role_opens_nothing(staff):
    user = User.objects.create(username="nobody")
    assign_perm("organisation.work_in_legalentity", user, staff.here)
    client = Client(raise_request_exception=False)
    client.force_login(user)
    opened = [found.route for found in PAGES if client.get(found.address()).status_code != 403]
    assert opened == []


def test_the_matrix_gives_every_role_something_and_nothing_unknown():
    assert [role.code for role in ROLES if not role.permissions] == []
    assert {code for line in EXPECTED.values() if line not in (PUBLIC, OWN, NOBODY) for code in line.split()} <= set(
        CODES
    )
    assert EXPECTED["admin:*"] == ADMIN
    assert len({row.key for row in MATRIX}) == len(MATRIX)


def test_the_auditor_and_the_administrator_change_nothing_of_the_business():
    """AUD: no letter but V, and D for taking files and verifying; SYS: no letter on money or status."""
    wrong = []
    for row in MATRIX:
        wrong += [
            f"AUD {row.key}: {duty}"
            for duty in row.cells["AUD"]
            if duty.verb != "V" and (row.key, duty.verb) not in {("audit", "D"), ("exports", "D")}
        ]
        if row.about:
            wrong += [f"SYS {row.key}: {duty}" for duty in row.cells["SYS"]]
    assert not wrong, "\n".join(wrong)


def test_how_many_cases_there_are():
    lists = [found for found in PAGES if found.page and issubclass(found.page, ListPage)]
    cases = len(PAGES) * len(CODES) * 2 * len(FETCHED) + len(lists) * len(CODES) * 2
    cases += len(OTHERS) * len(CODES) * len(METHODS)
    say(
        f"access matrix: {len(FOUND)} addresses × {len(CODES)} roles × own and other entity ×"
        f" {', '.join(FETCHED)} and files = {cases} cases"
    )
    assert cases > 5_000
