"""Every class of break is found in its class, what agrees is matched, and a second run changes nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, timedelta
from decimal import Decimal

import pytest

from backoffice.kernel import clock
from integrations.records import PspKind, Side
from ledger.services import chart
from reconciliation.models import Break, BreakEvent, BreakState, CashMatch, Kind, Run, TradeMatch
from reconciliation.services import matching, runs
from tests.builders import ROBOT
from tests.worlds import DAY, NOON, bank_line, deal, deposit, fill, psp_line, world

pytestmark = pytest.mark.django_db


def run(w, kind: Kind, day: date = DAY) -> Run:
    """A run over what is stored; nothing is asked for over the network."""
    request = runs.request(actor=ROBOT, entity_id=w.server.entity_id, kind=kind, day=day)
    runs._match(Run.objects.select_related("entity", "rule").get(pk=request.pk), [])
    return Run.objects.get(pk=request.pk)


def found() -> list[tuple[str, str]]:
    rows = Break.objects.filter(state__in=["OPEN", "ASSIGNED", "EXPLAINED"]).order_by("klass", "key")
    return [(b.klass, b.key.split(":")[-1] if b.kind != "balances" else b.key.split(":")[2]) for b in rows]


def hedged(ticket: int, **changes):
    return deal(ticket, gateway="LP", external_id=f"X{ticket}", **changes)


def test_trades_that_agree_on_three_sides_match_and_a_second_run_changes_nothing():
    w = world()
    deals = [hedged(1), hedged(2, symbol="XAUUSD", price=Decimal("2350"), volume_lots=Decimal("0.5")), deal(3)]
    w.put(w.server, *deals)
    w.put(w.lp, fill("e1", "X1"), fill("e2", "X2", symbol="GOLD", price=Decimal("2350.10"), quantity_units=Decimal(50)))
    w.list_server(*deals)
    first = run(w, Kind.TRADES)
    assert (first.compared, first.matched, first.breaks, first.state) == (3, 3, 0, "DONE")
    assert TradeMatch.objects.exclude(fill_id=None).count() == 2
    before = list(TradeMatch.objects.values_list("deal_id", "run_id"))
    second = run(w, Kind.TRADES)
    assert (second.compared, second.matched) == (3, 3)
    assert list(TradeMatch.objects.values_list("deal_id", "run_id")) == before
    assert found() == []


def test_every_class_of_trade_break():
    w = world()
    base = [hedged(n) for n in range(1, 13)]
    w.put(w.server, *base[:10], deal(20), deal(21), deal(22, login=555))
    w.book()
    w.put(w.server, replace(base[9], profit=Decimal(1), modify_flags=1))  # 10: edited while we watched
    later = fill("e5", "X5", traded_at=NOON.replace(tzinfo=UTC) + timedelta(minutes=5))
    w.put(
        w.lp,
        fill("e1", "X1"),
        # X2 is missing at the LP
        fill("e3", "X3", side=Side.SELL),
        fill("e4", "X4", symbol="GOLD"),
        later,
        fill("e6", "X6", quantity_units=Decimal(90000)),
        fill("e7", "X7", price=Decimal("1.09500")),
        fill("e8a", "X8"),
        fill("e8b", "X8"),
        fill("e9a", "X9", quantity_units=Decimal(40000)),
        fill("e9b", "X9", quantity_units=Decimal(60000)),
        fill("e10", "X10"),
        fill("e99", "X99"),
    )
    w.list_server(
        *base[:9],
        replace(base[9], profit=Decimal(1), modify_flags=1),
        base[10],  # 11 never reached us
        replace(deal(20), price=Decimal("1.08600")),  # edited later than we looked
        deal(22, login=555),
    )  # 21 is gone at the server
    w.book()
    done = run(w, Kind.TRADES)
    assert found() == [
        ("DUPLICATE", "8"),
        ("EDITED", "10"),
        ("EDITED", "20"),
        ("FILL_WITHOUT_DEAL", "e99"),
        ("LATE", "5"),
        ("MISSING_AT_LP", "2"),
        ("MISSING_AT_SERVER", "21"),
        ("MISSING_IN_BOOKS", "11"),
        ("PRICE", "7"),
        ("SIDE", "3"),
        ("SYMBOL", "4"),
        ("UNKNOWN_LOGIN", "22"),
        ("VOLUME", "6"),
    ]
    assert done.breaks == 13
    assert set(done.by_class) == {klass for klass, _ in found()}
    # 1 in full, 9 in two parts, 22 between books and server
    assert sorted(TradeMatch.objects.values_list("fill_id", flat=True).count() for _ in [0]) == [3]


def test_the_same_order_sent_twice_is_a_duplicate_and_orders_of_other_days_are_not_missed():
    w = world()
    deals = [hedged(1), replace(hedged(2), external_id="X1"), hedged(3)]
    w.put(w.server, *deals)
    w.list_server(*deals)
    next_day = fill("e3", "X3", trade_date=DAY + timedelta(days=1))
    w.put(w.lp, fill("e1", "X1"), next_day, fill("e4", "X4", trade_date=DAY + timedelta(days=1)))
    run(w, Kind.TRADES)
    assert found() == [("DUPLICATE", "1"), ("DUPLICATE", "2")]


def test_without_a_file_of_the_lp_nothing_is_missing_there_yet():
    w = world()
    w.put(w.server, hedged(1))
    w.list_server(hedged(1))
    done = run(w, Kind.TRADES)
    assert found() == []
    assert any("lp has sent nothing" in note for note in done.notes)


def test_balances_and_credit_and_accounts_on_one_side_only():
    w = world()
    w.put(w.server, deposit(1, "100.00"), deposit(2, "30.00", server_time=NOON + timedelta(days=1)))
    w.book()
    w.snapshot(1001, "100.00")
    w.snapshot(4242, "7.00")
    run(w, Kind.BALANCES)
    assert found() == [("ACCOUNT_UNKNOWN", "4242")]
    w.snapshot(1001, "99.99", "5.00")
    run(w, Kind.BALANCES)
    assert found() == [("ACCOUNT_UNKNOWN", "4242"), ("BALANCE", "1001"), ("CREDIT", "1001")]
    difference = Break.objects.get(klass="BALANCE")
    assert (difference.amount, difference.currency) == (Decimal("-0.01"), "USD")
    w.snapshot(1001, "100.00")
    run(w, Kind.BALANCES)
    assert found() == [("ACCOUNT_UNKNOWN", "4242")]
    difference.refresh_from_db()
    assert (difference.state, difference.resolution) == (BreakState.RESOLVED, "BY_ITSELF")


def test_a_snapshot_taken_after_midnight_is_taken_back_to_the_end_of_the_day():
    w = world()
    w.put(w.server, deposit(1, "100.00"), deposit(2, "30.00", server_time=NOON.replace(day=20, hour=0, minute=2)))
    w.book()
    w.snapshot(1001, "130.00")  # builders stamp it 23:59:59 of the day: the later deal is not in it
    run(w, Kind.BALANCES)
    assert found() == [("BALANCE", "1001")]


def test_an_account_the_server_does_not_list():
    w = world()
    w.snapshot(4242, "0")
    run(w, Kind.BALANCES)
    assert found() == [("ACCOUNT_GONE", "1001"), ("ACCOUNT_UNKNOWN", "4242")]


def test_cash_that_arrived_on_all_sides_matches():
    w = world()
    w.put(
        w.server,
        deposit(1, "100.00", "D-AAAAAAAA card"),
        deposit(2, "50.00", "D-BBBBBBBB"),
        deposit(3, "-20.00", "W-CCCCCCCC"),
    )
    w.put(w.psp, psp_line("p1", "100.00", fee="2.50", reference="D-AAAAAAAA"))
    w.put(w.psp, psp_line("p2", "-97.50", kind=PspKind.PAYOUT, bank_reference="TX12345XT"))
    w.put(
        w.bank,
        bank_line("b1", "97.50", remittance="TX12345XT batch 1"),
        bank_line("b2", "50.00", remittance="from A. Lovelace ref D-BBBBBBBB"),
        bank_line("b3", "-20.00", end_to_end_id="W-CCCCCCCC"),
        bank_line("b4", "-1.00", remittance="monthly", bank_code="PMNT/MDOP/CHRG"),
    )
    w.book()
    done = run(w, Kind.CASH)
    assert found() == []
    assert (done.compared, done.matched) == (4, 4)
    assert set(CashMatch.objects.values_list("rung", flat=True)) == {"ID", "REFERENCE", "GROUP"}
    before = CashMatch.objects.count()
    run(w, Kind.CASH)
    assert CashMatch.objects.count() == before


def test_every_class_of_cash_break():
    w = world()
    early = NOON - timedelta(days=9)
    chart.open_house(actor=ROBOT, entity_id=w.server.entity_id, currency="EUR")
    w.put(
        w.server,
        deposit(1, "100.00", "D-AAAAAAAA", server_time=early),  # never arrives: overdue
        deposit(2, "100.00", "D-BBBBBBBB"),  # never arrives yet: on time
        deposit(3, "100.00", "D-CCCCCCCC"),  # PSP has another amount
        deposit(4, "100.00", "D-DDDDDDDD"),
        deposit(5, "100.00", "D-DDDDDDDD"),  # credited twice
        deposit(6, "100.00", "D-EEEEEEEE"),  # settled twice
        deposit(7, "100.00", "D-FFFFFFFF"),  # settled in another currency
        deposit(8, "-60.00", "W-GGGGGGGG"),  # comes back
        deposit(9, "100.00", "D-JJJJJJJJ"),  # charged back
    )
    w.put(
        w.psp,
        psp_line("c", "99.00", reference="D-CCCCCCCC"),
        psp_line("d", "100.00", reference="D-DDDDDDDD"),
        psp_line("e1", "100.00", reference="D-EEEEEEEE"),
        psp_line("e2", "100.00", reference="D-EEEEEEEE"),
        psp_line("f", "100.00", reference="D-FFFFFFFF", currency="EUR"),
        psp_line("h", "80.00", reference="D-HHHHHHHH"),  # nobody was credited
        psp_line("j", "100.00", reference="D-JJJJJJJJ"),
        psp_line("j2", "-100.00", reference="D-JJJJJJJJ", kind=PspKind.CHARGEBACK),
        psp_line("p1", "-500.00", kind=PspKind.PAYOUT, bank_reference="TX00001XT", booked_at=early.replace(tzinfo=UTC)),
        psp_line("p2", "-600.00", kind=PspKind.PAYOUT, bank_reference="TX00002XT"),
        psp_line("p3", "-10.00", kind=PspKind.PAYOUT, bank_reference="TX00004XT"),  # on its way
        psp_line("q", "1.00", kind=PspKind.UNKNOWN),
    )
    w.put(
        w.bank,
        bank_line("b1", "599.00", remittance="TX00002XT"),
        bank_line("b2", "42.00", remittance="TX00003XT", booking_date=DAY - timedelta(days=9)),
        bank_line("b3", "13.00", remittance="thank you"),
        bank_line("b4", "-60.00", end_to_end_id="W-GGGGGGGG"),
        bank_line("b5", "60.00", end_to_end_id="W-GGGGGGGG", is_reversal=True),
        bank_line("b6", "5.00", currency="SEK", remittance="D-KKKKKKKK"),
    )
    w.book()
    run(w, Kind.CASH)
    assert sorted(found()) == [
        ("AMOUNT", "D-CCCCCCCC"),
        ("BAD_LINE", "q"),
        ("CHARGEBACK", "j2"),
        ("CURRENCY", "D-FFFFFFFF"),
        ("DUPLICATE_CREDIT", "D-DDDDDDDD"),
        ("DUPLICATE_PSP", "D-EEEEEEEE"),
        ("MISSING_EXTERNAL", "D-AAAAAAAA"),
        ("MISSING_INTERNAL", "D-HHHHHHHH"),
        ("MISSING_INTERNAL", "D-KKKKKKKK"),
        ("PAYOUT_AMOUNT", "USD"),
        ("PAYOUT_MISSING", "USD"),
        ("PAYOUT_UNKNOWN", "USD"),
        ("RETURNED", "W-GGGGGGGG"),
        ("UNIDENTIFIED", "b3"),
        ("UNKNOWN_CURRENCY", "b6"),
    ]


def test_a_break_keeps_its_identity_resolves_by_itself_and_opens_again():
    w = world()
    w.put(w.server, hedged(1))
    w.list_server(hedged(1))
    w.put(w.lp, fill("e0", "X0", trade_date=DAY + timedelta(days=1)), fill("e00", "X00"))
    run(w, Kind.TRADES)
    item = Break.objects.get(klass="MISSING_AT_LP")
    run(w, Kind.TRADES)
    assert Break.objects.filter(klass="MISSING_AT_LP").count() == 1
    w.put(w.lp, fill("e1", "X1"))
    run(w, Kind.TRADES)
    item.refresh_from_db()
    assert (item.state, item.resolution) == (BreakState.RESOLVED, "BY_ITSELF")
    w.put(w.lp, fill("e1", "X1-cancelled"))
    run(w, Kind.TRADES)
    item.refresh_from_db()
    assert item.state == BreakState.OPEN
    assert item.opened_at < clock.now()
    events = BreakEvent.objects.filter(item=item).values_list("event", flat=True)
    assert list(events) == ["OPENED", "RESOLVED", "REOPENED"]


def test_facts_after_the_cut_off_are_not_seen():
    w = world()
    w.put(w.server, hedged(1))
    w.list_server(hedged(1))
    w.put(w.lp, fill("e0", "X00"))
    cutoff = clock.now()
    w.put(w.lp, fill("e1", "X1"))
    request = runs.request(actor=ROBOT, entity_id=w.server.entity_id, kind=Kind.TRADES, day=DAY)
    loaded = Run.objects.select_related("entity", "rule").get(pk=request.pk)
    outcome = matching.match(run=loaded, cutoff=cutoff, now=clock.now())
    assert "MISSING_AT_LP" in outcome.by_class
