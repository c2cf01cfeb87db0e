"""What the file readers share: limits, encodings, line numbers, zones, keys; and hostile bytes for each of them."""

from __future__ import annotations

import itertools
import pickle
import random
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from integrations.adapters import reading, rows, zones
from integrations.adapters.adyen_payments import READER as ADYEN_PAYMENTS
from integrations.adapters.adyen_settlement import READER as ADYEN
from integrations.adapters.camt053 import READER as CAMT
from integrations.adapters.checkout import READER as CHECKOUT
from integrations.adapters.lp_fills import READER as LP
from integrations.adapters.mt4_trades import READER as MT4
from integrations.adapters.packed import Packed
from integrations.adapters.paypal_stl import READER as PAYPAL
from integrations.adapters.reading import BadField, Findings, Occurrences
from integrations.adapters.rows import Row, Table
from integrations.adapters.stripe import READER as STRIPE
from integrations.adapters.zones import Doubt
from integrations.ports import FileReader
from integrations.records import Unreadable
from tests.files import Pieces, parse

READERS = [ADYEN, CAMT, LP, MT4, ADYEN_PAYMENTS, CHECKOUT, PAYPAL, STRIPE]
every_reader = pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)


def table(data: bytes, **more: object) -> tuple[list[Row], Table, Findings]:
    findings = Findings()
    found = Table(BytesIO(data), filename="f.csv", findings=findings, required=("a", "b"), **more)  # type: ignore[arg-type]
    return list(found.rows()), found, findings


def cells(data: bytes) -> list[tuple[int, str, str]]:
    return [(row.line, row.text("a"), row.text("b")) for row in table(data)[0]]


@every_reader
def test_a_reader_says_what_it_is(reader: FileReader) -> None:
    assert reader.name.isidentifier()
    assert reader.title
    assert len({setting.name for setting in reader.settings}) == len(reader.settings)


@every_reader
def test_an_empty_file_is_refused_by_name(reader: FileReader) -> None:
    with pytest.raises(Unreadable, match=r"day\.x: the file is empty"):
        parse(reader, b"", name="day.x")


@every_reader
def test_a_zip_bomb_is_refused_without_unpacking(reader: FileReader) -> None:
    packed = BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", bytes(20_000_000))
    assert len(packed.getvalue()) < 30_000
    with pytest.raises(Unreadable, match="zip archive"):
        parse(reader, packed.getvalue())


@every_reader
@pytest.mark.parametrize("magic", [b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\x00", b"%PDF-1.7", b"\xd0\xcf\x11\xe0"])
def test_other_archives_and_documents_are_refused(reader: FileReader, magic: bytes) -> None:
    with pytest.raises(Unreadable, match="this is "):
        parse(reader, magic + bytes(100))


@every_reader
@pytest.mark.parametrize("byte", [b"x", b"\x00", b'"', b"<", b"&", b" "])
def test_a_gigabyte_on_one_line_is_refused_after_a_few_megabytes_at_most(reader: FileReader, byte: bytes) -> None:
    stream = Pieces(itertools.repeat(byte * 65536, 16384))
    with pytest.raises(Unreadable):
        reader.parse(stream, filename="f", settings={})  # type: ignore[arg-type]
    # Blanks are a line like any other in CSV; in XML they are nothing yet, and end as quickly.
    assert stream.taken < 4_000_000


@every_reader
def test_random_bytes_are_refused_and_never_crash(reader: FileReader) -> None:
    noise = random.Random(7)
    for _ in range(50):
        with pytest.raises(Unreadable):
            parse(reader, noise.randbytes(noise.randrange(1, 4000)))


@every_reader
def test_a_file_over_the_limit_is_refused(reader: FileReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BYTES_MAX", 1_000_000)
    # Line feeds are progress for both kinds: only the size can end this.
    stream = Pieces(itertools.chain([b"<a>" if reader is CAMT else b"a,b\n"], itertools.repeat(b"<b/>\n" * 10000)))
    with pytest.raises(Unreadable):
        reader.parse(stream, filename="f", settings={})  # type: ignore[arg-type]
    assert stream.taken < 1_200_000


def test_rows_have_the_number_of_their_first_line() -> None:
    assert cells(b'a,b\n1,2\n\n"x\ny",3\r\n4,5') == [(2, "1", "2"), (4, "x\ny", "3"), (6, "4", "5")]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_byte_order_mark_change_nothing(end: bytes, mark: bytes) -> None:
    assert cells(mark + end.join([b"a,b", b"1,2", b"3,4", b""])) == [(2, "1", "2"), (3, "3", "4")]


def test_line_ends_that_fall_between_two_reads() -> None:
    findings = Findings()
    stream = Pieces([b"a,b\r\n"] + [b"1,2\r\n"] * 40_000)
    found = Table(stream, filename="f", findings=findings, required=("a", "b"))  # type: ignore[arg-type]
    assert [row.line for row in found.rows()] == list(range(2, 40_002))


def test_utf_8_and_cp1252_lines_are_told_apart() -> None:
    read, found, _ = table("a,b\nMüller,1\n".encode() + "Caf\u00e9,2\n".encode("cp1252") + b"\xe2\x82\xac,3\n")
    assert [row.text("a") for row in read] == ["Müller", "Café", "€"]
    assert found.encoding() == "utf-8 (2 lines), cp1252 (1 lines)"


def test_undecodable_bytes_and_nul_reject_their_row_only() -> None:
    read, _, findings = table(b"a,b\n1,2\nx\x81,3\ny\x00,4\n5,6\n")
    assert [row.line for row in read] == [2, 5]
    assert [(bad.line, bad.field) for bad in findings.rejected()] == [(3, "row"), (4, "row")]


def test_utf_16_is_named() -> None:
    with pytest.raises(Unreadable, match="UTF-16"):
        table("a,b\n1,2\n".encode("utf-16"))


def test_an_unclosed_quote_costs_one_line() -> None:
    read, _, findings = table(b'a,b\n1,2\n"3,4\n5,6\n7,"8"\n9,10\n')
    assert [row.line for row in read] == [2, 4, 5, 6]
    assert [bad.line for bad in findings.rejected()] == [3]
    assert "quote" in findings.rejected()[0].reason


def test_a_quote_open_at_the_end_is_a_cut_file() -> None:
    read, _, findings = table(b'a,b\n1,2\n"3,4')
    assert len(read) == 1
    assert findings.rejected()[0].line == 3


@pytest.mark.parametrize("line", ["1", "1,2,3", '1,"2"x'])
def test_a_row_of_another_width_is_rejected(line: str) -> None:
    read, _, findings = table(f"a,b\n{line}\n3,4\n".encode())
    assert [row.line for row in read] == [3]
    assert findings.rejected()[0].raw == line


def test_headers_missing_or_doubled_are_named() -> None:
    with pytest.raises(Unreadable, match="no column 'b'"):
        table(b"a,c\n")
    with pytest.raises(Unreadable, match="column 'a' stands there twice"):
        table(b"a,b,A \n")
    assert cells(b" A ,x,x,B\n1,2,3,4\n") == [(2, "1", "4")]


def test_too_many_columns_are_refused() -> None:
    with pytest.raises(Unreadable, match="columns"):
        table(b",".join([b"a", b"b", *[b"x"] * 2000]))


def test_too_many_rows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "ROWS_MAX", 10)
    with pytest.raises(Unreadable, match="more than 10 rows"):
        table(b"a,b\n" + b"1,2\n" * 11)


def test_the_list_of_rejected_rows_ends_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "REJECTED_MAX", 3)
    _, _, findings = table(b"a,b\n" + b"1\n" * 10)
    rejected = findings.rejected()
    assert len(rejected) == 4
    assert rejected[-1].line == 11
    assert "7 more rows" in rejected[-1].reason


@pytest.mark.parametrize(
    "text", ["NaN", "Infinity", "1e5", "1,234.50", "1 000", "", "--1", "0x10", "١٢", "1.", "5 USD"]
)
def test_what_is_no_plain_number_is_refused_by_field(text: str) -> None:
    with pytest.raises(BadField) as refused:
        reading.amount(text, field="Net")
    assert refused.value.field == "Net"


@pytest.mark.parametrize(
    ("text", "value"), [(".91", "0.91"), ("-.5", "-0.5"), ("+12.00", "12"), ("0000123.45", "123.45")]
)
def test_plain_numbers(text: str, value: str) -> None:
    assert reading.amount(text, field="x") == Decimal(value)


@pytest.mark.parametrize(
    ("value", "text"), [("1", "1.00"), ("1.5", "1.50"), ("1.2340", "1.234"), ("-0.00", "0.00"), ("-3.10", "-3.10")]
)
def test_numbers_have_one_spelling(value: str, text: str) -> None:
    assert reading.shown(Decimal(value)) == text


def test_keys_are_unambiguous_and_bounded() -> None:
    assert reading.key("a|b", "c") != reading.key("a", "b|c")
    long = reading.key("x" * 5000, "1")
    assert len(long) == reading.KEY_MAX
    assert long != reading.key("x" * 5000, "2")
    seen = Occurrences()
    assert [seen.of(text) for text in "abaab"] == [1, 1, 2, 3, 2]


def test_packed_is_a_sequence_like_any_other() -> None:
    packed: Packed[tuple[int, str]] = Packed()
    plain = [(number, f"text {number}") for number in range(2503)]
    for record in plain:
        packed.append(record)
    assert list(packed) == plain
    assert packed == plain
    assert packed[2502] == plain[2502] == packed[-1]
    assert [packed[place] for place in (0, 999, 1000, 1999, 2000)] == [plain[p] for p in (0, 999, 1000, 1999, 2000)]
    assert packed[998:2001:500] == plain[998:2001:500]
    assert pickle.loads(pickle.dumps(packed)) == packed
    assert packed != plain[:-1]
    with pytest.raises(IndexError):
        packed[2503]


@pytest.mark.parametrize(
    ("local", "zone", "utc", "doubt"),
    [
        ("2026-01-15 12:00", "CET", "11:00", Doubt.NONE),
        ("2026-07-15 12:00", "CEST", "10:00", Doubt.NONE),
        ("2026-07-15 12:00", "CET", "11:00", Doubt.OUT_OF_SEASON),
        ("2026-11-19 12:00", "PST", "20:00", Doubt.NONE),
        ("2026-07-19 12:00", "PDT", "19:00", Doubt.NONE),
        ("2026-11-19 12:00", "est", "17:00", Doubt.NONE),
        ("2026-11-19 12:00", "UTC", "12:00", Doubt.NONE),
        ("2026-11-19 12:00", "Asia/Kathmandu", "06:15", Doubt.NONE),
        # 25 October 2026: 02:30 is there twice in Amsterdam. The abbreviation says which, the name does not.
        ("2026-10-25 02:30", "CEST", "00:30", Doubt.NONE),
        ("2026-10-25 02:30", "CET", "01:30", Doubt.NONE),
        ("2026-10-25 02:30", "Europe/Amsterdam", "00:30", Doubt.HAPPENS_TWICE),
        # 29 March 2026: 02:30 is not there.
        ("2026-03-29 02:30", "Europe/Amsterdam", "01:30", Doubt.DOES_NOT_EXIST),
        ("2026-11-19 12:00", "XYZ", "12:00", Doubt.UNKNOWN_ZONE),
        ("2026-11-19 12:00", "../../etc/passwd", "12:00", Doubt.UNKNOWN_ZONE),
        ("2026-11-19 12:00", "America", "12:00", Doubt.UNKNOWN_ZONE),
        ("2026-11-19 12:00", "", "12:00", Doubt.UNKNOWN_ZONE),
    ],
)
def test_local_time_to_utc(local: str, zone: str, utc: str, doubt: Doubt) -> None:
    found = zones.to_utc(datetime.fromisoformat(local), zone)
    hour, minute = map(int, utc.split(":"))
    assert found.doubt is doubt
    assert found.utc == datetime.fromisoformat(local).replace(hour=hour, minute=minute, tzinfo=UTC)
