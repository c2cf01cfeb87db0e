"""Pages of clients, trading accounts, and the facts that are booked: deals, fills, PSP lines, bank lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.db.models import Count, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.urls import reverse

from accounts import filters, tables
from accounts.models import Client, TradingAccount, Unbooked
from accounts.selectors.said import said
from accounts.selectors.traces import trace
from backoffice.ui.views import Crumb, DetailPage, ListPage, Tab
from integrations.models import AccountSnapshot, BankLine, Deal, Fill, PspLine
from integrations.selectors.excerpts import excerpt
from ledger.models import Balance

_LATEST = 25

# Counted per row that is shown: a join with GROUP BY would read every client to show fifty.
_LOGINS = Coalesce(
    Subquery(
        TradingAccount.objects.filter(client=OuterRef("pk"))
        .order_by()
        .values("client")
        .annotate(n=Count("pk"))
        .values("n")
    ),
    0,
)


class ClientList(ListPage):
    title = "Clients"
    queryset = Client.objects.select_related("entity").annotate(logins=_LOGINS)
    table = tables.ClientTable
    filters = filters.ClientFilters
    permission = "accounts.view_client"


class ClientDetail(DetailPage):
    queryset = Client.objects.select_related("entity", "desk")
    template = "accounts/client.html"
    permission = "accounts.view_client"
    nav = "clients"

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Clients", reverse("clients")),)

    def heading(self) -> str:
        return str(self.row.name)

    def subtitle(self) -> str:
        return f"{self.row.number} · {self.row.entity.name}"

    def context(self, row: Client, tab: str) -> Mapping[str, Any]:
        own = TradingAccount.objects.filter(client=row).select_related("connection", "client", "entity")
        accounts = list(with_balances(own))
        history: Any = row.history
        return {
            "accounts": tables.TradingAccountTable().html(accounts, caption="Trading accounts"),
            "deals": tables.DealTable().html(_latest_deals(accounts), caption="Latest deals"),
            "history": history.select_related("history_user").order_by("-history_date")[:20],
        }


class TradingAccountList(ListPage):
    title = "Trading accounts"
    table = tables.TradingAccountTable
    filters = filters.TradingAccountFilters
    permission = "accounts.view_tradingaccount"

    def rows(self) -> QuerySet[TradingAccount]:
        return with_balances(TradingAccount.objects.select_related("connection", "client", "entity"))


class TradingAccountDetail(DetailPage):
    template = "accounts/trading_account.html"
    permission = "accounts.view_tradingaccount"
    nav = "trading-accounts"
    queryset = TradingAccount.objects.select_related("connection", "client", "entity")

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Trading accounts", reverse("trading-accounts")),)

    def heading(self) -> str:
        return f"Login {self.row.login}"

    def subtitle(self) -> str:
        return f"{self.row.client.name} · {self.row.connection.name}"

    def context(self, row: TradingAccount, tab: str) -> Mapping[str, Any]:
        found = with_balances(TradingAccount.objects.filter(pk=row.pk)).get()
        deals = Deal.objects.filter(connection_id=row.connection_id, login=row.login).order_by("-dealt_at", "-id")
        snapshot = AccountSnapshot.objects.filter(connection_id=row.connection_id, login=row.login)
        latest = list(deals.select_related("connection")[:_LATEST])
        return {
            "account": found,
            "deals": tables.DealTable().html(latest, caption="Latest deals"),
            "snapshot": snapshot.order_by("-business_date", "-version").first(),
        }


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


def with_balances(queryset: QuerySet[TradingAccount]) -> QuerySet[TradingAccount]:
    """Annotate balance and credit from the books, as people read them."""

    def total(path: str) -> Subquery:
        stripes = Balance.objects.filter(account=OuterRef(path)).order_by().values("account")
        return Subquery(stripes.annotate(s=-Sum("amount")).values("s"))

    return queryset.annotate(shown_balance=total("balance_account"), shown_credit=total("credit_account"))


def _latest_deals(accounts: Sequence[TradingAccount]) -> list[Deal]:
    """The newest deals of these logins. A login is one of its own server: another may use the same number."""
    found: list[Deal] = []
    for connection_id in sorted({account.connection_id for account in accounts}):
        logins = [account.login for account in accounts if account.connection_id == connection_id]
        deals = Deal.objects.filter(connection_id=connection_id, login__in=logins).select_related("connection")
        found += deals.order_by("-dealt_at", "-id")[:_LATEST]
    return sorted(found, key=lambda deal: (deal.dealt_at, deal.pk), reverse=True)[:_LATEST]


def _raw_text(raw: Any) -> str:
    if raw is None or raw.body is None:
        return ""
    return bytes(raw.body).decode("utf-8", errors="replace")
