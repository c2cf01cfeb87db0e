"""Pages of the facts that are booked: deals, fills, PSP lines, bank lines, and what could not be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.urls import reverse

from accounts import filters, tables
from accounts.models import Unbooked
from accounts.selectors.said import said
from accounts.selectors.traces import trace
from backoffice.ui.views import Button, Crumb, DetailPage, ListPage, Tab
from integrations.models import BankLine, BankNotice, Deal, Fill, PspLine
from integrations.selectors.excerpts import excerpt


class _FactList(ListPage):
    """A list of facts: the newest version of each, unless the filter asks for all."""

    model: ClassVar[Any]

    def rows(self) -> QuerySet[Any]:
        found: QuerySet[Any] = self.model.objects.select_related("connection")
        return found


class _FactDetail(DetailPage):
    """A fact with its versions, its journals and the raw message below it."""

    template = "accounts/fact.html"
    kind: ClassVar[str]
    tabs = (
        Tab("fact", "Fact", "accounts/fact_body.html"),
        Tab("raw", "Raw message", "accounts/fact_raw.html", "integrations.view_rawmessage"),
    )

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb(self.nav.replace("-", " ").capitalize().replace("Psp", "PSP"), reverse(self.nav)),)

    def context(self, row: Any, tab: str) -> Mapping[str, Any]:
        found = trace(self.kind, row)
        return {
            "trace": found,
            "kind": self.kind,
            "facts": said(row),
            "raw_text": _raw_text(found.raw) if tab == "raw" else "",
            "excerpt": excerpt(found.raw, row.raw_line) if tab == "raw" and found.raw and row.raw_line else "",
        }


class DealList(_FactList):
    title = "Deals"
    model = Deal
    table = tables.DealTable
    filters = filters.DealFilters
    permission = "integrations.view_deal"


class DealDetail(_FactDetail):
    queryset = Deal.objects.select_related("connection", "entity")
    permission = "integrations.view_deal"
    nav = "deals"
    kind = "deal"

    def heading(self) -> str:
        return f"Deal {self.row.ticket}"


class FillList(_FactList):
    title = "LP fills"
    model = Fill
    table = tables.FillTable
    filters = filters.FillFilters
    permission = "integrations.view_fill"


class FillDetail(_FactDetail):
    queryset = Fill.objects.select_related("connection", "entity")
    permission = "integrations.view_fill"
    nav = "fills"
    kind = "fill"

    def heading(self) -> str:
        return f"Fill {self.row.exec_id}"


class PspLineList(_FactList):
    title = "PSP lines"
    model = PspLine
    table = tables.PspLineTable
    filters = filters.PspLineFilters
    permission = "integrations.view_pspline"


class PspLineDetail(_FactDetail):
    queryset = PspLine.objects.select_related("connection", "entity")
    permission = "integrations.view_pspline"
    nav = "psp-lines"
    kind = "psp"

    def heading(self) -> str:
        return f"{self.row.provider_type} {self.row.merchant_reference or self.row.psp_reference}".strip()


class BankLineList(_FactList):
    title = "Bank lines"
    model = BankLine
    table = tables.BankLineTable
    filters = filters.BankLineFilters
    permission = "integrations.view_bankline"
    buttons = (Button("What banks told besides", "bank-notices", "integrations.view_bankline"),)


class BankNoticeList(_FactList):
    """Entries of intraday reports and notifications: hints, next to the lines of the statements that are booked."""

    title = "Bank notices"
    model = BankNotice
    table = tables.BankNoticeTable
    filters = filters.BankNoticeFilters
    permission = "integrations.view_bankline"
    nav = "bank-lines"

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Bank lines", reverse("bank-lines")),)


class BankLineDetail(_FactDetail):
    queryset = BankLine.objects.select_related("connection", "entity")
    permission = "integrations.view_bankline"
    nav = "bank-lines"
    kind = "bank"

    def heading(self) -> str:
        return f"Bank line of {self.row.booking_date}"


class UnbookedList(ListPage):
    title = "Unbooked facts"
    queryset = Unbooked.objects.filter(closed_at=None).select_related("connection")
    table = tables.UnbookedTable
    filters = filters.UnbookedFilters
    permission = "accounts.view_unbooked"


def _raw_text(raw: Any) -> str:
    if raw is None or raw.body is None:
        return ""
    return bytes(raw.body).decode("utf-8", errors="replace")
