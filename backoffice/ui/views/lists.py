"""A list: queryset, table, filters, permission. Its export is the same list as a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any, ClassVar
from urllib.parse import quote

from django.db.models import QuerySet
from django.http import FileResponse, HttpRequest, HttpResponseBase, QueryDict, StreamingHttpResponse

from backoffice.kernel import clock
from backoffice.organisation.selectors import scope
from backoffice.ui import exports, hooks, paging
from backoffice.ui.filters import Filters
from backoffice.ui.paging import Order, Place, Rows
from backoffice.ui.requests import actor_of, address
from backoffice.ui.tables import Table
from backoffice.ui.views.base import Button, Page

_FETCH = 2_000
STALE_PLACE = "The address named a place in the list that does not exist. This is the first page."
EMPTY_PLACE = "There are no rows here any more. Go to the first page."


@dataclass(frozen=True, slots=True)
class Listing:
    """What the address asks for: page and export work on the same one."""

    table: Table
    order: Order
    filters: Filters | None
    queryset: QuerySet[Any]


class ListPage(Page):
    """Override `rows` for a list below something else (`self.kwargs`), `more` for more context."""

    template = "list.html"
    queryset: ClassVar[QuerySet[Any]]
    table: ClassVar[type[Table]]
    filters: ClassVar[type[Filters] | None] = None
    page_size: ClassVar[int] = 50
    buttons: ClassVar[tuple[Button, ...]] = ()
    export_permission: ClassVar[str] = "organisation.export_rows"

    def rows(self) -> QuerySet[Any]:
        """All rows, before what this person may see and what the filters leave."""
        return self.queryset.all()

    def more(self, listing: Listing) -> Mapping[str, Any]:
        """More context for a template of the page's own."""
        return {}

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        listing = self.listing()
        wanted = request.GET.get("export", "")
        if wanted in ("csv", "xlsx"):
            scope.require(request.user, self.export_permission)
            return self._csv(listing) if wanted == "csv" else self._xlsx(listing)
        return self.page({**self._context(listing), **self.more(listing)})

    def listing(self) -> Listing:
        """Permission, entities, filters and sort, applied."""
        base, data = self.visible(self.rows()), self.request.GET
        filters = self.filters(data, queryset=base, request=self.request) if self.filters else None
        table = self.table()
        queryset = base if filters is None else filters.qs
        return Listing(table, table.order(data.get("sort", "")), filters, queryset)

    def exported(self, event: hooks.Export) -> None:
        """Rows leave the house: told to whoever records that, before the first byte and at the end."""
        hooks.export(event)

    def _context(self, listing: Listing) -> dict[str, Any]:
        data = self.request.GET
        place = Place(data.get("after", ""), data.get("before", ""), "last" in data)
        found = paging.page(listing.queryset, listing.order, size=self.page_size, place=place)
        alone = found.after is None and found.before is None and bool(found.rows)
        total = paging.Total(len(found.rows)) if alone else paging.total(listing.queryset)
        bulk = [action for action in listing.table.bulk if scope.may(self.request.user, action.permission)]
        filters = listing.filters
        notice = STALE_PLACE if found.refused else EMPTY_PLACE if total.count and not found.rows else ""
        return {
            "rows": found.rows,
            "table": self._table(listing, found, picks=bool(bulk)),
            "total": total,
            "pager": pager(data, found, place),
            "notice": notice,
            "bulk": bulk,
            "buttons": self.links(self.buttons),
            "controls": filters.controls() if filters else [],
            "chips": filters.chips() if filters else [],
            "problem_places": filters.problem_places() if filters else "",
            "kept": _kept(data, filters),
            "exports": self._exports(),
            "here": self.request.get_full_path(),
        }

    def _table(self, listing: Listing, found: Rows[Any], *, picks: bool) -> str:
        def sort_url(sort: str) -> str:
            return address(self.request.GET, sort=sort)

        return listing.table.html(
            found.rows, order=listing.order, sort_url=sort_url, picks=picks, caption=self.heading()
        )

    def _exports(self) -> list[tuple[str, str]]:
        if not scope.may(self.request.user, self.export_permission):
            return []
        return [(name.upper(), address(self.request.GET) + f"&export={name}") for name in ("csv", "xlsx")]

    def _event(self, name: str) -> hooks.Export:
        query = {key: [str(value) for value in values] for key, values in self.request.GET.lists() if key != "export"}
        return hooks.Export(actor_of(self.request), self.heading(), self.request.path, query, name)

    def _csv(self, listing: Listing) -> StreamingHttpResponse:
        event = self._event("csv")
        self.exported(event)
        response = StreamingHttpResponse(self._csv_stream(listing, event), content_type=exports.CSV_TYPE)
        response["Content-Disposition"] = _attachment(self.heading(), "csv", clock.now())
        return response

    def _csv_stream(self, listing: Listing, event: hooks.Export) -> Iterator[bytes]:
        sent, finished = 0, False
        try:
            for chunk, count in exports.csv_chunks(listing.table.export_columns(), _all(listing)):
                sent += count
                yield chunk
            finished = True
        finally:
            self.exported(replace(event, rows=sent, finished=finished))

    def _xlsx(self, listing: Listing) -> FileResponse:
        event, now = self._event("xlsx"), clock.now()
        self.exported(event)
        chips = listing.filters.chips() if listing.filters else []
        about = exports.About(
            title=self.heading(),
            filters=[(chip.label, chip.value) for chip in chips],
            sort=f"{', '.join(listing.order.fields)}{' descending' if listing.order.descending else ''}",
            as_of=now,
            who=str(self.user),
        )
        file, count = exports.xlsx_file(listing.table.export_columns(), _all(listing), about)
        self.exported(replace(event, rows=count, finished=True))
        response = FileResponse(file, content_type=exports.XLSX_TYPE)
        response["Content-Disposition"] = _attachment(self.heading(), "xlsx", now)
        return response


def pager(data: QueryDict, found: Rows[Any], place: Place) -> dict[str, str]:
    """Addresses of the first, previous, next and last page; empty where there is none."""
    away = place != Place() and not found.refused
    start = address(data)
    step = start + "&" if start != "?" else "?"
    return {
        "first": start if away else "",
        "previous": f"{step}before={found.before}" if found.before else "",
        "next": f"{step}after={found.after}" if found.after else "",
        "last": f"{step}last=1" if found.after else "",
    }


def _all(listing: Listing) -> Iterator[Any]:
    """All rows in order, read from a cursor in the database, so that memory stays the same for any number."""
    rows = paging.ordered(listing.queryset, listing.order).iterator(chunk_size=_FETCH)
    while chunk := list(islice(rows, _FETCH)):
        listing.table.prepare(chunk)
        yield from chunk


def _kept(data: QueryDict, filters: Filters | None) -> list[tuple[str, str]]:
    """What the filter form has to carry along besides its own fields."""
    own = set(filters.params()) if filters else set()
    return [(key, str(value)) for key, value in data.items() if key == "sort" and key not in own]


def _attachment(title: str, ending: str, now: datetime) -> str:
    name = f"{title.lower().replace(' ', '-')}-{now:%Y%m%dT%H%M%SZ}.{ending}"
    return f"attachment; filename*=UTF-8''{quote(name)}"
