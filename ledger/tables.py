"""What the ledger's lists show."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.urls import reverse

from backoffice.organisation.models import FxRate
from backoffice.ui.columns import Column, Kind
from backoffice.ui.tables import Table
from ledger.models import Journal, LedgerAccount


class JournalTable(Table):
    columns = (
        Column("pk", "Journal", Kind.CODE, sort="id"),
        Column("business_date", "Business day", Kind.DATE),
        Column("entity.code", "Entity", Kind.CODE),
        Column("kind", "Kind", Kind.CODE),
        Column("description", "Description", wrap=True, width=60),
        Column("line_count", "Lines", Kind.NUMBER, hide_narrow=True),
        Column("reference", "Comes from", Kind.CODE, hide_narrow=True),
        Column("actor", "By", Kind.ACTOR, hide_narrow=True),
        Column("posted_at", "Posted", Kind.DATETIME, hide_narrow=True),
    )
    sorts = {"id": ("pk",)}
    default_sort = "-id"
    empty = "No journals yet."
    empty_hint = "They appear as facts are booked, a few seconds behind the feeds."

    def link(self, row: Journal) -> str:
        return reverse("journal", args=[row.pk])

    def row_class(self, row: Journal) -> str:
        return "muted" if row.reverses_id else ""


class LedgerAccountTable(Table):
    columns = (
        Column("code", "Account", Kind.CODE, sort="code", width=36),
        Column("name", "Name", width=36),
        Column("entity.code", "Entity", Kind.CODE),
        Column("get_kind_display", "Kind"),
        Column("shown_balance", "Balance", Kind.MONEY, currency="currency_id"),
        Column("floor", "Floor", Kind.MONEY, currency="currency_id", hide_narrow=True),
        Column("opened_at", "Opened", Kind.DATETIME, hide_narrow=True),
        Column("closed_at", "Closed", Kind.DATETIME, hide_narrow=True),
    )
    sorts = {"code": ("code", "currency_id", "pk")}
    default_sort = "code"
    empty = "No accounts fit."
    empty_hint = "House accounts open with an entity's first trading account in a currency."

    def link(self, row: LedgerAccount) -> str:
        return reverse("ledger-account", args=[row.pk])

    def row_class(self, row: Any) -> str:
        return "muted" if row.closed_at else ""


def _why(row: FxRate) -> str:
    entered = getattr(row, "entered", None)
    return entered.reason if entered is not None else ""


def _request_of(row: FxRate) -> str | None:
    entered = getattr(row, "entered", None)
    return reverse("request", args=[entered.request_id]) if entered is not None else None


class RateTable(Table):
    """Reference rates with all their versions: one `base` buys `rate` of `quote`."""

    columns = (
        Column("date", "Day", Kind.DATE),
        Column(lambda row: f"{row.base_id}/{row.quote_id}", "Pair", Kind.CODE),
        Column(lambda row: _plain(row.rate), "Rate", Kind.CODE, align="right"),
        Column(lambda row: _plain(row.bid), "Bid", Kind.CODE, align="right", hide_narrow=True),
        Column(lambda row: _plain(row.ask), "Ask", Kind.CODE, align="right", hide_narrow=True),
        Column("source", "Source", Kind.CODE, link=_request_of),
        Column(_why, "Why by hand", wrap=True, hide_narrow=True),
        Column("version", "Version", Kind.NUMBER),
        Column("published_at", "Published", Kind.DATETIME, hide_narrow=True),
        Column("pk", "Number", Kind.CODE, sort="id", hide_narrow=True),
    )
    sorts = {"id": ("pk",)}
    default_sort = "-id"
    empty = "No rates fit."
    empty_hint = "Rates of the ECB are imported under Imports; one that no source has is entered here by two people."

    def row_class(self, row: FxRate) -> str:
        return "muted" if row.version > 1 else ""


def _plain(value: Decimal | None) -> str:
    return "" if value is None else f"{value.normalize():f}"
