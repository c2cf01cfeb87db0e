"""Balance operations at a trade server that hangs up, answers nonsense, forgets, books late or twice: none is lost,
none is ordered twice, and only what provably was not booked is sent again."""

from __future__ import annotations

import json
import os
import time
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection as database
from django.db import transaction

from backoffice.audit.models import Entry
from backoffice.kernel import clock
from backoffice.kernel.errors import DomainError
from backoffice.outbox import services as outbox
from backoffice.outbox.models import Message, State
from backoffice.outbox.services import KeyReused
from integrations import registry
from integrations.adapters.mt5_webapi.adapter import Mt5Server
from integrations.models import Connection, ServerOperation
from integrations.records import DealKind
from integrations.selectors import verify
from integrations.services import connections, feeds, operations
from integrations.services.operations import BadOperation, CannotRetry
from tests import mt5_world
from tests.attacks import at_once, refused, start_process
from tests.builders import ROBOT, entity
from tests.mt5_world import LOGIN, MANAGER, PASSWORD, asked, misbehave, running

pytestmark = pytest.mark.django_db
committed = pytest.mark.django_db(transaction=True)
PATH = "/api/trade/balance"
NOW = datetime.fromisoformat(mt5_world.NOW_UTC)
LATER = 200  # seconds after which a lost order cannot be carried out any more: 1 s time limit, 2 min on top


class Desk:
    """A server, our books of it, and a clock that both go by."""

    def __init__(self, simulator, **settings):
        self.simulator = simulator
        given = {"base_url": simulator.url, "login": MANAGER, "groups": "real\\*,!real\\test", "timeout_seconds": "1"}
        self.connection = connections.add(
            actor=ROBOT, entity_id=entity().pk, name="mt5", adapter="mt5_webapi",
            settings={**given, **settings}, secret_values={"password": PASSWORD},
        )  # fmt: skip
        self.heard = []

    def ask(self, amount="100", key="k1", login=LOGIN, reference="D-00000001", kind=DealKind.BALANCE, text="Deposit"):
        with transaction.atomic():
            return operations.operate(
                actor=ROBOT, connection_id=self.connection.pk, login=login, kind=kind, amount=Decimal(amount),
                reference=reference, text=text, key=key,
            )  # fmt: skip

    def work(self, seconds=0):
        """The worker's round, some seconds after ten o'clock; the server's clock shows the same."""
        moment = NOW + timedelta(seconds=seconds)
        self.simulator.control.run("clock", {"now": moment.isoformat()})
        with clock.at(moment):
            return outbox.send_due()

    def deals(self, login=LOGIN):
        return [deal for deal in _deals(self.simulator, login) if deal["Action"] == "2"]

    def orders(self):
        return len(asked(self.simulator, PATH))


def _deals(simulator, login):
    return [json.loads(text) for text in simulator.store.deals_of_logins([login], 0, 2**40)]


@pytest.fixture
def simulator():
    with running() as simulator:
        yield simulator


@pytest.fixture
def desk(simulator, monkeypatch):
    with clock.at(NOW):
        desk = Desk(simulator)
        monkeypatch.setattr(registry, "_operated", [lambda *said: desk.heard.append(said)])
        yield desk


def row(key="k1"):
    return ServerOperation.objects.select_related("message").get(key=key)


def state(key="k1"):
    found = row(key)
    return found.state, found.message.state


# The way it should go


def test_an_operation_is_booked_once_with_our_reference_first(desk, simulator):
    operation = desk.ask("250.5", text="Deposit by card ending in 4242")
    assert (state(), desk.orders()) == (("OPEN", State.QUEUED), 0), "nothing leaves within the transaction"
    assert desk.work() == 1
    (deal,) = desk.deals()
    assert (deal["Profit"], deal["Comment"]) == ("250.50", "D-00000001 Deposit by card endi")
    assert len(deal["Comment"]) <= 31 and row().comment == deal["Comment"].rstrip()
    assert state() == ("DONE", State.DONE) and row().ticket == int(deal["Deal"])
    assert desk.heard == [("k1", "DONE", int(deal["Deal"]), "")]
    assert desk.work(7200) == 0 and desk.orders() == 1
    actions = Entry.objects.filter(target=f"integrations.serveroperation:{operation.pk}").order_by("pk")
    assert list(actions.values_list("action", flat=True)) == ["server.operation_asked", "server.operation_done"]
    assert list(verify.findings()) == []


def test_the_same_key_is_the_same_promise(desk):
    first = desk.ask("100")
    assert desk.ask("100.00").pk == first.pk, "the same amount in another spelling"
    for other in ({"amount": "101"}, {"login": 5002}, {"kind": DealKind.CREDIT}, {"text": "other"}):
        with pytest.raises(KeyReused):
            desk.ask(**{"amount": "100", **other})
    desk.work()
    assert desk.ask("100").ticket == row().ticket and desk.work() == 0 and len(desk.deals()) == 1


@pytest.mark.parametrize(
    ("kind", "action"),
    [("BALANCE", "2"), ("CREDIT", "3"), ("CHARGE", "4"), ("CORRECTION", "5"), ("BONUS", "6")],
)
def test_each_kind_is_booked_as_what_it_is(desk, simulator, kind, action):
    desk.ask("10", kind=DealKind(kind))
    desk.work()
    assert [deal["Action"] for deal in _deals(simulator, LOGIN)] == [action]
    assert state() == ("DONE", State.DONE)


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": "0"}, {"amount": "1000000000.01"}, {"reference": "D-1"}, {"reference": "d-00000001"},
        {"kind": DealKind.TRADE}, {"kind": DealKind.COMMISSION},
    ],
)  # fmt: skip
def test_what_no_server_could_book_as_meant_is_refused_at_once(desk, wrong):
    with pytest.raises(BadOperation):
        desk.ask(**wrong)
    assert not Message.objects.exists()


def test_an_amount_finer_than_the_currency_is_refused(desk, simulator):
    feeds.pull_users(actor=ROBOT, connection_id=desk.connection.pk)
    with pytest.raises(BadOperation, match="more decimal places than USD"):
        desk.ask("10.001")
    with pytest.raises(BadOperation, match="more decimal places than JPY"):
        desk.ask("10.5", login=5003)
    assert desk.ask("10", login=5003).currency == "JPY"


def test_an_amount_whose_currency_shows_only_at_the_server_is_refused_there(desk):
    desk.ask("10.5", login=5003)
    desk.work()
    assert state() == ("REFUSED", State.REFUSED) and desk.orders() == 0
    assert "more decimal places than JPY" in row().message.error


# The server says no


@pytest.mark.parametrize(
    ("retcode", "words"),
    [
        ("10019 No money", "less balance, credit or free margin"), ("4005 Money limit", "split it"),
        ("3 Invalid parameters", "does not take this login"), ("8 Not enough permissions", "lacks a right"),
    ],
)  # fmt: skip
def test_a_refusal_is_final_and_says_what_to_do(desk, simulator, retcode, words):
    misbehave(simulator, "retcode", path=PATH, retcode=retcode)
    desk.ask("-50", reference="W-00000001")
    desk.work()
    assert state() == ("REFUSED", State.REFUSED)
    assert words in row().message.error and row().message.error.endswith("Nothing was booked.")
    assert desk.heard == [("k1", "REFUSED", None, row().message.error)]
    assert desk.work(90_000) == 0 and desk.deals() == []
    with pytest.raises(CannotRetry, match="refused"):
        operations.retry(actor=ROBOT, operation_ids=[row().pk])


def test_a_withdrawal_above_the_free_margin_is_refused_by_the_server_itself(desk, simulator):
    mt5_world.add(simulator, mt5_world.deposit(mt5_world.NOW - 3600, "100"))
    simulator.control.run("account", {"login": LOGIN, "floating": "-30", "margin": "20"})
    desk.ask("-50.01", reference="W-00000001")
    desk.ask("-50", key="k2", reference="W-00000002")
    desk.work()
    assert (state("k1"), state("k2")) == (("REFUSED", State.REFUSED), ("DONE", State.DONE))


@pytest.mark.parametrize("code", ["12 Too frequent", "11 No service", "15 Shutdown", "1018 Busy", "12004 Locked"])
def test_not_now_waits_and_is_sent_again(desk, simulator, code):
    misbehave(simulator, "retcode", path=PATH, count=1, retcode=code)
    desk.ask()
    desk.work()
    assert state() == ("OPEN", State.QUEUED) and desk.heard == []
    desk.work(60)
    assert state() == ("DONE", State.DONE) and len(desk.deals()) == 1


def test_a_login_that_is_not_there_and_a_currency_that_changed(desk, simulator):
    feeds.pull_users(actor=ROBOT, connection_id=desk.connection.pk)
    desk.ask(login=424242)
    desk.ask(key="k2", login=5002)
    simulator.control.run("user/edit", {"login": 5002, "fields": {"Group": "real\\JPY"}})
    desk.work()
    assert "has no login 424242" in row().message.error
    assert "is in JPY now, not in USD" in row("k2").message.error
    assert desk.orders() == 0


def test_a_source_of_files_and_a_paused_connection(desk):
    Connection.objects.update(adapter="mt4_trades")
    desk.ask()
    desk.work()
    assert state() == ("REFUSED", State.REFUSED) and "by hand" in row().message.error
    Connection.objects.update(adapter="mt5_webapi", is_active=False)
    desk.ask(key="k2")
    desk.work()
    assert state("k2") == ("OPEN", State.QUEUED) and desk.orders() == 0


# The answer is lost


LOST = ["drop", "hang_after", "truncated", "error_after"]


@pytest.mark.parametrize("kind", LOST)
def test_booked_and_the_answer_lost_is_found_again_and_never_sent_twice(desk, simulator, kind):
    misbehave(simulator, kind, path=PATH, count=1)
    desk.ask("75", reference="W-0000000A", text="x" * 60)
    desk.work()
    assert (state(), desk.heard, len(desk.deals())) == (("OPEN", State.UNKNOWN), [], 1)
    desk.work(6)
    assert state() == ("DONE", State.DONE) and row().ticket == int(desk.deals()[0]["Deal"])
    assert (desk.orders(), row().duplicates, row().message.error) == (1, [], "")
    assert [said[:2] for said in desk.heard] == [("k1", "DONE")]


@pytest.mark.parametrize("kind", ["hang_before", "error_before"])
def test_not_booked_and_the_answer_lost_is_sent_again_only_when_that_is_proved(desk, simulator, kind):
    misbehave(simulator, kind, path=PATH, count=1)
    desk.ask("75")
    desk.work()
    for seconds in (10, 60, 120):
        desk.work(seconds)
        assert state() == ("OPEN", State.UNKNOWN) and "may still be carried out" in row().message.error
    assert desk.orders() == 1
    desk.work(LATER + 600)
    assert (state(), desk.orders(), len(desk.deals())) == (("DONE", State.DONE), 2, 1)


def test_a_server_whose_clock_stands_still_proves_nothing(desk, simulator):
    misbehave(simulator, "hang_before", path=PATH, count=1)
    desk.ask()
    desk.work()
    for hours in (1, 5, 20):
        with clock.at(NOW + timedelta(hours=hours)):
            outbox.send_due()
        assert state() == ("OPEN", State.UNKNOWN)
    assert desk.orders() == 1


def test_booked_after_the_first_look_is_found_by_a_later_one(desk, simulator):
    """The order sat in a queue on the way: it is carried out a minute after we gave up waiting."""
    misbehave(simulator, "hang_before", path=PATH, count=1)
    desk.ask("75")
    desk.work()
    desk.work(10)
    assert state() == ("OPEN", State.UNKNOWN)
    mt5_world.add(simulator, mt5_world.deposit(mt5_world.NOW + 60, "75", Comment="D-00000001 Deposit"))
    desk.work(LATER + 600)
    assert (state(), desk.orders(), len(desk.deals())) == (("DONE", State.DONE), 1, 1)


def test_booked_twice_is_done_with_a_warning_that_names_both(desk, simulator):
    misbehave(simulator, "book_twice", path=PATH, count=1)
    misbehave(simulator, "drop", path=PATH, count=1)
    desk.ask("75")
    desk.work()
    desk.work(10)
    first, second = (int(deal["Deal"]) for deal in desk.deals())
    found = row()
    assert (found.state, found.ticket, found.duplicates) == ("DONE", first, [second])
    assert f"booked it 2 times: deals {first}, {second}" in found.message.error
    assert desk.heard == [("k1", "DONE", first, found.message.error)]
    # A second, wanted operation with the same reference is not taken for the duplicate.
    misbehave(simulator, "hang_before", path=PATH, count=1)
    desk.ask("75", key="k2")
    desk.work(20)
    desk.work(60)
    assert state("k2") == ("OPEN", State.UNKNOWN)


@pytest.mark.parametrize(
    "other",
    [
        {"Comment": "D-00000001X Deposit"}, {"Comment": "D-00000002 Deposit"}, {"Comment": "Deposit D-00000001"},
        {"Profit": "75.01"}, {"Profit": "-75"}, {"Action": 5}, {"Login": 5002},
    ],
)  # fmt: skip
def test_only_the_same_reference_kind_amount_and_login_count(desk, simulator, other):
    misbehave(simulator, "hang_before", path=PATH, count=1)
    desk.ask("75")
    mt5_world.add(simulator, mt5_world.deposit(mt5_world.NOW, "75", **{"Comment": "D-00000001 x", **other}))
    desk.work()
    desk.work(10)
    assert state() == ("OPEN", State.UNKNOWN)


def test_a_forgotten_booking_is_not_called_done(desk, simulator):
    misbehave(simulator, "forget_balance", count=1)
    desk.ask("75")
    desk.work()
    assert state() == ("OPEN", State.UNKNOWN) and "has no such deal" in row().message.error
    desk.work(LATER)
    desk.work(2 * LATER)
    assert state() == ("DONE", State.DONE) and len(desk.deals()) == 1


@pytest.mark.parametrize(
    "code", ["7 Network", "9 Timeout", "10 No connection", "17 Duplicate", "4006 Deal exists", "14 Part"]
)
def test_codes_that_leave_it_open_are_looked_up(desk, simulator, code):
    misbehave(simulator, "retcode", path=PATH, count=1, retcode=code)
    desk.ask()
    desk.work()
    assert state() == ("OPEN", State.UNKNOWN)


def test_an_answer_without_a_ticket_is_no_answer(desk, simulator):
    misbehave(simulator, "spoil", path=PATH, field="ticket", value="soon", count=1)
    desk.ask()
    desk.work()
    assert state() == ("OPEN", State.UNKNOWN)
    desk.work(10)
    assert state() == ("DONE", State.DONE) and desk.orders() == 1


def test_a_refusal_of_the_second_order_does_not_prove_that_the_first_booked_nothing(desk, simulator):
    """All of the balance was taken by the first order, which a proxy held back longer than anything allows for."""
    mt5_world.add(simulator, mt5_world.deposit(mt5_world.NOW - 3600, "75"))
    misbehave(simulator, "hang_before", path=PATH, count=1)
    desk.ask("-75", reference="W-00000001")
    desk.work()
    asked_once = Mt5Server.user

    def booked_meanwhile(self, login):
        if len(desk.deals()) == 1:
            mt5_world.add(simulator, mt5_world.deposit(mt5_world.NOW + 700, "-75", Comment="W-00000001 Deposit"))
        return asked_once(self, login)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Mt5Server, "user", booked_meanwhile)
        desk.work(LATER + 600)
    assert state() == ("DONE", State.DONE) and [deal["Profit"] for deal in desk.deals()] == ["75.00", "-75.00"]


# The look-up itself goes wrong


@pytest.mark.parametrize(
    ("kind", "order", "words"),
    [
        ("spoil", {"path": "/api/deal/get_page", "field": "Profit", "value": "lots"}, "cannot be read"),
        ("off", {"path": "/api/deal/"}, "connection ended"),
        ("retcode", {"path": "/api/deal/get_total", "retcode": "8 No"}, "lacks a right"),
        ("truncated", {"path": "/api/deal/get_page"}, "cut off"),
    ],
)
def test_a_look_up_that_fails_proves_nothing(desk, simulator, kind, order, words):
    mt5_world.add(simulator, mt5_world.deposit(mt5_world.NOW - 60, "5"))
    misbehave(simulator, "hang_before", path=PATH, count=1)
    desk.ask("75")
    desk.work()
    misbehave(simulator, kind, **order)
    for seconds in (LATER, LATER + 3600, LATER + 90_000):
        desk.work(seconds)
        assert state() == ("OPEN", State.UNKNOWN) and words in row().message.error
    assert desk.orders() == 1


def test_a_list_without_a_deal_we_know_is_not_whole(desk, simulator):
    (known,) = mt5_world.add(simulator, mt5_world.deposit(mt5_world.NOW - 60, "5"))
    feeds.pull(actor=ROBOT, connection_id=desk.connection.pk)
    misbehave(simulator, "hang_before", path=PATH, count=1)
    desk.ask("75")
    desk.work()
    simulator.control.run("deal/delete", {"ticket": known})
    desk.work(LATER)
    assert state() == ("OPEN", State.UNKNOWN) and f"deal {known} is missing" in row().message.error
    with clock.at(NOW + timedelta(seconds=LATER)):
        feeds.pull(actor=ROBOT, connection_id=desk.connection.pk)
    desk.work(LATER + 700)
    assert state() == ("DONE", State.DONE), "the feed has seen that it was deleted"


@pytest.mark.parametrize("zone", [-300, 0, 120, 600])
@pytest.mark.parametrize("in_utc", [False, True])
def test_the_deal_is_found_whatever_the_server_takes_query_times_for(desk, simulator, zone, in_utc):
    simulator.control.run("clock", {"time_zone": zone, "queries_in_utc": in_utc})
    misbehave(simulator, "drop", path=PATH, count=1)
    desk.ask("75")
    desk.work()
    desk.work(10)
    assert state() == ("DONE", State.DONE) and desk.orders() == 1


def test_it_is_found_among_hundreds_of_deals(desk, simulator):
    mt5_world.add(simulator, *(mt5_world.trade(mt5_world.NOW - 3600 + n) for n in range(450)))
    misbehave(simulator, "drop", path=PATH, count=1)
    desk.ask("75")
    desk.work()
    desk.work(10)
    assert state() == ("DONE", State.DONE)


# Workers that die, stall and meet


@committed
@pytest.mark.parametrize("before", [True, False])
def test_a_worker_killed_around_the_order(simulator, monkeypatch, before):
    monkeypatch.setattr(registry, "_operated", [])
    with clock.at(NOW):
        desk = Desk(simulator)
        desk.ask("75")
    read, write = os.pipe()

    def send_and_hang():
        order = Mt5Server.balance

        def hang(self, **given):
            if not before:
                order(self, **given)
            os.write(write, b"x")
            time.sleep(60)

        Mt5Server.balance = hang
        with clock.at(NOW):
            outbox.send_due()

    worker = start_process(send_and_hang)
    os.read(read, 1)
    worker.kill()
    worker.join(10)
    os.close(read)
    assert (state(), desk.orders()) == (("OPEN", State.SENDING), 0 if before else 1)
    assert desk.work(240) == 0
    assert desk.work(360) >= 1
    desk.work(4000)
    assert state() == ("DONE", State.DONE) and len(desk.deals()) == 1 and desk.orders() == 1
    assert list(verify.findings()) == []


def test_a_worker_that_stalled_before_the_order_leaves_it_to_those_who_took_over(desk, simulator):
    desk.ask("75")
    with clock.at(NOW):
        assert outbox._take() is not None
    with clock.at(NOW + timedelta(minutes=6)):
        outcome = operations.BalanceSender().send(key="k1", payload={})
    assert outcome.state == State.UNKNOWN and "too late" in outcome.error and desk.orders() == 0
    assert row().sent_at is None
    desk.work(360)
    desk.work(720)
    assert state() == ("DONE", State.DONE) and desk.orders() == 1


@committed
def test_many_workers_book_each_operation_once(simulator, monkeypatch):
    monkeypatch.setattr(registry, "_operated", [])
    with clock.at(NOW):
        desk = Desk(simulator)
        for number in range(24):
            desk.ask("10", key=f"k{number}", reference=f"D-{number:08d}")

    def one(number):
        with clock.at(NOW + timedelta(seconds=1)):
            return outbox.send_due()

    assert sum(at_once(4, one)) == 24
    assert set(ServerOperation.objects.values_list("state", flat=True)) == {"DONE"}
    assert len(desk.deals()) == 24 and len({deal["Comment"] for deal in desk.deals()}) == 24


def test_a_listener_that_fails_leaves_it_to_be_looked_up(desk, monkeypatch):
    monkeypatch.setattr(registry, "_operated", [lambda *said: 1 // 0])
    desk.ask("75")
    desk.work()
    assert state() == ("OPEN", State.UNKNOWN) and row().ticket is None
    monkeypatch.setattr(registry, "_operated", [])
    desk.work(10)
    assert state() == ("DONE", State.DONE) and desk.orders() == 1


def test_two_that_look_alike_at_the_server_are_not_open_together(desk):
    desk.ask("75")
    with pytest.raises(BadOperation, match="being booked on login 5001 already"):
        desk.ask("75", key="k2")
    desk.work()
    desk.ask("75", key="k2")
    desk.work(1)
    assert len(desk.deals()) == 2 and row("k1").ticket != row("k2").ticket


def test_an_open_one_is_tried_now_by_a_person(desk, simulator):
    misbehave(simulator, "off")
    desk.ask()
    desk.work()
    desk.work(10)
    simulator.control.run("reset", {})
    assert desk.work(11) == 0, "its pause is not over"
    with clock.at(NOW + timedelta(seconds=12)):
        operations.retry(actor=ROBOT, operation_ids=[row().pk])
    assert desk.work(12) == 1 and state() == ("DONE", State.DONE)
    with pytest.raises(DomainError, match="done"):
        operations.retry(actor=ROBOT, operation_ids=[row().pk])
    assert Entry.objects.filter(action="server.operation_retried").count() == 1


# What PostgreSQL keeps


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE integrations_serveroperation SET amount = 1", "BO085"),
        ("UPDATE integrations_serveroperation SET login = 7", "BO085"),
        ("UPDATE integrations_serveroperation SET key = 'other'", "BO085"),
        ("UPDATE integrations_serveroperation SET state = 'DONE', sent_at = now()", "23514"),
        ("UPDATE integrations_serveroperation SET ticket = 7", "23514"),
        ("UPDATE integrations_serveroperation SET state = 'DONE', ticket = 7", "BO085"),
        ("DELETE FROM integrations_serveroperation", "42501"),
    ],
)
def test_an_open_operation_cannot_be_forged(desk, statement, code):
    desk.ask()
    with refused(code), database.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize(
    "change", ["state = 'OPEN', ticket = NULL", "ticket = 7", "duplicates = '[1]'", "sent_at = now()"]
)
def test_an_outcome_stands(desk, change):
    desk.ask()
    desk.work()
    with refused("BO085"), database.cursor() as cursor:
        cursor.execute(f"UPDATE integrations_serveroperation SET {change}")


def test_a_second_operation_with_the_same_key_or_ticket_is_refused(desk):
    desk.ask()
    desk.ask("5", key="k2", reference="D-00000002")
    desk.work()
    ticket = row("k1").ticket
    copy = (
        "INSERT INTO integrations_serveroperation (entity_id, connection_id, login, kind, amount, currency, reference,"
        " comment, key, message_id, state, ticket, duplicates, asked_at) SELECT entity_id, connection_id, login, kind,"
        " amount, currency, reference, comment, {key}, message_id, {state}, {ticket}, duplicates, asked_at"
        " FROM integrations_serveroperation WHERE key = 'k1'"
    )
    for values in (
        {"key": "key", "state": "'OPEN'", "ticket": "NULL"},
        {"key": "'k3'", "state": "'DONE'", "ticket": str(ticket)},
    ):
        with refused("23505", "BO085"), database.cursor() as cursor:
            cursor.execute(copy.format(**values))


def test_verify_knows_an_operation_that_its_message_denies(desk):
    desk.ask()
    desk.work()
    Message.objects.update(state=State.QUEUED)
    assert [found.rule for found in verify.findings()] == ["an operation is as settled as its message"]
    Message.objects.update(state=State.DONE, answer={"ticket": 99, "duplicates": []})
    assert [found.rule for found in verify.findings()] == ["an operation that is done has its message's ticket"]
