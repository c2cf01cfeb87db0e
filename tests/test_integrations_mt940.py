"""MT940 and MT942: what a statement says, whether it proves itself, dialects, and what must not get in."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from integrations.adapters.mt940 import READER, blocks
from integrations.records import BankLine, BankNotice, Parsed, Unreadable
from tests.files import Pieces, parse, parse_sample

ACCOUNT = "NL02TEST0123456789"


def statement(
    *entries: str, opening: str = "C261118EUR10,00", closing: str = "C261119EUR110,00", number: str = "5/1"
) -> str:
    head = f":20:STARTUMSE\n:25:{ACCOUNT}\n:28C:{number}\n"
    first = f":60F:{opening}\n" if opening else ""
    last = f":62F:{closing}\n" if closing else ""
    return head + first + "".join(f"{entry}\n" for entry in entries) + last + "-\n"


def entry(amount: str = "100,00", mark: str = "C", reference: str = "REF1//BANK1", details: str = "rent") -> str:
    return f":61:2611191119{mark}{amount}NTRF{reference}" + (f"\n:86:{details}" if details else "")


def read(text: str | bytes, **given: str) -> Parsed:
    return parse(READER, text, given, name="day.sta")


def lines(parsed: Parsed) -> list[BankLine]:
    return [cast(BankLine, record) for record in parsed.records]


def one(text: str) -> BankLine:
    (line,) = lines(read(statement(text, closing="")))
    return line


def test_a_statement_that_proves_itself() -> None:
    parsed = read(statement(entry(), entry("24,5", "D", "NONREF"), closing="C261119EUR85,50"))
    assert parsed.balanced is True
    assert [(total.expected, total.found) for total in parsed.control_totals] == [("85.50 EUR", "85.50 EUR")]
    first, second = lines(parsed)
    assert re.fullmatch(rf"{ACCOUNT}\|261119 5/1\|#[0-9a-f]{{32}}\|1", first.line_key)
    assert first == BankLine(
        line_key=first.line_key,
        account=ACCOUNT,
        statement_id="261119 5/1",
        amount=Decimal("100.00"),
        currency="EUR",
        booking_date=date(2026, 11, 19),
        value_date=date(2026, 11, 19),
        bank_reference="BANK1",
        end_to_end_id="REF1",
        remittance="rent",
        bank_code="NTRF",
        details={"customer_reference": "REF1"},
    )
    assert (second.amount, second.end_to_end_id) == (Decimal("-24.5"), "")
    assert list(parsed.lines) == [5, 7]
    assert (parsed.facts["message"], parsed.facts["net:EUR"]) == ("MT940", "75.50")


@pytest.mark.parametrize(
    ("opening", "closing", "holds"),
    [
        ("C261118EUR10,00", "C261119EUR110,00", True),
        ("C261118EUR10,00", "C261119EUR110,01", False),
        ("C261118EUR10,00", "D261119EUR110,00", False),
        ("D261118EUR150,", "D261119EUR50,00", True),
        ("C261118EUR10,00", "C261119USD110,00", False),
        ("C261118EUR10,00", "", False),
        ("", "C261119EUR110,00", False),
        # What the library reads as 10 and 110.
        ("C261118EUR10.55", "C261119EUR110,00", False),
        ("C261118EUR10,00", "C261119EUR110,00.55", False),
        ("C269918EUR10,00", "C261119EUR110,00", False),
        ("C261118EUR", "C261119EUR100,00", False),
        ("C261118EUR1,2,3", "C261119EUR100,00", False),
    ],
)
def test_the_balance_is_a_gate(opening: str, closing: str, holds: bool) -> None:
    assert read(statement(entry(), opening=opening, closing=closing)).balanced is holds


@pytest.mark.parametrize(
    ("mark", "amount", "reversal"),
    [
        ("C", "1", False),
        ("D", "-1", False),
        ("RC", "-1", True),
        ("RD", "1", True),
        ("CR", "1", False),
        ("rc", "-1", True),
    ],
)
def test_a_reversal_has_its_real_sign(mark: str, amount: str, reversal: bool) -> None:
    line = one(entry("1,00", mark))
    assert (line.amount, line.is_reversal) == (Decimal(amount), reversal)


def test_a_reversed_credit_balances_as_it_stands() -> None:
    parsed = read(statement(entry("100,00"), entry("100,00", "RC"), closing="C261119EUR10,00"))
    assert (parsed.balanced, parsed.facts["reversals"]) == (True, "1")


def test_a_returned_item_and_a_charge_say_so() -> None:
    assert one(entry().replace("NTRF", "NRTI")).is_reversal
    assert one(entry().replace("NTRF", "NCHG")).bank_code == "NCHG/CHRG"
    german = ":61:2611191119C5,00NMSCNONREF\n:86:159?00RUECKUEBERWEISUNG?20EREF+W-CCCCCCCC"
    assert (one(german).is_reversal, one(german).end_to_end_id) == (True, "W-CCCCCCCC")


def test_german_sub_fields() -> None:
    said = (
        "166?00GUTSCHRIFT?20EREF+D-AAAAAAAA?21SVWZ+deposit of?22 Ann?30GENODEF1?31DE89370400440532013000?32Ann ?33Lee"
    )
    line = one(f":61:2611191119C5,00NTRFNONREF//B1\n:86:{said}")
    assert (line.end_to_end_id, line.remittance, line.counterparty) == ("D-AAAAAAAA", "deposit of Ann", "Ann Lee")
    assert (line.counterparty_account, line.bank_code) == ("DE89370400440532013000", "NTRF/166")


def test_words_between_slashes() -> None:
    line = one(entry(details="/EREF/W-12345678/REMI/USTD//rent of May/NAME/Jan Jansen/IBAN/NL20INGB0001234567"))
    assert (line.end_to_end_id, line.remittance, line.counterparty) == ("W-12345678", "rent of May", "Jan Jansen")
    assert line.counterparty_account == "NL20INGB0001234567"


def test_a_reference_that_a_full_line_cuts_in_two_is_whole_again() -> None:
    start = "payment of the client".ljust(61, ".") + "D-AA"
    assert len(start) == 65
    assert "D-AAAAAAAA thank" in one(entry(details=f"{start}\nAAAAAA\nthank you")).remittance


def test_the_year_of_an_entry_date_around_new_year() -> None:
    line = one(":61:2701021231C5,00NTRFREF")
    assert (line.value_date, line.booking_date) == (date(2027, 1, 2), date(2026, 12, 31))


def test_pages_of_a_statement_go_on_where_the_one_before_ended() -> None:
    first = statement(entry(), number="5/1").replace(":62F:", ":62M:")
    second = statement(entry(), opening="C261119EUR110,00", closing="C261119EUR210,00", number="5/2")
    second = second.replace(":60F:", ":60M:")
    assert read(first + second).balanced is True
    assert read(first + second.replace("110,00", "111,00").replace("210,00", "211,00")).balanced is False


def test_several_statements_with_swift_headers_and_a_preamble() -> None:
    body = statement(entry()).replace("-\n", "-}\n")
    other = statement(entry("5,00", "D"), number="6/1", opening="C261119EUR110,00", closing="C261120EUR105,00")
    parsed = read("an example\n\n{1:F01AAAABBBB0000000000}{4:\n" + body + "{1:F01}{2:O940}{4:\n" + other)
    assert (parsed.balanced, parsed.facts["statements"], len(parsed.records)) == (True, "2", 2)


def test_a_statement_that_is_in_the_file_twice_holds_it() -> None:
    parsed = read(statement(entry()) * 2)
    assert parsed.balanced is False
    assert [total.name for total in parsed.control_totals if not total.holds] == [
        f"{ACCOUNT}, statement 261119 5/1: stated once"
    ]


def test_two_true_equal_payments_stay_two_and_a_second_reading_finds_both() -> None:
    text = statement(entry("50,00"), entry("50,00"))
    first, second = read(text), read(text)
    assert list(first.records) == list(second.records)
    assert [line.line_key[-2:] for line in lines(first)] == ["|1", "|2"]


def test_a_better_reading_of_the_details_is_the_same_line() -> None:
    body = statement(entry(details="Gebühr")).encode("cp850")
    plain, told = read(body), read(body, encoding="cp850")
    assert lines(told)[0].remittance == "Gebühr"
    assert lines(plain)[0].remittance != "Gebühr"
    assert lines(plain)[0].line_key == lines(told)[0].line_key


@pytest.mark.parametrize(
    ("encoding", "setting"),
    [
        ("utf-8", ""),
        ("cp1252", ""),
        ("latin-1", "latin-1"),
        ("cp865", f"DK50=latin-1, {ACCOUNT}=cp865"),
        ("cp850", "cp850"),
    ],
)
def test_the_character_set_of_an_account(encoding: str, setting: str) -> None:
    parsed = read(statement(entry(details="Gebühr für Åse")).encode(encoding), encoding=setting)
    assert lines(parsed)[0].remittance == "Gebühr für Åse"


def test_a_character_set_that_does_not_fit_falls_back_and_one_that_is_none_is_refused() -> None:
    body = statement(entry(details="Gebühr")).encode("cp1252")
    assert lines(read(body, encoding="utf-8"))[0].remittance == "Gebühr"
    with pytest.raises(Unreadable, match=r"day\.sta: the setting encoding names 'klingon'"):
        read(body, encoding="klingon")


def test_the_dialect_of_asn_and_sns_bank() -> None:
    line = ":61:2611191119C100,00NOVBNL47INGB9999999999\nhr gjlm paulissen"
    parsed = read(statement(line, closing="C261119EUR110,00"))
    assert (parsed.balanced, len(parsed.records)) == (True, 1)
    long = ":61:2611191119C100,00NOVBNL47INGB9999999999AND MORE THAN FITS 34\nname"
    assert len(read(statement(long, closing="")).records) <= 1


def test_an_entry_that_the_library_would_lose_holds_the_file_and_takes_none() -> None:
    # Without a transaction type the library writes the next entry over the one before.
    parsed = read(statement(":61:2611191119C40,00", ":61:2611191119C60,00", closing="C261119EUR110,00"))
    assert (parsed.balanced, len(parsed.records)) == (False, 0)
    assert "1 of 2 entries" in parsed.rejected[0].reason


def test_one_message_that_cannot_be_read_costs_itself_only() -> None:
    bad = statement(":61:someday", number="6/1")
    parsed = read(statement(entry()) + bad)
    assert (parsed.balanced, len(parsed.records)) == (False, 1)
    assert [row.line for row in parsed.rejected] == [9]


def test_the_thirtieth_of_february_is_the_last_of_february() -> None:
    # Banks that count 30 days to a month print it as a value date.
    assert one(entry().replace("261119", "260230", 1)).value_date == date(2026, 2, 28)


@pytest.mark.parametrize("wrong", ["261131", "261399", "000000"])
def test_a_day_that_does_not_exist_is_rejected(wrong: str) -> None:
    parsed = read(statement(entry().replace("261119", wrong, 1)))
    assert (len(parsed.rejected), parsed.balanced) == (1, False)


def test_without_account_or_currency_nothing_is_taken() -> None:
    assert len(read(statement(entry()).replace(f":25:{ACCOUNT}\n", "")).records) == 0
    assert len(read(statement(entry(), opening="", closing="")).records) == 0


# MT942


def interim(*entries: str, sums: str = ":90D:0EUR0,00\n:90C:1EUR100,00\n") -> str:
    head = f":20:M942\n:25:{ACCOUNT}\n:28C:7/1\n:34F:EUR0,00\n:13D:2611191200+0100\n"
    return head + "".join(f"{entry}\n" for entry in entries) + sums + "-\n"


@pytest.mark.parametrize(
    ("sums", "proof"),
    [
        (":90D:0EUR0,00\n:90C:1EUR100,00\n", True),
        (":90D:0EUR0,00\n:90C:2EUR100,00\n", False),
        (":90C:1EUR100,01\n", False),
        (":90C:nonsense\n", False),
        ("", None),
    ],
)
def test_an_interim_report_gives_notices(sums: str, proof: bool | None) -> None:
    parsed = read(interim(entry(), sums=sums))
    assert parsed.balanced is proof
    if proof is not False or parsed.records:
        (notice,) = parsed.records
        assert isinstance(notice, BankNotice)
        assert (notice.message, notice.amount, notice.entry_reference) == ("942", Decimal(100), "BANK1")
        assert notice.line_key != lines(read(statement(entry())))[0].line_key
    assert parsed.facts["message"] == "MT942"


# What must not get in


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b"no tags at all\n", "no statement begins"),
        (b"PK\x03\x04rest", "zip"),
        (statement(entry()).encode("utf-16"), "UTF-16"),
        (statement(entry()).encode() + b"\x00", "damaged"),
        (statement(entry(details="x" * 20_000)).encode(), "longer than"),
        (statement(entry(details="x\n" * 1000)).encode(), "more than any bank"),
        (statement(*([":86:y"] * 1000)).encode(), "more than any bank"),
    ],
)
def test_what_is_no_statement_is_refused(body: bytes, says: str) -> None:
    with pytest.raises(Unreadable, match=says):
        read(body)


def test_a_text_that_is_the_name_of_a_file_opens_no_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret.sta"
    secret.write_text(statement(entry()))
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        with pytest.raises(Unreadable, match="no statement begins"):
            read(b"secret.sta")
    finally:
        os.chdir(before)


def test_what_never_ends_is_not_read_to_its_end() -> None:
    stream = Pieces(itertools.chain([b":20:X\n"], itertools.repeat(b":61:2611191119C1,00NTRFX\n" * 2000)))
    with pytest.raises(Unreadable, match="larger than"):
        READER.parse(stream, filename="f", settings={})  # type: ignore[arg-type]
    assert stream.taken < blocks.BYTES_MAX + 1_000_000


def test_nothing_of_a_statement_goes_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        read(statement(":61:secretperson"))
    assert "secret" not in caplog.text


def test_many_entries_in_one_message_are_read_in_pieces() -> None:
    count = blocks.PIECE * 2 + 7
    parsed = read(
        statement(*(entry("1,00", reference=f"R{n}") for n in range(count)), closing=f"C261119EUR{count + 10},00")
    )
    assert (parsed.balanced, len(parsed.records)) == (True, count)
    assert [line.end_to_end_id for line in lines(parsed)] == [f"R{n}" for n in range(count)]


WHOLE = (
    statement(entry(), entry("24,50", "D"), closing="C261119EUR85,50")
    + statement(number="6/1", opening="C261119EUR85,50", closing="C261119EUR85,50")
).encode()


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(WHOLE) - 1))
def test_a_file_cut_anywhere_never_passes_for_the_whole(cut: int) -> None:
    try:
        parsed = read(WHOLE[:cut])
    except Unreadable:
        return
    whole = [record.amount for record in lines(read(WHOLE))]
    assert parsed.balanced is not True or [record.amount for record in lines(parsed)] == whole


@settings(max_examples=200, deadline=None)
@example(b":61:2611191119C1,00NTRF\n:86:?20EREF+")
@given(
    st.lists(
        st.sampled_from(
            [
                b":20:",
                b":25:X",
                b":28C:0000\n0",
                b":60F:C261118EUR1,",
                b":61:2611191119C1,00NTRFA",
                b":86:",
                b"?20",
                b"EREF+",
                b"\n",
                b":62F:C261118EUR2,",
                b":NS:",
                b":13D:",
                b":90C:",
                b"nullnull",
                b"\xff",
                b":34F:EUR",
            ]
        ),
        max_size=30,
    ).map(b"".join)
)
def test_rubbish_is_read_or_refused_and_nothing_else(body: bytes) -> None:
    try:
        parsed = read(b":20:A\n" + body)
    except Unreadable:
        return
    assert len(parsed.records) == len(parsed.lines)


def keys(parsed: Parsed) -> Iterable[str]:
    return (line.line_key for line in lines(parsed))


@pytest.mark.parametrize(
    ("name", "statements", "count", "net"), [("dk", 15, 89, "1372452.77"), ("se", 12, 103, "10528395.60")]
)
def test_samples_of_danske_bank(name: str, statements: int, count: int, net: str) -> None:
    parsed = parse_sample(READER, f"bank/mt940_danskebank_{name}.sta")
    assert (parsed.balanced, parsed.facts["statements"], len(parsed.records)) == (True, str(statements), count)
    assert sum(line.amount for line in lines(parsed)) == Decimal(net)
    assert len(set(keys(parsed))) == count
