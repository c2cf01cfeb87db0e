"""Attacks on four eyes: by the services, and by SQL as the application's role and as the owner of the tables."""

from __future__ import annotations

from collections import Counter

import pytest

from backoffice.approvals.models import Request, State
from backoffice.approvals.services import requests
from backoffice.kernel.actor import Person
from backoffice.kernel.errors import NotFound, NotPermitted, Stale
from backoffice.kernel.plain import digest
from backoffice.organisation.models import User
from tests.attacks import NO_RIGHT, at_once, execute, findings, refused
from tests.builders import person, user
from tests.desk import DECIDE, RUN, Desk, open_desk, own_refused, part, policy, posted, unchanged

committed = pytest.mark.django_db(transaction=True)


@pytest.fixture
def desk() -> Desk:
    return open_desk()


both = pytest.mark.parametrize("session_role", ["application", "owner"], indirect=True)


# The use case itself: without it the refusals below would prove nothing.


@pytest.mark.django_db
def test_what_was_asked_is_done_once_by_the_last_approval(desk: Desk) -> None:
    policy(approvers=2)
    request = desk.ask()
    assert (desk.approve(desk.chris, request).state, posted()) == (State.PENDING, 0)
    assert (desk.approve(desk.dora, request).state, posted()) == (State.EXECUTED, 1)
    unchanged(requests.NotOpen, lambda: desk.approve(desk.pat, request))
    assert findings() == set()


# The six attacks


@pytest.mark.django_db
def test_1_nobody_approves_his_own_request(desk: Desk) -> None:
    request = desk.ask()
    own_refused(lambda: desk.approve(desk.mara, request))


@both
def test_1_nobody_approves_his_own_request_by_execute(as_role: str, desk: Desk) -> None:
    request = desk.ask()
    with refused("23505"):
        execute(part(request, desk.mara, "APPROVER"))
    for state in ("APPROVED", "EXECUTED"):
        with refused("BO023"):
            execute("UPDATE approvals_request SET state = %s WHERE action = 'ledger.manual_journal'", [state])


@both
def test_2_nobody_lies_about_who_asked(as_role: str, desk: Desk) -> None:
    request = desk.ask()
    with refused("BO021"):
        execute("UPDATE approvals_request SET maker_id = %s", [desk.pat.user_id])
    with refused("BO020"):
        execute(part(request, desk.pat, "MAKER"))
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    execute("CREATE TEMP TABLE lever (statement text)")
    execute(
        "CREATE FUNCTION pg_temp.pull() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN EXECUTE NEW.statement; RETURN NEW; END $$"
    )
    execute("CREATE TRIGGER pull BEFORE INSERT ON lever FOR EACH ROW EXECUTE FUNCTION pg_temp.pull()")
    with refused("BO020"):
        execute("INSERT INTO lever VALUES (%s)", [part(request, desk.pat, "MAKER")])
    for attempt in (
        f"UPDATE approvals_participation SET person_id = {desk.pat.user_id}",
        "UPDATE approvals_participation SET part = 'APPROVER'",
        "DELETE FROM approvals_participation",
        "TRUNCATE approvals_participation",
        "DELETE FROM approvals_request",
        "TRUNCATE approvals_request CASCADE",
    ):
        with refused(NO_RIGHT, "BO001"):
            execute(attempt)


@both
def test_2_nobody_takes_part_before_the_request_is_there(as_role: str, desk: Desk) -> None:
    request = desk.ask()
    future = Request(pk=request.pk + 1, payload_hash=request.payload_hash)
    for name in ("APPROVER", "EXECUTOR", "MAKER"):
        with refused("BO020"):
            execute(part(future, desk.chris, name))
    for state in ("APPROVED", "EXECUTED"):
        with refused("BO020"):
            execute(
                "INSERT INTO approvals_request SELECT (jsonb_populate_record(r, jsonb_build_object('id', r.id + 1,"
                " 'target', 'another', 'state', %s::text))).* FROM approvals_request r",
                [state],
            )


@both
def test_3_nobody_approves_other_content_than_what_is_asked(as_role: str, desk: Desk) -> None:
    request = desk.ask()
    stale = digest("what the page showed an hour ago")
    unchanged(Stale, lambda: requests.approve(actor=desk.chris, request_id=request.pk, seen_hash=stale))
    with refused("23503"):
        execute(part(request, desk.chris, "APPROVER", stale))


@both
def test_4_nobody_counts_twice(as_role: str, desk: Desk) -> None:
    policy(approvers=2)
    request = desk.ask()
    desk.approve(desk.chris, request)
    unchanged(requests.SameEyes, lambda: desk.approve(desk.chris, request))
    with refused("23505"):
        execute(part(request, desk.chris, "APPROVER"))
    with refused("BO023"):
        execute("UPDATE approvals_request SET state = 'EXECUTED' WHERE action = 'ledger.manual_journal'")


@both
def test_5_no_approval_serves_another_request(as_role: str, desk: Desk) -> None:
    policy(execute_permission=RUN)
    approved, other = desk.ask("one"), desk.ask("two", amount="5000")
    desk.approve(desk.chris, approved)
    with refused(NO_RIGHT, "BO001"):
        execute("UPDATE approvals_participation SET request_id = %s WHERE part = 'APPROVER'", [other.pk])
    with refused("23503"):
        execute(part(other, desk.chris, "APPROVER", approved.payload_hash))
    with refused("BO023"):
        execute("UPDATE approvals_request SET state = 'APPROVED' WHERE id = %s", [other.pk])
    with refused("BO021"):
        execute("UPDATE approvals_request SET id = %s WHERE id = %s", [other.pk + 1, other.pk])


@both
def test_6_nothing_that_was_asked_changes_after_an_approval(as_role: str, desk: Desk) -> None:
    policy(execute_permission=RUN)
    request = desk.ask()
    desk.approve(desk.chris, request)
    row = {field.column: field for field in Request._meta.concrete_fields}
    for column in sorted(row.keys() - {"id", "state", "finished_at", "result"}):
        kind = row[column].get_internal_type()
        changed = {
            "JSONField": "'{\"a\": 1}'",
            "DateTimeField": f"{column} + interval '1s'",
            "CharField": "'x'",
            "TextField": "'x'",
            "BooleanField": f"NOT {column}",
            "OneToOneField": "id",
            "DecimalField": f"{column} + 1",
        }.get(kind, f"{column} + 1")
        with refused("BO021"):
            execute(f"UPDATE approvals_request SET {column} = {changed} WHERE action = 'ledger.manual_journal'")
    for attempt in (
        "result = '{\"journal_id\": 1}'",
        "finished_at = now()",
        "state = 'PENDING'",
        "state = 'PAID'",
    ):
        with refused("BO022"):
            execute(f"UPDATE approvals_request SET {attempt} WHERE action = 'ledger.manual_journal'")
    requests.execute(actor=desk.pat, request_id=request.pk, seen_hash=request.payload_hash)
    for state in State.values:
        with refused("BO022"):
            execute("UPDATE approvals_request SET state = %s WHERE action = 'ledger.manual_journal'", [state])


# People


@pytest.mark.django_db
def test_the_executor_is_a_third_person(desk: Desk) -> None:
    policy(execute_permission=RUN)
    stan = person(user("stan", entities=(desk.books.here,)))
    elsewhere = person(user("elsewhere", RUN, entities=(desk.books.abroad,)))
    request = desk.ask()

    def run(who: Person) -> Request:
        return requests.execute(actor=who, request_id=request.pk, seen_hash=request.payload_hash)

    unchanged(requests.NotOpen, lambda: run(desk.pat))
    assert (desk.approve(desk.chris, request).state, posted()) == (State.APPROVED, 0)
    own_refused(lambda: run(desk.mara))
    unchanged(requests.SameEyes, lambda: run(desk.chris))
    unchanged(NotPermitted, lambda: run(stan))
    unchanged(NotFound, lambda: run(elsewhere))
    with refused("BO023"):
        execute("UPDATE approvals_request SET state = 'EXECUTED' WHERE action = 'ledger.manual_journal'")
    assert (run(desk.pat).state, posted()) == (State.EXECUTED, 1)
    assert findings() == set()


@pytest.mark.django_db
def test_no_executor_before_the_approvals(desk: Desk) -> None:
    policy(execute_permission=RUN)
    request = desk.ask()
    with refused("BO022"):
        execute(part(request, desk.pat, "EXECUTOR"))


@pytest.mark.django_db
def test_a_superuser_has_no_shortcut_and_a_right_lost_is_lost_at_once(desk: Desk) -> None:
    request = desk.ask()
    boss = user("boss", entities=(desk.books.here,))
    User.objects.filter(pk=boss.pk).update(is_superuser=True)
    unchanged(NotPermitted, lambda: desk.approve(person(boss), request))
    User.objects.get(pk=desk.chris.user_id).user_permissions.clear()
    unchanged(NotPermitted, lambda: desk.approve(desk.chris, request))
    User.objects.filter(pk=desk.dora.user_id).update(is_active=False)
    unchanged((NotPermitted, NotFound), lambda: desk.approve(desk.dora, request))


@committed
def test_fifty_approvals_at_once_execute_once(desk: Desk) -> None:
    people = [person(user(f"approver{n}", DECIDE, entities=(desk.books.here,))) for n in range(50)]
    request = desk.ask()
    results = at_once(50, lambda number: desk.approve(people[number], request))
    assert Counter(type(result) for result in results) == {Request: 1, requests.NotOpen: 49}
    assert (posted(), request.participations.filter(part="APPROVER").count()) == (1, 1)
    assert findings() == set()


@committed
def test_twenty_executions_at_once_execute_once(desk: Desk) -> None:
    policy(execute_permission=RUN)
    people = [person(user(f"executor{n}", RUN, entities=(desk.books.here,))) for n in range(10)]
    request = desk.ask()
    desk.approve(desk.chris, request)

    def run(number: int) -> Request:
        return requests.execute(actor=people[number % 10], request_id=request.pk, seen_hash=request.payload_hash)

    results = at_once(20, run)
    assert Counter(type(result) for result in results) == {Request: 1, requests.NotOpen: 19}
    assert posted() == 1
    assert findings() == set()
