"""Promises to the outside: kept once, asked about when in doubt, found again when a wake-up or a worker is lost."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core import mail
from django.db import transaction

from backoffice.kernel import clock, jobs
from backoffice.outbox import registry, services
from backoffice.outbox.models import Message, State
from backoffice.outbox.registry import Outcome
from tests.attacks import at_once, only_changed, start_process

pytestmark = pytest.mark.django_db
committed = pytest.mark.django_db(transaction=True)
DONE = Outcome(State.DONE, {"id": "r-1"})


class Recorder:
    """A sender whose other side answers what the test says, and that remembers what it was called with."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.asked: list[str] = []
        self.on_send: Callable[[], Outcome] = lambda: DONE
        self.on_ask: Callable[[], Outcome] = lambda: DONE

    def send(self, *, key: str, payload: Mapping[str, Any]) -> Outcome:
        self.sent.append(key)
        return self.on_send()

    def ask(self, *, key: str, payload: Mapping[str, Any]) -> Outcome:
        self.asked.append(key)
        return self.on_ask()


@pytest.fixture
def sender(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    found = Recorder()
    monkeypatch.setitem(registry._senders, "test", found)
    return found


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every wake-up is lost, as with a broker that is down; what was tried is kept."""
    tried: list[str] = []

    class Down:
        tasks = jobs.current_app.tasks

        def send_task(self, name: str, **_: Any) -> None:
            tried.append(name)
            raise ConnectionError("no broker")

    monkeypatch.setattr(jobs, "current_app", Down())
    return tried


def enqueue(key: str = "k", **payload: Any) -> Message:
    with transaction.atomic():
        return services.enqueue(kind="test", key=key, payload=payload or {"amount": Decimal("1.50")})


def row(key: str = "k") -> Message:
    return Message.objects.get(key=key)


def later(**delta: float) -> datetime:
    return clock.now() + timedelta(**delta)


def calls_down() -> Outcome:
    raise TimeoutError("the line is dead")


# Enqueueing


def test_the_same_promise_twice_is_one(sender: Recorder) -> None:
    first = enqueue()
    with only_changed():
        assert enqueue(amount=Decimal("1.50")).pk == first.pk
    assert services.send_due() == 1
    with only_changed():
        assert enqueue().pk == first.pk
        assert services.send_due() == 0
    assert sender.sent == ["k"]


def test_a_key_that_means_something_else_is_refused(sender: Recorder) -> None:
    enqueue()
    with only_changed():
        with pytest.raises(services.KeyReused):
            enqueue(amount=Decimal("1.51"))
        with pytest.raises(services.KeyReused), transaction.atomic():
            services.enqueue(kind="mail", key="k", payload={"amount": Decimal("1.50")})


@committed
def test_twenty_promises_of_one_key_at_once_are_one(sender: Recorder) -> None:
    results = at_once(20, lambda number: enqueue().pk)
    assert len(set(results)) == 1, results
    results = at_once(20, lambda number: enqueue("other", number=number % 2).payload["number"])
    assert sum(isinstance(result, services.KeyReused) for result in results) == 10, results
    assert Message.objects.count() == 2


@committed
def test_a_promise_is_made_with_its_reason_or_not_at_all(sender: Recorder, no_broker: list[str]) -> None:
    with only_changed():
        with pytest.raises(AssertionError, match="transaction"):
            services.enqueue(kind="test", key="k", payload={})
        with pytest.raises(AssertionError, match="nobody sends"), transaction.atomic():
            services.enqueue(kind="unheard of", key="k", payload={})
        with pytest.raises(ValueError), transaction.atomic():
            services.enqueue(kind="test", key="k", payload={})
            raise ValueError
    assert no_broker == []


@committed
def test_a_lost_wake_up_is_found_by_the_sweeper(sender: Recorder, no_broker: list[str]) -> None:
    enqueue()
    assert no_broker == [services.WAKE]
    assert (row().state, sender.sent) == (State.QUEUED, [])
    assert services.send_due() == 1
    assert (row().state, sender.sent) == (State.DONE, ["k"])


# Sending


def test_what_is_done_or_refused_is_final(sender: Recorder) -> None:
    enqueue()
    assert services.send_due() == 1
    sender.on_send = lambda: Outcome(State.REFUSED, {"code": "51"}, "not enough money")
    enqueue("refused")
    assert services.send_due() == 1
    assert (row().state, row().answer, row().finished_at is None) == (State.DONE, {"id": "r-1"}, False)
    refused = row("refused")
    assert (refused.state, refused.answer, refused.error) == (State.REFUSED, {"code": "51"}, "not enough money")
    for days in (1, 10, 1000):
        with clock.at(later(days=days)), only_changed():
            assert services.send_due() == 0
    assert (sender.sent, sender.asked) == (["k", "refused"], [])


def test_what_raised_is_asked_about_and_never_sent_again(sender: Recorder) -> None:
    sender.on_send = calls_down
    sender.on_ask = calls_down
    enqueue()
    assert services.send_due() == 1
    assert (row().state, row().error) == (State.UNKNOWN, "TimeoutError: the line is dead")
    assert services.send_due() == 0  # not before it is due again
    waited: list[float] = []
    for number in range(1, 9):
        due = row().due_at
        waited.append((due - row().taken_at).total_seconds())
        with clock.at(due - timedelta(milliseconds=1)):
            assert services.send_due() == 0
        with clock.at(due):
            assert services.send_due() == 1
        assert (row().state, len(sender.asked)) == (State.UNKNOWN, number)
    assert waited == [5, 30, 120, 600, 3600, 3600, 3600, 3600]
    sender.on_ask = lambda: DONE
    with clock.at(row().due_at):
        assert services.send_due() == 1
    assert (row().state, sender.sent) == (State.DONE, ["k"])


def test_only_what_provably_did_not_happen_is_sent_again(sender: Recorder) -> None:
    sender.on_send = calls_down
    sender.on_ask = lambda: Outcome(State.QUEUED)
    enqueue()
    services.send_due()
    with clock.at(later(minutes=1)):
        assert services.send_due() == 1
        assert (row().state, sender.sent, sender.asked) == (State.QUEUED, ["k"], ["k"])
    sender.on_send = lambda: DONE
    with clock.at(later(hours=2)):
        assert services.send_due() == 1
    assert (row().state, sender.sent, sender.asked) == (State.DONE, ["k", "k"], ["k"])


def test_a_kind_nobody_sends_any_more_stops_nobody_else(sender: Recorder) -> None:
    now = clock.now()
    Message.objects.create(kind="gone", key="gone", payload={}, created_at=now, due_at=now - timedelta(hours=1))
    enqueue()
    assert services.send_due() == 2
    assert (row("gone").state, row("gone").error, row().state) == (State.QUEUED, "Nobody sends gone here.", State.DONE)


def test_a_mail_carries_its_key(sender: Recorder) -> None:
    with transaction.atomic():
        services.enqueue(kind="mail", key="m1", payload={"to": ["a@example.com"], "subject": "s", "body": "b"})
    assert services.send_due() == 1
    assert [m.extra_headers["Message-ID"] for m in mail.outbox] == ["<m1@backoffice>"]


# Workers that die or come back late


@committed
def test_a_worker_killed_while_sending_leaves_a_question_and_no_second_payment(sender: Recorder) -> None:
    read, write = os.pipe()

    def send_and_hang() -> None:
        def hang() -> Outcome:
            os.write(write, b"x")
            time.sleep(60)
            return DONE

        sender.on_send = hang
        services.send_due()

    enqueue()
    worker = start_process(send_and_hang)
    os.close(write)
    assert os.read(read, 1) == b"x", "the worker ended before it called the other side"
    os.kill(worker.pid, signal.SIGKILL)
    worker.join(10)
    os.close(read)
    assert (row().state, row().attempts) == (State.SENDING, 1)
    with clock.at(later(minutes=4)), only_changed():
        assert services.send_due() == 0
    with clock.at(later(minutes=6)):
        assert services.send_due() == 1
    assert (row().state, sender.sent, sender.asked) == (State.DONE, [], ["k"])


def test_a_worker_that_comes_back_late_changes_nothing(sender: Recorder) -> None:
    """It was given up for lost, and its message is being asked about by somebody else."""

    def slow() -> Outcome:
        with clock.at(later(minutes=6)):
            assert services.recover() == 1
        return Outcome(State.REFUSED)

    sender.on_send = slow
    enqueue()
    assert services.send_due(limit=1) == 1
    assert row().state == State.UNKNOWN
    with clock.at(later(hours=1)):
        assert services.send_due() == 1
    assert (row().state, sender.sent, sender.asked) == (State.DONE, ["k"], ["k"])


@committed
def test_parallel_sweepers_take_each_message_once(sender: Recorder) -> None:
    keys = [f"k{number}" for number in range(60)]
    for key in keys:
        enqueue(key)
    sender.on_send = lambda: time.sleep(0.002) or DONE
    results = at_once(4, lambda number: services.send_due())
    assert sum(results) == 60, results
    assert sum(1 for result in results if result) > 1, "only one sweeper worked"
    assert sorted(sender.sent) == sorted(keys)
    assert Message.objects.filter(state=State.DONE, attempts=1).count() == 60
