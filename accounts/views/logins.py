"""Pages of trading accounts, with what the books, the house and the server say of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery, Sum
from django.urls import reverse

from accounts import actions, filters, forms, tables
from accounts.models import TradingAccount
from accounts.selectors.server_state import CODES, state_of
from backoffice.ui.views import Button, Crumb, DetailPage, GatedPage, ListPage
from integrations.models import AccountSnapshot, Deal
from ledger.models import Balance

LATEST = 25


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
    queryset = TradingAccount.objects.select_related("connection", "client", "entity", "desired")
    buttons = (Button("Ask for other terms", "change-terms", "accounts.ask_terms"),)

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
        return {
            "account": found,
            "deals": tables.DealTable().html(list(deals.select_related("connection")[:LATEST]), caption="Latest deals"),
            "snapshot": snapshot.order_by("-business_date", "-version").first(),
            "state": state_of([row])[row.pk],
            "tones": tables.SERVER_TONES,
            "labels": CODES,
        }


class ChangeTerms(GatedPage):
    """Another group or leverage; asked for here, agreed to by compliance."""

    queryset = TradingAccount.objects.select_related("client", "connection")
    permission = "accounts.ask_terms"
    form = forms.TermsForm
    action = actions.TERMS
    nav = "trading-accounts"

    def heading(self) -> str:
        return f"Other terms · login {self.target.login}"

    def form_arguments(self, target: TradingAccount) -> Mapping[str, Any]:
        return {"initial": {"group": target.group, "leverage": target.leverage or None}}

    def facts(self, target: TradingAccount) -> Sequence[tuple[str, Any]]:
        return (
            ("Client", target.client.name),
            ("Group", target.group),
            ("Leverage", f"1:{target.leverage}" if target.leverage else ""),
        )

    def payload(self, form: Any, target: TradingAccount) -> actions.Terms:
        data = form.cleaned_data
        return actions.Terms(account_id=target.pk, group=data["group"], leverage=data["leverage"])

    def success_url(self, result: Any) -> str:
        return reverse("trading-account", args=[self.target.pk])


def with_balances(queryset: QuerySet[TradingAccount]) -> QuerySet[TradingAccount]:
    """Annotate balance and credit from the books, as people read them."""

    def total(path: str) -> Subquery:
        stripes = Balance.objects.filter(account=OuterRef(path)).order_by().values("account")
        return Subquery(stripes.annotate(s=-Sum("amount")).values("s"))

    return queryset.annotate(shown_balance=total("balance_account"), shown_credit=total("credit_account"))
