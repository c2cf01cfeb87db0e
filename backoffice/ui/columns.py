"""A column of a table: where its value comes from, what kind of value it is, how it looks.

One typed value feeds page, CSV and XLSX (`exports.py`), so they cannot disagree. Cells are built as plain
strings: a page of 50 rows and 12 columns takes about a millisecond (docs/benchmarks.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from operator import attrgetter, methodcaller
from typing import Any

from django.db.models import Model
from django.utils.safestring import SafeString

from backoffice.kernel.money import Money
from backoffice.ui import components, formats
from backoffice.ui.components import Tone
from backoffice.ui.markup import escape_text, escaped, is_link

# Where a value comes from: an attribute path of the row ("account.code"; None on the way gives None) or a function.
Source = str | Callable[[Any], Any]


class Kind(Enum):
    """What a column's values are. The type in brackets is the value's."""

    TEXT = "text"  # (str, or anything with a good str)
    NUMBER = "number"  # (int or Decimal) a count or a ratio
    MONEY = "money"  # (Decimal with `currency`, or Money) major units
    LOTS = "lots"  # (Decimal) volume in lots
    PRICE = "price"  # (Decimal) with at least `digits` decimals
    DATE = "date"  # (date) a business day
    DATETIME = "datetime"  # (datetime) a moment, shown in UTC
    STATUS = "status"  # (str) a state code, with `labels` and `tones`
    ACTOR = "actor"  # (Person, System, a user, or a label like audit's)
    CODE = "code"  # (str) an identifier, in even-width letters
    HASH = "hash"  # (str or bytes) its beginning; exports have all of it
    FLAG = "flag"  # (bool)


FIGURES = frozenset({Kind.NUMBER, Kind.MONEY, Kind.LOTS, Kind.PRICE})
TIMES = frozenset({Kind.DATE, Kind.DATETIME})


@dataclass(frozen=True)
class Column:
    """`sort` names an entry of the table's `sorts`; without one the heading does not sort.

    `link` gives an address for the cell (None: no link). `wrap` lets long text break. `hide_narrow` drops the
    column on phones. `width` is in characters and meant for spreadsheets. `export` gives another typed value
    to files than to the page, for columns whose page value is markup.
    """

    key: Source
    label: str
    kind: Kind = Kind.TEXT
    _: KW_ONLY
    sort: str | None = None
    currency: Source | None = None
    digits: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    tones: Mapping[str, Tone] = field(default_factory=dict)
    link: Callable[[Any], str | None] | None = None
    css: str = ""
    align: str = ""
    width: int = 0
    wrap: bool = False
    hide_narrow: bool = False
    export: Callable[[Any], Any] | None = None

    def __post_init__(self) -> None:
        assert self.align in ("", "left", "right", "center"), f"{self.label}: align is left, right or center"
        assert self.kind is Kind.MONEY or self.currency is None, f"{self.label}: only money has a currency"

    @property
    def classes(self) -> str:
        """The class names of the column's cells."""
        side = self.align or ("right" if self.kind in FIGURES else "center" if self.kind is Kind.FLAG else "")
        parts = (side, self.kind.value, self.css, "wrap" if self.wrap else "", "wide" if self.hide_narrow else "")
        return " ".join(part for part in parts if part)

    def reader(self) -> Callable[[Any], Any]:
        """The function from a row to this column's value: `Money` for money, else what the source gives."""
        read = reader(self.key)
        if self.kind is not Kind.MONEY or self.currency is None:
            return read
        read_currency = reader(self.currency)

        def read_money(row: Any) -> Money | None:
            amount = read(row)
            return None if amount is None else Money(amount, str(read_currency(row) or ""))

        return read_money

    def writer(self) -> Callable[[Any], str]:
        """The function from a value that is not None to the escaped inside of a cell."""
        return _WRITERS[self.kind](self)


def reader(source: Source) -> Callable[[Any], Any]:
    """A source as a function. None on the way of a dotted path gives None; a wrong name is an error; a method without
    arguments (`get_status_display`) is asked, as in a template."""
    if not isinstance(source, str):
        return source
    if source.startswith("get_"):
        return methodcaller(source)
    if "." not in source:
        return attrgetter(source)
    steps = [attrgetter(step) for step in source.split(".")]

    def read(row: Any) -> Any:
        value = row
        for step in steps:
            if value is None:
                return None
            value = step(value)
        return value

    return read


def label_of(column: Column, value: Any) -> str:
    """A state's label for people; the code itself where the column has none."""
    return str(column.labels.get(value, value))


def _text(_: Column) -> Callable[[Any], str]:
    return escaped


def _money(_: Column) -> Callable[[Any], str]:
    exponent, grouped = formats.exponent_of, formats.grouped

    def write(value: Money | Decimal) -> str:
        if not isinstance(value, Money):
            return components.money(value)
        text = grouped(value.amount, exponent(value.currency))
        sign = " neg" if value.amount < 0 else "" if value.amount else " zero"
        return f'<span class="money{sign}">{text} <span class="ccy">{escape_text(value.currency)}</span></span>'

    return write


def _number(_: Column) -> Callable[[Any], str]:
    return formats.grouped


def _lots(_: Column) -> Callable[[Any], str]:
    return lambda value: formats.grouped(value, 2)


def _price(column: Column) -> Callable[[Any], str]:
    return lambda value: formats.plain(value, column.digits)


def _date(_: Column) -> Callable[[Any], str]:
    def write(value: date) -> str:
        text = value.isoformat()
        return f'<time datetime="{text}">{text}</time>'

    return write


def _datetime(_: Column) -> Callable[[Any], str]:
    def write(value: datetime) -> str:
        exact = formats.iso(value)
        return f'<time datetime="{exact}" title="{exact}">{exact[:10]} {exact[11:19]}</time>'

    return write


def _status(column: Column) -> Callable[[Any], str]:
    known: dict[Any, str] = {}

    def write(value: Any) -> str:
        if value not in known:
            known[value] = (
                components.status(value, column.tones, column.labels)
                if value != "" or "" in (column.labels or ())
                else ""
            )
        return known[value]

    return write


def _code(_: Column) -> Callable[[Any], str]:
    return lambda value: f"<code>{escaped(value)}</code>"


def _flag(_: Column) -> Callable[[Any], str]:
    return lambda value: '<span aria-hidden="true">✓</span><span class="sr">yes</span>' if value else ""


_WRITERS: dict[Kind, Callable[[Column], Callable[[Any], str]]] = {
    Kind.TEXT: _text,
    Kind.NUMBER: _number,
    Kind.MONEY: _money,
    Kind.LOTS: _lots,
    Kind.PRICE: _price,
    Kind.DATE: _date,
    Kind.DATETIME: _datetime,
    Kind.STATUS: _status,
    Kind.ACTOR: lambda _: components.actor,
    Kind.CODE: _code,
    Kind.HASH: lambda _: components.short_hash,
    Kind.FLAG: _flag,
}


def cell_of(column: Column, link: Callable[[Any], str | None] | None = None) -> Callable[[Any], str]:
    """The function from a row to the column's finished `<td>`; `link` is used where the column has none."""
    read, write, to = column.reader(), column.writer(), column.link or link
    start = f'<td class="{column.classes}">' if column.classes else "<td>"

    def plain_cell(row: Any) -> str:
        value = read(row)
        return start + "</td>" if value is None else f"{start}{write(value)}</td>"

    if to is None:
        return plain_cell
    css = "" if column.link else ' class="row-link"'

    def linked_cell(row: Any) -> str:
        value, address = read(row), to(row)
        inside = "–" if value is None or value == "" else write(value)
        if not address or not is_link(address):
            return f"{start}{inside}</td>"
        return f'{start}<a{css} href="{escape_text(address)}">{inside}</a></td>'

    return linked_cell


def typed(value: Any) -> Any:
    """A value as files hold it: text for what has no type of its own in a spreadsheet."""
    if value is None or isinstance(value, (bool, int, Decimal, datetime, date, Money)):
        return value
    if isinstance(value, (bytes, memoryview)):
        return value.hex()
    if isinstance(value, SafeString):
        raise TypeError("a column whose value is markup needs `export`")
    if hasattr(value, "label") and not isinstance(value, Model):
        return str(value.label)
    return str(value)
