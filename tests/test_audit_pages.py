"""Who reads what of the log, and the verification button."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission
from django.test import Client as Browser
from django.urls import reverse

from accounts.models import Flag, FlagKind
from accounts.services import clients
from backoffice.audit import services as audit
from backoffice.audit.models import Check, Entry
from backoffice.audit.services import personal, sealing, verification
from backoffice.kernel import clock
from backoffice.organisation.models import Desk, LegalEntity
from tests.attacks import execute
from tests.builders import ROBOT, entity, person, user
from tests.pages_audit import EVA, write

pytestmark = pytest.mark.django_db
READ = ("audit.view_entry", "audit.view_check", "audit.view_change", "audit.verify_log")
EXPORT, REVEAL = "organisation.export_rows", "audit.reveal_personal"


@pytest.fixture(autouse=True)
def outside(settings: object, tmp_path: Path) -> None:
    settings.SEAL_HEADS = tmp_path / "heads"  # type: ignore[attr-defined]


def reader(*permissions: str, name: str = "ada", entities: tuple[LegalEntity, ...] = ()) -> Browser:
    browser = Browser()
    browser.force_login(user(name, *permissions, entities=entities))
    return browser


def shown(browser: Browser, route: str, *arguments: object, query: str = "") -> str:
    answer = browser.get(reverse(route, args=arguments) + query)
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def test_entries_without_an_entity_are_for_those_who_work_in_all() -> None:
    here, abroad = entity("CY"), entity("UK")
    audit.record(actor=ROBOT, action="user.tested", data={"said": "about nobody's entity"})
    audit.record(actor=ROBOT, action="client.tested", entity_id=abroad.pk, data={"said": "abroad"})
    audit.record(actor=ROBOT, action="client.tested", entity_id=here.pk, data={"said": "at home"})

    everywhere = shown(reader(*READ, entities=(here, abroad)), "audit-log")
    somewhere = shown(reader(*READ, name="stan", entities=(here,)), "audit-log")

    assert all(words in everywhere for words in ("about nobody", "abroad", "at home"))
    assert "at home" in somewhere and "about nobody" not in somewhere and "abroad" not in somewhere
    assert "organisation_" not in shown(reader(*READ, name="stan"), "audit-changes")


def test_the_log_is_searched_by_what_about_whom_and_when() -> None:
    here = entity()
    anna = person(user("anna", entities=(here,)))
    write(here, 1, anna)
    audit.record(actor=ROBOT, action="client.suspended", target="accounts.client:9", entity_id=here.pk)
    browser = reader(*READ, entities=(here,))
    for query, there, gone in (
        ("?action=client.susp", "client.suspended", "signin.tested"),
        (f"?target={EVA}", "signin.tested", "client.suspended"),
        (f"?who={anna.user_id}", "signin.tested", "client.suspended"),
        (f"?at_from={clock.today()}", "signin.tested", "signin.gone"),
        ("?at_to=2001-01-01", "No entry fits", "client.suspended"),
    ):
        table = shown(browser, "audit-log", query=query).partition('id="list"')[2]
        assert there in table and gone not in table, query


def test_personal_data_is_shown_to_few_and_to_nobody_once_erased() -> None:
    here = entity()
    (row,) = write(here, 1, person(user("anna", entities=(here,))))
    plain, few = reader(*READ, entities=(here,)), reader(*READ, REVEAL, name="carl", entities=(here,))
    assert "eva@example.com" in shown(few, "audit-entry", row.pk)
    for html in (shown(plain, "audit-entry", row.pk), shown(few, "audit-log"), shown(few, "audit-object", EVA)):
        assert "eva@example.com" not in html and personal.HIDDEN in html
    personal.shred(actor=ROBOT, person=EVA)
    assert personal.ERASED in shown(few, "audit-entry", row.pk)


def test_flags_that_must_not_be_known_are_not_in_the_log() -> None:
    here = entity()
    client = clients.open_client(actor=ROBOT, entity_id=here.pk, number="C1", name="Eva", country="CY")
    flag = Flag.objects.create(client=client, kind=FlagKind.AML_HOLD, set_at=clock.now())
    audit.record(actor=ROBOT, action="client.flag_set", target=client, data={"flag": flag.pk})
    knows = reader(*READ, "accounts.see_aml_hold", EXPORT, entities=(here,))
    not_ = reader(*READ, EXPORT, name="mia", entities=(here,))
    target = audit.name_of(client)
    for route, arguments in (("audit-log", ()), ("audit-object", (target,))):
        assert "client.flag_set" in shown(knows, route, *arguments)
        assert "client.flag_set" not in shown(not_, route, *arguments)
        file = b"".join(not_.get(reverse(route, args=arguments) + "?export=csv").streaming_content)
        assert b"client.flag_set" not in file
    row = Entry.objects.get(action="client.flag_set")
    assert not_.get(reverse("audit-entry", args=[row.pk])).status_code == 404
    assert "accounts_flag" in shown(knows, "audit-changes")
    assert "accounts_flag" not in shown(not_, "audit-changes")


def test_one_sees_what_one_did_and_an_administrator_the_technical_part() -> None:
    here = entity()
    write(here, 1, person(user("mara", entities=(here,))))
    audit.record(actor=ROBOT, action="client.suspended", entity_id=here.pk)
    mine = shown(reader("audit.view_own_entry", name="mara", entities=(here,)), "audit-mine")
    mine = mine.partition('id="list"')[2]
    assert "signin.tested" in mine and "client.suspended" not in mine
    technical = shown(reader("audit.view_technical_entry", name="sam", entities=(here,)), "audit-technical")
    technical = technical.partition('id="list"')[2]
    assert "signin.tested" in technical and "client.suspended" not in technical


def test_a_change_around_the_application_is_found() -> None:
    here = entity()
    desk = Desk.objects.create(entity=here, code="A", name="first")
    audit.record(actor=ROBOT, action="desk.opened", target=desk)
    browser = reader(*READ, entities=(here,))
    # In a test both are one transaction; what an outsider would have is another number.
    execute("UPDATE organisation_desk SET name = 'around'")
    assert "organisation_desk" in shown(browser, "audit-changes", query="?entry=yes")
    table = shown(browser, "audit-changes", query="?entry=no&table=organisation_desk").partition('id="list"')[2]
    assert "No change fits" in table
    history = shown(browser, "audit-object", audit.name_of(desk))
    assert "first → around" in history
    assert "in the same transaction" in shown(browser, "audit-entry", Entry.objects.get(action="desk.opened").pk)


def test_an_entry_shows_its_place_and_hands_out_its_proof() -> None:
    here = entity()
    (row,) = write(here, 1, person(user("anna", entities=(here,))))
    browser = reader(*READ, EXPORT, entities=(here,))
    assert "waits for its seal" in shown(browser, "audit-entry", row.pk)
    refused = browser.get(reverse("audit-entry", args=[row.pk]) + "?proof=1")
    assert b"Ask again in a few seconds" in refused.content
    sealing.seal()
    assert re.search(r"Position</dt><dd>\d+ of the entries", shown(browser, "audit-entry", row.pk))
    answer = browser.get(reverse("audit-entry", args=[row.pk]) + "?proof=1")
    lines = [json.loads(line) for line in answer.content.decode().splitlines()]
    assert [line["type"] for line in lines] == ["about", "head", "row"]
    assert lines[2]["key"] == row.pk
    without = reader(*READ, name="stan", entities=(here,))
    assert without.get(reverse("audit-entry", args=[row.pk]) + "?proof=1").status_code == 403


def test_the_button_queues_one_verification_and_the_worker_keeps_its_result() -> None:
    here = entity()
    write(here, 3, person(user("anna", entities=(here,))))
    sealing.seal()
    browser = reader(*READ, entities=(here,))
    answer = browser.post(reverse("audit-verify"))
    check = Check.objects.get()
    assert answer["Location"] == reverse("audit-check", args=[check.pk])
    assert "waiting for a worker" in shown(browser, "audit-check", check.pk)
    again = browser.post(reverse("audit-verify"))
    assert (again.status_code, b"is under way" in again.content) == (422, True)
    assert verification.carry_out(check_id=check.pk).state == "CLEAN"
    assert verification.carry_out(check_id=check.pk).state == "CLEAN"
    page = shown(browser, "audit-check", check.pk)
    assert "all holds" in page and "audit.entries" in page
    assert browser.get(reverse("audit-check-progress", args=[check.pk]))["HX-Refresh"] == "true"
    assert "Rows sealed" in shown(browser, "audit-checks")


def test_a_verification_whose_worker_died_is_queued_again() -> None:
    check = verification.request(actor=ROBOT)
    Check.objects.filter(pk=check.pk).update(state="RUNNING", started_at=clock.now() - verification.LOST_AFTER * 2)
    assert verification.sweep() == 1
    assert Check.objects.get().state == "QUEUED"


def test_the_permissions_of_the_log_exist() -> None:
    names = {"view_entry", "view_own_entry", "view_technical_entry", "view_change", "view_check", "verify_log"}
    found = Permission.objects.filter(content_type__app_label="audit", codename__in=names)
    assert {permission.codename for permission in found} == names
