"""MT5 deals and accounts as the house gets them: versions, clock, bad records, account states, connection test."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from integrations.ports import ServerError
from integrations.records import DealKind, Entry, Side
from tests.mt5_world import (
    LOGIN,
    NOW,
    PASSWORD,
    WALL_NOW,
    add,
    asked,
    deposit,
    last_hours,
    misbehave,
    opened,
    running,
    trade,
)

BATCH = "/api/deal/get_batch"


@pytest.fixture
def simulator():
    with running() as simulator:
        yield simulator


def tickets(pulled):
    return sorted(raw.record.ticket for raw in pulled.items)


def test_a_deal_arrives_with_every_field(simulator):
    (ticket,) = add(
        simulator,
        trade(
            NOW - 60, TimeMsc=(NOW - 60) * 1000 + 123, Action=1, Entry=1, Symbol="XAUUSD.z", Price="2650.5",
            Volume=2500, Profit="-12.3", Storage="-0.45", Commission="-1.2", Fee="-0.05", PositionID=77, Order=66,
            Reason=3, ExternalID="LP-9", Gateway="lmax", Comment="[sl 2650.5]", ModifyFlags=0,
        ),
    )  # fmt: skip
    with opened(simulator) as server:
        pulled = server.deals(**last_hours(1))
    assert (pulled.server_now, pulled.utc_offset_minutes, list(pulled.rejected)) == (WALL_NOW, 120, [])
    (raw,) = pulled.items
    deal = raw.record
    assert (raw.external_id, deal.ticket, deal.login) == (f"deal:{ticket}", ticket, LOGIN)
    assert (deal.kind, deal.side, deal.entry, deal.reason) == (DealKind.TRADE, Side.SELL, Entry.OUT, "SL")
    assert deal.server_time == WALL_NOW - timedelta(seconds=60) + timedelta(milliseconds=123)
    assert (deal.symbol, deal.volume_lots, deal.contract_size) == ("XAUUSD.z", Decimal("0.25"), Decimal(100))
    assert (str(deal.price), str(deal.profit), str(deal.swap)) == ("2650.50", "-12.30", "-0.45")
    assert (deal.commission, deal.fee, deal.amount) == (Decimal("-1.2"), Decimal("-0.05"), Decimal("-14.00"))
    assert (deal.position_id, deal.order_id, deal.external_id, deal.gateway) == (77, 66, "LP-9", "lmax")
    assert (deal.comment, deal.modify_flags, deal.deleted) == ("[sl 2650.5]", 0, False)
    assert json.loads(raw.body)["Profit"] == "-12.30"


# Versions.


def test_body_does_not_depend_on_key_order_or_quotes(simulator):
    add(simulator, trade(NOW - 10, Profit="0.10", Comment="Привет"), deposit(NOW - 20, "1000"))
    with opened(simulator) as server:
        usual = server.deals(**last_hours(1))
        for fault in ("reorder", "plain_numbers"):
            misbehave(simulator, fault, path=BATCH)
            assert server.deals(**last_hours(1)).items == usual.items
    assert "Привет" in usual.items[1].body


def test_records_sent_twice_are_there_once(simulator):
    everything = add(simulator, trade(NOW - 10), trade(NOW - 5))
    misbehave(simulator, "duplicate", path=BATCH)
    misbehave(simulator, "spoil", path=BATCH, field="Profit", value="1e5")
    with opened(simulator) as server:
        pulled = server.deals(**last_hours(0.5))
    assert tickets(pulled) == everything[1:]
    assert len(pulled.rejected) == 1


def test_edited_deal_is_another_body_of_the_same_deal(simulator):
    first, second = add(simulator, trade(NOW - 10), trade(NOW - 5))
    with opened(simulator) as server:
        before = server.deals(**last_hours(1))
        simulator.control.run("deal/edit", {"ticket": first, "fields": {"Profit": "99.00"}})
        after = server.deals(**last_hours(1))
        assert server.deal(first).body == after.items[0].body != before.items[0].body
    assert after.items[1] == before.items[1]
    assert after.items[0].external_id == before.items[0].external_id == f"deal:{first}"
    assert (after.items[0].record.profit, after.items[0].record.modify_flags) == (Decimal("99.00"), 2)
    assert second == after.items[1].record.ticket


def test_deleted_deal_is_gone(simulator):
    first, second = add(simulator, trade(NOW - 10), trade(NOW - 5))
    with opened(simulator) as server:
        simulator.control.run("deal/delete", {"ticket": first})
        assert tickets(server.deals(**last_hours(1))) == [second]
        assert server.deal(first) is None
        assert server.deal(second).record.ticket == second


def test_single_deal_that_cannot_be_read_is_an_error(simulator):
    (ticket,) = add(simulator, trade(NOW - 10))
    misbehave(simulator, "spoil", path="/api/deal/get", field="Login", value="")
    with opened(simulator) as server, pytest.raises(ServerError, match="Login: missing"):
        server.deal(ticket)


# Clock.


def test_offset_follows_daylight_saving(simulator):
    add(simulator, trade(NOW - 60))
    summer = ["2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"]
    simulator.control.run("clock", {"daylight": [summer], "now": "2026-10-25T00:59:59Z"})
    with opened(simulator) as server:
        before = server.deals(**last_hours(1))
        simulator.control.run("clock", {"now": "2026-10-25T01:00:01Z"})
        after = server.deals(**last_hours(1))
    assert (before.server_now, before.utc_offset_minutes) == (datetime(2026, 10, 25, 3, 59, 59), 180)
    assert (after.server_now, after.utc_offset_minutes) == (datetime(2026, 10, 25, 3, 0, 1), 120)
    # What the server says about the deal has not changed, so neither has its body or wall time.
    assert before.items[0].body == after.items[0].body
    assert before.items[0].record.server_time == after.items[0].record.server_time == WALL_NOW - timedelta(seconds=60)


# Records.


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Profit", "NaN"), ("Profit", "1e5"), ("Profit", ""), ("Profit", "1,5"), ("Profit", "1" * 19), ("Login", "0"),
        ("Deal", "-4"), ("Deal", "9" * 19), ("Action", "buy"), ("Price", "Infinity"), ("Volume", "0.5"),
        ("Symbol", " "), ("DigitsCurrency", "99"), ("Time", "x"), ("PositionID", ""), ("ModifyFlags", "-1"),
    ],
)  # fmt: skip
def test_one_bad_deal_does_not_hide_the_others(simulator, field, value):
    everything = add(simulator, *(trade(NOW - n, VolumeExt=0, TimeMsc=0) for n in (50, 40, 30)))
    misbehave(simulator, "spoil", path=BATCH, field=field, value=value)
    with opened(simulator) as server:
        pulled = server.deals(**last_hours(0.5))
    assert tickets(pulled) == everything[1:]
    (rejected,) = pulled.rejected
    assert (rejected.line, rejected.field) == (1, field)
    assert rejected.reason and json.loads(rejected.raw)[field] == value


# Accounts.


def test_account_states(simulator):
    add(
        simulator,
        deposit(NOW - 100, "1000"),
        deposit(NOW - 90, "200", Action=3),
        trade(NOW - 80, Profit="-12.50", Commission="-3.50"),
        deposit(NOW - 70, "150000", Login=5003),
        deposit(NOW - 60, "9", Login=6001),
    )
    simulator.control.run("account", {"login": LOGIN, "floating": "-33.25", "margin": "100"})
    with opened(simulator) as server:
        pulled = server.accounts()
    states = {raw.record.login: raw.record for raw in pulled.items}
    assert sorted(states) == [5001, 5002, 5003] and not pulled.rejected
    first = states[LOGIN]
    assert (first.balance, first.credit, first.equity) == (Decimal("984.00"), Decimal("200.00"), Decimal("1150.75"))
    assert (first.currency, first.group, first.leverage, first.name) == ("USD", "real\\USD", 200, "Ana Prova")
    assert (first.server_time, first.utc_offset_minutes) == (WALL_NOW, 120)
    assert (states[5003].currency, str(states[5003].balance)) == ("JPY", "150000")


def test_account_body_keeps_no_address(simulator):
    with opened(simulator) as server:
        bodies = "".join(raw.body for raw in server.accounts().items)
    assert "Ana Prova" in bodies and "+351000111222" not in bodies


def test_many_accounts_are_asked_for_in_parts(simulator):
    users = [{"Login": 10_000 + n, "Group": "real\\USD"} for n in range(450)]
    simulator.control.run("load", {"users": users})
    with opened(simulator, groups="real\\USD") as server:
        assert len(server.accounts().items) == 452
    assert [len(p["login"].split(",")) for p in asked(simulator, "/api/user/account/get_batch")] == [200, 200, 52]


def test_one_bad_account_does_not_hide_the_others(simulator):
    misbehave(simulator, "spoil", path="/api/user/account/get_batch", field="Equity", value="nan")
    with opened(simulator) as server:
        pulled = server.accounts()
    assert tickets_of_accounts(pulled) == [5002, 5003]
    assert [(item.line, item.field) for item in pulled.rejected] == [(1, "Equity")]


def test_account_whose_group_is_unknown_is_rejected(simulator):
    misbehave(simulator, "spoil", path="/api/user/get_batch", field="Group", value="real\\gone")
    with opened(simulator) as server:
        pulled = server.accounts()
    assert tickets_of_accounts(pulled) == [5002, 5003]
    assert [item.field for item in pulled.rejected] == ["Group"]


def tickets_of_accounts(pulled):
    return sorted(raw.record.login for raw in pulled.items)


# The connection test.


def test_probe_of_a_good_connection(simulator):
    add(simulator, trade(NOW - 10))
    with opened(simulator) as server:
        probes = server.probe()
    assert [probe.name for probe in probes] == ["Sign-in", "Clock", "Users", "Account states", "Deals", "Query times"]
    assert all(probe.ok for probe in probes), probes
    details = " ".join(probe.detail for probe in probes)
    for words in ("2026-11-20 12:00:00, UTC+02:00", "3 accounts", "1 in the last hour", "may be set to 0"):
        assert words in details


def test_probe_names_the_missing_right(simulator):
    misbehave(simulator, "forbidden", path="/api/deal/")
    with opened(simulator) as server:
        probes = {probe.name: probe for probe in server.probe()}
    assert [name for name, probe in probes.items() if not probe.ok] == ["Deals", "Query times"]
    assert "lacks the right" in probes["Deals"].detail


def test_probe_with_a_wrong_password(simulator):
    simulator.manager_login = "1001"
    with opened(simulator) as server:
        (probe,) = server.probe()
    assert not probe.ok and "Sign-in refused" in probe.detail and PASSWORD not in probe.detail


def test_probe_with_a_mask_that_matches_nobody(simulator):
    with opened(simulator, groups="live\\*") as server:
        probes = {probe.name: probe for probe in server.probe()}
    assert not probes["Users"].ok and "Check the mask" in probes["Users"].detail


def test_probe_without_recent_deals_promises_nothing(simulator):
    with opened(simulator) as server:
        probes = {probe.name: probe for probe in server.probe()}
    assert "Not shown yet" in probes["Query times"].detail
