"""The MT5 simulator by itself: session rules, limits of reading, balance rules, users."""

from __future__ import annotations

import http.client
import json
import time

import pytest

from integrations.simulators.mt5_webapi import server
from integrations.simulators.mt5_webapi.challenge import Secret
from tests.mt5_world import LOGIN, NOW, PASSWORD, Session, add, balance, deposit, running, state, trade


@pytest.fixture
def simulator():
    with running() as simulator:
        yield simulator


@pytest.fixture
def session(simulator):
    session = Session(simulator)
    yield session
    session.link.close()


# Sessions.


def test_sign_in_proves_both_sides(session):
    assert session.proof == {"retcode": "0 Done", "cli_rand_answer": Secret(PASSWORD).response("00" * 16)}
    assert session.answer("/api/test/access") == {}


@pytest.mark.parametrize("wrong", [{"password": "x"}, {"login": "1001"}])
def test_wrong_sign_in_is_403(simulator, wrong):
    session = Session(simulator, **wrong)
    assert session.proof == {"status": 403}
    assert session.fetch("/api/test/access")[0] == 403


@pytest.mark.parametrize("start", [{"version": "483"}, {"version": "x"}, {"type": "dealer"}, {"agent": ""}])
def test_sign_in_needs_its_parameters(simulator, start):
    assert Session(simulator, **start).start["retcode"].startswith("3 ")


def test_answer_after_ten_seconds_is_too_late(simulator, monkeypatch):
    monkeypatch.setattr(server, "SIGN_IN_SECONDS", -1.0)
    assert Session(simulator).proof == {"status": 403}


def test_challenge_is_good_for_one_answer(simulator):
    session = Session(simulator)
    proof = Secret(PASSWORD).response(session.start["srv_rand"])
    assert session.fetch("/api/auth/answer", srv_rand_answer=proof, cli_rand="00" * 16)[0] == 403


def test_session_is_one_connection_and_its_cookie(simulator, session):
    other = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=5)
    other.request("GET", "/api/test/access", headers=session.headers)
    assert other.getresponse().status == 403
    other.close()
    session.headers = {}
    assert session.fetch("/api/test/access")[0] == 403


# Reading.


def test_deal_has_every_field_as_text(simulator, session):
    (ticket,) = add(simulator, trade(NOW, Comment="x"))
    deal = session.answer("/api/deal/get", ticket=ticket)
    assert len(deal) == 43
    assert deal.pop("ApiData") == []
    assert all(isinstance(value, str) for value in deal.values())
    assert (deal["Volume"], deal["VolumeExt"], deal["TimeMsc"]) == ("10000", "100000000", f"{NOW}000")


def test_pages_have_at_most_100(simulator, session):
    tickets = add(simulator, *(trade(NOW + n) for n in range(250)))
    window = {"login": LOGIN, "from": NOW, "to": NOW + 249}
    assert session.answer("/api/deal/get_total", **window) == {"total": "250"}
    pages = [session.answer("/api/deal/get_page", **window, offset=offset, total=1000) for offset in (0, 100, 200, 300)]
    assert [len(page) for page in pages] == [100, 100, 50, 0]
    assert [int(deal["Deal"]) for page in pages for deal in page] == tickets


def test_batch_takes_one_way_to_choose(simulator, session):
    first, second = add(simulator, trade(NOW), trade(NOW, Login=5002, Symbol="XAUUSD.z", Price="2650"))
    window = {"from": NOW, "to": NOW}

    def chosen(**params):
        return [int(deal["Deal"]) for deal in session.answer("/api/deal/get_batch", **params)]

    assert chosen(**window, login="5001,5002,9") == chosen(**window, group="real*") == [first, second]
    assert chosen(**window, group="*,!real\\*") == []
    assert chosen(ticket=f"{second},77") == [second]
    assert chosen(**window, group="*", symbol="XAUUSD.z") == [second]
    posted = session.answer("/api/deal/get_batch", json.dumps({**window, "login": [5002]}))
    assert [int(deal["Deal"]) for deal in posted] == [second]
    for wrong in ({}, {"group": "*"}, {**window, "group": "*", "login": "1"}, {**window, "login": "x"}, window):
        assert session.retcode("/api/deal/get_batch", **wrong) == "3"


def test_what_is_not_there(session):
    for path, params in (
        ("/api/deal/get", {"ticket": 5}),
        ("/api/user/get", {"login": 5}),
        ("/api/user/account/get", {"login": 5}),
        ("/api/group/get", {"group": "x"}),
        ("/api/group/next", {"index": 4}),
        ("/api/symbol/get", {"symbol": "x"}),
    ):
        assert session.retcode(path, **params) == "13", path
    assert session.fetch("/api/no/such/call")[0] == 404


def test_reference_data(session):
    assert session.answer("/api/common/get")["Name"] == "Simulated-Server"
    assert session.answer("/api/group/get", group="real\\JPY")["CurrencyDigits"] == "0"
    assert session.answer("/api/group/get", group="real\\USD")["MarginMode"] == "2"
    assert session.answer("/api/group/total") == {"total": "4"}
    assert session.answer("/api/group/next", index=0)["Group"] == "demo\\USD"
    assert session.answer("/api/symbol/list") == ["EURUSD", "XAUUSD.z"]
    assert session.answer("/api/symbol/get", symbol="XAUUSD.z")["ContractSize"] == "100"
    assert session.answer("/api/symbol/total") == {"total": "2"}
    assert session.answer("/api/symbol/next", index=1)["Symbol"] == "XAUUSD.z"
    assert session.answer("/api/user/total") == {"total": "5"}
    assert session.answer("/api/user/logins", group="real\\*,!real\\test") == ["5001", "5002", "5003"]
    assert [user["Login"] for user in session.answer("/api/user/get_batch", group="real\\JPY")] == ["5003"]
    assert session.retcode("/api/user/get_batch", login="1", group="*") == "3"


def test_clock(simulator, session):
    assert session.answer("/api/time/server") == {"time": f"{NOW} {NOW}000"}
    zone = session.answer("/api/time/get")
    assert (zone["TimeZone"], zone["Daylight"], zone["DaylightState"]) == ("120", "0", "0")
    summer = ["2026-11-20T09:00:00+00:00", "2026-11-20T11:00:00+00:00"]
    assert simulator.control.run("clock", {"daylight": [summer]}) == {"wall_milliseconds": (NOW + 3600) * 1000}
    assert session.answer("/api/time/get")["DaylightState"] == "1"
    simulator.control.run("clock", {"now": "2026-11-20T11:00:00+00:00", "running": True})
    assert 0 <= int(session.answer("/api/time/server")["time"].split()[0]) - (NOW + 3600) < 5
    simulator.control.run("clock", {"now": None})
    assert abs(simulator.clock.utc_now().timestamp() - time.time()) < 5


# Money.


def test_balance_operation_is_a_deal(session):
    ticket = balance(session, "100.5", comment="tok-1-" + "x" * 40)["answer"]["ticket"]
    deal = session.answer("/api/deal/get", ticket=ticket)
    assert (deal["Action"], deal["Profit"], deal["Symbol"], deal["Volume"]) == ("2", "100.50", "", "0")
    assert deal["Comment"] == "tok-1-" + "x" * 25
    assert deal["Time"] == str(NOW)
    assert state(session) == ("100.50", "0.00", "100.50")


@pytest.mark.parametrize("kind", [2, 4, 5, 6])
def test_kinds_that_move_the_balance(session, kind):
    assert "answer" in balance(session, "10", kind)
    assert "answer" in balance(session, "-4", kind)
    assert state(session) == ("6.00", "0.00", "6.00")


def test_credit_is_apart(session):
    balance(session, "10", 3)
    assert state(session) == ("0.00", "10.00", "10.00")
    assert balance(session, "-10.01", 3)["retcode"] == "10019 Not enough money"
    assert "answer" in balance(session, "-10", 3)


@pytest.mark.parametrize("kind", [0, 1, 7, 19, -1, "x", ""])
def test_wrong_kinds(session, kind):
    assert balance(session, "10", kind)["retcode"].startswith("3 ")


@pytest.mark.parametrize("amount", ["", "x", "NaN", "1e3", "1,5"])
def test_wrong_amounts(session, amount):
    assert balance(session, amount)["retcode"].startswith("3 ")


def test_limits_of_a_balance_operation(simulator, session):
    assert balance(session, "1000000000.01")["retcode"].startswith("4005 ")
    assert balance(session, "-1000000000.01")["retcode"].startswith("4005 ")
    assert balance(session, "5", login=99)["retcode"].startswith("13 ")
    balance(session, "100")
    balance(session, "500", 3)
    assert balance(session, "-100.01")["retcode"].startswith("10019 "), "above the balance"
    simulator.control.run("account", {"login": LOGIN, "floating": "-450", "margin": "80"})
    assert balance(session, "-70.01")["retcode"].startswith("10019 "), "above the free margin"
    assert "answer" in balance(session, "-70")
    assert "answer" in balance(session, "-500", check_margin=0)
    assert state(session) == ("-470.00", "500.00", "-420.00")


def test_balance_and_credit_follow_from_deals(simulator, session):
    first, *_ = add(
        simulator,
        deposit(NOW, "1000"),
        deposit(NOW, "50", Action=3),
        trade(NOW, Profit="-20.10", Storage="-1.15", Commission="-3.5", Fee="-0.25"),
        deposit(NOW, "7", Action=19),
        deposit(NOW, "-30", Action=20),
    )
    assert state(session) == ("982.00", "20.00", "1002.00")
    simulator.control.run("deal/edit", {"ticket": first, "fields": {"Profit": "900"}})
    assert state(session)[0] == "882.00"
    simulator.control.run("deal/edit", {"ticket": first, "fields": {"Profit": "0"}, "moves_balance": False})
    assert state(session)[0] == "882.00"
    simulator.control.run("deal/edit", {"ticket": first, "fields": {"Profit": "900"}, "moves_balance": False})
    simulator.control.run("deal/delete", {"ticket": first})
    assert state(session)[0] == "-18.00"
    user = session.answer("/api/user/get", login=LOGIN)
    assert (user["Balance"], user["Credit"]) == ("-18.00", "20.00")


# Users.


def test_one_right_is_changed_and_the_rest_kept(session):
    before = session.answer("/api/user/get", login=LOGIN)
    assert int(before["Rights"]) == 0x163
    body = json.dumps({"Login": LOGIN, "Rights": int(before["Rights"]) | 0x4, "Leverage": "50", "Balance": "1000000"})
    after = session.answer("/api/user/update", body)
    assert after == before | {"Rights": str(0x167), "Leverage": "50"}


def test_group_of_another_currency_only_for_an_empty_account(session):
    assert (
        session.answer("/api/user/update", json.dumps({"Login": LOGIN, "Group": "real\\JPY"}))["Group"] == "real\\JPY"
    )
    balance(session, "100")
    assert session.call("/api/user/update", json.dumps({"Login": LOGIN, "Group": "real\\USD"}))["retcode"][:4] == "3010"
    assert session.call("/api/user/update", json.dumps({"Login": LOGIN, "Group": "gone"}))["retcode"][:2] == "3 "
    assert session.call("/api/user/update", json.dumps({"Login": 99}))["retcode"][:3] == "13 "
    assert session.call("/api/user/update", "{")["retcode"][:2] == "3 "
