"""The rules of approval: which ones hold, what they ask for together, and that they change by four eyes only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from backoffice.approvals import registry
from backoffice.approvals.actions import POLICY, PolicyChange
from backoffice.approvals.models import Policy, Request, State
from backoffice.approvals.registry import Action
from backoffice.approvals.selectors import verdicts
from backoffice.approvals.services import requests
from backoffice.kernel import clock
from backoffice.kernel.errors import DomainError, NotPermitted
from backoffice.kernel.money import Money
from backoffice.kernel.plain import plain
from ledger.actions import MANUAL_JOURNAL, ManualJournal
from tests.attacks import NO_RIGHT, at_once, execute, findings, refused
from tests.builders import person, user
from tests.desk import DECIDE, RULE, RUN, Desk, ask_rule, open_desk, own_refused, policy, posted, rule_makers, unchanged

SIGN = "ledger.approve_reopen"
both = pytest.mark.parametrize("session_role", ["application", "owner"], indirect=True)
committed = pytest.mark.django_db(transaction=True)
RULE_OF_NOBODY = "a rule of approval was agreed to by an executed request"


@pytest.fixture
def desk() -> Desk:
    return open_desk()


@pytest.fixture
def variant(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Action]:
    """The manual journal's action with changes, for one test."""

    def change(**changes: Any) -> Action:
        action = replace(registry.get(MANUAL_JOURNAL), **changes)
        monkeypatch.setitem(registry._actions, action.name, action)
        return action

    return change


def of_client(payload: ManualJournal) -> str:
    return "accounts.client:1"


# Which rules hold


@pytest.mark.django_db
def test_without_a_rule_one_approval_is_needed(desk: Desk) -> None:
    request = desk.ask()
    assert (request.approvals_needed, request.approve_permission, request.rules) == (1, DECIDE, [])
    assert (request.money, request.bulk) == (True, False)


@pytest.mark.django_db
def test_the_highest_amount_reached_decides(desk: Desk) -> None:
    policy(approvers=1, sla_hours=6)
    high = policy(from_amount=Decimal(50), approvers=2, expires_after_hours=24)
    policy(from_amount=Decimal(10_000), approvers=3)
    assert desk.ask("small", "49.99").approvals_needed == 1
    request = desk.ask("large", "50")
    assert (request.approvals_needed, request.rules) == (2, [high.pk])
    assert (request.expires_at - request.requested_at).total_seconds() == 24 * 3600


@pytest.mark.django_db
def test_a_rule_of_another_entity_does_not_hold(desk: Desk) -> None:
    policy(entity_id=desk.books.abroad.pk, approvers=3)
    assert desk.ask().approvals_needed == 1
    policy(entity_id=desk.books.here.pk, approvers=2)
    assert desk.ask("two").approvals_needed == 2


@pytest.mark.django_db
def test_splitting_does_not_help(desk: Desk, variant: Callable[..., Action]) -> None:
    """J4: threshold 1,000, three requests of 400: the third needs the high chain. A negative one takes nothing away."""
    variant(client=of_client, amount=lambda p: Money(p.lines[0].amount, "USD"))
    policy(from_amount=Decimal(1000), approvers=2)
    needed = [desk.ask(f"part {n}", amount).approvals_needed for n, amount in enumerate(("400", "-40", "400", "400"))]
    assert needed == [1, 1, 1, 2]
    assert Request.objects.last().preview["counted"] == "1240.00000000"


@pytest.mark.django_db
def test_what_was_executed_or_is_older_than_a_day_counts_as_it_should(
    desk: Desk, variant: Callable[..., Action]
) -> None:
    variant(client=of_client, amount=lambda p: Money(p.lines[0].amount, "USD"))
    policy(from_amount=Decimal(1000), approvers=2)
    now = clock.now()
    with clock.at(now):
        desk.approve(desk.chris, desk.ask("executed", "600"))
        rejected = desk.ask("rejected", "600")
        assert rejected.approvals_needed == 2
        content = rejected.payload_hash
        requests.reject(actor=desk.dora, request_id=rejected.pk, seen_hash=content, reason="no")
        assert desk.ask("after", "390").approvals_needed == 1
    with clock.at(now + timedelta(hours=25)):
        # The executed one is a day old; the open one of 390 still waits and counts.
        assert desk.ask("next day", "600").approvals_needed == 1
        assert desk.ask("too much", "20").approvals_needed == 2


@committed
def test_two_at_the_same_moment_both_count(desk: Desk, variant: Callable[..., Action]) -> None:
    variant(client=of_client, amount=lambda p: Money(p.lines[0].amount, "USD"))
    policy(from_amount=Decimal(1000), approvers=2)
    results = at_once(8, lambda number: desk.ask(f"part {number}", "300"))
    assert sorted(request.approvals_needed for request in results) == [1, 1, 1, 2, 2, 2, 2, 2]


@pytest.mark.django_db
def test_a_risk_flag_adds_to_the_rule_and_never_takes_away(desk: Desk, variant: Callable[..., Action]) -> None:
    policy(approvers=2, sla_hours=4, execute_permission=RUN)
    policy(risk_flag="CHARGEBACK_RISK", approvers=2, second_permission=SIGN, sla_hours=8)
    plain_one = desk.ask("plain")
    variant(risk=lambda p: ["CHARGEBACK_RISK", "PEP"])
    risky = desk.ask("risky")
    assert (plain_one.second_permission, risky.second_permission) == ("", SIGN)
    assert (risky.approvals_needed, risky.execute_permission, risky.risk) == (2, RUN, ["CHARGEBACK_RISK", "PEP"])
    assert risky.due_at == plain_one.due_at or risky.due_at > plain_one.due_at
    assert len(risky.rules) == 2


# The second approver


@pytest.mark.django_db
def test_the_second_approver_is_another_kind_of_person(desk: Desk) -> None:
    policy(approvers=2, second_permission=SIGN)
    boss = person(user("boss", SIGN, entities=(desk.books.here,)))
    other = person(user("other", SIGN, entities=(desk.books.here,)))
    request = desk.ask()
    desk.approve(desk.chris, request)
    unchanged(requests.NotNeeded, lambda: desk.approve(desk.dora, request), match="needs one more approval by")
    assert desk.approve(boss, request).state == State.EXECUTED
    second = desk.ask("two")
    desk.approve(boss, second)
    unchanged(requests.NotNeeded, lambda: desk.approve(other, second))
    with refused("BO023"):
        execute("UPDATE approvals_request SET state = 'EXECUTED' WHERE id = %s", [second.pk])
    assert posted() == 1


@pytest.mark.django_db
def test_who_may_be_either_is_counted_where_a_place_is_free(desk: Desk) -> None:
    policy(approvers=2, second_permission=SIGN)
    either = person(user("either", SIGN, DECIDE, entities=(desk.books.here,)))
    boss = person(user("boss", SIGN, entities=(desk.books.here,)))
    for number, other in enumerate((desk.chris, boss)):
        request = desk.ask(f"first {number}")
        desk.approve(either, request)
        assert desk.approve(other, request).state == State.EXECUTED
        request = desk.ask(f"second {number}")
        desk.approve(other, request)
        assert desk.approve(either, request).state == State.EXECUTED
    assert findings() == set()


@both
def test_two_of_one_kind_are_not_enough_by_sql(as_role: str, desk: Desk) -> None:
    policy(approvers=2, second_permission=SIGN)
    request = desk.ask()
    for who in (desk.chris, desk.dora):
        execute(
            "INSERT INTO approvals_participation (request_id, person_id, part, payload_hash, covers, at, reason)"
            f" VALUES ({request.pk}, {who.user_id}, 'APPROVER', '{request.payload_hash}', 'FIRST', now(), '')"
        )
    for state in ("APPROVED", "EXECUTED"):
        with refused("BO023"):
            execute("UPDATE approvals_request SET state = %s WHERE id = %s", [state, request.pk])


# How rules change


@pytest.mark.django_db
def test_a_rule_needs_its_own_four_eyes(desk: Desk) -> None:
    sam, mia = rule_makers()
    asked = ask_rule(replace(RULE, approvers=2))
    assert not Policy.objects.exists()
    unchanged(NotPermitted, lambda: desk.approve(desk.chris, asked))
    unchanged(NotPermitted, lambda: desk.approve(sam, asked))
    user("sam", "approvals.approve_policy")
    own_refused(lambda: desk.approve(sam, asked))
    desk.approve(mia, asked)
    rule = Policy.objects.get()
    assert (rule.approvers, rule.request_id, rule.ended_at) == (2, asked.pk, None)
    assert findings() == set()


@pytest.mark.django_db
def test_a_rule_is_changed_by_a_new_one_and_ended_by_a_request(desk: Desk) -> None:
    _, mia = rule_makers()
    first = policy(approvers=2)
    unchanged(DomainError, lambda: ask_rule(replace(RULE, approvers=3)), match="Change that one")
    change = ask_rule(replace(RULE, approvers=3), replaces=first.pk)
    assert {row["label"]: (row["before"], row["after"]) for row in change.preview["changes"]}["Approvers"] == ("2", "3")
    desk.approve(mia, change)
    first.refresh_from_db()
    second = Policy.objects.get(ended_at=None)
    assert (first.ended_by_id, second.request_id, second.approvers) == (change.pk, change.pk, 3)
    desk.approve(mia, ask_rule(None, replaces=second.pk))
    assert not Policy.objects.filter(ended_at=None).exists()
    unchanged(DomainError, lambda: ask_rule(None, replaces=second.pk), match="ended already")
    assert findings() == set()


@pytest.mark.django_db
def test_two_requests_about_one_rule_do_not_both_count(desk: Desk) -> None:
    rule = policy(approvers=2)
    ask_rule(None, replaces=rule.pk)
    unchanged(requests.AlreadyAsked, lambda: ask_rule(replace(RULE, approvers=3), replaces=rule.pk))


@pytest.mark.django_db
def test_an_open_request_keeps_the_bar_it_was_asked_under(desk: Desk) -> None:
    """A rule that ends does not make waiting requests easier, and one that gets stricter does not change them:
    what people decide is what they were shown. That the rules are stricter now is said beside the request."""
    _, mia = rule_makers()
    rule = policy(approvers=2)
    strict = desk.ask("strict")
    desk.approve(mia, ask_rule(None, replaces=rule.pk))
    loose = desk.ask("loose")
    assert desk.approve(desk.chris, strict).state == State.PENDING
    policy(approvers=3)
    says = {check.label: (check.level.value, check.detail) for check in verdicts.checks(loose)}
    level, detail = says["The rules are those it was asked under"]
    assert (level, "3 approvals instead of 1" in detail) == ("amber", True)
    assert desk.approve(desk.chris, loose).state == State.EXECUTED
    assert desk.approve(desk.dora, strict).state == State.EXECUTED


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"approvers": 0}, "Between 1 and"),
        ({"approvers": 99}, "Between 1 and"),
        ({"second_permission": SIGN}, "at least two"),
        ({"bulk": True}, "never approved together"),
        ({"action": "no.such"}, "no such action"),
        ({"approve_permission": "ledger.no_such"}, "no permission"),
        ({"risk_flag": "no flag"}, "written as"),
        ({"risk_flag": "PEP", "approve_permission": SIGN}, "adds to the others"),
        ({"from_amount": Decimal(-1)}, "negative"),
        ({"sla_hours": 0}, "Hours"),
        ({"expires_after_hours": 100_000}, "Hours"),
    ],
)
def test_a_rule_that_makes_no_sense_is_not_even_asked_for(desk: Desk, values: dict[str, Any], says: str) -> None:
    rule_makers()
    unchanged(DomainError, lambda: ask_rule(replace(RULE, **values)), match=says)


@pytest.mark.django_db
def test_a_rule_for_all_entities_takes_people_of_all(desk: Desk) -> None:
    here = desk.books.here
    local = person(user("local", "approvals.ask_policy", entities=(here,)))
    everywhere = PolicyChange(here.pk, None, RULE)
    elsewhere = PolicyChange(here.pk, None, replace(RULE, entity_id=desk.books.abroad.pk))
    for payload in (everywhere, elsewhere):
        unchanged(
            DomainError,
            lambda: requests.submit(actor=local, action=POLICY, payload=payload, reason="mine"),  # noqa: B023
        )
    asked = ask_rule(RULE)
    boss = person(user("boss", "approvals.approve_policy", entities=(here,)))
    unchanged(DomainError, lambda: desk.approve(boss, asked), match="all entities")


# By SQL


@both
def test_no_rule_comes_goes_or_changes_without_an_approved_request(as_role: str, desk: Desk) -> None:
    rule = policy(approvers=2)
    asked = ask_rule(replace(RULE, approvers=1), replaces=rule.pk)
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    copied = (
        "INSERT INTO approvals_policy SELECT (jsonb_populate_record(p, jsonb_build_object('id', p.id + 1,"
        " 'from_amount', 7, 'request_id', %s::bigint))).* FROM approvals_policy p"
    )
    for source in (None, asked.pk, rule.request_id):
        with refused("BO026"):
            execute(copied, [source])
    for column, value in (("approvers", "1"), ("from_amount", "99"), ("second_permission", "'x'"), ("bulk", "true")):
        with refused("BO025"):
            execute(f"UPDATE approvals_policy SET {column} = {value}")
    for ended_by in (asked.pk, rule.request_id):
        with refused("BO026"):
            execute("UPDATE approvals_policy SET ended_at = now(), ended_by_id = %s", [ended_by])
    for attempt in ("DELETE FROM approvals_policy", "TRUNCATE approvals_policy CASCADE"):
        with refused(NO_RIGHT, "BO001"):
            execute(attempt)


@both
def test_an_approved_request_makes_the_rule_it_says_and_no_other(as_role: str, desk: Desk) -> None:
    _, mia = rule_makers()
    asked = ask_rule(replace(RULE, approvers=2))
    execute(
        "INSERT INTO approvals_participation (request_id, person_id, part, payload_hash, at, reason)"
        f" VALUES ({asked.pk}, {mia.user_id}, 'APPROVER', '{asked.payload_hash}', now(), '')"
    )
    row = {**plain(RULE), "approvers": 2, "request_id": asked.pk}
    for changed in ({"approvers": 1}, {"from_amount": "1000000"}, {"approve_permission": "approvals.view_request"}):
        values = {**row, **changed}
        with refused("BO026"):
            execute(
                f"INSERT INTO approvals_policy ({', '.join(values)}) VALUES ({', '.join(['%s'] * len(values))})",
                list(values.values()),
            )


@pytest.mark.parametrize("session_role", ["superuser"], indirect=True)
def test_a_rule_planted_by_the_superuser_is_named(as_role: str, desk: Desk) -> None:
    rule = policy(approvers=2)
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    execute("ALTER TABLE approvals_policy DISABLE TRIGGER USER")
    execute("UPDATE approvals_policy SET approvers = 1")
    assert (RULE_OF_NOBODY, f"policy {rule.pk}") in findings()
    execute("UPDATE approvals_policy SET approvers = 2, request_id = NULL")
    assert (RULE_OF_NOBODY, f"policy {rule.pk}") in findings()


@pytest.mark.django_db
def test_bulk_and_money_exclude_each_other_in_the_database(desk: Desk) -> None:
    request = desk.ask()
    with refused("23514"):
        execute(
            "INSERT INTO approvals_request SELECT (jsonb_populate_record(r, jsonb_build_object('id', r.id + 1,"
            " 'target', 'another', 'bulk', true))).* FROM approvals_request r WHERE id = %s",
            [request.pk],
        )
