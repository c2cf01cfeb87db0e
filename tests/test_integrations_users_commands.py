"""Commands to a trade server that is off, slow, forbidden, forgetful, or that hangs up after it did what was asked:
nothing is lost, nothing is done twice, and what is called done was read back."""

from __future__ import annotations

import os
import signal
import time
from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from backoffice.audit.models import Entry
from backoffice.kernel import clock
from backoffice.kernel.errors import DomainError
from backoffice.outbox import services as outbox
from backoffice.outbox.models import Message, State
from backoffice.outbox.services import KeyReused
from integrations import registry
from integrations.adapters.mt5_webapi.adapter import Mt5Server
from integrations.models import Connection, FeedState, ServerCommand, ServerUser
from integrations.records import User, UserState
from integrations.selectors import verify
from integrations.services import commands, connections, feeds
from integrations.services.feeds import FeedFailed
from integrations.services.users import keep_users
from tests.attacks import at_once, only_changed, refused, start_process
from tests.builders import ROBOT, entity, user
from tests.mt5_world import LOGIN, MANAGER, PASSWORD, asked, misbehave, running

pytestmark = pytest.mark.django_db
committed = pytest.mark.django_db(transaction=True)
UPDATE, GET, BATCH = "/api/user/update", "/api/user/get", "/api/user/get_batch"
OFF = UserState(trading=False)


@pytest.fixture
def simulator():
    with running() as simulator:
        yield simulator


@pytest.fixture
def server(simulator) -> Connection:
    return connect(simulator)


def connect(simulator, **settings) -> Connection:
    given = {"base_url": simulator.url, "login": MANAGER, "groups": "real\\*,!real\\test", "timeout_seconds": "1"}
    return connections.add(
        actor=ROBOT,
        entity_id=entity().pk,
        name="mt5",
        adapter="mt5_webapi",
        settings={**given, **settings},
        secret_values={"password": PASSWORD},
    )


def push(server, wanted=OFF, key="k1", login=LOGIN):
    with transaction.atomic():
        return commands.push_user(actor=ROBOT, connection_id=server.pk, login=login, wanted=wanted, key=key)


def work(seconds=0.0) -> int:
    """What the worker does, some time later."""
    with clock.at(clock.now() + timedelta(seconds=seconds)):
        return outbox.send_due()


def state(key="k1") -> str:
    return Message.objects.get(key=key).state


def error(key="k1") -> str:
    return Message.objects.get(key=key).error


def trading(simulator, login=LOGIN) -> bool:
    return not int(simulator.store.user(login)["Rights"]) & 0x4


def orders(simulator) -> int:
    """How often the server was told to change something."""
    return len(asked(simulator, UPDATE))


@pytest.fixture
def told(monkeypatch):
    heard = []
    monkeypatch.setattr(registry, "_confirmed", [lambda *said: heard.append(said)])
    return heard


# The way it should go


def test_a_command_is_done_when_the_server_says_so_in_a_reading_of_its_own(simulator, server, told):
    push(server, UserState(trading=False, leverage=20, group="real\\test"))
    assert (state(), orders(simulator)) == (State.QUEUED, 0), "nothing leaves within the transaction"
    assert work() == 1
    assert (state(), error()) == (State.DONE, "")
    assert orders(simulator) == 1 and len(asked(simulator, GET)) == 2
    reading = ServerUser.objects.get()
    assert (reading.login, reading.rights, reading.group, reading.leverage) == (LOGIN, 0x167, "real\\test", 20)
    assert told == [(server.pk, LOGIN, "k1", reading)]
    actions = Entry.objects.filter(action__startswith="server.").order_by("pk").values_list("action", "actor_label")
    assert list(actions) == [
        ("server.command_asked", "system: test"),
        ("server.command_done", "system: server commands"),
    ]
    assert work(seconds=7200) == 0
    assert orders(simulator) == 1


def test_what_is_so_already_is_confirmed_without_an_order(simulator, server, told):
    push(server, UserState(trading=True, enabled=True, leverage=200))
    work()
    assert (state(), orders(simulator), len(asked(simulator, GET)), len(told)) == (State.DONE, 0, 1, 1)


def test_the_same_key_is_the_same_promise(simulator, server):
    first = push(server)
    assert push(server) == first
    with pytest.raises(KeyReused):
        push(server, UserState(trading=True))
    work()
    assert (ServerCommand.objects.count(), orders(simulator)) == (1, 1)
    assert push(server).state == State.DONE, "and it is not sent again"
    assert work() == 0


def test_a_command_falls_with_the_use_case_it_belongs_to(server):
    with only_changed(), pytest.raises(ZeroDivisionError), transaction.atomic():
        push(server)
        raise ZeroDivisionError


def test_logins_go_one_command_each(simulator, server):
    for login in (5001, 5002, 5003):
        push(server, key=f"k{login}", login=login)
    assert work() == 3
    assert [trading(simulator, login) for login in (5001, 5002, 5003)] == [False] * 3
    assert orders(simulator) == 3


# The server is off, slow, or says no


def test_a_server_that_is_off_loses_nothing(simulator, server, told):
    misbehave(simulator, "off")
    push(server)
    for minutes in range(6):
        work(seconds=60 * minutes)
        assert (state(), orders(simulator)) == (State.QUEUED, 0)
    assert "connection ended" in error() and told == []
    simulator.control.run("reset", {})
    work(seconds=7200)
    assert (state(), trading(simulator), orders(simulator), len(told)) == (State.DONE, False, 1, 1)


def test_pauses_grow_while_it_is_off_and_end_when_it_answers_again(simulator, server):
    misbehave(simulator, "off")
    push(server)
    waited = []
    with pytest.raises(FeedFailed):
        feeds.pull(actor=ROBOT, connection_id=server.pk)
    for _ in range(4):
        due = Message.objects.get().due_at
        with clock.at(due):
            assert outbox.send_due() == 1
        waited.append((Message.objects.get().due_at - due).total_seconds())
    assert waited == [5, 30, 120, 600]
    simulator.control.run("reset", {})
    assert work() == 0, "it would wait for minutes"
    feeds.pull(actor=ROBOT, connection_id=server.pk)
    assert work() == 1
    assert (state(), orders(simulator)) == (State.DONE, 1)


def test_a_server_that_is_slow_before_it_does_anything(simulator, server):
    misbehave(simulator, "slow", path=GET, seconds=3)
    push(server)
    work()
    assert (state(), orders(simulator)) == (State.QUEUED, 0)
    simulator.control.run("reset", {})
    work(seconds=60)
    assert (state(), orders(simulator)) == (State.DONE, 1)


def test_a_manager_without_the_right_is_refused_and_a_person_retries(simulator, server, told):
    misbehave(simulator, "forbidden", path=UPDATE)
    push(server)
    work()
    assert state() == State.REFUSED and "lacks the right" in error() and "Nothing was changed." in error()
    assert trading(simulator) and told == []
    assert work(seconds=86_400) == 0, "refused is final until a person says otherwise"
    simulator.control.run("reset", {})
    commands.retry(actor=ROBOT, command_ids=[ServerCommand.objects.get().pk])
    work()
    assert (state(), trading(simulator), len(told)) == (State.DONE, False, 1)
    with pytest.raises(DomainError, match="nothing to retry"):
        commands.retry(actor=ROBOT, command_ids=[ServerCommand.objects.get().pk])


def test_a_manager_who_may_not_even_look_keeps_the_wish(simulator, server):
    misbehave(simulator, "forbidden", path="/api/user/")
    push(server)
    work()
    assert state() == State.QUEUED and "lacks the right" in error()


@pytest.mark.parametrize("code", ["12 Too frequent", "11 No service", "15 Shutting down", "12004 Locked"])
def test_a_refusal_that_time_heals_is_tried_again(simulator, server, code):
    misbehave(simulator, "retcode", path=UPDATE, count=1, retcode=code)
    push(server)
    work()
    assert state() == State.QUEUED and trading(simulator)
    work(seconds=60)
    assert (state(), trading(simulator)) == (State.DONE, False)


def test_a_login_that_is_not_there(server):
    push(server, login=424242)
    work()
    assert state() == State.REFUSED and "has no login 424242" in error()


def test_a_source_of_files_takes_no_commands_and_holds_nobody_up():
    bank = connections.add(
        actor=ROBOT, entity_id=entity().pk, name="mt4", adapter="mt4_trades",
        settings={"utc_offset_minutes": "0"}, secret_values={},
    )  # fmt: skip
    push(bank)
    work()
    assert state() == State.REFUSED and "by hand" in error()


def test_a_paused_connection_keeps_the_wish(simulator, server):
    Connection.objects.update(is_active=False)
    push(server)
    work()
    assert (state(), orders(simulator)) == (State.QUEUED, 0)
    Connection.objects.update(is_active=True)
    work(seconds=60)
    assert state() == State.DONE


# It says done and it is not so; it is so and nobody says done


def test_a_forgotten_change_is_never_called_done(simulator, server, told):
    misbehave(simulator, "forget_update", count=1)
    push(server)
    work()
    assert state() == State.REFUSED
    assert error().startswith("mt5 said done, but did not store it: trading is on, wanted off")
    assert told == [] and not ServerUser.objects.exists()


def test_half_a_change_is_not_done(simulator, server):
    misbehave(simulator, "alter", field="Leverage", value="100", count=1)
    push(server, UserState(leverage=500, trading=False))
    work()
    assert state() == State.REFUSED and "leverage is 100, wanted 500" in error() and "trading" not in error()


@pytest.mark.parametrize("kind", ["drop", "hang_after", "truncated", "late"])
def test_an_answer_lost_after_the_change_is_settled_by_the_reading(simulator, server, told, kind):
    misbehave(simulator, kind, path=UPDATE, count=1, **({"seconds": 2} if kind == "late" else {}))
    push(server)
    work()
    assert (state(), orders(simulator), len(told)) == (State.DONE, 1, 1)


@pytest.mark.parametrize("kind", ["drop", "hang_after"])
def test_an_answer_lost_while_nobody_can_look_is_unknown_and_looked_up_first(simulator, server, told, kind):
    misbehave(simulator, kind, path=UPDATE, count=1)
    push(server)
    # The first look works, then the change is made, then nothing answers any more.
    down = Mt5Server.change_user

    def change_and_go_down(self, *given):
        try:
            down(self, *given)
        finally:
            misbehave(simulator, "off")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Mt5Server, "change_user", change_and_go_down)
        work()
    assert (state(), orders(simulator), trading(simulator)) == (State.UNKNOWN, 1, False)
    work(seconds=60)
    assert (state(), orders(simulator), told) == (State.UNKNOWN, 1, []), "still down: asked about, not sent"
    simulator.control.run("reset", {})
    before = len(asked(simulator, GET))
    work(seconds=7200)
    assert (state(), orders(simulator), len(told)) == (State.DONE, 1, 1)
    assert len(asked(simulator, GET)) == before + 1


def test_an_unknown_command_that_was_not_carried_out_is_sent_once_more(simulator, server):
    misbehave(simulator, "retcode", path=UPDATE, count=1, retcode="9 Timeout")
    push(server)
    work()
    assert (state(), trading(simulator), orders(simulator)) == (State.UNKNOWN, True, 1)
    work(seconds=60)
    assert (state(), orders(simulator)) == (State.QUEUED, 1)
    work(seconds=600)
    assert (state(), trading(simulator), orders(simulator)) == (State.DONE, False, 2)


@committed
def test_a_worker_killed_between_writing_and_reading_back(simulator, told):
    """Its row says SENDING; five minutes later another worker looks, and does not write again."""
    server = connect(simulator)
    push(server)
    read, write = os.pipe()

    def send_and_hang():
        change = Mt5Server.change_user

        def hang(self, *given):
            change(self, *given)
            os.write(write, b"x")
            time.sleep(60)

        Mt5Server.change_user = hang
        outbox.send_due()

    worker = start_process(send_and_hang)
    os.close(write)
    assert os.read(read, 1) == b"x", "the worker ended before it wrote"
    os.kill(worker.pid, signal.SIGKILL)
    worker.join(10)
    os.close(read)
    assert (state(), trading(simulator), orders(simulator)) == (State.SENDING, False, 1)
    assert work(seconds=240) == 0
    assert work(seconds=360) == 1
    assert (state(), orders(simulator), len(told)) == (State.DONE, 1, 1)
    assert ServerUser.objects.get().rights & 0x4


def test_a_listener_that_fails_leaves_the_command_unconfirmed(simulator, server, monkeypatch):
    monkeypatch.setattr(registry, "_confirmed", [lambda *said: 1 // 0])
    push(server)
    work()
    assert (state(), ServerUser.objects.count()) == (State.UNKNOWN, 0)
    assert not Entry.objects.filter(action="server.command_done").exists()
    monkeypatch.setattr(registry, "_confirmed", [])
    work(seconds=60)
    assert (state(), orders(simulator)) == (State.DONE, 1)


# One at a time, in order


def test_a_newer_wish_takes_the_place_of_one_that_was_not_begun(simulator, server, told):
    misbehave(simulator, "off")
    push(server, key="k1")
    work()
    push(server, UserState(trading=True, leverage=50), key="k2")
    simulator.control.run("reset", {})
    work()
    work(seconds=60)
    assert (state("k1"), state("k2")) == (State.REFUSED, State.DONE)
    assert "took its place" in error("k1")
    assert orders(simulator) == 1 and trading(simulator)
    assert [key for _, _, key, _ in told] == ["k2"]
    with pytest.raises(DomainError, match="gave way to a newer one"):
        commands.retry(actor=ROBOT, command_ids=[ServerCommand.objects.get(message__key="k1").pk])


def test_wishes_about_different_things_are_both_carried_out_in_order(simulator, server):
    misbehave(simulator, "off")
    push(server, UserState(trading=False, group="real\\test"), key="k1")
    push(server, UserState(group="real\\USD", leverage=50), key="k2")
    work()
    assert error("k2") == f"Waits for command {ServerCommand.objects.get(message__key='k1').pk} of this login."
    simulator.control.run("reset", {})
    for seconds in (60, 120):
        work(seconds=seconds)
    assert (state("k1"), state("k2")) == (State.DONE, State.DONE)
    user = simulator.store.user(LOGIN)
    assert (trading(simulator), user["Group"], user["Leverage"]) == (False, "real\\USD", "50")
    sent = list(asked(simulator, UPDATE))
    assert "Rights" in sent[0] and "Rights" not in sent[1]


def test_a_newer_wish_waits_for_an_unknown_one_and_the_unknown_one_gives_way(simulator, server):
    misbehave(simulator, "retcode", path=UPDATE, count=1, retcode="7 Network")
    push(server, key="k1")
    work()
    assert state("k1") == State.UNKNOWN
    push(server, UserState(trading=True), key="k2")
    work()
    work(seconds=60)
    assert (state("k1"), state("k2")) == (State.REFUSED, State.DONE)
    assert trading(simulator)


@committed
def test_many_workers_carry_out_the_commands_of_a_login_one_by_one(simulator):
    server = connect(simulator)
    for number in range(8):
        wanted = (
            UserState(leverage=100 + number) if number % 2 else UserState(trading=number % 4 != 0, group="real\\USD")
        )
        push(server, wanted, key=f"k{number}")
    inside, most = [], []
    change = Mt5Server.change_user

    def watched(self, *given):
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.05)
        change(self, *given)
        inside.pop()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Mt5Server, "change_user", watched)
        for hours in range(1, 12):
            moment = clock.now() + timedelta(hours=hours)

            def one(number, moment=moment):
                with clock.at(moment):
                    return outbox.send_due()

            assert all(isinstance(result, int) for result in at_once(4, one))
    assert set(Message.objects.values_list("state", flat=True)) <= {State.DONE, State.REFUSED}
    assert (state("k6"), state("k7"), max(most)) == (State.DONE, State.DONE, 1)
    user = simulator.store.user(LOGIN)
    assert (trading(simulator), user["Leverage"]) == (True, "107")
    assert list(verify.findings()) == []


def test_an_old_refused_command_is_history_once_there_is_a_newer_one(simulator, server):
    misbehave(simulator, "forbidden", path=UPDATE, count=2)
    push(server, key="k1")
    work()
    push(server, UserState(leverage=50), key="k2")
    work()
    with pytest.raises(DomainError, match="is newer"):
        commands.retry(actor=ROBOT, command_ids=[ServerCommand.objects.get(message__key="k1").pk])


# What is kept


def test_a_command_is_never_changed_and_verify_knows_a_forged_outcome(server, simulator):
    push(server)
    work()
    for statement in ("UPDATE integrations_servercommand SET login = 1", "DELETE FROM integrations_servercommand"):
        with refused("42501"), transaction.atomic():
            from django.db import connection

            connection.cursor().execute(statement)
    assert list(verify.findings()) == []
    Message.objects.update(answer={"found": {"trading": True}})
    assert [f.rule for f in verify.findings()] == ["a command that is done was read back"]
    Message.objects.update(payload={"connection": server.pk, "login": LOGIN, "wanted": {"trading": True}})
    assert {f.rule for f in verify.findings()} == {
        "a command that is done was read back", "a command says what its message carries",
    }  # fmt: skip


# Readings


def test_all_logins_are_read_and_a_second_reading_replaces_the_first(simulator, server):
    first = feeds.pull_users(actor=ROBOT, connection_id=server.pk)
    assert (first.read, first.gone, first.rejected) == (3, 0, [])
    began = FeedState.objects.get().users_read_at
    assert began is not None and all(row.read_at >= began for row in ServerUser.objects.all())
    simulator.control.run("user/edit", {"login": LOGIN, "clear": 1, "fields": {"Leverage": 5, "Group": "demo\\USD"}})
    simulator.control.run("user/delete", {"login": 5002})
    second = feeds.pull_users(actor=ROBOT, connection_id=server.pk)
    assert (second.read, second.gone) == (2, 1)
    row = ServerUser.objects.get(login=LOGIN)
    assert (row.state.enabled, row.leverage, row.group) == (False, 5, "demo\\USD"), "asked for by number"
    gone = ServerUser.objects.get(login=5002)
    assert gone.read_at < FeedState.objects.get().users_read_at


def test_a_reading_that_breaks_off_makes_nobody_look_gone(simulator, server):
    simulator.control.run("load", {"users": [{"Login": 20_000 + n, "Group": "real\\USD"} for n in range(300)]})
    feeds.pull_users(actor=ROBOT, connection_id=server.pk)
    whole = FeedState.objects.get().users_read_at
    misbehave(simulator, "spoil", path=BATCH, field="Leverage", value="many", count=1)
    odd = feeds.pull_users(actor=ROBOT, connection_id=server.pk)
    assert len(odd.rejected) == 1 and odd.gone == 1
    feed = FeedState.objects.get()
    assert feed.users_read_at == whole and "login 5001, Leverage" in feed.users_error
    misbehave(simulator, "off", path=BATCH)
    with pytest.raises(FeedFailed, match="logins of mt5 could not be read"):
        feeds.pull_users(actor=ROBOT, connection_id=server.pk)
    simulator.control.run("reset", {})
    misbehave(simulator, "retcode", path="/api/user/logins", retcode="1 Nothing")
    with pytest.raises(FeedFailed, match="an empty answer where 303 logins are known"):
        feeds.pull_users(actor=ROBOT, connection_id=server.pk)
    assert FeedState.objects.get().users_read_at == whole
    simulator.control.run("reset", {})
    feeds.pull_users(actor=ROBOT, connection_id=server.pk)
    feed = FeedState.objects.get()
    assert feed.users_read_at > whole and feed.users_error == ""


def test_an_answer_that_was_overtaken_replaces_nothing(server):
    now = clock.now()
    new = User(login=1, rights=1, group="new\\g", leverage=30, currency="USD")
    old = User(login=1, rights=5, group="old\\g", leverage=10, currency="USD")
    keep_users(connection=server, users=[new], asked_at=now)
    keep_users(connection=server, users=[old], asked_at=now - timedelta(milliseconds=1))
    assert ServerUser.objects.get().record == new
    keep_users(connection=server, users=[old], asked_at=now + timedelta(milliseconds=1))
    assert ServerUser.objects.get().record == old


# The page


def test_commands_are_listed_and_a_person_with_the_permission_retries(simulator, server):
    misbehave(simulator, "forbidden", path=UPDATE, count=2)
    push(server)
    work()
    command = ServerCommand.objects.get()
    client = Client()
    here = (entity(),)
    client.force_login(user("mara", "integrations.view_servercommand", entities=here))
    page = client.get(reverse("server-commands"))
    assert page.status_code == 200 and "refused" in page.content.decode() and "trading off" in page.content.decode()
    assert client.post(reverse("retry-commands"), {"ids": [command.pk]}).status_code == 403
    client.force_login(
        user("pat", "integrations.view_servercommand", "integrations.retry_servercommand", entities=here)
    )
    assert client.post(reverse("retry-commands"), {"ids": [command.pk]}).status_code == 303
    assert state() == State.QUEUED
    simulator.control.run("reset", {})
    work()
    assert state() == State.DONE
    assert client.post(reverse("retry-commands"), {"ids": [command.pk]}).status_code == 422
    assert Entry.objects.get(action="server.command_retried").actor_label == "Pat"
