"""What we want of each login against its server: every class of drift is found, by a real server that changes by
itself or forgets, and is gone when the server agrees again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection as database
from django.db import transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import ClientCategory, DesiredState, TradingAccount
from accounts.services import clients
from accounts.services.clients import Login
from backoffice.kernel import clock
from backoffice.kernel.errors import DomainError
from backoffice.outbox import services as outbox
from backoffice.outbox.models import Message, State
from integrations.models import FeedState, ServerCommand, ServerUser
from integrations.records import User, UserState
from integrations.services import commands
from integrations.services.users import keep_users
from reconciliation.models import Break, BreakState, EventKind, Kind, Resolution, Run
from reconciliation.services import breaks, drift, nightly, runs
from tests.attacks import only_changed
from tests.builders import ROBOT, entity, user
from tests.mt5_world import misbehave, running
from tests.test_integrations_users_commands import UPDATE, connect

pytestmark = pytest.mark.django_db
TODAY = clock.today()
STD = {"group": "real\\USD", "leverage": 100}


@pytest.fixture
def simulator():
    with running() as simulator:
        yield simulator


@pytest.fixture
def server(simulator):
    found = connect(simulator)
    here = entity()
    client = clients.open_client(
        actor=ROBOT, entity_id=here.pk, number="C-1", name="Ana Prova", country="PT",
        category=ClientCategory.PROFESSIONAL,
    )  # fmt: skip
    with clock.at(clock.now() - timedelta(days=1)):
        opened = clients.open_trading_accounts(
            actor=ROBOT,
            logins=[Login(client.pk, found.pk, login, "USD", "real\\USD", 100) for login in (5001, 5002, 5003)],
        )
    simulator.control.run("user/edit", {"login": 5001, "fields": {"Leverage": 100}})
    simulator.control.run("user/edit", {"login": 5003, "fields": {"Group": "real\\USD"}})
    for account in opened:
        want(account, **STD)
    return found


def want(account, **wanted):
    """What accounts would write down; every test says what it wants by itself."""
    values = {"enabled": True, "trading": True, "changed_at": clock.now(), "confirmed_at": clock.now(), **wanted}
    DesiredState.objects.update_or_create(account=account, defaults=values)


def desired(login=5001):
    return DesiredState.objects.get(account__login=login)


def account(login=5001):
    return TradingAccount.objects.get(login=login)


def run(day=TODAY) -> Run:
    done = runs.run_now(actor=ROBOT, entity_id=entity().pk, kind=Kind.ACCOUNTS, day=day)
    assert done.state == "DONE", done.error
    return done


def found() -> list[tuple[str, str]]:
    rows = Break.objects.filter(state__in=["OPEN", "ASSIGNED", "EXPLAINED"]).order_by("klass", "key")
    return [(item.klass, item.summary) for item in rows]


def edit(simulator, login=5001, **order):
    simulator.control.run("user/edit", {"login": login, **order})


def work(seconds=0.0):
    with clock.at(clock.now() + timedelta(seconds=seconds)):
        return outbox.send_due()


# Every class


def test_logins_that_agree_match_and_a_second_run_changes_nothing(simulator, server):
    first = run()
    assert (first.compared, first.matched, first.breaks, first.notes) == (3, 3, 0, [])
    second = run()
    assert (second.compared, second.matched, found()) == (3, 3, [])


@pytest.mark.parametrize(
    ("order", "klass", "summary"),
    [
        (
            {"set": 0x4}, "RIGHTS_DRIFT",
            "Login 5001: wanted log-in on, trading on; server log-in on, trading off",
        ),
        (
            {"clear": 0x1}, "RIGHTS_DRIFT",
            "Login 5001: wanted log-in on, trading on; server log-in off, trading on",
        ),
        (
            {"fields": {"Group": "real\\test"}}, "GROUP_DRIFT",
            "Login 5001: wanted group real\\USD, server real\\test",
        ),
        (
            {"fields": {"Leverage": 500}}, "LEVERAGE_DRIFT",
            "Login 5001: wanted leverage 1:100, server 1:500",
        ),
        (
            {"set": 0x10000 | 0x20000}, "TECHNICAL_DRIFT",
            "Login 5001: wanted not technical; server technical on, out of reports on",
        ),
        (
            {"set": 0x20000}, "TECHNICAL_DRIFT",
            "Login 5001: wanted not technical; server technical off, out of reports on",
        ),
    ],
)  # fmt: skip
def test_a_server_that_changes_by_itself_is_found_and_settles_by_itself(simulator, server, order, klass, summary):
    run()
    before = simulator.store.user(5001)
    edit(simulator, **order)
    assert run().by_class == {klass: 1}
    assert found() == [(klass, summary)]
    item = Break.objects.get()
    assert (item.key, item.business_date, item.amount) == (f"login:{server.pk}:5001", TODAY, None)
    events = item.events.count()
    run()
    assert found() == [(klass, summary)] and item.events.count() == events, "the same difference is the same break"
    edit(simulator, fields={name: before[name] for name in ("Rights", "Group", "Leverage")})
    run()
    item.refresh_from_db()
    assert (item.state, item.resolution) == (BreakState.RESOLVED, Resolution.BY_ITSELF)


def test_bits_that_are_none_of_ours_are_no_drift(simulator, server):
    edit(simulator, set=0x200 | 0x8 | 0x400, clear=0x2 | 0x40)
    run()
    assert found() == []


def test_a_technical_login_that_the_server_shows_again_is_found_and_sent_again(simulator, server):
    TradingAccount.objects.filter(login=5001).update(technical=True)
    run()
    assert found() == [("TECHNICAL_DRIFT", "Login 5001: wanted technical; server technical off, out of reports off")]
    drift.push_again(actor=ROBOT, break_id=Break.objects.get().pk)
    work()
    assert int(simulator.store.user(5001)["Rights"]) & 0x30000 == 0x30000
    run()
    assert found() == []
    edit(simulator, clear=0x10000)
    run()
    assert [klass for klass, _ in found()] == ["TECHNICAL_DRIFT"]


def test_several_things_wrong_with_a_login_are_several_breaks(simulator, server):
    want(account(), enabled=False, trading=False, group="real\\close", leverage=20)
    run()
    assert [klass for klass, _ in found()] == ["GROUP_DRIFT", "LEVERAGE_DRIFT", "RIGHTS_DRIFT"]


def test_where_nothing_is_wanted_the_server_may_have_what_it_likes(simulator, server):
    want(account(), group="", leverage=0)
    edit(simulator, fields={"Group": "real\\test", "Leverage": 7})
    run()
    assert found() == []


# Missing


def test_a_login_that_is_gone_is_missing_and_nothing_else(simulator, server):
    run()
    simulator.control.run("user/delete", {"login": 5002})
    edit(simulator, 5001, fields={"Group": "demo\\USD"})
    run()
    assert found() == [
        ("GROUP_DRIFT", "Login 5001: wanted group real\\USD, server demo\\USD"),
        ("USER_MISSING", "Login 5002: is not at the server"),
    ], "one that only left the groups we read is not missing"


def test_one_that_was_never_there_is_missing_from_the_first_reading_on(simulator, server):
    (never,) = clients.open_trading_accounts(
        actor=ROBOT, logins=[Login(account().client_id, server.pk, 9999, "USD", "real\\USD", 100)]
    )
    want(never, **STD)
    run()
    assert found() == [("USER_MISSING", "Login 9999: is not at the server")]


def test_a_login_opened_after_the_server_was_read_is_not_missing(simulator, server):
    run()
    with clock.at(clock.now() + timedelta(seconds=1)):
        (late,) = clients.open_trading_accounts(
            actor=ROBOT, logins=[Login(account().client_id, server.pk, 9999, "USD")]
        )
        want(late)
        misbehave(simulator, "off")
        done = run()
    assert found() == [] and done.compared == 3
    assert done.notes[0].startswith("The logins of mt5 could not be read")


def test_a_server_that_cannot_be_read_settles_nothing(simulator, server):
    edit(simulator, set=0x4)
    run()
    edit(simulator, clear=0x4)
    misbehave(simulator, "forbidden", path="/api/user/")
    assert run().breaks == 1 and len(found()) == 1, "compared with the last reading"
    simulator.control.run("reset", {})
    run()
    assert found() == []


def test_before_the_first_reading_nothing_is_compared(simulator, server):
    misbehave(simulator, "off")
    done = run()
    assert (done.compared, found()) == (0, [])
    assert "3 logins have not been read" in done.notes[1]


# Commands under way


def push(server, login=5001, key="k1", **wanted):
    with transaction.atomic():
        want(account(login), **{**STD, **wanted})
        commands.push_user(actor=ROBOT, connection_id=server.pk, login=login, wanted=UserState(**wanted), key=key)


def test_a_young_command_is_waited_for_and_an_old_one_is_not(simulator, server):
    misbehave(simulator, "off", path=UPDATE)
    push(server, trading=False)
    work()
    assert run().notes == ["1 logins have a command under way and were not compared"]
    assert found() == []
    with clock.at(clock.now() + timedelta(minutes=16)):
        run()
    assert [klass for klass, _ in found()] == ["RIGHTS_DRIFT"], "it has had its time"


def test_a_refused_or_forgotten_command_is_drift_at_once(simulator, server):
    misbehave(simulator, "forget_update", count=1)
    push(server, trading=False)
    work()
    assert Message.objects.get().state == State.REFUSED
    run()
    assert [klass for klass, _ in found()] == ["RIGHTS_DRIFT"]


def test_an_open_break_stays_while_its_command_is_under_way(simulator, server):
    edit(simulator, set=0x4)
    run()
    seen = found()
    misbehave(simulator, "off", path=UPDATE)
    drift.push_again(actor=ROBOT, break_id=Break.objects.get().pk)
    work()
    assert Message.objects.get().state == State.UNKNOWN
    run()
    assert found() == seen, "not settled by a promise"
    simulator.control.run("reset", {})
    work(seconds=60)
    work(seconds=600)
    run()
    assert found() == []


# Pushing again


def test_push_again_sends_all_that_is_wanted_now(simulator, server):
    edit(simulator, set=0x4, fields={"Leverage": 500})
    run()
    item = Break.objects.get(klass="LEVERAGE_DRIFT")
    want(account(), trading=True, group="real\\USD", leverage=50)
    command = drift.push_again(actor=ROBOT, break_id=item.pk)
    assert command.wanted == {
        "enabled": True, "trading": True, "group": "real\\USD", "leverage": 50, "technical": False,
        "exclude_reports": False,
    }  # fmt: skip
    assert (desired().command_key, desired().confirmed_at) == (f"drift:{item.pk}:1", None)
    with pytest.raises(DomainError, match=f"Command {command.pk} for this login is under way"):
        drift.push_again(actor=ROBOT, break_id=item.pk)
    work()
    command = ServerCommand.objects.get(pk=command.pk)
    assert command.message.state == State.DONE, command.message.error
    run()
    assert found() == []
    kinds = list(Break.objects.get(pk=item.pk).events.values_list("event", flat=True))
    assert kinds == [EventKind.OPENED, EventKind.PUSHED, EventKind.RESOLVED]
    with pytest.raises(DomainError, match="closed already"):
        drift.push_again(actor=ROBOT, break_id=item.pk)


def test_a_login_that_is_not_there_cannot_be_pushed(simulator, server):
    run()
    simulator.control.run("user/delete", {"login": 5002})
    run()
    item = Break.objects.get(klass="USER_MISSING")
    with only_changed(), pytest.raises(DomainError, match="not about what a server lets a login do"):
        drift.push_again(actor=ROBOT, break_id=item.pk)


def test_what_a_person_closed_opens_again_when_the_difference_changes(simulator, server):
    edit(simulator, fields={"Leverage": 500})
    run()
    item = Break.objects.get()
    breaks.resolve(actor=ROBOT, break_id=item.pk, reason="agreed with the client")
    run()
    assert found() == []
    edit(simulator, fields={"Leverage": 400})
    run(TODAY)
    assert found() == [("LEVERAGE_DRIFT", "Login 5001: wanted leverage 1:100, server 1:400")]


def test_a_drift_that_comes_back_is_as_old_as_its_return(simulator, server):
    edit(simulator, fields={"Leverage": 500})
    run(TODAY - timedelta(days=9))
    edit(simulator, fields={"Leverage": 100})
    run(TODAY - timedelta(days=5))
    assert found() == []
    edit(simulator, fields={"Leverage": 500})
    run()
    item = Break.objects.get()
    assert (item.is_open, item.business_date) == (True, TODAY)
    run()
    assert Break.objects.get().business_date == TODAY


def test_a_lasting_drift_keeps_its_first_day_and_settles_whenever(simulator, server):
    edit(simulator, fields={"Leverage": 500})
    run(TODAY - timedelta(days=90))
    run()
    assert Break.objects.get().business_date == TODAY - timedelta(days=90)
    edit(simulator, fields={"Leverage": 100})
    run()
    assert found() == []


# The job, the page, the size


def test_the_schedule_finds_it_and_another_entity_is_not_touched(simulator, server):
    edit(simulator, set=0x4)
    (done,) = nightly.find_drift(actor=ROBOT, today=TODAY)
    assert (done.kind, done.breaks) == ("accounts", 1)
    kinds = {one.kind for one in nightly.reconcile_previous_day(actor=ROBOT, today=TODAY)}
    assert "accounts" in kinds
    assert {item.entity_id for item in Break.objects.filter(kind="accounts")} == {entity().pk}


def test_the_page_of_a_drift_shows_both_sides_and_pushes(simulator, server):
    edit(simulator, set=0x4, fields={"Group": "real\\test"})
    simulator.control.run("user/delete", {"login": 5002})
    run()
    client = Client()
    view = ("reconciliation.view_break", "reconciliation.push_again")
    client.force_login(user("dana", *view, entities=(entity(),)))
    pages = {item.klass: client.get(reverse("break", args=[item.pk])).content.decode() for item in Break.objects.all()}
    assert set(pages) == {"RIGHTS_DRIFT", "GROUP_DRIFT", "USER_MISSING"}
    assert all("Wanted" in page and "Server" in page for page in pages.values())
    assert "real\\USD" in pages["GROUP_DRIFT"] and "real\\test" in pages["GROUP_DRIFT"]
    assert "Push again" in pages["GROUP_DRIFT"] and "Push again" not in pages["USER_MISSING"]
    item = Break.objects.get(klass="GROUP_DRIFT")
    assert client.post(reverse("push-again", args=[item.pk])).status_code == 303
    again = client.post(reverse("push-again", args=[item.pk]))
    assert again.status_code == 422 and "under way" in again.content.decode()
    work()
    run()
    assert [klass for klass, _ in found()] == ["USER_MISSING"]


def test_the_number_of_statements_does_not_grow_with_the_logins(server):
    def statements() -> int:
        with CaptureQueriesContext(database) as caught:
            run = Run.objects.select_related("entity", "rule").get(
                pk=runs.request(actor=ROBOT, entity_id=entity().pk, kind=Kind.ACCOUNTS, day=TODAY).pk
            )
            runs._match(run, [])
        return len(caught)

    def drifted(first: int, count: int) -> None:
        """Logins that the server gives another leverage than wanted."""
        now = clock.now()
        more = [Login(account().client_id, server.pk, first + n, "USD", "real\\USD", 100) for n in range(count)]
        opened = clients.open_trading_accounts(actor=ROBOT, logins=more)
        DesiredState.objects.bulk_create(
            [DesiredState(account=one, changed_at=now, **STD) for one in opened], ignore_conflicts=True
        )
        DesiredState.objects.update(group="real\\USD", leverage=100)
        users = [User(login=one.login, rights=0x163, group="real\\USD", leverage=200, currency="USD") for one in opened]
        keep_users(connection=server, users=users, asked_at=now)
        FeedState.objects.update(users_read_at=now)

    drifted(20_000, 1)
    few = statements()
    drifted(20_001, 499)
    assert ServerUser.objects.count() == 500
    assert statements() == few
    assert Break.objects.filter(klass="LEVERAGE_DRIFT").count() == 500
