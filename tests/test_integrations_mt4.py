"""MT4's table of tickets: which rows become deals, and what they add up to."""

from __future__ import annotations

import csv
import random
from datetime import datetime
from decimal import Decimal
from typing import cast

import pytest

from integrations.adapters.mt4_trades import READER, Offsets, rows_to_parsed
from integrations.adapters.reading import BadField
from integrations.records import Deal, DealKind, Entry, Parsed, Side, Unreadable
from tests.files import parse, parse_sample, sample, shuffled

OFFSET = {"utc_offset_minutes": "120"}
NEVER = "1970-01-01 00:00:00"
CLOSED = {
    "TICKET": "1001",
    "LOGIN": "500001",
    "SYMBOL": "EURUSD",
    "DIGITS": "5",
    "CMD": "0",
    "VOLUME": "150",
    "OPEN_TIME": "2026-11-18 09:00:00",
    "OPEN_PRICE": "1.08",
    "CLOSE_TIME": "2026-11-19 17:30:05",
    "CLOSE_PRICE": "1.0815",
    "REASON": "1",
    "PROFIT": "225.00",
    "SWAPS": "-3.10",
    "COMMISSION": "-7.00",
    "TAXES": "-0.40",
    "COMMENT": "[tp]",
    "MODIFY_TIME": "2026-11-19 17:30:06",
}
DEPOSIT = CLOSED | {
    "TICKET": "1000",
    "SYMBOL": "",
    "CMD": "6",
    "VOLUME": "1",
    "CLOSE_TIME": "2026-11-18 09:00:00",
    "PROFIT": "1000",
    "SWAPS": "0",
    "COMMISSION": "0",
    "TAXES": "0",
    "COMMENT": "Deposit",
}


def ticket(**given: str) -> dict[str, str]:
    return CLOSED | given


def text(*rows: dict[str, str]) -> str:
    return "\n".join([",".join(CLOSED), *(",".join(row.values()) for row in rows)]) + "\n"


def read(*rows: dict[str, str]) -> Parsed:
    return parse(READER, text(*rows), OFFSET, name="mt4.csv")


def deals(parsed: Parsed) -> list[Deal]:
    return [cast(Deal, record) for record in parsed.records]


def test_a_closed_trade_is_one_deal_out() -> None:
    parsed = read(CLOSED)
    assert deals(parsed) == [
        Deal(
            ticket=1001,
            login=500001,
            kind=DealKind.TRADE,
            server_time=datetime(2026, 11, 19, 17, 30, 5),
            utc_offset_minutes=120,
            entry=Entry.OUT,
            side=Side.BUY,
            symbol="EURUSD",
            volume_lots=Decimal("1.5"),
            price=Decimal("1.0815"),
            profit=Decimal("225.00"),
            swap=Decimal("-3.10"),
            commission=Decimal("-7.00"),
            fee=Decimal("-0.40"),
            position_id=1001,
            reason="EXPERT",
            comment="[tp]",
        )
    ]
    assert deals(parsed)[0].amount == Decimal("214.50")
    assert parsed.balanced is None
    assert list(parsed.lines) == [2]


def test_an_open_trade_has_no_money_and_closing_is_its_next_version() -> None:
    parsed = read(ticket(CLOSE_TIME=NEVER, CMD="1"))
    deal = deals(parsed)[0]
    assert (deal.entry, deal.side, deal.reason) == (Entry.IN, Side.SELL, "FLOATING")
    assert (deal.amount, deal.price) == (Decimal(0), Decimal("1.08"))
    assert deal.server_time == datetime(2026, 11, 18, 9)
    assert parsed.facts["floating:1001"] == "214.50"
    assert parsed.facts["closed_result"] == "0.00"
    # The server rewrites the floating result with every tick; that is no new version.
    assert deals(read(ticket(CLOSE_TIME=NEVER, CMD="1", PROFIT="-9", CLOSE_PRICE="1.1")))[0] == deal
    closed = deals(read(ticket(CMD="1")))[0]
    assert (closed.ticket, closed.entry, closed.amount) == (deal.ticket, Entry.OUT, Decimal("214.50"))


def test_balance_and_credit_are_whole_amounts() -> None:
    parsed = read(DEPOSIT, DEPOSIT | {"TICKET": "1002", "CMD": "7", "PROFIT": "-50.5", "COMMENT": "Credit Out"})
    deposit, credit = deals(parsed)
    assert (deposit.kind, deposit.amount, deposit.entry) == (DealKind.BALANCE, Decimal(1000), Entry.NONE)
    assert (deposit.volume_lots, deposit.symbol, deposit.position_id) == (Decimal(0), "", 0)
    assert (credit.kind, credit.amount) == (DealKind.CREDIT, Decimal("-50.5"))
    assert parsed.facts["closed_result:500001"] == "1000.00"
    assert parsed.facts["credit:500001"] == "-50.50"


@pytest.mark.parametrize("command", ["2", "3", "4", "5"])
@pytest.mark.parametrize("closed", [NEVER, "2026-11-19 10:00:00"])
def test_pending_and_cancelled_orders_are_counted_and_no_deals(command: str, closed: str) -> None:
    parsed = read(ticket(CMD=command, CLOSE_TIME=closed, COMMENT="cancelled"))
    assert not parsed.records
    assert (parsed.facts["pending"], parsed.facts[f"cmd:{command}"], parsed.facts["rows"]) == ("1", "1", "1")


def test_a_command_of_a_later_version_is_kept_and_not_booked() -> None:
    parsed = read(DEPOSIT | {"CMD": "9"})
    assert deals(parsed)[0].kind is DealKind.UNKNOWN
    assert "CMD 9" in parsed.warnings[0]


@pytest.mark.parametrize(
    ("comment", "reason", "order"),
    [
        ("Stop Out Closed by SO #7153776", "SO", 0),
        ("so: 49.8%/120.2/241.1", "SO", 0),
        ("to #7231158", "EXPERT", 7231158),
        ("from #7229647", "EXPERT", 7229647),
        ("also: mine", "EXPERT", 0),
        ("源单号49459700|", "EXPERT", 0),
    ],
)
def test_what_only_the_comment_says(comment: str, reason: str, order: int) -> None:
    deal = deals(read(ticket(COMMENT=comment)))[0]
    assert (deal.comment, deal.reason, deal.order_id) == (comment, reason, order)


def test_the_newest_row_of_a_ticket_counts_wherever_it_stands() -> None:
    floating = ticket(CLOSE_TIME=NEVER, MODIFY_TIME="2026-11-19 12:00:00")
    for rows in ((floating, CLOSED), (CLOSED, floating)):
        parsed = read(DEPOSIT, *rows)
        assert [deal.ticket for deal in deals(parsed)] == [1000, 1001]
        assert deals(parsed)[1].entry is Entry.OUT
        assert list(parsed.lines) == [2, 2 + 1 + rows.index(CLOSED)]
        assert parsed.facts["closed_result"] == "1214.50"
        assert parsed.facts["floating"] == "0"
        assert "ticket 1001" in parsed.warnings[0]


def test_a_doubled_file_adds_nothing() -> None:
    once = read(DEPOSIT, CLOSED)
    twice = read(DEPOSIT, CLOSED, DEPOSIT, CLOSED)
    assert list(twice.records) == list(once.records)
    assert twice.facts["closed_result"] == once.facts["closed_result"]
    assert twice.facts["repeated"] == "2"
    assert not twice.warnings


@pytest.mark.parametrize(
    ("setting", "moment", "minutes"),
    [
        ("180", "2026-07-01 00:00:00", 180),
        ("-300", "2026-07-01 00:00:00", -300),
        ("120;2026-03-29T03:00=180;2026-10-25T04:00=120", "2026-03-29 02:59:59", 120),
        ("120;2026-03-29T03:00=180;2026-10-25T04:00=120", "2026-03-29 03:00:00", 180),
        ("2026-10-25=120 ; 2026-03-29=180; 2000-01-01=120", "2026-10-24 23:59:59", 180),
        ("2026-10-25=120 ; 2026-03-29=180; 2000-01-01=120", "2026-10-25 00:00:00", 120),
    ],
)
def test_the_clock_of_the_server(setting: str, moment: str, minutes: int) -> None:
    parsed = parse(READER, text(ticket(CLOSE_TIME=moment)), {"utc_offset_minutes": setting})
    assert deals(parsed)[0].utc_offset_minutes == minutes


@pytest.mark.parametrize("setting", ["x", "2026-13-01=120", "120;=", "900", "2026-03-29T03:00+02:00=120", "1.5"])
def test_a_wrong_clock_setting_is_named(setting: str) -> None:
    with pytest.raises(Unreadable, match="utc_offset_minutes"):
        parse(READER, text(CLOSED), {"utc_offset_minutes": setting})


def test_a_time_before_the_dated_table_rejects_the_row() -> None:
    parsed = parse(READER, text(CLOSED), {"utc_offset_minutes": "2026-12-01=120"})
    assert [bad.field for bad in parsed.rejected] == ["utc_offset_minutes"]
    with pytest.raises(BadField):
        Offsets.read("2026-12-01=120").at(datetime(2026, 11, 30))


def test_without_the_setting_the_usual_clock_is_taken_and_said() -> None:
    parsed = parse(READER, text(CLOSED))
    assert deals(parsed)[0].utc_offset_minutes == 120
    assert "utc_offset_minutes" in parsed.warnings[0]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"PROFIT": "NaN"}, "PROFIT"),
        ({"PROFIT": "1e5"}, "PROFIT"),
        ({"SWAPS": "1 234"}, "SWAPS"),
        ({"COMMISSION": '"1,234.50"'}, "COMMISSION"),
        ({"TICKET": "0"}, "TICKET"),
        ({"TICKET": "12.5"}, "TICKET"),
        ({"LOGIN": ""}, "LOGIN"),
        ({"CMD": "buy"}, "CMD"),
        ({"VOLUME": "-10"}, "VOLUME"),
        ({"VOLUME": "0"}, "VOLUME"),
        ({"SYMBOL": ""}, "SYMBOL"),
        ({"CLOSE_TIME": "2026-02-30 00:00:00"}, "CLOSE_TIME"),
        ({"CLOSE_TIME": ""}, "CLOSE_TIME"),
        ({"OPEN_TIME": "18.11.2026"}, "OPEN_TIME"),
        ({"CLOSE_PRICE": "Infinity"}, "CLOSE_PRICE"),
        ({"REASON": "x"}, "REASON"),
    ],
)
def test_a_bad_field_rejects_its_row_only(given: dict[str, str], field: str) -> None:
    parsed = read(DEPOSIT, ticket(**given), ticket(TICKET="1003"))
    assert [(bad.line, bad.field) for bad in parsed.rejected] == [(3, field)]
    assert [deal.ticket for deal in deals(parsed)] == [1000, 1003]


def test_a_cut_file_loses_its_last_row_only() -> None:
    whole = text(DEPOSIT, CLOSED)
    for cut in (8, 40, 100):
        parsed = parse(READER, whole[:-cut], OFFSET)
        assert [deal.ticket for deal in deals(parsed)] == [1000]
        assert parsed.rejected[0].line == 3


def test_a_header_alone_has_no_deals() -> None:
    parsed = parse(READER, text(), OFFSET)
    assert (len(parsed.records), parsed.balanced, parsed.facts["rows"]) == (0, None, "0")
    assert parsed.warnings == ["There are no rows."]


def test_a_missing_or_doubled_column_is_named() -> None:
    with pytest.raises(Unreadable, match="no column 'SWAPS'"):
        parse(READER, text(CLOSED).replace("SWAPS", "STORAGE"), OFFSET)
    with pytest.raises(Unreadable, match="'LOGIN' stands there twice"):
        parse(READER, text(CLOSED).replace("DIGITS", "LOGIN"), OFFSET)


def test_columns_in_any_order_and_other_encodings_give_the_same() -> None:
    plain = text(DEPOSIT, CLOSED, ticket(TICKET="1003", COMMENT="café"))
    first = list(parse(READER, plain, OFFSET).records)
    for seed in range(5):
        mixed = shuffled(plain, lambda names, seed=seed: random.Random(seed).sample(names, len(names)))  # type: ignore[misc]
        assert list(parse(READER, mixed, OFFSET).records) == first
    for variant in (b"\xef\xbb\xbf" + plain.encode(), plain.replace("\n", "\r\n").encode(), plain.encode("cp1252")):
        assert list(parse(READER, variant, OFFSET).records) == first


def test_gateway_columns_tell_what_left_for_a_provider() -> None:
    header, row = ",".join([*CLOSED, "GW_VOLUME", "GW_ORDER"]), ",".join([*CLOSED.values(), "150", "88123"])
    deal = deals(parse(READER, f"{header}\n{row}\n", OFFSET))[0]
    assert (deal.gateway, deal.external_id) == ("GW", "88123")
    assert (deals(read(CLOSED))[0].gateway, deals(read(CLOSED))[0].external_id) == ("", "")


def test_rows_of_sql_give_the_same_deals() -> None:
    typed: dict[str, object] = dict(CLOSED)
    typed |= {"TICKET": 1001, "LOGIN": 500001, "CMD": 0, "VOLUME": 150, "PROFIT": 225.0, "SWAPS": -3.1}
    typed |= {"COMMISSION": Decimal("-7.00"), "TAXES": -0.4, "CLOSE_PRICE": 1.0815, "REASON": None}
    typed |= {"OPEN_TIME": datetime(2026, 11, 18, 9), "CLOSE_TIME": datetime(2026, 11, 19, 17, 30, 5)}
    parsed = rows_to_parsed([{name.lower(): value for name, value in typed.items()}], OFFSET)
    assert deals(parsed) == deals(read(ticket(REASON="")))
    assert parsed.facts["rows"] == "1"
    tiny = rows_to_parsed([typed | {"PROFIT": 1e-05}], OFFSET)
    assert deals(tiny)[0].profit == Decimal("0.00001")


def test_rows_of_sql_are_refused_like_any_other() -> None:
    assert rows_to_parsed([], OFFSET).facts["rows"] == "0"
    assert [bad.field for bad in rows_to_parsed([dict(CLOSED, PROFIT=float("nan"))], OFFSET).rejected] == ["PROFIT"]
    with pytest.raises(Unreadable, match="no column TICKET"):
        rows_to_parsed([{"LOGIN": 5}], OFFSET)


RESULTS = {
    500001: ("19389.62", 31),
    500002: ("18997.36", 39),
    500003: ("19303.64", 67),
    500004: ("20282.65", 59),
    500005: ("19857.14", 19),
}


def test_sample_extract_comes_out_to_the_cent() -> None:
    parsed = parse_sample(READER, "platforms/mt4_trades_extract.csv", OFFSET)
    found = deals(parsed)
    assert parsed.facts["rows"] == "283"
    assert not parsed.rejected
    for login, (result, count) in RESULTS.items():
        mine = [deal for deal in found if deal.login == login]
        assert sum(deal.amount for deal in mine) == Decimal(result)
        assert sum(deal.entry is Entry.OUT for deal in mine) == count
        assert parsed.facts[f"closed_result:{login}"] == result
        assert parsed.facts[f"closed_trades:{login}"] == str(count)
    floating = {name: value for name, value in parsed.facts.items() if name.startswith("floating")}
    assert floating == {"floating": "2", "floating:7382657": "-134.09", "floating:7386472": "-97.04"}
    assert {deal.ticket: deal.amount for deal in found if deal.entry is Entry.IN} == {7382657: 0, 7386472: 0}
    assert parsed.facts["pending"] == "42"
    assert len(found) == 283 - 42
    assert {deal.ticket for deal in found if deal.reason == "SO"} == {7153776, 7158285, 7164964, 7366090, 7366232}
    linked = {deal.ticket: deal.order_id for deal in found if deal.order_id}
    assert linked == {7229647: 7231158, 7231158: 7229647}


def test_sample_extract_reads_the_same_from_sql_rows() -> None:
    from_file = parse_sample(READER, "platforms/mt4_trades_extract.csv", OFFSET)
    with sample("platforms/mt4_trades_extract.csv").open(encoding="utf-8", newline="") as stream:
        from_rows = rows_to_parsed(csv.DictReader(stream), OFFSET)
    assert list(from_rows.records) == list(from_file.records)
