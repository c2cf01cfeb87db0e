"""The demo day: planned the same way every time, written in real formats, played through the real services, and
found to be what was planted; with one class of matcher switched off, the check fails and names it."""

from __future__ import annotations

import io
import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from lxml import etree

from backoffice.demo import checker, days, finish, people, seeding, state
from backoffice.demo.files import Files
from backoffice.demo.money import psps
from backoffice.launcher import demo as launcher
from backoffice.launcher.console import Refusal
from backoffice.organisation.models import User
from integrations import registry
from integrations.models import PayoutOrder
from integrations.records import Side
from integrations.simulators.mt5_webapi import Simulator
from integrations.simulators.psp.server import Simulator as PspSimulator
from integrations.simulators.psp_card import CardPsp
from reconciliation.models import CLASSES, Break

LIVE = date(2026, 11, 19)
# The house's own banks move only while the month is played.
CLIENTS_BANKS = [bank for bank in finish.BANKS if bank.startswith("bank")]


@pytest.fixture(scope="module")
def scene():
    return finish.planned(7, LIVE)


def read(connection, path, **given):
    with path.open("rb") as stream:
        return registry.READERS[connection].parse(stream, filename=path.name, settings=given)


def test_the_calendar_is_target2():
    assert days.easter(2026) == date(2026, 4, 5) and days.easter(2024) == date(2024, 3, 31)
    assert not days.is_open(date(2026, 4, 3)) and not days.is_open(date(2026, 4, 6)) and days.is_open(date(2026, 4, 7))
    assert days.shifted(date(2026, 4, 7), -1) == date(2026, 4, 2)
    assert seeding.live_day(date(2026, 12, 27)) == date(2026, 12, 24)
    history = days.Days.until(date(2026, 4, 7)).history
    assert len(history) == days.HISTORY and history[-1] == date(2026, 4, 2)


@pytest.mark.parametrize("live", [date(2026, 3, 9), date(2026, 3, 30), date(2026, 10, 26), date(2026, 11, 2)])
def test_server_walls_follow_new_york_and_athens(live):
    for shift in range(-4, 4):
        day = live + timedelta(days=shift)
        noon = days.mt5_moment(day, 12 * 60)
        assert days.mt5_wall(noon).date() == day and days.mt5_wall(noon).hour == 12
        # The server's midnight is the close in New York.
        assert days.mt5_moment(day, 0).astimezone(days.NEW_YORK).hour == 17
        assert days.mt4_wall(days.mt4_moment(day, 600)).hour == 10


def test_a_seed_and_a_date_always_give_the_same_plan(scene):
    again = finish.planned(7, LIVE)
    assert again.plan == scene.plan
    assert finish.planned(8, LIVE).plan.deals != scene.plan.deals


@pytest.mark.parametrize("seed", range(11, 17))
def test_every_class_is_planted_once_to_three_times_on_the_live_day(seed):
    planned = finish.planned(seed, LIVE)
    ibans = finish.accounts(seed)
    keys = [(p.klass, p.entity, finish.key_of(p, planned, ibans)) for p in planned.plan.planted]
    assert len(set(keys)) == len(keys), "a break is one break"
    today = {p.klass for p in planned.plan.planted if p.opens == LIVE}
    assert today == set(CLASSES)
    assert 3 <= sum(p.resolves is not None for p in planned.plan.planted) <= 8


def test_files_prove_themselves_to_our_readers(scene, tmp_path):
    made = Files(scene, tmp_path)
    past = list(scene.days.bulk)
    settled = read("adyen_settlement", made.psp(past))
    assert settled.balanced and not settled.rejected and not settled.warnings
    rows = [row for row in scene.plan.psp if row.day in past]
    assert len(settled.records) == len(rows) + sum(payout.day in past for payout in scene.plan.payouts)
    fills = read("lp_fills", made.fills([LIVE]))
    assert fills.balanced and {fill.trade_date for fill in fills.records} == {LIVE}
    assert {fill.side for fill in fills.records} == {Side.BUY, Side.SELL}
    for bank in CLIENTS_BANKS:
        whole = read("camt053", made.bank(bank, past))
        assert whole.balanced and not whole.warnings
        assert read("camt053", made.wrong_bank(bank, LIVE)).balanced is False
    trades = read("mt4_trades", made.trades(scene.ends, broken=True), utc_offset_minutes="120")
    assert len(trades.rejected) == 1 and trades.facts["floating"] != "0"


def test_statements_are_valid_camt053(scene, tmp_path):
    schema = Path(django_settings.BASE).parent / "shared" / "schemas" / "payments" / "camt.053.001.08.xsd"
    if not schema.exists():
        pytest.skip(f"the official schema is not here: {schema}")
    made = Files(scene, tmp_path)
    for bank in CLIENTS_BANKS:
        document = etree.parse(io.BytesIO(made.bank(bank, scene.days.all).read_bytes()))
        etree.XMLSchema(etree.parse(schema)).assertValid(document)


def test_a_psp_that_is_started_again_knows_what_it_is_told():
    psp = PspSimulator(CardPsp("key")).start()
    port = int(psp.url.rpartition(":")[2])
    order = {"reference": "W-AAAA1111", "amount": "120.50", "currency": "EUR", "destination": {"source_id": "src_1"}}
    try:
        launcher.tell(port, "payout", order)
        launcher.tell(port, "payout", order)
        with pytest.raises(Refusal, match="refused payout"):
            launcher.tell(port, "payout", {"reference": "W-AAAA1111"})
    finally:
        psp.stop()
    (paid,) = psp.book.payouts.values()
    assert (paid.reference, paid.amount) == ("W-AAAA1111", Decimal("120.50"))
    assert dict(paid.destination) == {"source_id": "src_1"}


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_day_comes_out_right_and_a_class_switched_off_is_missed(settings, tmp_path, owner):
    settings.STATE_DIR = tmp_path
    said: list[str] = []
    seeding.seed(number=3, asked=LIVE, say=said.append)
    owner.execute("ANALYZE")  # what autovacuum does a minute later
    result = checker.check(number=3, asked=LIVE)
    wrong = ("missing", "unexpected", "second_run_changes", "verify", "failed_runs", "imports", "money")
    assert result["ok"], {name: result[name] for name in wrong}
    assert all(counts["found"] == counts["planted"] > 0 for counts in result["classes"].values())
    assert result["settled_by_themselves"] >= 3
    desk = result["money"]
    assert desk["problems"] == [] and desk["payouts"]["UNKNOWN"] == 1 and "CHARGED_BACK" in desk["chargebacks"]
    assert [(one["entity"], one["signed"], one["rebuilt"]) for one in desk["client_money"]] == [
        ("CY", True, True),
        ("UK", True, True),
    ]
    assert {line["username"] for line in json.loads(state.people_path().read_text())} == set(
        User.objects.values_list("username", flat=True)
    )
    assert User.objects.get(username="fiona").check_password(people.password(3, "fiona"))
    assert Break.objects.filter(state="EXPLAINED").count() == 1 and Break.objects.filter(state="ASSIGNED").exists()

    kept = state.simulators_path().read_bytes()
    state.simulators_path().unlink()
    seeding.seed(number=3, asked=None, say=said.append)
    assert state.simulators_path().read_bytes() == kept and "there already" in said[-1]
    with pytest.raises(seeding.OtherDemo, match="seed 3"):
        seeding.seed(number=4, asked=None, say=said.append)
    entry, *paying = json.loads(kept)
    assert [one["name"] for one in paying] == [psps.CARDS, psps.CRYPTO]
    # A simulator that is started again is told what it had paid before: the one in doubt, and those on their way.
    told = {one["name"]: [order["reference"] for _, order in one["orders"]] for one in paying}
    orders = PayoutOrder.objects.exclude(state="FAILED")
    assert sorted(told[psps.CARDS] + told[psps.CRYPTO]) == sorted(orders.values_list("reference", flat=True))
    database = entry["argv"][entry["argv"].index("--db") + 1]
    simulator = Simulator(database, manager_login="1000", password="x")
    assert simulator.store.count_all_deals() > 10_000
    simulator.store.close()

    blind = checker.check(number=3, asked=None, without="PRICE")
    assert not blind["ok"] and blind["unexpected"] == []
    assert {one["class"] for one in blind["missing"]} == {"PRICE"}
    assert blind["classes"]["PRICE"]["found"] == 1 < blind["classes"]["PRICE"]["planted"]
