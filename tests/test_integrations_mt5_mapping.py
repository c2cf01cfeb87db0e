"""MT5 records and clocks to neutral facts, field by field."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

import pytest

from integrations.adapters.mt5_webapi import mapping
from integrations.adapters.mt5_webapi.mapping import BadField, ServerClock
from integrations.records import DealKind, Entry, Side
from tests.mt5_world import NOW, WALL_NOW

CLOCK = ServerClock(WALL_NOW, 120)


@pytest.mark.parametrize("item", [None, "text", "7", [], True])
def test_what_is_no_record_is_rejected(item):
    good, (bad,) = mapping.deals([item], CLOCK)
    assert (good, bad.line, bad.reason) == ([], 1, "the record is not a JSON object")


PLAIN = {
    "Deal": "11918642", "Login": "5001", "Action": "0", "Entry": "0", "Reason": "0", "Digits": "5",
    "DigitsCurrency": "2", "ContractSize": "100000.00", "Time": str(NOW), "Symbol": "EURUSD", "Price": "1.08541",
    "Volume": "10000", "Profit": "0.00", "Storage": "0.00", "Commission": "0.00", "PositionID": "9",
}  # fmt: skip


def read(**fields):
    return mapping.deal({**PLAIN, **fields}, utc_offset_minutes=120)


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        (0, "TRADE"), (1, "TRADE"), (2, "BALANCE"), (3, "CREDIT"), (4, "CHARGE"), (5, "CORRECTION"), (6, "BONUS"),
        (7, "COMMISSION"), (8, "COMMISSION"), (9, "COMMISSION"), (10, "AGENT"), (11, "AGENT"), (12, "INTEREST"),
        (13, "UNKNOWN"), (14, "UNKNOWN"), (15, "DIVIDEND"), (16, "DIVIDEND"), (17, "TAX"), (18, "AGENT"),
        (19, "SO_COMPENSATION"), (20, "SO_COMPENSATION_CREDIT"), (21, "UNKNOWN"), (999, "UNKNOWN"),
    ],
)  # fmt: skip
def test_kinds(action, kind):
    deal = read(Action=str(action))
    assert deal.kind == DealKind(kind)
    assert (deal.entry is Entry.IN) == (kind == "TRADE")


def test_balance_operation_needs_no_trade_fields():
    bare = {key: PLAIN[key] for key in ("Deal", "Login", "DigitsCurrency", "Time")}
    deal = mapping.deal({**bare, "Action": "2", "Profit": "250.5"}, utc_offset_minutes=0)
    assert (deal.kind, deal.amount, deal.side, deal.entry) == (
        DealKind.BALANCE,
        Decimal("250.50"),
        Side.NONE,
        Entry.NONE,
    )
    assert (deal.symbol, deal.volume_lots, deal.price) == ("", 0, 0)


@pytest.mark.parametrize(("action", "side"), [(0, "BUY"), (1, "SELL"), (2, ""), (13, "BUY"), (14, "SELL"), (99, "")])
def test_sides(action, side):
    assert read(Action=str(action)).side == Side(side)


@pytest.mark.parametrize(("code", "entry"), [(0, "IN"), (1, "OUT"), (2, "INOUT"), (3, "OUT_BY")])
def test_entries(code, entry):
    assert read(Entry=str(code)).entry == Entry(entry)


def test_trade_with_an_unknown_entry_is_not_booked_as_a_trade():
    assert (read(Entry="255").kind, read(Entry="255").entry) == (DealKind.UNKNOWN, Entry.NONE)


@pytest.mark.parametrize(
    ("volumes", "lots"),
    [
        ({"Volume": "10000"}, "1"), ({"Volume": "1"}, "0.0001"),
        ({"Volume": "100", "VolumeExt": "1000001"}, "0.01000001"),
        ({"Volume": "100", "VolumeExt": "0"}, "0.01"), ({"VolumeExt": "100000000"}, "1"), ({"Volume": "0"}, "0"),
    ],
)  # fmt: skip
def test_volumes(volumes, lots):
    deal = mapping.deal({key: value for key, value in PLAIN.items() if key != "Volume"} | volumes, utc_offset_minutes=0)
    assert deal.volume_lots == Decimal(lots)
    assert deal.volume_lots.as_tuple().exponent == -8


@pytest.mark.parametrize(
    ("text", "digits", "value"),
    [
        ("1.1403699999999999", 5, "1.14037"), ("0.0070000000000000001", 3, "0.007"), ("1.085", 5, "1.08500"),
        ("156.2345", 3, "156.235"), ("-37.63", 2, "-37.63"), ("2650", 0, "2650"), ("-0.00000", 5, "0.00000"),
    ],
)  # fmt: skip
def test_prices_lose_the_noise_of_binary_numbers(text, digits, value):
    assert str(read(Price=text, Digits=str(digits)).price) == value


@pytest.mark.parametrize(
    ("text", "digits", "value"),
    [
        ("12.345", 2, "12.35"),
        ("-12.345", 2, "-12.35"),
        ("-0.004", 2, "0.00"),
        ("1500", 0, "1500"),
        ("0.1", 8, "0.10000000"),
    ],
)
def test_money_has_the_digits_of_its_currency(text, digits, value):
    assert str(read(Profit=text, DigitsCurrency=str(digits)).profit) == value


def test_older_and_newer_builds():
    assert read().fee == 0
    assert read(Fee="-1.25").fee == Decimal("-1.25")
    assert read(ModificationFlags="64").modify_flags == 64
    assert read(TimeMsc="0").server_time == WALL_NOW
    assert read(TimeMsc=f"{NOW}999").server_time == WALL_NOW + timedelta(milliseconds=999)
    assert (read(Reason="18").reason, read(Reason="77").reason) == ("SPLIT", "77")
    assert read(SomethingNew={"a": ["b"]}).ticket == 11918642


def test_text_no_database_can_hold():
    dirty = {**PLAIN, "Comment": "a\x00b\udcff"}
    ((raw,), bad) = mapping.deals([dirty], CLOCK)
    assert not bad
    assert raw.record.comment == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"
    raw.body.encode()
    assert "\x00" not in raw.body and json.loads(raw.body) == dirty


@pytest.mark.parametrize(
    ("configuration", "offset"),
    [
        ({"TimeZone": "120", "Daylight": "1", "DaylightState": "1"}, 180),
        ({"TimeZone": "120", "Daylight": "1", "DaylightState": "0"}, 120),
        ({"TimeZone": "120", "Daylight": "0", "DaylightState": "1"}, 120),
        ({"TimeZone": "-300", "DaylightState": "1"}, -240),
        ({"TimeZone": "330"}, 330),
    ],
)
@pytest.mark.parametrize("server", [f"{NOW} 55", f"{NOW}", {"time": f"{NOW}"}, {"Time": f"{NOW} {NOW}000"}])
def test_forms_of_the_clock(server, configuration, offset):
    assert mapping.clock(server, configuration) == ServerClock(WALL_NOW, offset)


@pytest.mark.parametrize(
    ("server", "configuration"),
    [("soon", {"TimeZone": "0"}), (None, {"TimeZone": "0"}), (f"{NOW}", {}), (f"{NOW}", {"TimeZone": "9000"}),
     (f"{NOW}000", {"TimeZone": "0"}), (f"{NOW}", []), ("0", {"TimeZone": "0"})],
)  # fmt: skip
def test_clocks_that_are_refused(server, configuration):
    with pytest.raises(BadField):
        mapping.clock(server, configuration)
