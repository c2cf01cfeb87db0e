"""What people do with a request besides approving it: return, a new version, files, bulk, notices; and who may not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings as configured

from backoffice.approvals import registry
from backoffice.approvals.models import Attachment, Notice, Participation, Request, State
from backoffice.approvals.registry import Action, Check, Level
from backoffice.approvals.selectors import progress, verdicts
from backoffice.approvals.services import attachments, bulk, freezing, notices, requests
from backoffice.audit.models import Entry
from backoffice.kernel import clock
from backoffice.kernel.actor import Person
from backoffice.kernel.errors import DomainError, NotFound, NotPermitted, Stale, StepUpNeeded
from backoffice.organisation.models import Holiday, User
from backoffice.outbox.models import Message
from ledger.actions import MANUAL_JOURNAL
from tests.attacks import NO_RIGHT, at_once, execute, findings, only_changed, refused
from tests.builders import person, user
from tests.desk import DECIDE, RUN, Desk, open_desk, own_refused, part, policy, posted, unchanged

with_database = pytest.mark.django_db
both = pytest.mark.parametrize("session_role", ["application", "owner"], indirect=True)
committed = pytest.mark.django_db(transaction=True)
PDF = b"%PDF-1.7 a letter"
EASY = "test.easy"


@pytest.fixture
def desk() -> Desk:
    return open_desk()


@pytest.fixture
def variant(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Action]:
    """The manual journal's action with changes, for one test."""

    def change(name: str = MANUAL_JOURNAL, **changes: Any) -> Action:
        action = replace(registry.get(MANUAL_JOURNAL), name=name, **changes)
        monkeypatch.setitem(registry._actions, name, action)
        return action

    return change


def give_back(desk: Desk, request: Request, who: Person | None = None) -> Request:
    return requests.return_for_change(
        actor=who or desk.chris, request_id=request.pk, seen_hash=request.payload_hash, reason="another day"
    )


# Return, and a new version


@with_database
def test_a_returned_request_comes_back_as_a_new_version_without_approvals(desk: Desk) -> None:
    policy(approvers=2)
    first = desk.ask()
    desk.approve(desk.dora, first)
    assert give_back(desk, first).state == State.RETURNED
    unchanged(requests.NotOpen, lambda: desk.approve(desk.pat, first))
    second = requests.replace(actor=desk.mara, request_id=first.pk, payload=desk.payload(amount="6"), reason="as said")
    assert (second.version, second.replaces_id, second.state) == (2, first.pk, State.PENDING)
    assert [(p.part, p.person_id) for p in second.participations.all()] == [("MAKER", desk.mara.user_id)]
    assert desk.approve(desk.chris, second).state == State.PENDING
    assert desk.approve(desk.dora, second).state == State.EXECUTED
    assert posted() == 1
    first.refresh_from_db()
    assert first.payload["lines"][0]["amount"] == "5"
    assert findings() == set()


@with_database
def test_who_may_return_and_who_may_make_a_new_version(desk: Desk) -> None:
    request = desk.ask()
    unchanged(requests.SameEyes, lambda: give_back(desk, request, desk.mara))
    unchanged(NotPermitted, lambda: give_back(desk, request, desk.pat))
    unchanged(
        DomainError,
        lambda: requests.return_for_change(
            actor=desk.chris, request_id=request.pk, seen_hash=request.payload_hash, reason=" "
        ),
    )
    payload = desk.payload(amount="6")

    def again(who: Person) -> Request:
        return requests.replace(actor=who, request_id=request.pk, payload=payload, reason="again")

    unchanged(requests.NotOpen, lambda: again(desk.mara))
    give_back(desk, request)
    unchanged(DomainError, lambda: again(desk.dora), match="Only the person who asked")
    second = again(desk.mara)
    unchanged(requests.NotOpen, lambda: again(desk.mara), match="newer version")
    give_back(desk, second)
    third = requests.replace(actor=desk.mara, request_id=second.pk, payload=payload, reason="again")
    assert (third.version, third.replaces_id) == (3, second.pk)


@committed
def test_one_request_has_one_next_version(desk: Desk) -> None:
    request = give_back(desk, desk.ask())
    results = at_once(
        8,
        lambda number: requests.replace(
            actor=desk.mara, request_id=request.pk, payload=desk.payload(f"key {number}"), reason="again"
        ),
    )
    assert sorted(type(result).__name__ for result in results) == [*["NotOpen"] * 7, "Request"]


@both
def test_versions_and_decisions_are_not_made_up_by_sql(as_role: str, desk: Desk) -> None:
    open_one, returned = desk.ask("one"), give_back(desk, desk.ask("two"))
    rejected = requests.reject(
        actor=desk.chris, request_id=(it := desk.ask("three")).pk, seen_hash=it.payload_hash, reason="no"
    )
    copied = (
        "INSERT INTO approvals_request SELECT (jsonb_populate_record(r, jsonb_build_object('id', r.id + 100,"
        " 'state', 'PENDING', 'finished_at', null, 'target', 'copy', 'replaces_id', %s::bigint, 'version', %s::int,"
        " 'maker_id', %s::bigint))).* FROM approvals_request r WHERE id = %s"
    )
    mara, pat = desk.mara.user_id, desk.pat.user_id
    for row, version, maker in ((open_one, 2, mara), (rejected, 2, mara), (returned, 3, mara), (returned, 2, pat)):
        with refused("BO024"):
            execute(copied, [row.pk, version, maker, row.pk])
    with refused("BO024"):
        execute(copied, [None, 2, mara, returned.pk])
    for state in ("REJECTED", "RETURNED"):
        with refused("BO023"):
            execute("UPDATE approvals_request SET state = %s WHERE id = %s", [state, open_one.pk])
    for state in State.values:
        with refused("BO022"):
            execute("UPDATE approvals_request SET state = %s WHERE id = %s", [state, returned.pk])
    with refused("BO022"):
        execute(part(returned, desk.dora, "APPROVER"))


@with_database
def test_the_leaves_of_a_payload_are_what_a_new_version_may_change(desk: Desk) -> None:
    leaves = list(registry.leaves(type(desk.payload()), desk.ask().payload))
    assert [leaf.path for leaf in leaves] == [
        ("business_date",),
        ("description",),
        ("lines", 0, "amount"),
        ("lines", 1, "amount"),
    ]


# People who may not


@with_database
def test_who_took_part_in_what_it_is_about_does_not_decide(desk: Desk, variant: Callable[..., Action]) -> None:
    """Pair 9: who set a hold does not release it; nor hear of it."""
    variant(forbids=lambda payload: {desk.chris.user_id})
    policy(execute_permission=RUN)
    request = desk.ask()
    unchanged(requests.Excluded, lambda: desk.approve(desk.chris, request))
    unchanged(requests.Excluded, lambda: give_back(desk, request))
    assert not Notice.objects.filter(request=request, person=desk.chris.user_id).exists()
    desk.approve(desk.dora, request)
    unchanged(
        requests.Excluded,
        lambda: requests.execute(actor=desk.chris, request_id=request.pk, seen_hash=request.payload_hash),
    )
    requests.execute(actor=desk.pat, request_id=request.pk, seen_hash=request.payload_hash)
    assert posted() == 1


@with_database
def test_what_is_blocked_is_refused_in_neutral_words_and_can_be_rejected(
    desk: Desk, variant: Callable[..., Action]
) -> None:
    variant(blocked=lambda payload: "under operational review")
    request = desk.ask()
    unchanged(requests.Blocked, lambda: desk.approve(desk.chris, request), match="under operational review")
    content = request.payload_hash
    requests.reject(actor=desk.chris, request_id=request.pk, seen_hash=content, reason="later")


@with_database
def test_a_fresh_second_factor_is_asked_for(desk: Desk, settings: Any) -> None:
    policy(execute_permission=RUN)
    request = desk.ask()
    settings.STEP_UP = True
    now = clock.now()
    for moment in (None, now - timedelta(minutes=6)):
        unchanged(StepUpNeeded, lambda: desk.approve(replace(desk.chris, verified_at=moment), request))  # noqa: B023
    desk.approve(replace(desk.chris, verified_at=now - timedelta(minutes=4)), request)
    run = {"request_id": request.pk, "seen_hash": request.payload_hash}
    unchanged(StepUpNeeded, lambda: requests.execute(actor=desk.pat, **run))
    unchanged(StepUpNeeded, lambda: bulk.approve_many(actor=desk.pat, seen={request.pk: "x"}))
    requests.execute(actor=replace(desk.pat, verified_at=now), **run)
    assert posted() == 1


def test_the_second_factor_is_asked_for_unless_tests_switch_it_off() -> None:
    from backoffice.settings import base

    assert base.STEP_UP is True
    assert configured.STEP_UP is False


@with_database
def test_a_page_is_stale_once_somebody_did_something(desk: Desk) -> None:
    policy(approvers=2)
    request = desk.ask()
    seen = {"actor": desk.chris, "request_id": request.pk, "seen_hash": request.payload_hash}
    old = progress.token(request)
    file = attachments.attach(actor=desk.mara, request_id=request.pk, name="a.pdf", content=PDF)
    unchanged(Stale, lambda: requests.approve(**seen, token=old), match="Reload")
    between = progress.token(request)
    desk.approve(desk.dora, request)
    for step in (requests.approve, requests.reject, requests.return_for_change):
        unchanged(Stale, lambda: step(**seen, token=between, reason="x"))  # noqa: B023
    requests.approve(**seen, token=progress.token(request))
    assert (posted(), file.size) == (1, len(PDF))


@with_database
def test_the_checks_are_kept_as_they_stood_at_the_decision(desk: Desk, variant: Callable[..., Action]) -> None:
    variant(checks=lambda payload: [Check(Level.AMBER, "Age", "1 day")])
    policy(approvers=2)
    request = desk.ask()
    desk.approve(desk.chris, request)
    variant(checks=lambda payload: [Check(Level.RED, "Age", "2 days")])
    desk.approve(desk.dora, request)
    kept = [p.checks[0] for p in Participation.objects.filter(request=request, part="APPROVER")]
    assert kept == [
        {"level": "amber", "label": "Age", "detail": "1 day"},
        {"level": "red", "label": "Age", "detail": "2 days"},
    ]


@with_database
def test_a_reader_sees_the_flags_that_are_theirs_to_know(desk: Desk, variant: Callable[..., Action]) -> None:
    variant(risk=lambda p: ["AML_HOLD", "PEP"], knows=lambda who, code: code == "PEP" or who.username == "carl")
    request = desk.ask()
    assert verdicts.flags_for(user("carl"), request) == ["AML_HOLD", "PEP"]
    assert verdicts.flags_for(user("sue"), request) == ["PEP"]


# Files


@with_database
def test_a_file_is_kept_by_its_hash_until_somebody_approves(desk: Desk) -> None:
    policy(approvers=2)
    one, two = desk.ask("one"), desk.ask("two")
    for request in (one, two):
        file = attachments.attach(actor=desk.mara, request_id=request.pk, name='../a\n"b<.pdf', content=PDF)
        assert (file.blob_id, file.name) == (hashlib.sha256(PDF).hexdigest(), "ab.pdf")
    assert execute("SELECT count(*) FROM approvals_blob") == [(1,)]

    def add(who: Person, content: bytes = b"text") -> Attachment:
        return attachments.attach(actor=who, request_id=one.pk, name="x", content=content)

    unchanged(DomainError, lambda: add(desk.mara, PDF), match="already")
    unchanged(DomainError, lambda: add(desk.chris), match="Only the person who asked")
    stranger = person(user("elsewhere", entities=(desk.books.abroad,)))
    unchanged(NotFound, lambda: add(stranger))
    desk.approve(desk.chris, one)
    unchanged(DomainError, lambda: add(desk.mara), match="Somebody has approved")
    assert findings() == set()


@pytest.mark.parametrize(
    "content",
    [b"", b"MZ\x90\x00", b"<html>", b" \n<svg>", b"\xef\xbb\xbf<script>", b"PK\x03\x04", b"\xff\xfe", b"a\x00b"],
)
def test_only_files_that_prove_what_they_are_are_taken(content: bytes) -> None:
    with pytest.raises(DomainError):
        attachments.kind_of(content)


def test_the_largest_file_is_taken_and_a_larger_one_is_not() -> None:
    assert attachments.kind_of(PDF.ljust(attachments.LARGEST)) == "application/pdf"
    with pytest.raises(DomainError, match="5 MB"):
        attachments.kind_of(PDF.ljust(attachments.LARGEST + 1))


@both
def test_files_are_what_their_hash_says_and_stay(as_role: str, desk: Desk) -> None:
    policy(approvers=2)
    request = desk.ask()
    file = attachments.attach(actor=desk.mara, request_id=request.pk, name="a.pdf", content=PDF)
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    with refused("23514"):
        execute("INSERT INTO approvals_blob VALUES (%s, %s)", [file.blob_id[::-1], PDF])
    for attempt in (
        "UPDATE approvals_blob SET content = 'x'",
        "DELETE FROM approvals_attachment",
        "UPDATE approvals_attachment SET name = 'x'",
        "TRUNCATE approvals_blob CASCADE",
    ):
        with refused(NO_RIGHT, "BO001"):
            execute(attempt)
    other = hashlib.sha256(b"other").hexdigest()
    execute("INSERT INTO approvals_blob VALUES (%s, %s)", [other, b"other"])
    added = (
        "INSERT INTO approvals_attachment (request_id, blob_id, name, content_type, size, added_by_id, added_at)"
        " VALUES (%s, %s, 'x', 'text/plain', 5, %s, now())"
    )
    with refused("BO027"):
        execute(added, [request.pk, other, desk.chris.user_id])
    desk.approve(desk.chris, request)
    with refused("BO027"):
        execute(added, [request.pk, other, desk.mara.user_id])


# Several at once


@pytest.fixture
def easy(desk: Desk, variant: Callable[..., Action]) -> list[Request]:
    """Three requests that move no money and whose rule lets them be approved together."""
    variant(EASY, money=False)
    policy(action=EASY, bulk=True)
    return [desk.ask(f"easy {number}", action=EASY) for number in range(3)]


@with_database
def test_bulk_approves_what_its_rules_allow(desk: Desk, easy: list[Request]) -> None:
    assert all(request.bulk for request in easy)
    seen = bulk.tokens(easy)
    requests.withdraw(actor=desk.mara, request_id=easy[1].pk)
    outcome = bulk.approve_many(actor=desk.chris, seen=seen)
    assert (outcome.approved, [pk for pk, _ in outcome.refused], posted()) == (2, [easy[1].pk], 2)


@with_database
def test_bulk_never_touches_money_or_what_no_rule_allows(
    desk: Desk, easy: list[Request], variant: Callable[..., Action]
) -> None:
    money = desk.ask("money")
    variant("test.plain", money=False)
    plain_one = desk.ask("plain", action="test.plain")
    for row in (money, plain_one):
        seen = bulk.tokens([easy[0], row])
        unchanged(DomainError, lambda: bulk.approve_many(actor=desk.chris, seen=seen), match=f"#{row.pk}")  # noqa: B023
    outcome = bulk.approve_many(actor=desk.chris, seen={easy[0].pk: "an older page"})
    assert (outcome.approved, posted()) == (0, 0)
    assert bulk.approve_many(actor=desk.mara, seen=bulk.tokens(easy)).approved == 0


# Notices


@with_database
def test_those_who_may_decide_are_told_once(desk: Desk) -> None:
    User.objects.filter(username="chris").update(email="chris@example.com")
    User.objects.filter(username="dora").update(email="dora@example.com", is_active=False)
    user("abroad", DECIDE, entities=(desk.books.abroad,))
    policy(approvers=1, execute_permission=RUN)
    request = desk.ask()
    told = {notice.person.username: notice.kind for notice in Notice.objects.filter(request=request)}
    assert told == {"chris": "WAITS"}
    (mail,) = Message.objects.filter(kind="mail")
    assert mail.payload["to"] == ["chris@example.com"]
    assert mail.payload["subject"] == "A request waits for you"
    assert mail.payload["body"] == f"A request waits for you: http://127.0.0.1:8000/approvals/{request.pk}/\n"
    desk.approve(desk.chris, request)
    told = {notice.person.username for notice in Notice.objects.filter(request=request, read_at=None)}
    assert told == {"pat"}
    requests.execute(actor=desk.pat, request_id=request.pk, seen_hash=request.payload_hash)
    told_now = {(n.person.username, n.kind) for n in Notice.objects.filter(request=request, read_at=None)}
    assert told_now == {("mara", "DECIDED")}
    assert Notice.objects.filter(request=request).count() == 3


@with_database
def test_who_asked_hears_of_a_return_and_of_time_running_out(desk: Desk) -> None:
    returned, forgotten = give_back(desk, desk.ask("one")), desk.ask("two")
    with clock.at(clock.now() + timedelta(hours=73)):
        requests.expire()
    told = set(Notice.objects.filter(kind="DECIDED").values_list("request_id", "person__username"))
    assert told == {(returned.pk, "mara"), (forgotten.pk, "mara")}
    assert not Notice.objects.filter(kind="WAITS", read_at=None).exists()


@with_database
def test_one_reads_ones_own_notices(desk: Desk) -> None:
    desk.ask()
    ids = list(Notice.objects.values_list("pk", flat=True))
    unchanged_rows = Notice.objects.filter(person=desk.dora.user_id, read_at=None).count()
    with only_changed("approvals_notice"):
        assert notices.mark_read(actor=desk.chris, notice_ids=ids) == 1
    assert Notice.objects.filter(person=desk.dora.user_id, read_at=None).count() == unchanged_rows == 1
    assert notices.mark_read(actor=desk.dora) == 1
    with refused("BO028"):
        execute("UPDATE approvals_notice SET read_at = NULL")
    with refused("BO028"):
        execute("UPDATE approvals_notice SET person_id = %s", [desk.pat.user_id])


# Time to decide


@with_database
@pytest.mark.parametrize(
    ("asked", "hours", "due"),
    [
        ("2026-11-19 10:00", 8, "2026-11-19 18:00"),
        ("2026-11-20 20:00", 8, "2026-11-23 04:00"),  # Friday evening to Monday
        ("2026-11-21 12:00", 8, "2026-11-23 08:00"),  # asked on a Saturday
        ("2026-11-19 10:00", 48, "2026-11-23 10:00"),  # Thursday, over the weekend, to Monday
        ("2026-12-24 20:00", 8, "2026-12-28 04:00"),  # Christmas on a Friday
    ],
)
def test_only_business_hours_count(desk: Desk, asked: str, hours: int, due: str) -> None:
    Holiday.objects.create(calendar="TARGET", date="2026-12-25", name="Christmas")
    since = datetime.fromisoformat(asked).replace(tzinfo=UTC)
    expected = datetime.fromisoformat(due).replace(tzinfo=UTC)
    assert freezing.due_at(desk.books.here.pk, since, hours) == expected


@with_database
def test_trying_to_decide_ones_own_is_refused_and_written_down(desk: Desk) -> None:
    request = desk.ask()
    own_refused(lambda: desk.approve(desk.mara, request))
    entry = Entry.objects.get(action="approval.self_refused")
    assert (entry.actor_id, entry.target) == (desk.mara.user_id, f"approvals.request:{request.pk}")
