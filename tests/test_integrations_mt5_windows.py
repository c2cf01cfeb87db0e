"""Reading all MT5 deals of a span: edges, slices, halving, pages, and what must never pass for “no deals”."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from integrations.adapters.failures import BadAnswer, TookTooLong
from integrations.adapters.mt5_webapi.client import Client
from integrations.adapters.mt5_webapi.failures import Forbidden
from integrations.adapters.mt5_webapi.windows import DealReader
from integrations.ports import ServerError
from tests.mt5_world import NOW, WALL_NOW, add, asked, connected, last_hours, misbehave, opened, running, trade

BATCH = "/api/deal/get_batch"


@pytest.fixture
def simulator():
    with running() as simulator:
        yield simulator


def tickets(pulled):
    return sorted(raw.record.ticket for raw in pulled.items)


def test_both_ends_of_the_window_belong_to_it(simulator):
    inside = add(simulator, trade(NOW - 600), trade(NOW - 300), trade(NOW))
    add(simulator, trade(NOW - 601), trade(NOW + 1))
    with opened(simulator) as server:
        assert tickets(server.deals(since=WALL_NOW - timedelta(seconds=600), until=WALL_NOW)) == inside
    with opened(simulator, margin_minutes="60") as server:
        assert tickets(server.deals(since=WALL_NOW - timedelta(seconds=600), until=WALL_NOW)) == inside


def test_parts_of_a_second_are_widened_to_the_whole(simulator):
    inside = add(simulator, trade(NOW - 10), trade(NOW))
    half = timedelta(milliseconds=500)
    with opened(simulator) as server:
        assert tickets(server.deals(since=WALL_NOW - timedelta(seconds=10) + half, until=WALL_NOW - half)) == inside


def test_slices_cover_the_window_without_gap_or_overlap(simulator):
    everything = add(simulator, *(trade(NOW - 59 * n) for n in range(300)))
    with opened(simulator) as server:
        assert tickets(server.deals(**last_hours(5))) == everything
    spans = [(int(params["from"]), int(params["to"])) for params in asked(simulator, BATCH)]
    assert len(spans) == 6
    assert (spans[0][0], spans[-1][1]) == (NOW - 5 * 3600, NOW)
    assert all(end - start < 3600 for start, end in spans)
    assert all(later[0] == earlier[1] + 1 for earlier, later in pairwise(spans))


def test_empty_years_before_the_first_deal_take_few_calls(simulator):
    day = 86_400
    everything = add(simulator, trade(NOW - 10 * day), trade(NOW - 9 * day), trade(NOW))
    with opened(simulator) as server:
        assert tickets(server.deals(since=WALL_NOW - timedelta(days=26 * 365), until=WALL_NOW)) == everything
    spans = [(int(params["from"]), int(params["to"])) for params in asked(simulator, BATCH)]
    assert all(later[0] == earlier[1] + 1 for earlier, later in pairwise(spans))
    before = [end - start + 1 for start, end in spans if end < NOW - 10 * day]
    after = [end - start + 1 for start, end in spans if start > NOW - 10 * day]
    assert len(before) < 26 * 365 / 7 + 10 and max(before) == 7 * day
    assert len(after) > 200 and max(after) == 3600


def test_what_lies_after_the_servers_now_costs_no_calls(simulator):
    everything = add(simulator, trade(NOW - 300), trade(NOW + 40_000))
    with opened(simulator) as server:
        pulled = server.deals(since=WALL_NOW - timedelta(minutes=15), until=WALL_NOW + timedelta(days=1))
    assert tickets(pulled) == everything
    assert [(int(p["from"]), int(p["to"])) for p in asked(simulator, BATCH)] == [(NOW - 900, NOW + 86_400)]


def test_a_future_that_holds_too_much_is_halved_too(simulator):
    everything = add(simulator, *(trade(NOW + 200 * n) for n in range(-20, 200)))
    with connected(simulator) as client:
        found = list(
            DealReader(client, "*", slice_seconds=3600, trusted_rows=30).read(NOW - 4000, NOW + 40_000, now=NOW)
        )
    assert sorted(int(item["Deal"]) for item in found) == everything


def test_groups_are_asked_for_by_mask(simulator):
    mine = add(simulator, trade(NOW, Login=5001), trade(NOW, Login=5003, Price="1"))
    add(simulator, trade(NOW, Login=6001), trade(NOW, Login=7001))
    with opened(simulator, groups=" real\\* , !real\\test ") as server:
        assert tickets(server.deals(**last_hours(1))) == mine
    assert {params["group"] for params in asked(simulator, BATCH)} == {"real\\*,!real\\test"}


def test_large_answers_are_halved_and_small_ones_grow_back(simulator):
    everything = add(simulator, *(trade(NOW - 3600 + n // 2) for n in range(200)), *(trade(NOW + n) for n in range(5)))
    with connected(simulator) as client:
        reader = DealReader(client, "*", slice_seconds=3600, trusted_rows=40)
        found = list(reader.read(NOW - 3600, NOW + 7200, now=NOW + 7200))
    assert [int(item["Deal"]) for item in found] == everything
    widths = [int(params["to"]) - int(params["from"]) + 1 for params in asked(simulator, BATCH)]
    assert min(widths) < 20
    assert max(widths[-3:]) > 1000


def test_answers_over_the_byte_limit_are_halved(simulator):
    everything = add(simulator, *(trade(NOW - n) for n in range(0, 400, 4)))
    with connected(simulator, max_answer_bytes=20_000) as client:
        found = list(DealReader(client, "*", slice_seconds=3600).read(NOW - 3600, NOW, now=NOW))
    assert sorted(int(item["Deal"]) for item in found) == everything


def test_answers_that_take_too_long_are_halved(simulator):
    everything = add(simulator, trade(NOW - 3000), trade(NOW - 10))
    misbehave(simulator, "slow", count=1, seconds=5, path=BATCH)
    with connected(simulator, timeout_seconds=0.2) as client:
        found = list(DealReader(client, "*", slice_seconds=3600).read(NOW - 3599, NOW, now=NOW))
    assert [int(item["Deal"]) for item in found] == everything
    spans = [(int(params["from"]), int(params["to"])) for params in asked(simulator, BATCH)]
    assert spans == [(NOW - 3599, NOW), (NOW - 3599, NOW - 1800), (NOW - 1799, NOW)]


def test_a_server_that_is_always_slow_is_given_up(simulator):
    misbehave(simulator, "slow", seconds=5, path=BATCH)
    with connected(simulator, timeout_seconds=0.1) as client, pytest.raises(TookTooLong) as caught:
        list(DealReader(client, "*", slice_seconds=3600).read(NOW - 3599, NOW, now=NOW))
    assert caught.value.retry
    assert len(asked(simulator, BATCH)) == 5


def test_a_server_that_is_slow_now_and_then_is_not_given_up(simulator):
    everything = add(simulator, trade(NOW - 10))
    with connected(simulator, timeout_seconds=0.1) as client:
        reader = DealReader(client, "*", slice_seconds=60)
        for _ in range(6):
            misbehave(simulator, "slow", count=1, seconds=5, path=BATCH)
            found = list(reader.read(NOW - 59, NOW, now=NOW))
            assert [int(item["Deal"]) for item in found] == everything


@pytest.mark.parametrize("retcode", ["14 Partial", "9 Timeout"])
def test_answers_the_server_could_not_complete_are_halved(simulator, retcode):
    everything = add(simulator, trade(NOW - 3000), trade(NOW - 10))
    misbehave(simulator, "retcode", retcode=retcode, count=1, path=BATCH)
    with opened(simulator) as server:
        assert tickets(server.deals(**last_hours(0.9))) == everything
    assert len(asked(simulator, BATCH)) == 3


def test_one_second_with_too_much_is_read_by_pages(simulator):
    everything = add(simulator, *(trade(NOW, Login=5001 + n % 2) for n in range(450)))
    with connected(simulator) as client:
        found = list(DealReader(client, "*", slice_seconds=8, trusted_rows=50).read(NOW - 4, NOW + 3, now=NOW))
    assert sorted(int(item["Deal"]) for item in found) == everything
    assert {params["total"] for params in asked(simulator, "/api/deal/get_page")} == {"100"}


def test_server_without_get_batch_is_read_by_pages(simulator):
    everything = add(simulator, *(trade(NOW - 3 * 3600 + n) for n in range(251)), trade(NOW - 5, Login=5002))
    misbehave(simulator, "missing", path=BATCH)
    with opened(simulator) as server:
        assert tickets(server.deals(**last_hours(3))) == everything
    assert len(asked(simulator, BATCH)) == 1
    offsets = [p["offset"] for p in asked(simulator, "/api/deal/get_page") if p["login"] == "5001"]
    assert offsets == ["0", "100", "200"]


class Disturbed(Client):
    """The real client, with a manager deleting a deal of the first page after each of the first pages read."""

    simulator = None
    victims = ()

    def call(self, path, params=None):
        answer = super().call(path, params)
        if path == "/api/deal/get_page" and params["offset"] == "0" and self.victims:
            self.simulator.control.run("deal/delete", {"ticket": self.victims.pop()})
        return answer


@pytest.mark.parametrize(("deletions", "readings"), [(1, 2), (3, None)])
def test_paging_notices_a_list_that_changes(simulator, deletions, readings):
    everything = add(simulator, *(trade(NOW - 300 + n) for n in range(150)))
    misbehave(simulator, "missing", path=BATCH)
    with connected(simulator) as client:
        client.__class__ = Disturbed
        client.simulator, client.victims = simulator, everything[:deletions]
        reader = DealReader(client, "real\\USD", slice_seconds=3600)
        if readings is None:
            with pytest.raises(BadAnswer, match="changed while they were read") as caught:
                list(reader.read(NOW - 3600, NOW, now=NOW))
            assert caught.value.retry
        else:
            found = [int(item["Deal"]) for item in reader.read(NOW - 3600, NOW, now=NOW)]
            assert sorted(found) == everything[deletions:]


def test_403_is_not_no_deals(simulator):
    add(simulator, trade(NOW))
    misbehave(simulator, "forbidden", path=BATCH)
    with opened(simulator) as server, pytest.raises(Forbidden, match="lacks the right"):
        server.deals(**last_hours(1))


@pytest.mark.parametrize("retcode", ["1 OK, no data", "13 Not found"])
def test_no_deals_is_no_error(simulator, retcode):
    misbehave(simulator, "retcode", retcode=retcode, path=BATCH)
    with opened(simulator) as server:
        pulled = server.deals(**last_hours(2))
    assert (list(pulled.items), list(pulled.rejected), pulled.server_now) == ([], [], WALL_NOW)


def test_server_that_takes_query_times_in_utc_needs_the_margin(simulator):
    everything = add(simulator, trade(NOW - 1000), trade(NOW - 10))
    simulator.control.run("clock", {"queries_in_utc": True})
    with opened(simulator, margin_minutes="0") as server:
        assert tickets(server.deals(**last_hours(1))) == []
        with pytest.raises(ServerError, match="Set margin_minutes above"):
            server.deals(since=WALL_NOW - timedelta(hours=3), until=WALL_NOW - timedelta(hours=2))
    with opened(simulator, margin_minutes="180") as server:
        assert tickets(server.deals(**last_hours(1))) == everything
        assert not {probe.name: probe for probe in server.probe()}["Query times"].ok


def test_edited_time_that_disagrees_with_its_milliseconds_hides_no_deal(simulator):
    (ticket,) = add(simulator, trade(NOW - 30, TimeMsc=(NOW - 86_400) * 1000))
    with opened(simulator) as server:
        assert tickets(server.deals(**last_hours(1))) == [ticket]
