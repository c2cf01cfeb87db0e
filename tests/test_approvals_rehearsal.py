"""What happens between asking and doing: the rehearsal, time running out, the world changing underneath."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from backoffice.approvals import registry
from backoffice.approvals.models import Request, State
from backoffice.approvals.registry import Action
from backoffice.approvals.services import requests, steps
from backoffice.audit.models import ActorKind, Entry
from backoffice.kernel import clock
from backoffice.kernel.errors import DomainError, Stale
from backoffice.kernel.plain import digest, plain
from backoffice.organisation.models import Holiday
from backoffice.outbox import services as outbox
from ledger.actions import MANUAL_JOURNAL
from ledger.models import LedgerAccount
from ledger.services import chart, journal, manual, periods
from tests.attacks import DAY, execute, findings, only_changed, post, refused
from tests.desk import Desk, open_desk, part, posted, unchanged

with_database = pytest.mark.django_db
as_superuser = pytest.mark.parametrize("session_role", ["superuser"], indirect=True)


@pytest.fixture
def desk() -> Desk:
    return open_desk()


@pytest.fixture
def variant(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Action]:
    """The manual journal's action with changes, registered for one test."""

    def register(name: str = MANUAL_JOURNAL, **changes: Any) -> Action:
        action = replace(registry.get(MANUAL_JOURNAL), name=name, **changes)
        monkeypatch.setitem(registry._actions, name, action)
        return action

    return register


def post_and_more(*, actor: Any, **arguments: Any) -> dict[str, int]:
    """A use case that leaves something everywhere: journal, audit, outbox, history, a table, a wake-up."""
    result = manual.post_manual(actor=actor, **arguments)
    outbox.enqueue(kind="mail", key=f"mail:{arguments['key']}", payload={"to": [], "subject": "", "body": ""})
    Holiday.objects.create(calendar="TEST", date=DAY, name="rehearsed")
    chart.open_house(actor=actor, entity_id=arguments["entity_id"], currency="CHF")
    return result


# The rehearsal


@with_database
def test_a_rehearsal_leaves_nothing_behind(desk: Desk, variant: Callable[..., Action]) -> None:
    action = variant("test.more", use_case=post_and_more)
    woken = len(connection.run_on_commit)
    with only_changed(), transaction.atomic():
        effects = requests.rehearse(actor=desk.mara, action=action, payload=desk.payload())
    assert [(line["amount"], line["currency"]) for line in effects] == [("5", "USD"), ("-5", "USD")]
    assert len(connection.run_on_commit) == woken
    # The same use case, run in earnest, leaves its traces in all these places.
    tables = (
        "ledger_journal",
        "ledger_line",
        "ledger_balance",
        "ledger_ledgeraccount",
        "outbox_message",
        "audit_entry",
    )
    with only_changed(*tables, "organisation_holiday"):
        post_and_more(actor=desk.mara, **steps.arguments(desk.payload()))
    assert len(connection.run_on_commit) > woken


@with_database
def test_asking_leaves_the_request_its_maker_and_one_line_of_audit(desk: Desk, variant: Callable[..., Action]) -> None:
    variant("test.more", use_case=post_and_more)
    asking = ("approvals_request", "approvals_participation", "approvals_notice", "audit_entry")
    with only_changed(*asking):
        request = desk.ask(action="test.more")
    assert Entry.objects.filter(action="approval.requested", target=f"approvals.request:{request.pk}").count() == 1
    assert not Entry.objects.filter(action="ledger.manual_journal").exists()
    desk.approve(desk.chris, request)
    assert posted() == 1
    assert execute("SELECT count(*) FROM outbox_message") == [(1,)]
    assert Entry.objects.filter(action="ledger.manual_journal").count() == 1


@with_database
def test_what_would_be_refused_is_refused_when_it_is_asked(desk: Desk) -> None:
    unchanged(journal.BelowFloor, lambda: desk.ask(amount="-91"))
    periods.close_day(actor=desk.mara, entity_id=desk.books.here.pk, day=DAY)
    unchanged(journal.DayClosed, desk.ask)


@with_database
def test_a_rehearsal_runs_deferred_constraints(desk: Desk, variant: Callable[..., Action]) -> None:
    """A foreign key is checked at commit; the rehearsal never commits, and must speak all the same."""

    def to_nowhere(*, actor: Any, **arguments: Any) -> dict[str, int]:
        Entry.objects.create(at=clock.now(), actor_kind=ActorKind.SYSTEM, actor_label="x", action="x", entity_id=10**9)
        return manual.post_manual(actor=actor, **arguments)

    variant("test.nowhere", use_case=to_nowhere)
    unchanged(IntegrityError, lambda: desk.ask(action="test.nowhere"), match="entity_id")


# Time runs out, people change their minds


@with_database
@pytest.mark.parametrize("end", ["expired", "swept", "withdrawn", "rejected"])
def test_what_is_over_is_not_approved(desk: Desk, end: str) -> None:
    request = desk.ask()
    later = clock.now() + timedelta(hours=73)
    if end == "expired":
        with clock.at(later):
            unchanged(requests.NotOpen, lambda: desk.approve(desk.chris, request), match="expired")
        return
    if end == "swept":
        assert requests.expire() == 0
        with clock.at(later):
            assert requests.expire() == 1
    elif end == "withdrawn":
        unchanged(DomainError, lambda: requests.withdraw(actor=desk.chris, request_id=request.pk))
        requests.withdraw(actor=desk.mara, request_id=request.pk)
    else:
        content = request.payload_hash
        requests.reject(actor=desk.dora, request_id=request.pk, seen_hash=content, reason="wrong account")
    unchanged(requests.NotOpen, lambda: desk.approve(desk.chris, request))
    for name in ("APPROVER", "EXECUTOR", "REJECTER"):
        with refused("BO022"):
            execute(part(request, desk.chris, name))
    for state in State.values:
        with refused("BO022"):
            execute("UPDATE approvals_request SET state = %s", [state])
    assert posted() == 0


# The world changes between asking and approving


@with_database
def test_a_changed_target_is_stale_and_nothing_happens(desk: Desk, variant: Callable[..., Action]) -> None:
    def version(payload: Any) -> str:
        return LedgerAccount.objects.get(pk=payload.lines[0].account_id).name

    variant("test.versioned", target_version=version)
    request = desk.ask(action="test.versioned")
    LedgerAccount.objects.filter(pk=desk.books.cash.pk).update(name="no longer the cash")
    unchanged(Stale, lambda: desk.approve(desk.chris, request))
    LedgerAccount.objects.filter(pk=desk.books.cash.pk).update(name="cash")
    assert desk.approve(desk.chris, request).state == State.EXECUTED


@with_database
def test_an_action_whose_version_changed_is_refused(desk: Desk, variant: Callable[..., Action]) -> None:
    request = desk.ask()
    variant(version=2)
    unchanged(Stale, lambda: desk.approve(desk.chris, request), match="software")
    assert posted() == 0


@with_database
def test_a_use_case_that_fails_at_the_last_moment_takes_the_approval_with_it(desk: Desk) -> None:
    request = desk.ask(amount="-90")
    post(desk.books.here, (desk.books.client, "1"), (desk.books.cash, "-1"), key="spent meanwhile")
    unchanged(journal.BelowFloor, lambda: desk.approve(desk.chris, request))
    assert Request.objects.get().state == State.PENDING


@as_superuser
def test_a_payload_changed_by_the_superuser_is_not_run_and_is_named(as_role: str, desk: Desk) -> None:
    request = desk.ask()
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    execute("ALTER TABLE approvals_request DISABLE TRIGGER USER")
    execute("UPDATE approvals_request SET payload = jsonb_set(payload, '{lines,0,amount}', '\"6\"')")
    unchanged(Stale, lambda: desk.approve(desk.chris, request), match="hash")
    assert ("a request is what was asked for", f"request {request.pk}") in findings()


@as_superuser
def test_a_state_set_by_the_superuser_is_named(as_role: str, desk: Desk) -> None:
    request = desk.ask()
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    execute("ALTER TABLE approvals_request DISABLE TRIGGER USER")
    execute("UPDATE approvals_request SET state = 'EXECUTED'")
    assert ("an executed request had enough people, all different", f"request {request.pk}") in findings()


# Payloads


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Any value a payload's field of this type may hold."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*(values_of(part) for part in typing.get_args(hint)))
    if origin is tuple:
        return st.lists(values_of(typing.get_args(hint)[0]), max_size=4).map(tuple)
    if dataclasses.is_dataclass(hint):
        return st.builds(hint, **{name: values_of(h) for name, h in typing.get_type_hints(hint).items()})
    return {
        type(None): st.none(),
        bool: st.booleans(),
        int: st.integers(-(2**63), 2**63 - 1),
        str: st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
        Decimal: st.decimals(allow_nan=False, allow_infinity=False),
        date: st.dates(),
        datetime: st.datetimes(timezones=st.just(UTC)),
    }[hint]


def test_there_are_actions_to_test() -> None:
    assert MANUAL_JOURNAL in {action.name for action in registry.all_actions()}


@with_database
@pytest.mark.parametrize("action", registry.all_actions(), ids=lambda action: action.name)
def test_a_payload_comes_back_from_the_database_as_it_was_asked(action: Action) -> None:
    @settings(max_examples=40, deadline=None)
    @given(values_of(action.payload))
    def comes_back(payload: Any) -> None:
        content = plain(payload)
        ((stored,),) = execute("SELECT %s::jsonb::text", [json.dumps(content)])
        loaded = json.loads(stored)
        assert registry.load(action.payload, loaded) == payload
        assert digest(loaded) == digest(content)

    comes_back()
