"""A table: its columns, its sorts, where a row leads. Pages, exports and reports take the same one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.utils.safestring import SafeString

from backoffice.kernel.money import Money
from backoffice.ui import components
from backoffice.ui.columns import FIGURES, TIMES, Column, Kind, cell_of, label_of, reader, typed
from backoffice.ui.markup import attribute_text, escape_text, join, safe, tag
from backoffice.ui.paging import Order


@dataclass(frozen=True, slots=True)
class BulkAction:
    """Something that can be done to picked rows: an `ActionPage` with `bulk = True`, by its route."""

    label: str
    route: str
    permission: str


@dataclass(frozen=True, slots=True)
class ExportColumn:
    """One column of a file. `read` gives a typed value; Decimal is written with `places` of its row's currency."""

    label: str
    kind: Kind
    width: int
    read: Callable[[Any], Any]


class Table:
    """Describe one by subclassing; an instance lives for one page.

    `sorts`: name -> field lookups, the last of them unique, none of them NULL, all read in one direction, and
    together the beginning of an index. `small` says that the table will never have more than some thousand
    rows: only then may a sort or a text filter do without an index (tests/test_ui_pages.py checks).
    """

    columns: ClassVar[tuple[Column, ...]]
    sorts: ClassVar[Mapping[str, tuple[str, ...]]] = {"id": ("pk",)}
    default_sort: ClassVar[str] = "-id"
    bulk: ClassVar[tuple[BulkAction, ...]] = ()
    empty: ClassVar[str] = "Nothing here yet."
    empty_hint: ClassVar[str] = ""
    small: ClassVar[bool] = False

    def link(self, row: Any) -> str | None:
        """Where the row leads; its first column carries the link and Enter opens it."""
        return None

    def row_class(self, row: Any) -> str:
        """Class names of the row: bad, warn, muted, total."""
        return ""

    def prepare(self, rows: Sequence[Any]) -> None:
        """Read at once what a column needs that the rows do not carry; called with a page of rows, or with one
        chunk of a file after the other, before any cell is read."""

    def order(self, sort: str = "") -> Order:
        """The order for a sort of the address ("-opened"); an unknown one gives the default."""
        chosen = sort if sort.removeprefix("-") in self.sorts else self.default_sort
        name = chosen.removeprefix("-")
        return Order(name=name, fields=tuple(self.sorts[name]), descending=chosen.startswith("-"))

    def html(
        self,
        rows: Iterable[Any],
        *,
        order: Order | None = None,
        sort_url: Callable[[str], str] | None = None,
        picks: bool = False,
        caption: str = "",
    ) -> SafeString:
        """The table as markup. `sort_url` turns a sort into an address; `picks` adds a box to every row."""
        shown = list(rows)
        self.prepare(shown)
        body = self._body(shown, picks)
        if not body:
            return components.empty(self.empty, self.empty_hint)
        hidden = tag("caption", caption, class_="sr") if caption else None
        head = tag("thead", tag("tr", self._head(order, sort_url, picks)))
        table = tag("table", hidden, head, tag("tbody", safe(body)), class_="rows")
        return tag("div", table, class_="table-wrap", tabindex="0", role="region", aria_label=caption or "Table")

    def export_columns(self) -> list[ExportColumn]:
        """The columns of a file: those of the page; after money, its currency, once per source of currencies."""
        found: list[ExportColumn] = []
        currencies: set[Any] = set()
        one_currency = len({c.currency for c in self.columns if c.kind is Kind.MONEY}) == 1
        for column in self.columns:
            label = f"{column.label} (UTC)" if column.kind is Kind.DATETIME else column.label
            found.append(ExportColumn(label, column.kind, column.width, _typed_reader(column)))
            source = column.currency or id(column)
            if column.kind is Kind.MONEY and source not in currencies:
                currencies.add(source)
                label = "Currency" if one_currency and column.currency else f"{column.label} currency"
                found.append(ExportColumn(label, Kind.CODE, 0, _currency_reader(column)))
        return found

    def _body(self, rows: Iterable[Any], picks: bool) -> str:
        cells = [cell_of(column) for column in self.columns]
        # The first column without a link of its own carries the row's.
        own = next((n for n, column in enumerate(self.columns) if column.link is None), None)
        if own is not None and type(self).link is not Table.link:
            cells[own] = cell_of(self.columns[own], self.link)
        classed = type(self).row_class is not Table.row_class
        parts = []
        for row in rows:
            css = self.row_class(row) if classed else ""
            parts.append(f'<tr class="{escape_text(css)}">' if css else "<tr>")
            if picks:
                parts.append(_pick(row))
            parts.extend([cell(row) for cell in cells])
            parts.append("</tr>")
        return "".join(parts)

    def _head(self, order: Order | None, sort_url: Callable[[str], str] | None, picks: bool) -> SafeString:
        box = tag("input", type="checkbox", class_="pick-all", aria_label="Select all rows on this page")
        cells = [tag("th", box, class_="pick", scope="col")] if picks else []
        for column in self.columns:
            label: SafeString = tag("span", column.label)
            if column.kind is Kind.DATETIME:
                label = join([label, tag("span", " UTC", class_="zone")])
            direction = None
            if column.sort is not None and sort_url is not None and order is not None:
                assert column.sort in self.sorts, f"{column.label}: there is no sort named {column.sort}"
                now = ("-" if order.descending else "") + order.name
                label = tag("a", label, href=sort_url(_next_sort(column, now)), class_="sort")
                if order.name == column.sort:
                    direction = "descending" if order.descending else "ascending"
            cells.append(tag("th", label, scope="col", class_=column.classes, aria_sort=direction))
        return join(cells)


def _next_sort(column: Column, now: str) -> str:
    """What a click on the heading asks for: the other direction, or first what people want first."""
    assert column.sort is not None
    down_first = column.kind in FIGURES or column.kind in TIMES
    if now.removeprefix("-") == column.sort:
        return column.sort if now.startswith("-") else f"-{column.sort}"
    return f"-{column.sort}" if down_first else column.sort


def _pick(row: Any) -> str:
    attributes = attribute_text({"type": "checkbox", "name": "ids", "value": row.pk, "aria_label": "Select row"})
    return f'<td class="pick"><input{attributes}></td>'


def _typed_reader(column: Column) -> Callable[[Any], Any]:
    read = column.export or column.reader()
    if column.kind is Kind.STATUS:
        return lambda row: None if (value := read(row)) is None else label_of(column, value)
    return lambda row: typed(read(row))


def _currency_reader(column: Column) -> Callable[[Any], Any]:
    if column.currency is not None:
        read = reader(column.currency)
        return lambda row: None if (code := read(row)) is None else str(code)
    read_money = column.export or column.reader()
    return lambda row: value.currency if isinstance(value := read_money(row), Money) else None


__all__ = ["BulkAction", "Column", "ExportColumn", "Kind", "Table"]
