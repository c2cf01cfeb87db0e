"""Sensitive reads and what leaves the house: each leaves its row in the audit log, and only who may reads it there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from guardian.shortcuts import assign_perm

from accounts.actions import END_REVIEW, EndFlag
from accounts.models import FlagKind
from accounts.services import clients, flags
from backoffice.approvals.models import Attachment, Request
from backoffice.approvals.services import requests
from backoffice.audit.models import Entry
from backoffice.kernel import clock
from backoffice.organisation.duties import CODES
from backoffice.organisation.models import Desk, LegalEntity, User
from backoffice.organisation.roles import ROLES
from backoffice.ui.views import ListPage
from tests import pages
from tests.builders import ROBOT, entity, user
from tests.clients import floor
from tests.pages import Found
from tests.pages_approvals import with_file

pytestmark = pytest.mark.django_db
FOUND = pages.pages("backoffice.urls")
LISTS = [found for found in FOUND if found.page and issubclass(found.page, ListPage)]
EXPORT = "organisation.export_rows"


@pytest.fixture
def here() -> LegalEntity:
    return entity("CY")


def window(who: User) -> Client:
    client = Client()
    client.force_login(who)
    return client


# A client page of another desk


@pytest.fixture
def desk_client(here: LegalEntity) -> Any:
    """A client of the northern desk."""
    north = Desk.objects.create(entity=here, code="N", name="North")
    made = clients.open_client(actor=ROBOT, entity_id=here.pk, number="N-1", name="Ada", country="CY")
    made.desk = north
    made.save(update_fields=["desk"])
    return made


def noted() -> list[tuple[int | None, str]]:
    rows = Entry.objects.filter(action="read.client_of_another_desk").order_by("pk")
    return list(rows.values_list("actor_id", "target"))


def test_a_client_of_another_desk_is_noted_once_per_reader_and_hour(here: LegalEntity, desk_client: Any) -> None:
    address = reverse("client", args=[desk_client.pk])
    other = clients.open_client(actor=ROBOT, entity_id=here.pk, number="N-2", name="Bob", country="CY")
    mara, stan = (user(name, "accounts.view_client", entities=(here,)) for name in ("mara", "stan"))
    target = f"accounts.client:{desk_client.pk}"
    first = window(mara)
    for _ in range(3):
        assert first.get(address).status_code == 200
    assert window(mara).get(address).status_code == 200  # another window is the same reader
    assert noted() == [(mara.pk, target)]
    assert window(stan).get(address).status_code == 200
    assert noted() == [(mara.pk, target), (stan.pk, target)]
    entry = Entry.objects.filter(target=target, action="read.client_of_another_desk")[0]
    assert (entry.entity_id, entry.data["desk"]) == (here.pk, desk_client.desk_id)
    # A client of no desk is nobody else's.
    assert first.get(reverse("client", args=[other.pk])).status_code == 200
    assert len(noted()) == 2
    with clock.at(clock.now() + timedelta(minutes=61)):
        assert window(mara).get(address).status_code == 200
    assert len(noted()) == 3


def test_the_own_desk_is_not_noted_and_a_foreign_one_is_not_there(here: LegalEntity, desk_client: Any) -> None:
    address = reverse("client", args=[desk_client.pk])
    south = Desk.objects.create(entity=here, code="S", name="South")
    ours, theirs = (user(name, "accounts.view_client", entities=(here,)) for name in ("ours", "theirs"))
    assign_perm("organisation.work_in_desk", ours, desk_client.desk)
    assign_perm("organisation.work_in_desk", theirs, south)
    assert window(User.objects.get(pk=ours.pk)).get(address).status_code == 200
    assert window(User.objects.get(pk=theirs.pk)).get(address).status_code == 404
    assert noted() == []


# Files


def test_a_file_of_a_request_is_noted_each_time_it_is_taken(here: LegalEntity) -> None:
    made = with_file(here, 1)
    address = reverse("request-file", kwargs=made.kwargs)
    mara = user("mara", "approvals.view_request", entities=(here,))
    client = window(mara)
    assert window(user("stan", "approvals.view_request")).get(address).status_code == 404
    assert not Entry.objects.filter(action="read.request_file").exists()
    for _ in range(2):
        assert client.get(address).status_code == 200
    kept = Attachment.objects.get(pk=made.kwargs["file"])
    rows = list(Entry.objects.filter(action="read.request_file"))
    assert [(row.actor_id, row.target) for row in rows] == [(mara.pk, f"approvals.request:{made.kwargs['pk']}")] * 2
    assert {row.data["hash"] for row in rows} == {kept.blob_id}


# Lists


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize("found", LISTS, ids=lambda found: found.route)
def test_every_list_that_leaves_the_house_is_noted(found: Found, kind: str, here: LegalEntity) -> None:
    """Before the first byte, and at the end with the number of rows; a refusal leaves nothing."""
    assert found.builder is not None and found.page is not None
    address = found.address(found.builder(here, 1))
    address += ("&" if "?" in address else "?") + f"export={kind}"
    before = Entry.objects.filter(action="list.exported").count()
    mara = user("mara", found.page.permission, entities=(here,))
    assert window(mara).get(address).status_code == 403
    assert Entry.objects.filter(action="list.exported").count() == before
    chris = user("chris", found.page.permission, found.page.export_permission, entities=(here,))
    answer = window(chris).get(address)
    assert answer.status_code == 200
    rows = Entry.objects.filter(action="list.exported", actor_id=chris.pk).order_by("pk")
    assert rows[0].data["rows"] is None
    b"".join(answer.streaming_content)
    first, last = rows
    assert (first.target, first.data["format"], last.data["finished"]) == (address.partition("?")[0][:150], kind, True)
    assert last.data["rows"] is not None


def test_every_address_that_hands_out_a_file_is_one_that_is_noted() -> None:
    """A new one is added here with the test that shows its row in the log."""
    tests = {
        "backoffice/ui/views/lists.py": "test_every_list_that_leaves_the_house_is_noted",
        "backoffice/approvals/views/request.py": "test_a_file_of_a_request_is_noted_each_time_it_is_taken",
        "backoffice/audit/views.py": "tests/test_audit_pages.py",
        "payments/views/files.py": "tests/test_payments_files.py",
        "reporting/views/reports.py": "tests/test_reporting_daily.py",
        # One door for three reports: each has its test.
        "reporting/views/of_row.py": (
            "tests/test_reconciliation_client_money.py",
            "tests/test_payments_chargebacks.py",
            "tests/test_reconciliation_settlement.py",
        ),
    }
    rooms = ("accounts", "backoffice", "integrations", "ledger", "payments", "reconciliation", "reporting")
    handing = {
        str(path.relative_to(settings.BASE))
        for room in rooms
        for path in (settings.BASE / room).rglob("*.py")
        if "Content-Disposition" in path.read_text() and path.name != "middleware.py"
    }
    assert handing == set(tests)


# A hold in the log

SAID = "the informer called again"


@pytest.mark.parametrize("role", CODES)
def test_a_hold_is_read_in_the_log_by_compliance_and_the_auditors_alone(role: str) -> None:
    """Set, asked to be released, rejected with a telling reason: on every page of the log that the role may open."""
    floor_ = floor()
    flag = flags.set_flag(actor=floor_.carl, client_id=floor_.client.pk, kind=FlagKind.AML_HOLD, note="an informer")
    flags.ask_consent(actor=floor_.mona, flag_id=flag.pk, on=clock.today())
    asked = floor_.ask(floor_.cora, END_REVIEW, EndFlag(flag.pk))
    requests.reject(actor=floor_.mona, request_id=asked.pk, seen_hash=asked.payload_hash, reason=SAID)
    telling = [entry.pk for entry in Entry.objects.all() if is_telling(entry, asked, flag.pk)]
    assert len(telling) >= 3
    who = User.objects.create(username="who")
    who.groups.add(Group.objects.get(name=role))
    for place in LegalEntity.objects.all():
        assign_perm("organisation.work_in_legalentity", who, place)
    client = window(who)
    seen = [address for address in addresses(floor_, asked, telling) if SAID in text(client.get(address))]
    entries = [pk for pk in telling if client.get(reverse("audit-entry", args=[pk])).status_code == 200]
    held = next(found for found in ROLES if found.code == role).permissions
    if role in ("CMP", "AUD") and "audit.view_entry" in held:
        assert seen != []
    else:
        assert (seen, entries) == ([], [])
    if client.get(reverse("request", args=[asked.pk])).status_code != 200 and role != "AUD":
        assert seen == []


def is_telling(entry: Entry, asked: Request, flag: int) -> bool:
    return entry.target == f"approvals.request:{asked.pk}" or entry.data.get("flag") == flag


def addresses(floor_: Any, asked: Request, telling: list[int]) -> list[str]:
    client, request = f"accounts.client:{floor_.client.pk}", f"approvals.request:{asked.pk}"
    listed = [reverse(name) for name in ("audit-log", "audit-mine", "audit-technical")]
    found = [*listed, *(f"{address}?export=csv" for address in listed)]
    found += [reverse("audit-object", args=[name]) for name in (client, request)]
    found += [reverse("audit-person", args=[floor_.mona.user_id]), reverse("audit-log") + "?action=approval"]
    return [*found, *(reverse("audit-entry", args=[pk]) for pk in telling)]


def text(answer: Any) -> str:
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return body.decode("utf-8-sig")
