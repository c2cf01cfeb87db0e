"""Tables: escaping, every kind of cell, headings, links; and that they stay plain and quick."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from backoffice.kernel.money import Money
from backoffice.ui import components
from backoffice.ui.components import Tone
from backoffice.ui.paging import Order
from backoffice.ui.tables import Column, Kind, Table

HOSTILE = '"><img src=x onerror=1>'


@dataclass
class Row:
    pk: int = 7
    text: Any = "plain"
    amount: Decimal | None = Decimal("-1234.5")
    currency: str = "USD"
    at: datetime = datetime(2026, 11, 20, 9, 15, 30, 123456, tzinfo=timezone(timedelta(hours=1)))
    day: date = date(2026, 11, 20)
    state: str = "OPEN"
    flag: bool = True
    parent: Any = None
    url: str = "/rows/7/"


def table(*columns: Column, **attributes: Any) -> Table:
    return type("T", (Table,), {"columns": columns, **attributes})()


def cell(column: Column, row: Row | None = None) -> str:
    html = table(column).html([row or Row()])
    return html.partition("<tbody><tr>")[2].partition("</tr>")[0]


@pytest.mark.parametrize("kind", [Kind.TEXT, Kind.CODE, Kind.ACTOR, Kind.HASH, Kind.STATUS])
def test_text_from_outside_stays_text(kind):
    html = cell(Column("text", "T", kind), Row(text=HOSTILE))

    assert "<img" not in html
    assert "&lt;img" in html


@pytest.mark.django_db
def test_hostile_currency_label_class_and_link_stay_text():
    row = Row(currency=HOSTILE, url='/x/"onmouseover="1')
    html = table(
        Column("amount", HOSTILE, Kind.MONEY, currency="currency", link=lambda r: r.url),
        row_class=lambda self, r: HOSTILE,
    ).html([row], caption=HOSTILE)

    assert "<img" not in html
    assert '"onmouseover' not in html


@pytest.mark.parametrize("url", ["javascript:alert(1)", "//evil.example", "data:text/html,x", " javascript:x"])
def test_a_link_that_leads_elsewhere_is_no_link(url):
    assert "<a" not in cell(Column("text", "T", link=lambda row: url))


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        ("1234.5", "USD", "1,234.50"),
        ("-0.005", "USD", "-0.005"),
        ("12.340000000000000000", "USD", "12.34"),
        ("1000", "JPY", "1,000"),
        ("0.1", "JPY", "0.1"),
        ("1.5", "BHD", "1.500"),
        ("0.00000001", "BTC", "0.00000001"),
        ("-0.00", "USD", "0.00"),
        ("123456789012345678.123456789012345678", "USD", "123,456,789,012,345,678.123456789012345678"),
    ],
)
def test_money_has_the_decimals_of_its_currency_and_is_never_rounded(amount, currency, shown):
    html = cell(Column("amount", "A", Kind.MONEY, currency="currency"), Row(amount=Decimal(amount), currency=currency))

    assert f'{shown} <span class="ccy">{currency}</span>' in html
    assert ("neg" in html) == shown.startswith("-")


def test_the_other_kinds():
    assert 'title="2026-11-20T08:15:30.123456+00:00">2026-11-20 08:15:30</time>' in cell(
        Column("at", "A", Kind.DATETIME)
    )
    assert ">2026-11-20</time>" in cell(Column("day", "D", Kind.DATE))
    assert "1,234,567" in cell(Column(lambda r: 1234567, "N", Kind.NUMBER))
    assert ">1.50<" in cell(Column(lambda r: Decimal("1.5"), "L", Kind.LOTS))
    assert ">1.084120<" in cell(Column(lambda r: Decimal("1.08412"), "P", Kind.PRICE, digits=6))
    assert "yes" in cell(Column("flag", "F", Kind.FLAG))
    assert "yes" not in cell(Column("flag", "F", Kind.FLAG), Row(flag=False))
    pill = cell(Column("state", "S", Kind.STATUS, labels={"OPEN": "open"}, tones={"OPEN": Tone.BAD}))
    assert '<span class="pill bad">open</span>' in pill


def test_none_is_an_empty_cell_and_a_path_may_end_early():
    assert cell(Column("parent", "P", Kind.MONEY)).endswith("></td>")
    assert cell(Column("parent.code", "P")) == '<td class="text"></td>'


def test_a_wrong_attribute_is_an_error_and_not_an_empty_column():
    with pytest.raises(AttributeError):
        cell(Column("amuont", "A"))


def test_the_first_column_without_a_link_carries_the_rows():
    html = table(
        Column("text", "T", link=lambda row: "/else/"), Column("pk", "Id"), link=lambda self, row: row.url
    ).html([Row()])

    assert '<a href="/else/">plain</a>' in html
    assert '<a class="row-link" href="/rows/7/">7</a>' in html


def test_an_empty_table_says_what_that_means():
    assert "Nothing here yet." in table(Column("pk", "Id")).html([])


def test_picks_add_a_box_with_the_key():
    assert 'name="ids" value="7"' in table(Column("pk", "Id")).html([Row()], picks=True)


def sorted_table() -> Table:
    columns = (Column("text", "Name", sort="name"), Column("at", "At", Kind.DATETIME, sort="at"), Column("pk", "Id"))
    return table(*columns, sorts={"name": ("name", "pk"), "at": ("at", "pk")}, default_sort="name")


def test_headings_sort_and_say_how_the_rows_are_sorted():
    html = sorted_table().html([Row()], order=Order("name", ("name", "pk")), sort_url=lambda sort: f"?sort={sort}")

    assert html.count("aria-sort") == 1
    assert 'aria-sort="ascending"' in html
    assert 'href="?sort=-name"' in html  # again: the other way round
    assert 'href="?sort=-at"' in html  # times: the newest first
    assert "UTC" in html


def test_an_unknown_sort_is_the_default():
    assert sorted_table().order("-at") == Order("at", ("at", "pk"), descending=True)
    assert sorted_table().order("password") == Order("name", ("name", "pk"))


def test_values_that_are_money_already_need_no_currency():
    html = cell(Column(lambda row: Money(Decimal(5), "EUR"), "M", Kind.MONEY))

    assert '5.00 <span class="ccy">EUR</span>' in html
    assert str(components.money(Money(Decimal(5), "EUR"))) in html


def test_a_day_has_no_zone_and_a_moment_without_one_is_an_error():
    with pytest.raises(AssertionError):
        cell(Column("at", "A", Kind.DATETIME), Row(at=datetime(2026, 1, 1)))
    assert "2026-01-01 00:00:00" in cell(Column("at", "A", Kind.DATETIME), Row(at=datetime(2026, 1, 1, tzinfo=UTC)))


def test_the_words_of_a_choice_are_asked_for_not_shown_as_a_method():
    class Chosen(Row):
        def get_kind_display(self) -> str:
            return "retail"

    assert cell(Column("get_kind_display", "Kind"), Chosen(pk=1)) == cell(Column(lambda row: "retail", "Kind"))
