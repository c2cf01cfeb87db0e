"""The pages of approvals: what they show to whom, what a stale or forged form does, and what is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from backoffice.approvals import registry
from backoffice.approvals.models import Attachment, Notice, Policy, Request, State
from backoffice.approvals.registry import Action
from backoffice.approvals.selectors import progress, waiting
from backoffice.approvals.services import attachments, requests
from backoffice.audit.models import Entry
from backoffice.kernel import clock
from backoffice.organisation.models import User
from backoffice.ui.views import ActionPage
from ledger.actions import MANUAL_JOURNAL
from tests import pages
from tests.attacks import everything, execute, findings
from tests.builders import entity, user
from tests.desk import DECIDE, RULE, RUN, Desk, ask_rule, open_desk, policy, posted, rule_makers
from tests.pages import Found

VIEW = "approvals.view_request"
# What a form never asks for: who asked, how it stands, how high the bar is.
FORGED = {
    "state": "EXECUTED",
    "maker": "1",
    "maker_id": "1",
    "approvals_needed": "0",
    "approve_permission": "",
    "execute_permission": "",
    "money": "",
    "payload": "{}",
    "payload_hash": "0" * 64,
    "amount": "0",
    "expires_at": "2099-01-01",
    "entity_id": "1",
    "request_id": "1",
    "person": "1",
    "is_superuser": "1",
    "token_ok": "1",
}
FORMS = [found for found in pages.pages("backoffice.urls") if found.page and issubclass(found.page, ActionPage)]

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(windows: None) -> Desk:
    made = open_desk()
    for name in ("mara", "chris", "dora", "pat"):
        user(name, VIEW, "ledger.view_journal")
        at(name)
    return made


@pytest.fixture
def variant(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Action]:
    """The manual journal's action with changes, for one test."""

    def change(name: str = MANUAL_JOURNAL, **changes: Any) -> Action:
        action = replace(registry.get(MANUAL_JOURNAL), name=name, **changes)
        monkeypatch.setitem(registry._actions, name, action)
        return action

    return change


_windows: dict[str, Client] = {}


@pytest.fixture(autouse=True)
def windows() -> None:
    """One window per person and test."""
    _windows.clear()


def at(name: str) -> Client:
    """The person's window, signed in."""
    if name not in _windows:
        _windows[name] = Client()
        _windows[name].force_login(User.objects.get(username=name))
    return _windows[name]


@contextmanager
def nothing_done() -> Iterator[None]:
    """Nothing in the database changes but the session."""
    before = everything()
    yield
    after = everything()
    assert {name for name in after if after[name] != before[name]} <= {"django_session"}


def shown(name: str, request: Request) -> str:
    answer = at(name).get(reverse("request", args=[request.pk]))
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def page_of(request: Request) -> dict[str, str]:
    """What a form about the request carries along."""
    return {"seen": request.payload_hash, "token": progress.token(request)}


def post(name: str, step: str, request: Request, **data: Any) -> Any:
    return at(name).post(reverse(f"{step}-request", args=[request.pk]), data)


# Forged forms


STEPS = {
    "approve": ("chris", State.EXECUTED, {}),
    "reject": ("chris", State.REJECTED, {"reason": "no"}),
    "return": ("chris", State.RETURNED, {"reason": "another day"}),
    "withdraw": ("mara", State.WITHDRAWN, {}),
}


@pytest.mark.parametrize("step", STEPS)
def test_forged_fields_change_nothing_but_what_the_form_does(desk: Desk, step: str) -> None:
    who, ends, data = STEPS[step]
    request = desk.ask()
    before = Request.objects.filter(pk=request.pk).values().get()
    answer = post(who, step, request, **{**FORGED, **page_of(request), **data})
    assert answer.status_code == 303
    after = Request.objects.filter(pk=request.pk).values().get()
    moved = {"state", "finished_at", "result"}
    assert {k: v for k, v in after.items() if k not in moved} == {k: v for k, v in before.items() if k not in moved}
    assert after["state"] == ends
    assert findings() == set()


def test_a_new_version_takes_its_bar_from_the_rules_and_its_maker_from_the_session(desk: Desk) -> None:
    policy(approvers=2)
    first = desk.ask()
    content = first.payload_hash
    requests.return_for_change(actor=desk.chris, request_id=first.pk, seen_hash=content, reason="another amount")
    data = {
        "p.business_date": "2026-11-19",
        "p.description": "corrected",
        "p.lines.0.amount": "6",
        "p.lines.1.amount": "-6",
        "p.lines.0.account_id": str(desk.books.hot.pk),
        "p.key": "another key",
        "p.entity_id": str(desk.books.abroad.pk),
        "reason_code": "CLIENT",
        "reason": "as said",
    }
    answer = post("mara", "replace", first, **FORGED, **data)
    assert answer.status_code == 303
    second = Request.objects.get(replaces=first)
    assert (second.maker.username, second.approvals_needed, second.state) == ("mara", 2, State.PENDING)
    assert second.payload == {
        **first.payload,
        "description": "corrected",
        "lines": [{**first.payload["lines"][0], "amount": "6"}, {**first.payload["lines"][1], "amount": "-6"}],
    }
    assert (second.reason_code, second.version) == ("CLIENT", 2)
    assert f"/approvals/{second.pk}/" in shown("mara", first)


@pytest.mark.parametrize("found", FORMS, ids=lambda found: found.route)
def test_a_form_of_forged_fields_alone_changes_nothing(found: Found) -> None:
    """Every form of the product, by somebody who may open it."""
    here = entity("CY")
    assert found.builder is not None and found.page is not None
    made = found.builder(here, 1)
    address = found.address(made)
    user("mara", found.page.permission, entities=(here,))
    client = at("mara")
    client.get(address)
    form = client.get(address).context["form"]
    if not any(field.required for field in form.fields.values()):
        pytest.skip("an empty form is a complete one: the button itself is the decision")
    with nothing_done():
        assert client.post(address, {**FORGED, "ids": list(made.ids)}).status_code == 422


# Stale pages and people without the right


def test_a_stale_page_is_refused_with_what_to_do(desk: Desk) -> None:
    policy(approvers=2)
    request = desk.ask()
    old = page_of(request)
    desk.approve(desk.dora, request)
    with nothing_done():
        answer = post("chris", "approve", request, **old)
    assert answer.status_code == 422
    assert "Reload it and look again" in answer.content.decode()
    request.refresh_from_db()
    assert post("chris", "approve", request, **page_of(request)).status_code == 303
    assert posted() == 1


def test_a_decision_without_its_token_is_no_decision(desk: Desk) -> None:
    request = desk.ask()
    with nothing_done():
        assert post("chris", "approve", request, seen=request.payload_hash).status_code == 422
        assert post("chris", "approve", request).status_code == 422


def test_changed_target_code_and_time_are_said_and_nothing_happens(desk: Desk, variant: Callable[..., Action]) -> None:
    variant(target_version=lambda p: "1")
    request = desk.ask()
    data = page_of(request)
    for changes, says in (({"target_version": lambda p: "2"}, "has changed"), ({"version": 2}, "software")):
        variant(**{"target_version": lambda p: "1", **changes})
        with nothing_done():
            answer = post("chris", "approve", request, **data)
        assert (answer.status_code, says in answer.content.decode()) == (422, True)
    variant(target_version=lambda p: "1")
    with clock.at(clock.now() + timedelta(hours=73)):
        _windows.clear()  # a session does not last that long
        at("chris")
        with nothing_done():
            answer = post("chris", "approve", request, **data)
    assert "has expired" in answer.content.decode()


def test_rights_taken_away_a_second_ago_are_gone(desk: Desk) -> None:
    request = desk.ask()
    client = at("chris")
    address = reverse("approve-request", args=[request.pk])
    assert client.get(address).status_code == 200
    execute(
        "DELETE FROM organisation_user_user_permissions WHERE permission_id IN"
        " (SELECT id FROM auth_permission WHERE codename = 'approve_manual_journal')"
    )
    with nothing_done():
        answer = client.post(address, page_of(request))
    assert (answer.status_code, DECIDE in answer.content.decode()) == (403, True)


def test_ones_own_request_has_no_approve_button_and_its_form_is_refused(desk: Desk) -> None:
    request = desk.ask()
    page = shown("mara", request)
    assert "another person has to decide" in page
    assert reverse("approve-request", args=[request.pk]) not in page
    answer = post("mara", "approve", request, **page_of(request))
    assert (answer.status_code, "Another person has to take this step" in answer.content.decode()) == (403, True)
    assert Entry.objects.filter(action="approval.self_refused").count() == 1


# What a page shows, and to whom


def test_the_page_names_the_role_that_is_missing(desk: Desk) -> None:
    policy(approvers=2, second_permission="ledger.approve_reopen", execute_permission=RUN)
    request = desk.ask()
    page = shown("mara", request)
    assert "needs one more approval by FAP" in page
    assert "needs one more approval by MGT" in page
    assert "then executed by a third person: FAP" in page
    desk.approve(desk.chris, request)
    page = shown("mara", request)
    assert "needs one more approval by FAP" not in page
    assert "needs one more approval by MGT" in page
    assert Group.objects.filter(name="MGT").exists()


def test_who_may_not_see_the_thing_does_not_see_the_request(desk: Desk) -> None:
    """A system administrator opens the room for his own requests; the journals of finance are not there."""
    request, asked = desk.ask(), ask_rule(RULE)
    here = desk.books.here
    for name, rights, sees in (
        ("nosy", (), False),
        ("books", ("ledger.view_journal",), True),
        ("signer", (DECIDE,), True),
    ):
        user(name, VIEW, *rights, entities=(here,))
        client = at(name)
        address = reverse("request", args=[request.pk])
        assert client.get(address).status_code == (200 if sees else 404)
        listed = client.get(reverse("requests")).content.decode()
        assert (request.summary in listed) == sees
        assert client.get(reverse("request", args=[asked.pk])).status_code == 404
        for step in ("approve", "reject", "return"):
            status = client.get(reverse(f"{step}-request", args=[request.pk])).status_code
            assert status == (200 if DECIDE in rights else 403 if sees else 404)
        for step in ("withdraw", "attach"):
            status = client.get(reverse(f"{step}-request", args=[request.pk])).status_code
            assert status == (200 if sees else 404)
    user("sam", VIEW)
    assert at("sam").get(reverse("request", args=[asked.pk])).status_code == 200
    assert at("sam").get(reverse("request", args=[request.pk])).status_code == 404


def test_other_requests_of_the_client_are_shown_as_far_as_one_may_see_them(
    desk: Desk, variant: Callable[..., Action]
) -> None:
    variant(client=lambda p: "accounts.client:1")
    variant("test.hidden", client=lambda p: "accounts.client:1", view="ledger.approve_reopen", decide=RUN)
    request, other, hidden = desk.ask("one"), desk.ask("two"), desk.ask("three", action="test.hidden")
    user("nosy", VIEW, "ledger.view_journal", entities=(desk.books.here,))
    page = shown("nosy", request)
    assert reverse("request", args=[other.pk]) in page
    assert reverse("request", args=[hidden.pk]) not in page
    assert reverse("request", args=[hidden.pk]) in shown("pat", request)


def test_what_stands_against_it_is_said_in_neutral_words(desk: Desk, variant: Callable[..., Action]) -> None:
    variant(blocked=lambda p: "under operational review")
    request = desk.ask()
    page = shown("chris", request)
    assert "under operational review" in page
    assert reverse("approve-request", args=[request.pk]) not in page
    assert reverse("reject-request", args=[request.pk]) in page
    answer = post("chris", "approve", request, **page_of(request))
    assert (answer.status_code, "under operational review" in answer.content.decode()) == (422, True)


def test_effects_stand_where_they_belong(desk: Desk, variant: Callable[..., Action]) -> None:
    variant(effects=lambda p, r: [{"server": "MT5 CY", "login": 5001, "trading": "off"}, {"new facts": 3}])
    page = shown("chris", desk.ask())
    assert "What the trade server would be told" in page
    assert "login 5001, trading off" in page
    assert "new facts 3" in page


def test_a_file_is_handed_out_to_be_kept(desk: Desk) -> None:
    request = desk.ask()
    file = SimpleUploadedFile("letter é.pdf", b"%PDF-1.7 <script>", content_type="text/html")
    assert at("mara").post(reverse("attach-request", args=[request.pk]), {"file": file, **FORGED}).status_code == 303
    kept = Attachment.objects.get()
    assert (kept.content_type, kept.added_by.username) == ("application/pdf", "mara")
    answer = at("chris").get(reverse("request-file", args=[request.pk, kept.pk]))
    assert answer.content == b"%PDF-1.7 <script>"
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"] == "attachment; filename*=UTF-8''letter%20%C3%A9.pdf"
    assert answer["X-Content-Type-Options"] == "nosniff"
    other = desk.ask("other")
    assert at("chris").get(reverse("request-file", args=[other.pk, kept.pk])).status_code == 404
    wrong = SimpleUploadedFile("x.pdf", b"MZ\x90", content_type="application/pdf")
    answer = at("mara").post(reverse("attach-request", args=[request.pk]), {"file": wrong})
    assert (answer.status_code, "Only PDF" in answer.content.decode()) == (422, True)
    assert attachments.MOST == 10


# What waits for whom


def test_to_decide_and_its_counter_are_what_one_can_decide_now(desk: Desk) -> None:
    policy(approvers=2, execute_permission=RUN)
    first, second = desk.ask("one"), desk.ask("two")
    desk.approve(desk.chris, first)

    def waits(name: str) -> list[int]:
        found = at(name).get(reverse("to-decide"))
        rows = [row.pk for row in found.context["rows"]]
        assert waiting.waiting_for(User.objects.get(username=name)) == len(rows)
        return sorted(rows)

    assert (waits("mara"), waits("chris"), waits("dora"), waits("pat")) == ([], [second.pk], [first.pk, second.pk], [])
    desk.approve(desk.dora, first)
    assert (waits("chris"), waits("dora"), waits("pat")) == ([second.pk], [second.pk], [first.pk])
    mine = at("mara").get(reverse("my-requests"))
    assert {row.pk for row in mine.context["rows"]} == {first.pk, second.pk}


def test_several_at_once_through_the_page(desk: Desk, variant: Callable[..., Action]) -> None:
    variant("test.easy", money=False)
    policy(action="test.easy", bulk=True)
    rows = [desk.ask(f"easy {number}", action="test.easy") for number in range(2)]
    money = desk.ask("money")
    client, address = at("chris"), reverse("approve-requests")

    def send(*picked: Request) -> Any:
        ids = [row.pk for row in picked]
        form = client.get(address, {"ids": ids}).context["form"]
        return client.post(address, {"ids": ids, "seen": form.initial["seen"], **FORGED})

    with nothing_done():
        answer = send(rows[0], money)
    assert (answer.status_code, f"#{money.pk}" in answer.content.decode()) == (422, True)
    assert send(*rows).status_code == 303
    assert posted() == 2
    with nothing_done():
        assert client.post(address, {"ids": [money.pk], "seen": "x"}).status_code == 422


def test_notices_are_listed_and_marked(desk: Desk) -> None:
    request = desk.ask()
    client = at("chris")
    assert request.summary in client.get(reverse("notices")).content.decode()
    foreign = Notice.objects.get(person=desk.dora.user_id)
    assert client.post(reverse("read-notices"), {"ids": [foreign.pk]}).status_code == 404
    assert client.post(reverse("read-all-notices")).status_code == 303
    assert list(Notice.objects.filter(read_at=None).values_list("person_id", flat=True)) == [desk.dora.user_id]


# Rules


def test_a_rule_is_proposed_changed_and_ended_through_the_pages(desk: Desk) -> None:
    sam, mia = rule_makers()
    user("sam", VIEW, "approvals.view_policy")
    data = {
        "action": MANUAL_JOURNAL,
        "entity": "",
        "from_amount": "1000",
        "approvers": "2",
        "second_permission": "ledger.approve_reopen",
        "sla_hours": "8",
        "expires_after_hours": "72",
        "reason_code": "RISK",
        "reason": "the board's decision",
    }
    client = at("sam")
    assert client.post(reverse("propose-policy"), {**data, **FORGED, "payload": ""}).status_code == 303
    asked = Request.objects.get()
    assert (asked.maker_id, asked.approvals_needed, asked.reason_code) == (sam.user_id, 1, "RISK")
    desk.approve(mia, asked)
    rule = Policy.objects.get()
    assert (rule.approvers, rule.second_permission, rule.execute_permission) == (2, "ledger.approve_reopen", "")
    page = client.get(reverse("policy", args=[rule.pk])).content.decode()
    assert "the board" in page
    changed = client.get(reverse("change-policy", args=[rule.pk])).context["form"]
    assert changed.initial["approvers"] == 2
    assert client.post(reverse("end-policy", args=[rule.pk]), {"reason_code": "RISK", "reason": "x"}).status_code == 303
    desk.approve(mia, Request.objects.latest("pk"))
    assert Policy.objects.get().ended_at is not None
    assert client.get(reverse("end-policy", args=[rule.pk])).status_code == 404
    assert findings() == set()
