"""Pages of trading accounts, with what the books, the house and the server say of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery, Sum
from django.urls import reverse
from django.utils.safestring import SafeString

from accounts import actions, filters, forms, tables
from accounts.models import TradingAccount
from accounts.selectors import margin
from accounts.selectors.server_state import CODES, password_state, state_of
from accounts.services import passwords, terms
from backoffice.approvals.registry import Level
from backoffice.kernel.actor import Person
from backoffice.ui import components
from backoffice.ui.components import Tone
from backoffice.ui.markup import join, tag
from backoffice.ui.views import ActionPage, Button, Crumb, DetailPage, GatedPage, ListPage
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
    buttons = (
        Button("Ask for other terms", "change-terms", "accounts.ask_terms"),
        Button("Force a new password", "force-password", "accounts.force_password"),
        Button("Ask to mark as technical", "mark-technical", "accounts.ask_technical", when=lambda a: not a.technical),
        Button("Ask to count it again", "mark-technical", "accounts.ask_technical", when=lambda a: a.technical),
    )

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
            "password": password_state(row),
            "margin": _margin(margin.now(row)),
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
            ("Margin level now", _margin(margin.now(target))),
            *((f"At 1:{step}, about", _pill(expected)) for step, expected in self.steps(target)),
        )

    def steps(self, target: TradingAccount) -> Sequence[tuple[int, margin.Expected]]:
        """What each step of leverage would do, where the answer depends on it."""
        found = margin.ladder(target, terms.cap_for(target.entity_id, target.client.category))
        return found if any(expected.percent is not None for _, expected in found) else ()

    def consequences(self, target: TradingAccount) -> Sequence[str]:
        return ("The request shows the margin level to expect; another group may ask another margin.",)

    def payload(self, form: Any, target: TradingAccount) -> actions.Terms:
        data = form.cleaned_data
        return actions.Terms(account_id=target.pk, group=data["group"], leverage=data["leverage"])

    def success_url(self, result: Any) -> str:
        return reverse("trading-account", args=[self.target.pk])


class _OfLogin(ActionPage):
    """An action on one login; goes back to its page."""

    queryset = TradingAccount.objects.select_related("client", "connection")
    nav = "trading-accounts"

    def heading(self) -> str:
        return f"{self.title} · login {self.target.login}"

    def facts(self, target: TradingAccount) -> Sequence[tuple[str, Any]]:
        state = state_of([target])[target.pk]
        return (
            ("Client", target.client.name),
            ("Wanted", state.says),
            ("Last read", state.read or "not yet"),
        )

    def success_url(self, result: Any) -> str:
        return reverse("trading-account", args=[self.target.pk])


class MarkTechnical(_OfLogin, GatedPage):
    """The house's own, or a test; asked for here, agreed to by compliance."""

    title = "Technical or not"
    permission = "accounts.ask_technical"
    form = forms.MarkForm
    action = actions.TECHNICAL

    def payload(self, form: Any, target: TradingAccount) -> actions.Mark:
        return actions.Mark(account_id=target.pk, technical=not target.technical)

    def consequences(self, target: TradingAccount) -> Sequence[str]:
        if target.technical:
            return ("Reports and totals of client money count it again.", "The server shows it in its own reports.")
        return (
            "Reports, daily figures and totals of client money leave it out and say so.",
            "The server marks it as technical and leaves it out of its own reports.",
        )


class ForcePassword(_OfLogin):
    """Demanded by one person: it gives nothing away, and nobody here learns a password."""

    title = "Force a new password"
    permission = "accounts.force_password"
    form = forms.ForceForm
    submit_label = "Force it"
    tone = "danger"

    def consequences(self, target: TradingAccount) -> Sequence[str]:
        return (
            "The client has to choose a new password at the next log-in. Nobody here sees the old one or the new one.",
            "It is pending at the server until the server has confirmed it.",
        )

    def run(self, *, actor: Person, form: Any, target: TradingAccount) -> Any:
        return passwords.force_change(actor=actor, account_id=target.pk, reason=form.cleaned_data["code"])

    def message(self, result: Any) -> str:
        return "Sent to the server. The page says when it has confirmed."


def _pill(expected: margin.Expected) -> SafeString:
    return components.pill(expected.short, _TONES[expected.level])


def _margin(expected: margin.Expected) -> SafeString:
    return join([_pill(expected), " ", tag("span", expected.detail, class_="note")])


_TONES = {Level.GREEN: Tone.GOOD, Level.AMBER: Tone.WARN, Level.RED: Tone.BAD}


def with_balances(queryset: QuerySet[TradingAccount]) -> QuerySet[TradingAccount]:
    """Annotate balance and credit from the books, as people read them."""

    def total(path: str) -> Subquery:
        stripes = Balance.objects.filter(account=OuterRef(path)).order_by().values("account")
        return Subquery(stripes.annotate(s=-Sum("amount")).values("s"))

    return queryset.annotate(shown_balance=total("balance_account"), shown_credit=total("credit_account"))
