"""Logins at a trade server: read in pages, changed bit by bit, by the real client and adapter over a real socket."""

from __future__ import annotations

import json

import pytest

from integrations import ports
from integrations.ports import ServerError
from integrations.records import Right, User, UserState
from tests import mt5_world
from tests.mt5_world import LOGIN, Session, asked, misbehave, opened, running

UPDATE = "/api/user/update"
# Bits that MetaTrader calls internal, or that are none of ours: CONFIRMED, READONLY, INVESTOR, OTP_ENABLED, TECHNICAL.
FOREIGN = 0x10 | 0x200 | 0x8 | 0x800 | 0x10000
DEFAULT = 0x163


@pytest.fixture
def simulator():
    with running() as simulator:
        yield simulator


def rights_of(simulator, login=LOGIN) -> int:
    return int(simulator.store.user(login)["Rights"])


def set_rights(simulator, rights, login=LOGIN):
    simulator.control.run("user/edit", {"login": login, "fields": {"Rights": rights}})


def change(simulator, wanted, login=LOGIN):
    with opened(simulator) as server:
        server.change_user(server.user(login), wanted)
        return server.user(login)


# Meaning of the bits.


@pytest.mark.parametrize("rights", [0, DEFAULT, FOREIGN, DEFAULT | FOREIGN | 0x4 | 0x400, 2**62])
@pytest.mark.parametrize(
    ("wanted", "bit", "is_set"),
    [
        (UserState(enabled=True), Right.ENABLED, True),
        (UserState(enabled=False), Right.ENABLED, False),
        (UserState(trading=True), Right.TRADE_DISABLED, False),
        (UserState(trading=False), Right.TRADE_DISABLED, True),
        (UserState(reset_password=True), Right.RESET_PASS, True),
        (UserState(reset_password=False), Right.RESET_PASS, False),
    ],
)
def test_one_wish_flips_one_bit_and_carries_the_others(rights, wanted, bit, is_set):
    user = User(login=1, rights=rights, group="g", leverage=30, currency="USD")
    after, mask = user.rights_for(wanted), int(bit)
    assert (after & mask != 0) is is_set
    assert after | mask == rights | mask, "no other bit moved"
    assert User(login=1, rights=after, group="g", leverage=30, currency="USD").lacks(wanted) == {}


def test_what_is_not_wished_for_is_not_compared():
    user = User(login=1, rights=DEFAULT, group="a", leverage=30, currency="USD")
    assert user.lacks(UserState()) == {}
    assert user.lacks(UserState(trading=True, group="a", leverage=30, enabled=True)) == {}
    assert user.lacks(UserState(trading=False, group="b", leverage=20)) == {
        "trading": False, "group": "b", "leverage": 20,
    }  # fmt: skip
    assert UserState(leverage=0, enabled=False).named == {"leverage": 0, "enabled": False}


# Over the wire.


def test_a_login_is_read_and_only_what_differs_is_sent(simulator):
    set_rights(simulator, DEFAULT | FOREIGN)
    after = change(simulator, UserState(trading=False, leverage=200, group="real\\USD"))
    assert after == User(login=LOGIN, rights=DEFAULT | FOREIGN | 0x4, group="real\\USD", leverage=200, currency="USD")
    assert asked(simulator, UPDATE) == [{"Login": str(LOGIN), "Rights": str(DEFAULT | FOREIGN | 0x4)}]
    assert change(simulator, UserState(trading=False)) == after
    assert len(asked(simulator, UPDATE)) == 1, "what is so already is not ordered"
    back = change(simulator, UserState(trading=True, enabled=False, group="real\\test", leverage=30))
    assert (back.rights, back.group, back.leverage) == ((DEFAULT | FOREIGN) & ~1, "real\\test", 30)
    assert simulator.store.user(LOGIN)["Phone"] == "+351000111222", "fields we never named are as they were"


def test_changes_are_posted_as_json(simulator):
    session = Session(simulator)
    user = session.answer(UPDATE, body=json.dumps({"Login": str(LOGIN), "Leverage": "50"}))
    assert user["Leverage"] == "50"
    change(simulator, UserState(group="real\\test"))
    assert simulator.store.user(LOGIN)["Group"] == "real\\test"


def test_a_login_in_no_group_of_ours_is_read_by_number(simulator):
    with opened(simulator) as server:
        assert server.logins() == [5001, 5002, 5003]
        assert server.user(7001).group == "demo\\USD"
        assert server.user(424242) is None
        (page,) = server.users([5001, 7001, 424242])
    assert [user.login for user in page.users] == [5001, 7001]
    assert (list(page.asked), page.rejected) == ([5001, 7001, 424242], [])


def test_pages_are_asked_for_when_they_are_wanted(simulator):
    many = [{"Login": 10_000 + n, "Group": "real\\JPY"} for n in range(450)]
    simulator.control.run("load", {"users": many})
    with opened(simulator) as server:
        pages = server.users(server.logins())
        first = next(pages)
        assert len(asked(simulator, "/api/user/get_batch")) == 1
        rest = list(pages)
    assert [len(page.users) for page in (first, *rest)] == [200, 200, 53]
    assert {user.currency for page in rest for user in page.users} == {"JPY"}
    assert len(asked(simulator, "/api/group/get")) == 2, "each group is asked for once"


@pytest.mark.parametrize(("field", "value"), [("Rights", "all"), ("Rights", "-1"), ("Leverage", "1e3"), ("Group", "")])
def test_an_unreadable_login_hides_no_other(simulator, field, value):
    misbehave(simulator, "spoil", path="/api/user/get_batch", field=field, value=value)
    with opened(simulator) as server:
        (page,) = server.users([5001, 5002, 5003])
    assert [user.login for user in page.users] == [5002, 5003]
    assert [(row.field, row.raw) for row in page.rejected] == [(field, "login 5001")]
    misbehave(simulator, "spoil", path="/api/user/get", field=field, value=value)
    with opened(simulator) as server, pytest.raises(ServerError, match=f"login 5001 cannot be read \\({field}"):
        server.user(5001)


def test_an_answer_about_somebody_else_is_no_answer(simulator):
    misbehave(simulator, "spoil", path="/api/user/get", field="Login", value="5002")
    with opened(simulator) as server, pytest.raises(ServerError, match="asked for login 5001, told of 5002"):
        server.user(5001)


# What the server refuses, forgets, or does without saying so.


def test_a_group_of_another_currency_is_refused_with_the_servers_words(simulator):
    mt5_world.add(simulator, mt5_world.deposit(mt5_world.NOW, "5.00"))
    before = simulator.store.user(LOGIN)
    with pytest.raises(ServerError, match="3010") as caught:
        change(simulator, UserState(group="real\\JPY", trading=False))
    assert not caught.value.retry and not isinstance(caught.value, ports.OutcomeUnknown)
    assert simulator.store.user(LOGIN) == before, "all of it is refused"


def test_without_the_right_nothing_is_changed(simulator):
    misbehave(simulator, "forbidden", path=UPDATE)
    with pytest.raises(ServerError, match="lacks the right"):
        change(simulator, UserState(trading=False))
    assert rights_of(simulator) == DEFAULT


def test_a_forgotten_change_shows_in_the_reading(simulator):
    misbehave(simulator, "forget_update", count=1)
    assert change(simulator, UserState(trading=False)).rights == DEFAULT
    assert change(simulator, UserState(trading=False)).rights == DEFAULT | 0x4


def test_a_rule_of_the_servers_shows_in_the_reading(simulator):
    misbehave(simulator, "alter", count=1, field="Leverage", value="100")
    assert change(simulator, UserState(leverage=500)).leverage == 100


@pytest.mark.parametrize(
    ("kind", "order"), [("drop", {}), ("hang_after", {}), ("truncated", {}), ("late", {"seconds": 2})]
)
def test_a_lost_answer_is_unknown_and_was_sent_once(simulator, kind, order):
    misbehave(simulator, kind, path=UPDATE, count=1, **order)
    with opened(simulator, timeout_seconds="1") as server:
        before = server.user(LOGIN)
        with pytest.raises(ports.OutcomeUnknown, match="look for its effect"):
            server.change_user(before, UserState(trading=False))
        assert server.user(LOGIN).rights == DEFAULT | 0x4
    assert len(asked(simulator, UPDATE)) == 1


def test_a_server_that_is_off_hangs_up(simulator):
    misbehave(simulator, "off")
    with opened(simulator) as server, pytest.raises(ServerError) as caught:
        server.user(LOGIN)
    assert caught.value.retry


def test_the_control_interface_changes_and_removes_accounts(simulator):
    mt5_world.add(simulator, mt5_world.deposit(mt5_world.NOW, "5.00"))
    simulator.control.run("user/edit", {"login": LOGIN, "set": 0x4, "clear": 0x1, "fields": {"Leverage": 7}})
    user = simulator.store.user(LOGIN)
    assert (int(user["Rights"]), user["Leverage"], user["Name"]) == (DEFAULT & ~1 | 4, "7", "Ana Prova")
    simulator.control.run("user/delete", {"login": LOGIN})
    assert simulator.store.user(LOGIN) is None
    with pytest.raises(Exception, match="no account"):
        simulator.control.run("user/edit", {"login": LOGIN, "set": 1})
