"""Files of lists: exactly what the page shows, no formulas, exact numbers, told to the audit."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
from django.db import connection
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from backoffice.organisation.models import Desk
from backoffice.ui import exports, hooks, navigation
from backoffice.ui.exports import About
from backoffice.ui.tables import Column, Kind, Table
from tests import builders
from tests.pages_ui import make_desks, make_entries

EXPORT = "organisation.export_rows"
HOSTILE = [
    '=HYPERLINK("http://evil")',
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    " =1",
    "＝1+1",
    "＋1",
    "－1",
    "＠x",
    "a;=1+1",
    "a,@x",
    "a\n=1",
    "a|-1",
    '"=1"',
    "'=1",
]


@dataclass
class Row:
    pk: int = 1
    text: str = "plain"
    amount: Decimal | None = Decimal("-1234.5")
    currency: str = "USD"
    at: datetime = datetime(2026, 11, 20, 8, 15, 30, 123456, tzinfo=UTC)
    day: date = date(2026, 11, 20)
    state: str = "OPEN"
    flag: bool = True
    ticket: int = 12345678901234567890
    volume: Decimal = Decimal("1.5")


class Rows(Table):
    columns = (
        Column("text", "Text"),
        Column("amount", "Amount", Kind.MONEY, currency="currency"),
        Column("at", "At", Kind.DATETIME),
        Column("day", "Day", Kind.DATE),
        Column("state", "State", Kind.STATUS, labels={"OPEN": "open"}),
        Column("flag", "Flag", Kind.FLAG),
        Column("ticket", "Ticket", Kind.CODE),
        Column("volume", "Lots", Kind.LOTS),
    )


ABOUT = About("Rows", [("State", "open")], "pk", datetime(2026, 11, 20, 8, 15, tzinfo=UTC), "Mara")


def as_csv(*rows: Any, table: Table | None = None) -> list[list[str]]:
    chunks = exports.csv_chunks((table or Rows()).export_columns(), rows)
    text = b"".join(chunk for chunk, _ in chunks).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))


def as_book(*rows: Any, table: Table | None = None) -> Any:
    file, count = exports.xlsx_file((table or Rows()).export_columns(), rows, ABOUT)
    assert count == len(rows)
    with file:
        return openpyxl.load_workbook(io.BytesIO(file.read()))


def test_csv_has_plain_numbers_and_times_with_their_zone():
    head, row = as_csv(Row())

    assert head == ["Text", "Amount", "Currency", "At (UTC)", "Day", "State", "Flag", "Ticket", "Lots"]
    assert row == [
        "plain", "-1234.50", "USD", "2026-11-20T08:15:30.123456+00:00", "2026-11-20", "open", "yes",
        "12345678901234567890", "1.5",
    ]  # fmt: skip


def test_csv_begins_with_the_mark_that_makes_spreadsheets_read_utf8():
    first, _ = next(exports.csv_chunks(Rows().export_columns(), []))

    assert first.startswith(b"\xef\xbb\xbfText,")


@pytest.mark.parametrize("text", HOSTILE)
def test_no_cell_of_a_csv_begins_like_a_formula(text):
    _, row = as_csv(Row(text=text))

    for part in re.split(r"[;,|\t\r\n]", row[0]):
        assert not re.match(r"[\s\"]*[=+\-@＝＋－＠]", part), row[0]
    assert row[0].replace("'", "") == text.replace("'", "")


@given(st.text(max_size=30))
def test_neutral_text_is_only_ever_longer_by_apostrophes_and_stays_neutral(text):
    once = exports.neutral(text)

    assert once.replace("'", "") == text.replace("'", "")
    assert not once.startswith(("=", "+", "-", "@", "\t=", "\r="))


@pytest.mark.parametrize("text", ["Smith-Jones", "a = b", "x@example.com", "1-2", "3 + 4", "plain", "", "O'Brien"])
def test_harmless_text_is_not_touched(text):
    assert exports.neutral(text) == text


def test_a_negative_amount_stays_a_number():
    _, row = as_csv(Row(amount=Decimal("-0.01")))
    cell = as_book(Row(amount=Decimal("-0.01"))).worksheets[0]["B2"]

    assert row[1] == "-0.01"
    assert (cell.data_type, cell.value) == ("n", -0.01)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_cell_of_a_workbook_is_a_formula_and_the_text_is_exact(text):
    cell = as_book(Row(text=text)).worksheets[0]["A2"]

    assert cell.data_type != "f"
    # A carriage return is all that XML cannot carry as it is.
    assert (cell.value or "").replace("_x000D_", "\r") == text
    assert cell._style.quotePrefix


def test_a_workbook_holds_no_formula_and_no_link_at_all():
    file, _ = exports.xlsx_file(Rows().export_columns(), [Row(text=text) for text in [*HOSTILE, "http://x"]], ABOUT)
    with file, zipfile.ZipFile(file) as archive:
        sheets = [archive.read(name).decode() for name in archive.namelist() if "worksheets/sheet" in name]

    assert len(sheets) == 2
    assert not [sheet for sheet in sheets if "<f>" in sheet or "<hyperlink" in sheet.lower()]


def test_a_workbook_has_typed_cells():
    sheet = as_book(Row()).worksheets[0]

    assert [cell.value for cell in sheet[1]][:3] == ["Text", "Amount", "Currency"]
    assert (sheet["B2"].value, sheet["B2"].number_format) == (-1234.5, "#,##0.00")
    assert (sheet["D2"].value, sheet["D2"].number_format) == (
        datetime(2026, 11, 20, 8, 15, 30, 123000),
        "yyyy-mm-dd hh:mm:ss",
    )
    assert sheet["E2"].value == datetime(2026, 11, 20)
    assert sheet["G2"].value is True
    assert (sheet["I2"].value, sheet["I2"].number_format) == (1.5, "#,##0.00")
    assert sheet.freeze_panes == "A2"


@pytest.mark.parametrize(
    ("amount", "currency", "value", "number_format"),
    [
        ("1234.5", "JPY", 1234.5, "#,##0.0"),
        ("1000", "JPY", 1000, "#,##0"),
        ("0.12345678", "BTC", 0.12345678, "#,##0.00000000"),
        ("12.340000000000000000", "USD", 12.34, "#,##0.00"),
        ("999999999999.999", "USD", 999999999999.999, "#,##0.000"),
        ("1234567890123456.78", "USD", "1234567890123456.78", "General"),
        ("0.1234567890123456", "USD", "0.1234567890123456", "General"),
        ("-12345678901234567", "USD", "-12345678901234567.00", "General"),
    ],
)
def test_a_number_that_a_spreadsheet_would_round_is_exact_text(amount, currency, value, number_format):
    cell = as_book(Row(amount=Decimal(amount), currency=currency)).worksheets[0]["B2"]

    assert (cell.value, cell.number_format) == (value, number_format)


def test_the_number_in_the_file_is_spelled_exactly():
    file, _ = exports.xlsx_file(Rows().export_columns(), [Row(amount=Decimal("0.1") + Decimal("0.2"))], ABOUT)
    with file, zipfile.ZipFile(file) as archive:
        assert "<v>0.3</v>" in archive.read("xl/worksheets/sheet1.xml").decode()


def test_a_ticket_with_twenty_digits_survives():
    assert as_book(Row()).worksheets[0]["H2"].value == "12345678901234567890"


def test_the_second_sheet_says_what_the_first_is():
    lines = {row[0].value: row[1].value for row in as_book(Row(), Row()).worksheets[1].iter_rows()}

    assert lines == {
        "List": "Rows",
        "As of (UTC)": "2026-11-20T08:15:00+00:00",
        "Rows": "2",
        "Sorted by": "pk",
        "Exported by": "Mara",
        "Filter: State": "open",
    }


def test_more_rows_than_a_sheet_holds_are_refused(monkeypatch):
    monkeypatch.setattr(exports, "XLSX_ROWS", 3)

    with pytest.raises(exports.TooManyRows, match="holds 3 rows"):
        exports.xlsx_file(Rows().export_columns(), [Row()] * 4, ABOUT)


def test_text_longer_than_a_cell_says_that_it_is_cut():
    value = as_book(Row(text="x" * 40_000)).worksheets[0]["A2"].value

    assert len(value) == 32_767
    assert value.endswith("the CSV has all of it)")


def test_two_sources_of_currencies_give_two_columns():
    class Two(Table):
        columns = (
            Column("amount", "Paid", Kind.MONEY, currency="currency"),
            Column("amount", "Fee", Kind.MONEY, currency="currency"),
            Column("amount", "Booked", Kind.MONEY, currency=lambda row: "EUR"),
        )

    head, row = as_csv(Row(), table=Two())

    assert head == ["Paid", "Paid currency", "Fee", "Booked", "Booked currency"]
    assert row == ["-1234.50", "USD", "-1234.50", "-1234.50", "EUR"]


def test_a_column_of_markup_must_say_what_files_get():
    class Markup(Table):
        columns = (Column(lambda row: exports_markup(), "M"),)

    with pytest.raises(TypeError, match="export"):
        as_csv(Row(), table=Markup())


def exports_markup() -> Any:
    from backoffice.ui.components import pill

    return pill("open")


# Through the page


@pytest.fixture
def recorded(monkeypatch, settings):
    events: list[hooks.Export] = []
    settings.ROOT_URLCONF = "tests.ui_site"
    monkeypatch.setattr(navigation, "_items", {})
    monkeypatch.setattr(hooks, "_recorders", [events.append])
    return events


def client_of(here: Any, *permissions: str) -> Client:
    client = Client()
    client.force_login(builders.user("mara", *permissions, entities=(here,)))
    return client


def hang_up(answer: Any) -> None:
    """The browser goes away in the middle."""
    answer._iterator.close()


def lines_of(answer: Any) -> list[list[str]]:
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.django_db
def test_the_file_has_the_rows_of_all_pages_in_the_order_of_the_page(recorded):
    here = builders.entity()
    make_entries(here, 23)
    make_entries(builders.entity("UK"), 4)
    client = client_of(here, "audit.view_entry", EXPORT)

    shown: list[str] = []
    address = "/audit/?sort=-at"
    while address:
        page = client.get(address)
        shown += [row.target for row in page.context["rows"]]
        address = "/audit/" + page.context["pager"]["next"] if page.context["pager"]["next"] else ""
    _, *exported = lines_of(client.get("/audit/?sort=-at&export=csv"))

    assert len(shown) == 23
    assert [line[2] for line in exported] == shown


@pytest.mark.django_db
def test_the_file_has_the_filters_of_the_page_and_says_so(recorded):
    here = builders.entity()
    make_desks(here, 3)
    Desk.objects.create(entity=here, code="FX", name="=cmd|'/C calc'!A0")
    client = client_of(here, "organisation.view_desk", EXPORT)

    answer = client.get("/desks/?code=FX&search=&export=xlsx")
    book = openpyxl.load_workbook(io.BytesIO(b"".join(answer.streaming_content)))

    assert [[cell.value for cell in row] for row in book.worksheets[0].iter_rows()] == [
        ["Code", "Name", "Entity"],
        ["FX", "=cmd|'/C calc'!A0", "CY"],
    ]
    about = {row[0].value: row[1].value for row in book.worksheets[1].iter_rows()}
    assert about["Filter: Code"] == "forex"
    assert about["Rows"] == "1"
    assert "filename*=UTF-8" in answer["Content-Disposition"]


@pytest.mark.django_db
def test_an_export_is_told_before_its_first_byte_and_at_its_end(recorded):
    here = builders.entity()
    make_desks(here, 3)
    client = client_of(here, "organisation.view_desk", EXPORT)

    answer = client.get("/desks/?sort=-name&export=csv")
    (begun,) = recorded
    lines_of(answer)

    assert (begun.rows, begun.finished, begun.format, begun.path) == (None, False, "csv", "/desks/")
    assert begun.query == {"sort": ["-name"]}
    assert begun.actor.name == "Mara"
    assert (recorded[1].rows, recorded[1].finished) == (3, True)


@pytest.mark.django_db
def test_a_download_that_breaks_off_is_told_as_such(recorded, monkeypatch):
    monkeypatch.setattr(exports, "_CHUNK", 2)
    here = builders.entity()
    make_desks(here, 7)

    answer = client_of(here, "organisation.view_desk", EXPORT).get("/desks/?export=csv")
    stream = iter(answer.streaming_content)
    next(stream), next(stream)
    hang_up(answer)

    assert (recorded[-1].rows, recorded[-1].finished) == (2, False)


@pytest.mark.django_db
def test_without_anybody_who_records_nothing_leaves(recorded, monkeypatch):
    monkeypatch.setattr(hooks, "_recorders", [])
    here = builders.entity()
    make_desks(here, 1)

    with pytest.raises(AssertionError, match="nobody records"):
        client_of(here, "organisation.view_desk", EXPORT).get("/desks/?export=csv")


@pytest.mark.django_db
def test_foreign_rows_are_in_no_file(recorded):
    make_desks(builders.entity("UK"), 5)

    exported = lines_of(client_of(builders.entity(), "organisation.view_desk", EXPORT).get("/desks/?export=csv"))

    assert exported == [["Code", "Name", "Entity"]]


@pytest.mark.django_db
def test_the_rows_come_from_a_cursor_in_the_database(recorded, monkeypatch):
    """A million rows must not stand in memory: they are read through a named cursor while the file is sent."""
    monkeypatch.setattr(exports, "_CHUNK", 2)
    monkeypatch.setattr("backoffice.ui.views.lists._FETCH", 2)
    here = builders.entity()
    make_entries(here, 10)

    answer = client_of(here, "audit.view_entry", EXPORT).get("/audit/?export=csv")
    stream = iter(answer.streaming_content)
    next(stream), next(stream)
    during = open_cursors()
    hang_up(answer)

    assert (during, open_cursors()) == (1, 0)


def open_cursors() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_cursors WHERE name LIKE '%%django%%'")
        return cursor.fetchone()[0]
