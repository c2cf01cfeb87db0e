"""BAI2: control totals recomputed, the strict and the relaxed reading, and what must not get in."""

from __future__ import annotations

import itertools
import re
from datetime import date
from decimal import Decimal
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.adapters.bai2_report import BYTES_MAX, READER
from integrations.records import BankLine, BankNotice, Parsed, Unreadable
from tests.files import Pieces, parse, parse_sample


def report(
    *entries: str,
    opening: int = 1000,
    closing: int = 11000,
    currency: str = "EUR",
    modifier: str = "2",
    status: str = "1",
    day: str = "261119",
) -> str:
    """One account with true control totals; an entry is the rest of its record 16 without the slash."""
    amounts = [int(entry.split(",")[1] or 0) for entry in entries]
    total = opening + closing + sum(amounts)
    physical = sum(entry.count("\n") + 1 for entry in entries) + 2
    rows = [
        "01,BANK,US,261120,0600,1,,,2/",
        f"02,US,BANK,{status},{day},,{currency},{modifier}/",
        f"03,12345,{currency},010,{opening},,,015,{closing},,/",
        *(f"16,{entry}/" for entry in entries),
        f"49,{total},{physical}/",
        f"98,{total},1,{physical + 2}/",
        f"99,{total},1,{physical + 4}/",
    ]
    return "\n".join(rows) + "\n"


IN, OUT = "195,12500,,B1,D-AAAAAAAA,deposit of Ann", "495,2500,,B2,W-BBBBBBBB,"


def read(text: str | bytes) -> Parsed:
    return parse(READER, text, name="day.bai")


def lines(parsed: Parsed) -> list[BankLine]:
    return [cast(BankLine, record) for record in parsed.records]


def broken(parsed: Parsed) -> list[str]:
    return [total.name for total in parsed.control_totals if not total.holds]


def test_a_report_that_proves_itself() -> None:
    parsed = read(report(IN, OUT))
    assert (parsed.balanced, parsed.facts["integrity"], parsed.facts["net:EUR"]) == (True, "checked", "100.00")
    first, second = lines(parsed)
    assert re.fullmatch(r"12345\|2026-11-19\|#[0-9a-f]{32}\|1", first.line_key)
    assert first == BankLine(
        line_key=first.line_key,
        account="12345",
        statement_id="2026-11-19",
        amount=Decimal("125.00"),
        currency="EUR",
        booking_date=date(2026, 11, 19),
        value_date=date(2026, 11, 19),
        bank_reference="B1",
        end_to_end_id="D-AAAAAAAA",
        remittance="deposit of Ann",
        bank_code="BAI/195",
        details={"type": "Incoming Money Transfer"},
    )
    assert (second.amount, second.remittance) == (Decimal("-25.00"), "")
    assert list(parsed.lines) == [4, 5]


@pytest.mark.parametrize(("currency", "amount"), [("JPY", "12500"), ("KWD", "12.5"), ("USD", "125"), ("XQZ", "125")])
def test_amounts_are_in_the_minor_unit_of_their_currency(currency: str, amount: str) -> None:
    (line,) = lines(read(report(IN, closing=13500, currency=currency)))
    assert (line.amount, line.currency) == (Decimal(amount), currency)


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("49,24500,4", "49,24501,4", "control total (49)"),
        ("49,24500,4", "49,24500,5", "records"),
        ("98,24500,1,6", "98,24500,2,6", "accounts (98)"),
        ("98,24500,1,6", "98,24400,1,6", "control total (98)"),
        ("99,24500,1,8", "99,24500,1,9", "file: records"),
        ("99,24500,1,8", "99,24500,3,8", "groups (99)"),
        ("495,2500", "495,2400", "control total (49)"),
    ],
)
def test_a_control_total_that_does_not_hold_is_found_with_integrity_off(old: str, new: str, name: str) -> None:
    text = report(IN, OUT, opening=0, closing=9500)
    assert old in text
    parsed = read(text.replace(old, new))
    assert (parsed.balanced, parsed.facts["integrity"]) == (False, "off")
    assert any(name in one for one in broken(parsed))
    assert "Integrity off" in parsed.warnings[0]
    assert len(parsed.records) == 2


def test_the_balance_is_a_control_total_the_library_does_not_know() -> None:
    parsed = read(report(IN, OUT, closing=11001))
    assert (parsed.balanced, parsed.facts["integrity"]) == (False, "checked")
    assert broken(parsed) == ["12345, 2026-11-19: opening plus entries is closing"]


def test_total_credits_and_debits_of_the_summary() -> None:
    text = "\n".join([
        "01,BANK,US,261120,0600,1,,,2/", "02,US,BANK,1,261119,,EUR,2/", "03,12345,EUR,100,{0},,,400,2500,,/",
        f"16,{IN}/", f"16,{OUT}/", "49,{1},4/", "98,{1},1,6/", "99,{1},1,8/",
    ])  # fmt: skip
    assert read(text.format(12500, 30000)).balanced is True
    parsed = read(text.format(12501, 30001))
    assert broken(parsed) == ["12345, 2026-11-19: total credits"]
    assert "does not apply" in parsed.warnings[-1]


def test_an_interim_report_gives_notices() -> None:
    parsed = read(report(IN, OUT, modifier="3"))
    first = parsed.records[0]
    assert isinstance(first, BankNotice)
    assert (first.message, first.entry_reference, first.entry_amount) == ("BAI2", "B1", Decimal("125.00"))
    assert first.line_key != lines(read(report(IN, OUT)))[0].line_key


@pytest.mark.parametrize("status", ["2", "3", "4"])
def test_a_deletion_a_correction_or_a_test_is_held(status: str) -> None:
    parsed = read(report(IN, OUT, status=status))
    assert (parsed.balanced, broken(parsed)) == (False, ["group 1: is an update"])


def test_several_files_in_one_and_the_same_one_twice() -> None:
    other = report(IN, OUT, day="261120")
    assert read(report(IN, OUT) + other).balanced is True
    assert len(read(report(IN, OUT) + other).records) == 4
    parsed = read(report(IN, OUT) * 2)
    assert (parsed.balanced, broken(parsed)) == (False, ["12345, 2026-11-19: stated once"])


@pytest.mark.parametrize("kept", [4, 5, 6, 7])
def test_a_file_cut_off_after_any_record_is_refused_at_once(kept: int) -> None:
    """The library alone would read a last record 16 for ever."""
    with pytest.raises(Unreadable, match="record 99"):
        read("\n".join(report(IN, OUT).splitlines()[:kept]))


def test_what_follows_the_end_of_a_file_refuses_it() -> None:
    with pytest.raises(Unreadable, match="something follows"):
        read(report(IN, OUT) + f"16,{IN}/\n")


def test_two_true_equal_payments_stay_two_and_a_second_reading_finds_both() -> None:
    text = report(IN, IN, closing=26000)
    first, second = read(text), read(text)
    assert list(first.records) == list(second.records)
    assert [line.line_key[-2:] for line in lines(first)] == ["|1", "|2"]


def test_continued_text_value_date_and_references() -> None:
    (line,) = lines(read(report("195,12500,V,261121,,B9,C9,deposit/\n88,of Ann", closing=13500)))
    assert (line.value_date, line.bank_reference, line.end_to_end_id) == (date(2026, 11, 21), "B9", "C9")
    assert line.remittance == "deposit,of Ann"


@pytest.mark.parametrize(
    ("code", "reversal", "charge"), [("257", True, False), ("195", False, False), ("698", False, True)]
)
def test_returns_and_charges_are_marked(code: str, reversal: bool, charge: bool) -> None:
    (line,) = lines(read(report(f"{code},12500,,,,")))
    assert (line.is_reversal, "CHRG" in line.bank_code) == (reversal, charge)


def test_a_record_that_moves_no_money_is_skipped_and_one_without_direction_rejected() -> None:
    parsed = read(report("890,,,,,for information", IN, closing=13500))
    assert (len(parsed.records), parsed.balanced) == (1, True)
    parsed = read(report("890,500,,,,", closing=1000))
    assert (len(parsed.records), len(parsed.rejected), parsed.balanced) == (0, 1, False)


def test_an_amount_beyond_all_money_refuses_the_file() -> None:
    with pytest.raises(Unreadable, match="larger than any amount"):
        read(report(f"195,{10**25},,,,"))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("", "empty"),
        ("hello", "no BAI2 record"),
        ("02,US,BANK,1,261119,,EUR,2/", "begins with a record 01"),
        ("\n\n", "nothing in it"),
        (report(IN).replace(",,,2/", ",,,3/", 1), "version 2"),
        (report(IN).replace("16,195", "16,977"), "977"),
        (report(IN).replace("12500", "12,5"), "cannot be read"),
        (report(IN).replace("261119", "261399"), "cannot be read"),
        (report(IN)[:-30], "cut off"),
        (report("195,12500,,,," + "x" * 20_000), "longer than"),
        (report(IN).replace("49,", "16,195,1/\n190500000\n49,"), "no BAI2 record"),
    ],
)
def test_what_is_no_report_is_refused(body: str, says: str) -> None:
    with pytest.raises(Unreadable, match=says):
        read(body)


def test_utf16_and_damage_are_refused() -> None:
    for body in (report(IN).encode("utf-16"), report(IN).encode() + b"\x00"):
        with pytest.raises(Unreadable, match="damaged"):
            read(body)


def test_what_never_ends_is_not_read_to_its_end() -> None:
    for piece in (b"16,195,1,,,,/\n" * 4000, b"88,,,,,,/\n" * 4000, b"x" * 65536):
        stream = Pieces(itertools.chain([b"01,B,U,261120,0600,1,,,2/\n"], itertools.repeat(piece)))
        with pytest.raises(Unreadable, match="larger than"):
            READER.parse(stream, filename="f", settings={})  # type: ignore[arg-type]
        assert stream.taken < BYTES_MAX + 1_000_000


WHOLE = report(IN, OUT).encode()


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(WHOLE) - 1))
def test_a_file_cut_anywhere_never_passes_for_the_whole(cut: int) -> None:
    try:
        parsed = read(WHOLE[:cut])
    except Unreadable:
        return
    assert parsed.balanced is not True or list(parsed.records) == list(read(WHOLE).records)


RECORDS = (
    "01,B,U,261120,0600,1,,,2/", "02,U,B,1,261119,,EUR,2/", "03,1,EUR,010,1,,/", "16,195,1,,,,/", "88,x/", "49,2,3/",
    "98,2,1,5/", "99,2,1,7/", "03,,/", "16,/", "99,/", "02,/",
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(RECORDS), max_size=14))
def test_rubbish_is_read_or_refused_and_nothing_else(rows: list[str]) -> None:
    try:
        parsed = read("\n".join(["01,B,U,261120,0600,1,,,2/", *rows]))
    except Unreadable:
        return
    assert len(parsed.records) == len(parsed.lines)


@pytest.mark.parametrize(
    ("name", "accounts", "count", "net", "closing"),
    [("nwb.bai2", "1", 5, {"GBP": "-26.76"}, True), ("sample1.txt", "2", 17, {"CAD": "0.00"}, False)],
)
def test_samples(name: str, accounts: str, count: int, net: dict[str, str], closing: bool) -> None:
    parsed = parse_sample(READER, f"bank/bai2_{name}")
    assert (parsed.balanced, parsed.facts["integrity"], parsed.facts["accounts"]) == (True, "checked", accounts)
    assert len(parsed.records) == len({line.line_key for line in lines(parsed)}) == count
    assert {key: value for key, value in parsed.facts.items() if key.startswith("net:")} == {
        f"net:{currency}": amount for currency, amount in net.items()
    }
    assert any("opening plus entries" in total.name for total in parsed.control_totals) is closing
