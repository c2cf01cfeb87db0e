"""The MT5 simulator behind the protocol: orders, misbehaviour, restart, size, command line."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from integrations.simulators.mt5_webapi import Simulator
from integrations.simulators.mt5_webapi.errors import BadRequest
from integrations.simulators.mt5_webapi.faults import KINDS
from tests.mt5_world import MANAGER, NOW, PASSWORD, Session, add, balance, deposit, misbehave, running, state, trade


@pytest.fixture
def simulator():
    with running() as simulator:
        yield simulator


@pytest.fixture
def session(simulator):
    session = Session(simulator)
    yield session
    session.link.close()


# The control interface.


def order(simulator, name, request, **headers):
    link = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=5)
    body = request if isinstance(request, str) else json.dumps(request)
    link.request("POST", f"/sim/{name}", body=body, headers={"Content-Type": "application/json", **headers})
    response = link.getresponse()
    status, text = response.status, json.loads(response.read())
    link.close()
    return status, text


def test_orders_over_http(simulator):
    assert order(simulator, "load", {"deals": [trade(NOW), trade(NOW)]}) == (200, {"tickets": [1, 2]})
    assert order(simulator, "deal/add", trade(NOW)) == (200, {"ticket": 3})
    assert order(simulator, "deal/edit", {"ticket": 3, "fields": {"Price": "1.1"}}) == (200, {})
    assert order(simulator, "deal/delete", {"ticket": 1}) == (200, {})
    assert order(simulator, "fault", {"kind": "slow", "count": 1}) == (200, {})
    assert order(simulator, "reset", {}) == (200, {})
    status, found = order(simulator, "state", {})
    assert (status, found["users"], found["deals"], found["wall_milliseconds"]) == (200, 5, 2, NOW * 1000)


@pytest.mark.parametrize(
    ("name", "request_", "words"),
    [
        ("nothing", {}, "is not one of"),
        ("load", "[]", "JSON object"),
        ("load", "{", "Expecting"),
        ("load", {"deals": [trade(NOW), trade(NOW, Login=99)]}, "no account 99"),
        ("load", {"deals": [trade(NOW), trade(NOW, Swap="1")]}, "no field Swap"),
        ("load", {"deals": [trade(NOW), trade(NOW, Profit="NaN")]}, "Profit"),
        ("load", {"deals": [trade(NOW, Deal=7), trade(NOW, Deal=7)]}, "exists already"),
        ("load", {"deals": [trade(NOW)], "users": [{"Login": 9, "Group": "gone"}]}, "gone"),
        ("deal/edit", {"ticket": 99, "fields": {}}, "no deal 99"),
        ("deal/delete", {}, "ticket"),
        ("fault", {"kind": "mean"}, "is not one of"),
        ("storm", {"seed": 1, "shares": {"earthquake": 0.1}}, "earthquake"),
        ("storm", {"seed": 1, "shares": {"drop": 0.6, "off": 0.6}}, "at most 1"),
        ("clock", {"now": "2026-11-20T10:00:00"}, "needs a zone"),
    ],
)
def test_orders_that_cannot_be_done_change_nothing(simulator, name, request_, words):
    status, text = order(simulator, name, request_)
    assert status == 400 and words in text["error"]
    assert simulator.control.run("state", {})["deals"] == 0


def test_a_storm_spoils_its_path_alone_and_the_same_way_for_the_same_seed(simulator):
    def spoiled(count=40):
        simulator.control.run("storm", {"seed": 7, "shares": {"error_before": 0.2, "truncated": 0.3}})
        return [tuple(simulator.faults.take("/api/trade/balance")) for _ in range(count)]

    first = spoiled()
    assert set(first) == {(), ("error_before",), ("truncated",)} and spoiled() == first
    assert not any(simulator.faults.take("/api/user/get") for _ in range(40))
    simulator.control.run("reset", {})
    assert not any(simulator.faults.take("/api/trade/balance") for _ in range(40))


def test_orders_only_from_programs_of_this_machine(simulator):
    assert order(simulator, "reset", {}, Host="broker.example.com")[0] == 403
    assert order(simulator, "reset", {}, **{"Content-Type": "text/plain"})[0] == 403


def test_edit_keeps_ticket_and_account(simulator, session):
    (ticket,) = add(simulator, trade(NOW))
    simulator.control.run("deal/edit", {"ticket": ticket, "fields": {"Time": NOW + 5, "Volume": 5000}, "flag": 32})
    simulator.control.run("deal/edit", {"ticket": ticket, "fields": {"Price": "1.2"}, "flag": 1})
    deal = session.answer("/api/deal/get", ticket=ticket)
    assert (deal["ModifyFlags"], deal["TimeMsc"], deal["VolumeExt"]) == ("33", f"{NOW + 5}000", "50000000")
    with pytest.raises(BadRequest, match="another account"):
        simulator.control.run("deal/edit", {"ticket": ticket, "fields": {"Login": "5002"}})


def test_ticket_is_never_given_twice(simulator):
    (first,) = add(simulator, trade(NOW))
    simulator.control.run("deal/delete", {"ticket": first})
    misbehave(simulator, "forget_balance", count=1)
    session = Session(simulator)
    assert balance(session, "5")["answer"]["ticket"] == str(first + 1)
    assert add(simulator, trade(NOW), trade(NOW, Deal=100), trade(NOW)) == [first + 2, 100, 101]


# Misbehaviour as a client without manners sees it; the product's client meets it in its own tests.


def test_misbehaviour_counts_down_and_keeps_to_its_paths(simulator, session):
    misbehave(simulator, "too_frequent", count=2, path="/api/deal/")
    assert session.retcode("/api/user/total") == "0"
    assert [session.retcode("/api/deal/get", ticket=1) for _ in range(3)] == ["12", "12", "13"]
    misbehave(simulator, "missing", path="/api/user/total")
    assert [session.fetch("/api/user/total")[0] for _ in range(3)] == [404] * 3
    simulator.control.run("reset", {})
    assert session.fetch("/api/user/total")[0] == 200


def test_every_kind_of_misbehaviour_can_be_ordered(simulator):
    for kind in KINDS:
        misbehave(simulator, kind, count=1)


def test_drop_ends_in_the_middle(simulator, session):
    misbehave(simulator, "drop", count=1)
    session.link.request("GET", "/api/symbol/list", headers=session.headers)
    response = session.link.getresponse()
    with pytest.raises(http.client.IncompleteRead) as caught:
        response.read()
    whole = len(b'{"retcode":"0 Done","answer":["EURUSD","XAUUSD.z"]}')
    assert (len(caught.value.partial), caught.value.expected) == (whole // 2, whole - whole // 2)


def test_truncated_is_framed_but_not_json(simulator, session):
    misbehave(simulator, "truncated", count=1)
    status, text = session.fetch("/api/symbol/list")
    assert status == 200
    with pytest.raises(ValueError):
        json.loads(text)


def test_duplicate_reorder_and_plain_numbers(simulator, session):
    (ticket,) = add(simulator, trade(NOW, Comment="12"))
    for kind in ("duplicate", "reorder", "plain_numbers"):
        misbehave(simulator, kind, count=1)
    text = session.fetch("/api/deal/get_batch", ticket=ticket)[1].decode()
    first, second = json.loads(text)["answer"]
    assert first == second
    assert list(first)[-1] == "Deal"
    assert (first["Deal"], first["Comment"]) == (ticket, "12")
    assert '"Price":1.08541' in text


def test_slow_waits_and_stops_with_the_server():
    with running() as simulator:
        session = Session(simulator)
        misbehave(simulator, "slow", count=1, seconds=0.2)
        started = time.monotonic()
        session.answer("/api/test/access")
        assert 0.2 <= time.monotonic() - started < 1
        misbehave(simulator, "slow", seconds=60)
        session.link.request("GET", "/api/test/access", headers=session.headers)
        started = time.monotonic()
    assert time.monotonic() - started < 2


# Restart, size, command line.


def test_state_survives_a_restart(tmp_path):
    with running(tmp_path / "mt5.db") as simulator:
        add(simulator, deposit(NOW, "12.34"))
        before = simulator.control.run("state", {})
    with running(tmp_path / "mt5.db", load=False) as simulator:
        assert simulator.control.run("state", {}) == before
        session = Session(simulator)
        assert state(session) == ("12.34", "0.00", "12.34")
        assert add(simulator, deposit(NOW, "1")) == [2]


def test_it_carries_a_broker_day(tmp_path):
    deals = [trade(NOW + n // 4, Login=5001 + n % 2, Profit="1.25") for n in range(20_000)]
    with running(tmp_path / "mt5.db") as simulator:
        started = time.monotonic()
        status, _ = order(simulator, "load", {"deals": deals})
        loaded = time.monotonic()
        session = Session(simulator)
        found = session.fetch("/api/deal/get_batch", **{"group": "*", "from": NOW, "to": NOW + 1249})[1]
        read = time.monotonic()
        assert status == 200 and found.count(b'"Deal"') == 5000
        assert state(session)[0] == "-22500.00"
    assert loaded - started < 10
    assert read - loaded < 2


def test_parallel_withdrawals_cannot_overdraw(simulator):
    add(simulator, deposit(NOW, "100"))
    answers = []

    def withdraw():
        session = Session(simulator)
        answers.append(balance(session, "-100")["retcode"])
        session.link.close()

    threads = [threading.Thread(target=withdraw) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["0 Done"] + ["10019 Not enough money"] * 7


def test_stop_before_start():
    Simulator(":memory:", manager_login=MANAGER, password=PASSWORD).stop()


def command(tmp_path, **environment):
    arguments = [
        "--db",
        str(tmp_path / "mt5.db"),
        "--port",
        "0",
        "--manager-login",
        MANAGER,
        "--password-env",
        "MT5_PW",
    ]
    return subprocess.Popen(
        [sys.executable, "-m", "integrations.simulators.mt5_webapi", *arguments],
        cwd=Path(__file__).parent.parent,
        env={"PATH": os.environ["PATH"], **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGINT])
def test_command_line(tmp_path, signal_):
    process = command(tmp_path, MT5_PW=PASSWORD)
    line = process.stdout.readline()
    assert line.startswith("listening on http://127.0.0.1:") and PASSWORD not in line
    port = int(line.split(":")[2].split(" ")[0])
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    link.request("GET", "/api/test/access")
    assert link.getresponse().status == 403
    process.send_signal(signal_)
    rest, errors = process.communicate(timeout=5)
    assert (process.returncode, rest, errors) == (0, "", "")


def test_command_line_without_password(tmp_path):
    process = command(tmp_path)
    _, errors = process.communicate(timeout=5)
    assert process.returncode == 2 and "MT5_PW is empty" in errors
