"""Executions of a liquidity provider: profiles, units, sides, days, and the closing row."""

from __future__ import annotations

import json
import random
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, cast

import pytest

from integrations.adapters.lp_fills import READER
from integrations.adapters.lp_fills import profile as profiles
from integrations.records import Fill, Parsed, Side, Unreadable
from tests.files import parse, shuffled

HEADER = "exec_id,order_ref,symbol,side,quantity,price,traded_at,commission,commission_currency,account"
FIRST = "E1,O1,EURUSD,B,100000,1.08231,2026-11-19T09:30:00.125Z,2.50,USD,MARGIN1"
SECOND = "E2,O2,XAUUSD,SELL,50,2650.4,2026-11-19 23:10:00,0,,MARGIN1"
TRAILER = "TRAILER,2,100050"
BARE: dict[str, Any] = {"trailer": None}


def read(*rows: str, profile: dict[str, Any] | None = None, header: str = HEADER) -> Parsed:
    given = {"profile": json.dumps(profile)} if profile is not None else {}
    return parse(READER, "\n".join([header, *rows]) + "\n", given, name="lp.csv")


def fills(parsed: Parsed) -> list[Fill]:
    return [cast(Fill, record) for record in parsed.records]


def row(**given: str) -> str:
    return ",".join((dict(zip(HEADER.split(","), FIRST.split(","), strict=True)) | given).values())


def test_the_default_profile() -> None:
    parsed = read(FIRST, SECOND, TRAILER)
    assert parsed.balanced is True
    assert [(total.expected, total.found) for total in parsed.control_totals] == [
        ("1", "1"),
        ("2", "2"),
        ("100050.00", "100050.00"),
    ]
    first, second = fills(parsed)
    assert first == Fill(
        exec_id="E1",
        order_ref="O1",
        symbol="EURUSD",
        side=Side.BUY,
        quantity_units=Decimal(100000),
        price=Decimal("1.08231"),
        traded_at=datetime(2026, 11, 19, 9, 30, 0, 125000, tzinfo=UTC),
        trade_date=date(2026, 11, 19),
        commission=Decimal("-2.50"),
        commission_currency="USD",
        account="MARGIN1",
    )
    # 23:10 UTC is 18:10 in New York: past 17:00, so it is the next trade date.
    assert (second.side, second.trade_date, second.commission) == (Side.SELL, date(2026, 11, 20), Decimal(0))
    assert list(parsed.lines) == [2, 3]
    assert not parsed.warnings


def test_another_layout_by_profile() -> None:
    profile = {
        "delimiter": ";",
        "encoding": "latin-1",
        "columns": {
            "exec_id": "Ausführung",
            "symbol": "Instrument",
            "side": "Seite",
            "quantity": "Lots",
            "price": "Kurs",
            "traded_at": "Zeit",
            "commission": "Gebühr",
        },
        "side": {"Kauf": "BUY", "Verkauf": "SELL"},
        "flip_side": True,
        "quantity_unit": "lots",
        "contract_sizes": {"EURUSD": 100000, "XAUUSD": "100", "*": 1},
        "decimal_comma": True,
        "time_format": "%d.%m.%Y %H:%M:%S",
        "time_zone": "Europe/Berlin",
        "trade_date": "local",
        "commission_sign": "signed",
        "trailer": {"marker": "Summe", "count": 1, "quantity": -1},
    }
    text = (
        "Zeit;Instrument;Seite;Lots;Kurs;Ausführung;Gebühr\n"
        "19.11.2026 00:30:00;eurusd;Kauf;0,25;1,0823;A1;-1,20\n"
        "19.11.2026 00:30:00;XAUUSD;verkauf;2;2650,4;A2;\n"
        "19.11.2026 00:30:00;DAX;Kauf;3;19000;A3;0,00\n"
        "Summe;3;;;;;\n"
    )
    parsed = parse(READER, text.encode("latin-1"), {"profile": json.dumps(profile)})
    assert parsed.balanced is True
    first, second, third = fills(parsed)
    assert (first.side, first.quantity_units, first.price) == (Side.SELL, Decimal("25000.00"), Decimal("1.0823"))
    assert first.traded_at == datetime(2026, 11, 18, 23, 30, tzinfo=UTC)
    assert first.trade_date == date(2026, 11, 19)
    assert first.commission == Decimal("-1.20")
    assert (second.side, second.quantity_units) == (Side.BUY, Decimal(200))
    assert third.quantity_units == 3
    assert parsed.facts["encoding"] == "latin-1"


@pytest.mark.parametrize(
    ("rule", "moment", "day"),
    [
        ("utc", "2026-11-19T23:59:59Z", date(2026, 11, 19)),
        # Winter: 17:00 New York is 22:00 UTC. Between the changes of the clock in the US and Europe it is 21:00.
        ("17:00 America/New_York", "2026-11-19T21:59:59Z", date(2026, 11, 19)),
        ("17:00 America/New_York", "2026-11-19T22:00:00Z", date(2026, 11, 20)),
        ("17:00 America/New_York", "2026-03-09T20:59:59Z", date(2026, 3, 9)),
        ("17:00 America/New_York", "2026-03-09T21:00:00Z", date(2026, 3, 10)),
        ("17:00 America/New_York", "2026-11-22T22:30:00Z", date(2026, 11, 23)),
        ("00:00 UTC", "2026-11-19T00:00:00Z", date(2026, 11, 20)),
    ],
)
def test_the_trade_date(rule: str, moment: str, day: date) -> None:
    parsed = read(row(traded_at=moment), profile=BARE | {"trade_date": rule})
    assert fills(parsed)[0].trade_date == day


def test_the_change_of_the_clock_in_a_local_time_zone() -> None:
    profile = BARE | {"time_zone": "Europe/Amsterdam"}
    parsed = read(
        row(traded_at="2026-03-29 01:59:59"),
        row(traded_at="2026-03-29 02:30:00"),
        row(traded_at="2026-10-25 02:30:00"),
        row(traded_at="2026-10-25T02:30:00+01:00"),
        profile=profile,
    )
    assert [fill.traded_at.strftime("%d %H:%M:%S") for fill in fills(parsed)] == [
        "29 00:59:59",
        "25 00:30:00",
        "25 01:30:00",
    ]
    assert [(bad.line, bad.field) for bad in parsed.rejected] == [(3, "traded_at")]
    assert any("happens twice in Europe/Amsterdam" in warning for warning in parsed.warnings)


def test_the_closing_row_holds_a_file_that_was_cut_or_changed() -> None:
    cut = read(FIRST, SECOND)
    assert cut.balanced is False
    assert (cut.control_totals[0].expected, cut.control_totals[0].found) == ("1", "0")
    assert read(FIRST, TRAILER).balanced is False
    assert read(FIRST, SECOND, SECOND.replace("E2", "E3"), TRAILER).balanced is False
    assert read(FIRST.replace("100000", "100001"), SECOND, TRAILER).balanced is False
    assert read(FIRST, "E2,rubbish", SECOND, TRAILER).balanced is False
    assert read(FIRST, SECOND, " trailer ,002, 100050.000").balanced is True


@pytest.mark.parametrize("closing", ["TRAILER", "TRAILER,,", "TRAILER,2,NaN", "TRAILER,2e0,100050", "TRAILER,2"])
def test_a_closing_row_without_its_figures_proves_nothing(closing: str) -> None:
    assert read(FIRST, SECOND, closing).balanced is False


def test_rows_after_the_closing_row_are_rejected() -> None:
    parsed = read(FIRST, SECOND, TRAILER, SECOND, TRAILER)
    assert [bad.line for bad in parsed.rejected] == [5, 6]
    assert parsed.balanced is False


def test_a_file_glued_to_itself_is_held() -> None:
    text = "\n".join([HEADER, FIRST, SECOND, TRAILER]) + "\n"
    parsed = parse(READER, text + text)
    assert parsed.balanced is False
    assert len(parsed.records) == 2


def test_without_a_closing_row_in_the_profile_there_is_no_proof() -> None:
    parsed = read(FIRST, profile=BARE)
    assert (parsed.balanced, len(parsed.control_totals)) == (None, 0)


def test_an_execution_number_that_comes_twice_is_kept_and_said() -> None:
    parsed = read(FIRST, FIRST, profile=BARE)
    assert len(parsed.records) == 2
    assert parsed.facts["repeated_exec_ids"] == "1"
    assert "'E1'" in parsed.warnings[0]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"exec_id": ""}, "exec_id"),
        ({"symbol": " "}, "symbol"),
        ({"side": "LONG"}, "side"),
        ({"quantity": "NaN"}, "quantity"),
        ({"quantity": "1e5"}, "quantity"),
        ({"quantity": '"1,234.50"'}, "quantity"),
        ({"quantity": "-5"}, "quantity"),
        ({"quantity": "0"}, "quantity"),
        ({"price": "Infinity"}, "price"),
        ({"price": ""}, "price"),
        ({"commission": "free"}, "commission"),
        ({"traded_at": "19/11/2026 10:00"}, "traded_at"),
        ({"traded_at": "2026-11-19"}, "traded_at"),
        ({"traded_at": "2026-11-19T25:00:00"}, "traded_at"),
        ({"traded_at": "0001-01-01T00:00:00"}, "traded_at"),
        ({"exec_id": "E\x00"}, "row"),
    ],
)
def test_a_bad_field_rejects_its_row_only(given: dict[str, str], field: str) -> None:
    parsed = read(FIRST, row(**({"exec_id": "E9"} | given)), SECOND, profile=BARE)
    assert [(bad.line, bad.field) for bad in parsed.rejected] == [(3, field)]
    assert [fill.exec_id for fill in fills(parsed)] == ["E1", "E2"]


def test_a_point_is_not_guessed_at_under_a_decimal_comma() -> None:
    profile = BARE | {"decimal_comma": True, "delimiter": ";"}
    text = HEADER.replace(",", ";") + "\n" + FIRST.replace(",", ";") + "\n"
    parsed = parse(READER, text, {"profile": json.dumps(profile)})
    assert [bad.field for bad in parsed.rejected] == ["price"]


def test_a_symbol_without_contract_size_rejects_its_row() -> None:
    profile = BARE | {"quantity_unit": "contracts", "contract_sizes": {"EURUSD": "100000"}}
    parsed = read(FIRST.replace("100000", "1"), SECOND, profile=profile)
    assert fills(parsed)[0].quantity_units == Decimal(100000)
    assert [bad.field for bad in parsed.rejected] == ["contract_sizes"]


@pytest.mark.parametrize(
    ("profile", "key"),
    [
        ({"delimeter": ";"}, "delimeter"),
        ({"delimiter": ";;"}, "delimiter"),
        ({"delimiter": '"'}, "delimiter"),
        ({"encoding": "utf-16"}, "encoding"),
        ({"encoding": "klingon"}, "encoding"),
        ({"encoding": 5}, "encoding"),
        ({"columns": []}, "columns"),
        ({"columns": {"exec_id": "a"}}, "columns.symbol"),
        ({"columns": {"fill": "a"}}, "columns.fill"),
        ({"columns": {"exec_id": ""}}, "columns.exec_id"),
        ({"side": {"B": "LONG"}}, "side.B"),
        ({"side": {}}, "side"),
        ({"flip_side": "yes"}, "flip_side"),
        ({"quantity_unit": "ounces"}, "quantity_unit"),
        ({"quantity_unit": "lots"}, "contract_sizes"),
        ({"contract_sizes": {"X": "NaN"}}, "contract_sizes.X"),
        ({"contract_sizes": {"X": 0}}, "contract_sizes.X"),
        ({"contract_sizes": 5}, "contract_sizes"),
        ({"decimal_comma": 1}, "decimal_comma"),
        ({"time_format": "fast"}, "time_format"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"trade_date": "17:00"}, "trade_date"),
        ({"trade_date": "25:00 UTC"}, "trade_date"),
        ({"trade_date": "17:00 Mars/Olympus"}, "trade_date"),
        ({"commission_sign": "up"}, "commission_sign"),
        ({"trailer": "TRAILER"}, "trailer"),
        ({"trailer": {"marker": ""}}, "trailer.marker"),
        ({"trailer": {"marker": "T", "count": "1"}}, "trailer.count"),
        ({"trailer": {"marker": "T", "quantity": True}}, "trailer.quantity"),
    ],
)
def test_a_wrong_profile_names_its_key(profile: dict[str, Any], key: str) -> None:
    with pytest.raises(Unreadable, match=f"key '{key}'"):
        profiles.read(json.dumps(profile))


@pytest.mark.parametrize("text", ["{", "[]", "5", "[" * 100_000])
def test_a_profile_that_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(Unreadable, match="Setting profile"):
        profiles.read(text)


def test_a_contract_size_never_passes_through_a_float() -> None:
    text = '{"quantity_unit": "lots", "contract_sizes": {"X": 0.1}, "trailer": null}'
    assert profiles.read(text).contract_sizes == {"x": Decimal("0.1")}


def test_columns_in_any_order_and_other_encodings_give_the_same() -> None:
    plain = "\n".join([HEADER, FIRST, SECOND, row(exec_id="Ä3")]) + "\n"
    bare = {"profile": json.dumps(BARE)}
    first = list(parse(READER, plain, bare).records)
    assert list(parse(READER, plain, bare).records) == first
    for seed in range(5):
        mixed = shuffled(plain, lambda names, seed=seed: random.Random(seed).sample(names, len(names)))  # type: ignore[misc]
        assert list(parse(READER, mixed, bare).records) == first
    for variant in (b"\xef\xbb\xbf" + plain.encode(), plain.replace("\n", "\r\n").encode(), plain.encode("cp1252")):
        assert list(parse(READER, variant, bare).records) == first


def test_a_header_alone_has_no_fills() -> None:
    assert read().balanced is False
    assert read(profile=BARE).warnings == ["The file has a header and no rows."]


def test_a_missing_column_is_named() -> None:
    with pytest.raises(Unreadable, match=r"lp\.csv: line 1: no column 'price'"):
        read(header=HEADER.replace("price", "px"))
