"""The MT5 client against a server that misbehaves in every way we know, over a real socket."""

from __future__ import annotations

import logging
import time

import pytest

from integrations.adapters.failures import BadAnswer, ConnectionLost, TookTooLong, TooMuch
from integrations.adapters.mt5_webapi import client as client_module
from integrations.adapters.mt5_webapi import retcodes
from integrations.adapters.mt5_webapi.failures import Forbidden, OutcomeUnknown, UnknownCall
from integrations.ports import ServerError
from tests.mt5_world import LOGIN, MANAGER, NOW, PASSWORD, add, asked, connected, misbehave, running, trade

BATCH = "/api/deal/get_batch"
WINDOW = {"group": "*", "from": str(NOW - 3600), "to": str(NOW)}


@pytest.fixture
def simulator():
    with running() as simulator:
        yield simulator


class Monotonic:
    """Real seconds plus what a test adds."""

    def __init__(self):
        self.extra = 0.0

    def __call__(self):
        return time.monotonic() + self.extra


# Signing in.


def test_one_sign_in_serves_many_calls(simulator):
    with connected(simulator) as client:
        for _ in range(3):
            client.call("/api/common/get")
    assert len(asked(simulator, "/api/auth/start")) == 1
    assert asked(simulator, "/api/auth/start")[0] == {
        "version": "3211", "agent": "backoffice", "login": MANAGER, "type": "manager",
    }  # fmt: skip


def test_wrong_password_is_refused_and_not_repeated(simulator):
    with (
        connected(simulator, password="wrong") as client,
        pytest.raises(ServerError, match="Sign-in refused") as caught,
    ):
        client.call("/api/common/get")
    assert not caught.value.retry
    assert caught.value.retcode == retcodes.INVALID_ACCOUNT
    assert len(asked(simulator, "/api/auth/answer")) == 1


def test_a_server_that_cannot_prove_itself_is_asked_nothing(simulator):
    misbehave(simulator, "wrong_proof")
    with connected(simulator) as client, pytest.raises(ServerError, match="could not prove") as caught:
        client.call("/api/common/get")
    assert (caught.value.retcode, caught.value.retry) == (retcodes.FALSE_SERVER, False)
    assert not asked(simulator, "/api/common/get")


@pytest.mark.parametrize(("retcode", "retry"), [("1018 Busy", True), ("1012 IP blocked", False), ("1024 Type", False)])
def test_sign_in_refused_by_retcode(simulator, retcode, retry):
    misbehave(simulator, "retcode", retcode=retcode, path="/api/auth/answer")
    with connected(simulator) as client, pytest.raises(ServerError) as caught:
        client.call("/api/common/get")
    assert (caught.value.retcode, caught.value.retry) == (int(retcode[:4]), retry)
    assert len(asked(simulator, "/api/auth/answer")) == (3 if retry else 1)


def test_sign_in_has_its_own_time_limit(simulator, monkeypatch):
    monkeypatch.setattr(client_module, "SIGN_IN_SECONDS", 0.15)
    misbehave(simulator, "slow", seconds=2, path="/api/auth/answer")
    with connected(simulator) as client, pytest.raises(ConnectionLost, match=r"Sign-in took longer than the 0\.15 s"):
        client.ensure_session()


def test_nobody_listens():
    with running() as simulator:
        client = connected(simulator)
    with client as client, pytest.raises(ConnectionLost, match="No connection") as caught:
        client.call("/api/common/get")
    assert caught.value.retry


# The session.


def test_lost_session_is_opened_again(simulator):
    add(simulator, trade(NOW - 10))
    with connected(simulator) as client:
        client.call("/api/common/get")
        misbehave(simulator, "lose_session", count=1)
        assert len(client.call(BATCH, WINDOW)) == 1
    assert len(asked(simulator, "/api/auth/start")) == 2


def test_restart_of_the_server(tmp_path):
    with running(tmp_path / "mt5.db") as simulator, connected(simulator) as client:
        add(simulator, trade(NOW - 10))
        before = client.call(BATCH, WINDOW)
        port = simulator.port
        simulator.stop()
        with running(tmp_path / "mt5.db", port=port, load=False) as again:
            assert client.call(BATCH, WINDOW) == before != []
            assert len(asked(again, "/api/auth/start")) == 1


def test_idle_session_is_pinged_before_it_is_used(simulator):
    monotonic = Monotonic()
    with connected(simulator, monotonic=monotonic) as client:
        client.call("/api/common/get")
        monotonic.extra += 19
        client.call("/api/common/get")
        assert not asked(simulator, "/api/test/access")
        monotonic.extra += 21
        client.call("/api/common/get")
        assert len(asked(simulator, "/api/test/access")) == 1
        assert len(asked(simulator, "/api/auth/start")) == 1


def test_ping_finds_that_the_session_is_gone(simulator):
    monotonic = Monotonic()
    with connected(simulator, monotonic=monotonic) as client:
        client.call("/api/common/get")
        monotonic.extra += 60
        misbehave(simulator, "lose_session", count=1, path="/api/test/access")
        client.change("/api/user/update", {"Login": str(LOGIN), "Leverage": "50"})
    assert len(asked(simulator, "/api/auth/start")) == 2
    assert len(asked(simulator, "/api/user/update")) == 1


# Answers.


def test_missing_right_is_said_to_be_one(simulator):
    misbehave(simulator, "forbidden", path="/api/deal/")
    with connected(simulator) as client:
        with pytest.raises(Forbidden, match="lacks the right") as caught:
            client.call(BATCH, WINDOW)
        assert not caught.value.retry
        assert client.call("/api/common/get")["Name"] == "Simulated-Server"


def test_403_that_was_only_a_lost_session(simulator):
    misbehave(simulator, "forbidden", path="/api/deal/", count=1)
    with connected(simulator) as client:
        assert client.call(BATCH, WINDOW) == []


@pytest.mark.parametrize("kind", ["drop", "truncated", "too_frequent"])
def test_a_passing_failure_is_asked_again(simulator, kind):
    add(simulator, *(trade(NOW - n) for n in range(50)))
    misbehave(simulator, kind, count=2, path=BATCH)
    pauses = []
    with connected(simulator, sleep=pauses.append) as client:
        assert len(client.call(BATCH, WINDOW)) == 50
    assert pauses == [0.2, 0.4]


@pytest.mark.parametrize(
    ("kind", "failure", "retcode"),
    [("drop", ConnectionLost, None), ("truncated", BadAnswer, None), ("too_frequent", ServerError, 12)],
)
def test_a_lasting_failure_is_reported_after_three_attempts(simulator, kind, failure, retcode):
    add(simulator, *(trade(NOW - n) for n in range(50)))
    misbehave(simulator, kind, path=BATCH)
    with connected(simulator) as client, pytest.raises(failure) as caught:
        client.call(BATCH, WINDOW)
    assert (caught.value.retry, caught.value.retcode) == (True, retcode)
    assert len(asked(simulator, BATCH)) == 3


def test_slow_answer_ends_at_the_time_limit(simulator):
    misbehave(simulator, "slow", seconds=5, path=BATCH)
    started = time.monotonic()
    with connected(simulator, timeout_seconds=0.2) as client, pytest.raises(TookTooLong) as caught:
        client.call(BATCH, WINDOW)
    assert caught.value.retry
    assert time.monotonic() - started < 1
    assert len(asked(simulator, BATCH)) == 1


def test_answer_larger_than_we_take(simulator):
    add(simulator, *(trade(NOW - n) for n in range(50)))
    with connected(simulator, max_answer_bytes=10_000) as client:
        with pytest.raises(TooMuch):
            client.call(BATCH, WINDOW)
        assert len(client.call(BATCH, {**WINDOW, "from": str(NOW - 3)})) == 4


@pytest.mark.parametrize("retcode", [7, 10, 11, 12, 15, 1018, 12004])
def test_codes_that_may_be_asked_again(simulator, retcode):
    misbehave(simulator, "retcode", retcode=f"{retcode} Some words", path=BATCH)
    with connected(simulator) as client, pytest.raises(ServerError) as caught:
        client.call(BATCH, WINDOW)
    assert (caught.value.retry, caught.value.retcode) == (True, retcode)
    assert len(asked(simulator, BATCH)) == 3


@pytest.mark.parametrize(("retcode", "sign_ins"), [("12 Too frequent", 1), ("10 No connection", 2)])
def test_session_is_renewed_where_the_server_has_lost_its_own(simulator, retcode, sign_ins):
    misbehave(simulator, "retcode", retcode=retcode, count=1, path=BATCH)
    with connected(simulator) as client:
        assert client.call(BATCH, WINDOW) == []
    assert len(asked(simulator, "/api/auth/start")) == sign_ins


@pytest.mark.parametrize("retcode", [2, 3, 4, 8, 14, 17, 1002, 1034, 3004, 4005, 10019, 12001, 77777])
def test_codes_that_asking_again_does_not_help(simulator, retcode):
    misbehave(simulator, "retcode", retcode=f"{retcode} Some words", path=BATCH)
    with connected(simulator) as client, pytest.raises(ServerError) as caught:
        client.call(BATCH, WINDOW)
    assert (caught.value.retry, caught.value.retcode) == (False, retcode)
    assert len(asked(simulator, BATCH)) == 1


@pytest.mark.parametrize("retcode", ["1 OK, no data", "13 Not found"])
def test_nothing_there_is_an_answer(simulator, retcode):
    misbehave(simulator, "retcode", retcode=retcode, path=BATCH)
    with connected(simulator) as client:
        assert client.call(BATCH, WINDOW) is None


@pytest.mark.parametrize("retcode", ["Done", "", "-1 x", "0 Done"])
def test_envelope_without_code_or_answer_is_no_answer(simulator, retcode):
    misbehave(simulator, "retcode", retcode=retcode, path=BATCH)
    with connected(simulator) as client, pytest.raises(BadAnswer):
        client.call(BATCH, WINDOW)


def test_call_the_server_does_not_know(simulator):
    with connected(simulator) as client, pytest.raises(UnknownCall):
        client.call("/api/deal/get_everything")


def test_numbers_with_and_without_quotes_are_the_same_text(simulator):
    add(simulator, trade(NOW - 10, Profit="0.10", Comment="007", Price="1.10000"))
    with connected(simulator) as client:
        quoted = client.call(BATCH, WINDOW)
        misbehave(simulator, "plain_numbers", count=1, path=BATCH)
        plain = client.call(BATCH, WINDOW)
    assert plain == quoted
    assert (plain[0]["Profit"], plain[0]["Price"], plain[0]["Comment"]) == ("0.10", "1.10000", "007")


def test_decoding_keeps_every_digit_and_every_byte():
    body = b'\xef\xbb\xbf{"retcode":"0 Done","answer":[{"P":12345678901234567.10,"Q":1e5,"R":NaN,"S":-0,"C":"a\xff"}]}'
    (record,) = client_module._decode("/x", body)["answer"]
    assert record == {"P": "12345678901234567.10", "Q": "1e5", "R": "NaN", "S": "-0", "C": "a\udcff"}


@pytest.mark.parametrize("body", [b"", b"[]", b'{"a":', b"[" * 100_000, b"<html>", b'"0 Done"'])
def test_what_is_no_envelope(body):
    with pytest.raises(BadAnswer):
        client_module._decode("/x", body)


# Changes: sent at most once.


def test_refused_change_tells_the_code(simulator):
    with connected(simulator) as client, pytest.raises(ServerError, match="10019 Not enough money") as caught:
        client.change("/api/trade/balance", {"login": str(LOGIN), "type": "2", "balance": "-5", "comment": "x"})
    assert (caught.value.retry, caught.value.retcode) == (False, retcodes.NO_MONEY)
    with connected(simulator) as client, pytest.raises(ServerError) as caught:
        client.change("/api/trade/balance", {"login": "424242", "type": "2", "balance": "5", "comment": "x"})
    assert caught.value.retcode == retcodes.NOT_FOUND


@pytest.mark.parametrize("kind", ["hang_after", "drop", "truncated"])
def test_change_without_answer_is_unknown_and_was_done_once(simulator, kind):
    misbehave(simulator, kind, path="/api/trade/balance")
    with connected(simulator, timeout_seconds=0.3) as client:
        with pytest.raises(OutcomeUnknown, match="look for its effect") as caught:
            client.change("/api/trade/balance", {"login": str(LOGIN), "type": "2", "balance": "5", "comment": "t-1"})
        assert not caught.value.retry
        (deal,) = client.call(BATCH, WINDOW)
    assert (deal["Profit"], deal["Comment"]) == ("5.00", "t-1")


@pytest.mark.parametrize("retcode", ["7 Network", "9 Timeout", "10 Connection"])
def test_change_the_server_lost_sight_of_is_unknown(simulator, retcode):
    misbehave(simulator, "retcode", retcode=retcode, path="/api/trade/balance")
    with connected(simulator) as client, pytest.raises(OutcomeUnknown):
        client.change("/api/trade/balance", {"login": str(LOGIN), "type": "2", "balance": "5", "comment": "x"})
    assert len(asked(simulator, "/api/trade/balance")) == 1


def test_acknowledged_and_forgotten_balance_operation_is_not_there(simulator):
    misbehave(simulator, "forget_balance", count=1)
    order = {"login": str(LOGIN), "type": "2", "balance": "5", "comment": "x"}
    with connected(simulator) as client:
        lost, kept = client.change("/api/trade/balance", order), client.change("/api/trade/balance", order)
        assert client.call("/api/deal/get", lost) is None
        assert client.call("/api/deal/get", kept)["Profit"] == "5.00"


def test_change_refused_for_a_lost_session_is_sent_in_a_new_one(simulator):
    with connected(simulator) as client:
        client.call("/api/common/get")
        misbehave(simulator, "lose_session", count=1)
        client.change("/api/trade/balance", {"login": str(LOGIN), "type": "2", "balance": "5", "comment": "x"})
        assert len(client.call(BATCH, WINDOW)) == 1


# Secrets.


def test_nothing_secret_is_logged_or_said(simulator, caplog):
    caplog.set_level(logging.DEBUG)
    said = []
    for fault, password in (("lose_session", PASSWORD), ("truncated", PASSWORD), ("drop", PASSWORD), ("slow", "wrong")):
        misbehave(simulator, fault, count=3, seconds=0)
        with connected(simulator, password=password) as client:
            try:
                client.call(BATCH, WINDOW)
            except ServerError as error:
                said.append(str(error))
        simulator.control.run("reset", {})
    text = caplog.text + "\n".join(said)
    assert "Signed in as manager 1000" in text
    assert said
    for secret in (PASSWORD, "srv_rand", "cli_rand", "answer=", "MT5SESSION"):
        assert secret not in text.replace("(cli_rand_answer is wrong)", "")
