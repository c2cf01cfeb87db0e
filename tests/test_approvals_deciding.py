"""Who may not decide or execute a request gets no form for it, and what they send is not read."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from backoffice.approvals.models import Request, State
from backoffice.approvals.selectors import progress
from backoffice.audit.models import Entry
from backoffice.organisation.models import User
from tests.attacks import everything
from tests.builders import user
from tests.desk import DECIDE, RUN, Desk, open_desk, policy

pytestmark = pytest.mark.django_db
VIEW = "approvals.view_request"
STEPS = ("approve", "reject", "return", "execute")


@pytest.fixture
def desk() -> Desk:
    made = open_desk()
    for name in ("mara", "chris", "dora", "pat"):
        user(name, VIEW, "ledger.view_journal")
    user("reader", VIEW, "ledger.view_journal", entities=(made.books.here,))
    return made


def window(name: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username=name))
    return client


def complete(request: Request) -> dict[str, str]:
    return {"seen": request.payload_hash, "token": progress.token(request), "reason": "a long enough reason"}


def attempts(client: Client, step: str, request: Request) -> list[Any]:
    """The form, an empty one sent, a broken one and a complete one."""
    address = reverse(f"{step}-request", args=[request.pk])
    return [
        client.get(address),
        client.post(address, {}),
        client.post(address, {"seen": "0" * 64, "token": "x"}),
        client.post(address, complete(request)),
    ]


@pytest.mark.parametrize("step", STEPS)
def test_a_reader_gets_no_form_and_is_not_heard(desk: Desk, step: str) -> None:
    policy(approvers=1, execute_permission=RUN)
    request = desk.ask()
    if step == "execute":
        desk.approve(desk.chris, request)
        request.refresh_from_db()
        assert request.state == State.APPROVED
    client = window("reader")
    client.get(reverse("request", args=[request.pk]))
    before = everything()
    for answer in attempts(client, step, request):
        html = answer.content.decode()
        assert (answer.status_code, (RUN if step == "execute" else DECIDE) in html) == (403, True)
        assert 'name="seen"' not in html
    after = everything()
    assert {name for name in after if after[name] != before[name]} <= {"django_session"}


@pytest.mark.parametrize("step", STEPS)
def test_the_maker_gets_no_form_and_the_attempt_is_written_down(desk: Desk, step: str) -> None:
    """Mara holds every permission there is for it."""
    policy(approvers=1, execute_permission=RUN)
    request = desk.ask()
    if step == "execute":
        desk.approve(desk.chris, request)
        request.refresh_from_db()
    answers = attempts(window("mara"), step, request)
    for answer in answers:
        assert (answer.status_code, "Another person has to take this step" in answer.content.decode()) == (403, True)
        assert 'name="seen"' not in answer.content.decode()
    noted = Entry.objects.filter(action="approval.self_refused")
    assert [entry.data["step"] for entry in noted] == [step] * 3  # looking is no attempt
    request.refresh_from_db()
    assert request.state == (State.APPROVED if step == "execute" else State.PENDING)


def test_who_approved_does_not_decide_again_nor_execute(desk: Desk) -> None:
    policy(approvers=2, execute_permission=RUN)
    request = desk.ask()
    desk.approve(desk.chris, request)
    for step in ("approve", "reject", "return"):
        assert [answer.status_code for answer in attempts(window("chris"), step, request)] == [403] * 4
    desk.approve(desk.dora, request)
    request.refresh_from_db()
    assert [answer.status_code for answer in attempts(window("dora"), "execute", request)] == [403] * 4
    assert attempts(window("pat"), "execute", request)[-1].status_code == 303
    assert not Entry.objects.filter(action="approval.self_refused").exists()


def test_what_the_last_approval_carries_out_has_no_form_of_execution(desk: Desk) -> None:
    request = desk.ask()
    answers = attempts(window("chris"), "execute", request)
    assert {answer.status_code for answer in answers} == {403}
    assert "nothing to execute" in answers[0].content.decode()
    request.refresh_from_db()
    assert request.state == State.PENDING


def test_several_at_once_want_the_right_for_each(desk: Desk) -> None:
    own, other = desk.ask("own"), desk.ask("other")
    address = reverse("approve-requests")
    ids = [own.pk, other.pk]
    for name, says in (("reader", DECIDE), ("mara", "yourself")):
        client = window(name)
        for answer in (client.get(address, {"ids": ids}), client.post(address, {"ids": ids, "seen": "x"})):
            html = answer.content.decode()
            assert (answer.status_code, says in html, 'name="seen"' in html) == (403, True, False)
    assert Request.objects.filter(state=State.PENDING).count() == 2
