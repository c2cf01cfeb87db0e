"""One row and what belongs to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase

from backoffice.organisation.selectors import scope
from backoffice.ui import panels
from backoffice.ui.requests import address
from backoffice.ui.views.base import Button, Page


@dataclass(frozen=True, slots=True)
class Tab:
    """A part of a detail page with a template of its own; shown to those who hold `permission` (empty: all)."""

    key: str
    label: str
    template: str
    permission: str = ""


class DetailPage(Page):
    """The row named `pk` in the address, as `row` in a template that extends detail.html.

    With `tabs`, the page's template may be detail.html itself: the chosen tab's template is included.
    """

    template = "detail.html"
    queryset: ClassVar[QuerySet[Any]]
    tabs: ClassVar[tuple[Tab, ...]] = ()
    buttons: ClassVar[tuple[Button, ...]] = ()
    row: Any

    def heading(self) -> str:
        return self.title or str(self.row)

    def subtitle(self) -> str:
        """A few words below the heading."""
        return ""

    def context(self, row: Any, tab: str) -> Mapping[str, Any]:
        """What the template needs besides `row`; `tab` is the chosen tab's key."""
        return {}

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.row = self.row_or_404(self.queryset.all(), kwargs["pk"])
        tabs = [tab for tab in self.tabs if scope.may(request.user, tab.permission)]
        wanted = request.GET.get("tab", "")
        chosen = next((tab for tab in tabs if tab.key == wanted), tabs[0] if tabs else None)
        frame = {
            "row": self.row,
            "subtitle": self.subtitle(),
            "tabs": [(tab.label, address(request.GET, tab=tab.key), tab is chosen) for tab in tabs],
            "tab_template": chosen.template if chosen else "",
            "buttons": self.links(self.buttons, self.row),
            "panels": panels.shown(_route(request), request, self.user, self.row),
        }
        return self.page({**frame, **self.context(self.row, chosen.key if chosen else "")})


def _route(request: HttpRequest) -> str:
    found = request.resolver_match
    return (found.url_name if found is not None else None) or ""
