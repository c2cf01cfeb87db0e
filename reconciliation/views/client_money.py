"""Client money as pages: the calculations, each down to every client and line, signing, topping up, and the rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from backoffice.kernel import clock
from backoffice.kernel.actor import Person
from backoffice.kernel.money import Money
from backoffice.organisation.selectors import calendars, scope
from backoffice.ui.views import ActionPage, Button, Crumb, DetailPage, GatedPage, ListPage
from ledger.models import LedgerAccount
from reconciliation import filters, forms, tables
from reconciliation.actions import client_money as actions
from reconciliation.models import ClientMoneyClient, ClientMoneyRun, SegregatedAccount, TopUp
from reconciliation.services import client_money

_SHOWN = 200
VIEW = "reconciliation.view_clientmoneyrun"


class ClientMoneyList(ListPage):
    title = "Client money"
    queryset = ClientMoneyRun.objects.select_related("entity")
    table = tables.ClientMoneyTable
    filters = filters.ClientMoneyFilters
    permission = VIEW
    buttons = (
        Button("Calculate", "calculate-client-money", "reconciliation.run_client_money", tone="primary"),
        Button("Client bank account", "segregate-account", "reconciliation.ask_clientmoneyrule"),
        Button("Change the rule", "client-money-rule", "reconciliation.ask_clientmoneyrule"),
    )


class ClientMoneyDetail(DetailPage):
    queryset = ClientMoneyRun.objects.select_related("entity", "rule", "currency")
    template = "reconciliation/client_money.html"
    permission = VIEW
    nav = "client-money"
    buttons = (
        Button(
            "Sign",
            "sign-client-money",
            "reconciliation.sign_client_money",
            tone="primary",
            when=lambda r: r.signed_at is None,
        ),
        Button("Top up", "top-up-client-money", "reconciliation.ask_top_up", when=lambda r: r.is_short),
    )

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Client money", reverse("client-money")),)

    def heading(self) -> str:
        return f"Client money at the close of {self.row.as_of} · {self.row.entity.code}"

    def context(self, row: ClientMoneyRun, tab: str) -> Mapping[str, Any]:
        # What a client is owed is found from the largest; the report has all of them.
        owed = row.of_clients.select_related("client", "run__currency").order_by("-requirement", "id")
        held = list(row.resources.select_related("run__currency").order_by("-counted", "id"))
        newer = ClientMoneyRun.objects.filter(entity=row.entity_id, as_of=row.as_of, number__gt=row.number).first()
        return {
            "requirement": Money(row.requirement, row.currency_id),
            "resource": Money(row.resource, row.currency_id),
            "difference": Money(row.difference, row.currency_id),
            "owed": tables.OwedTable().html(list(owed[:_SHOWN]), caption="Clients, the largest first"),
            "more": max(0, row.of_clients.count() - _SHOWN),
            "held": tables.HeldTable().html(held, caption="Accounts"),
            "newer": newer,
            "top_ups": TopUp.objects.filter(run=row).select_related("sent_by", "to__account"),
            "report": reverse("client-money-report", args=[row.pk]),
        }


class ClientMoneyOfClient(DetailPage):
    queryset = ClientMoneyClient.objects.select_related("run__entity", "client", "run__currency")
    entity_path = "run__entity"
    template = "reconciliation/client_money_client.html"
    permission = VIEW
    nav = "client-money"

    def crumbs(self) -> Sequence[Crumb]:
        run = self.row.run
        return (
            Crumb("Client money", reverse("client-money")),
            Crumb(f"{run.as_of} · {run.entity.code}", reverse("client-money-run", args=[run.pk])),
        )

    def heading(self) -> str:
        return self.row.client.number if self.row.client else "Receipts nobody is named in"

    def context(self, row: ClientMoneyClient, tab: str) -> Mapping[str, Any]:
        parts = row.run.lines.filter(client=row.client_id).select_related("client", "run__currency").order_by("id")
        return {
            "equity": Money(row.equity, row.run.currency_id),
            "requirement": Money(row.requirement, row.run.currency_id),
            "parts": tables.PartTable().html(list(parts[: _SHOWN * 5]), caption="Parts"),
        }


class Calculate(ActionPage):
    title = "Calculate client money"
    permission = "reconciliation.run_client_money"
    form = forms.CalculateForm
    submit_label = "Calculate"
    nav = "client-money"

    def form_arguments(self, target: Any) -> Mapping[str, Any]:
        entities = scope.entities_of(self.user).order_by("code")
        first = entities.first()
        day = calendars.add_business_days(first.calendar, clock.today(), -1) if first else clock.today()
        return {"entities": entities, "initial": {"day": day, "entity": first.pk if first else None}}

    def consequences(self, target: Any) -> Sequence[str]:
        return ("What is known now is kept as a calculation of its own. Another person signs it.",)

    def run(self, *, actor: Person, form: Any, target: Any) -> ClientMoneyRun:
        data = form.cleaned_data
        return client_money.run(actor=actor, entity_id=data["entity"].pk, day=data["day"])

    def message(self, result: ClientMoneyRun) -> str:
        return "Calculated. It waits for a signature."

    def success_url(self, result: ClientMoneyRun) -> str:
        return reverse("client-money-run", args=[result.pk])


class _OfRun(ActionPage):
    queryset = ClientMoneyRun.objects.select_related("entity")
    nav = "client-money"

    def heading(self) -> str:
        return f"{self.title} · {self.target.as_of} · {self.target.entity.code}"

    def facts(self, target: ClientMoneyRun) -> Sequence[tuple[str, Any]]:
        return (
            ("Requirement", Money(target.requirement, target.currency_id)),
            ("Resource", Money(target.resource, target.currency_id)),
            ("Shortfall" if target.is_short else "Excess", Money(abs(target.difference), target.currency_id)),
            ("Made by", target.prepared_name),
        )

    def success_url(self, result: Any) -> str:
        return reverse("client-money-run", args=[self.target.pk])


class Sign(_OfRun):
    title = "Sign client money"
    permission = "reconciliation.sign_client_money"
    form = forms.SignForm
    submit_label = "Sign"

    def form_arguments(self, target: ClientMoneyRun) -> Mapping[str, Any]:
        return {"initial": {"seen": target.content_hash}}

    def consequences(self, target: ClientMoneyRun) -> Sequence[str]:
        return ("Your name stands beside the one of who made it. After that nobody changes it.",)

    def run(self, *, actor: Person, form: Any, target: ClientMoneyRun) -> ClientMoneyRun:
        return client_money.sign(actor=actor, run_id=target.pk, seen_hash=form.cleaned_data["seen"])

    def message(self, result: ClientMoneyRun) -> str:
        return "Signed."


class AskTopUp(_OfRun, GatedPage):
    title = "Top up client money"
    permission = "reconciliation.ask_top_up"
    form = forms.TopUpForm
    action = actions.TOP_UP

    def form_arguments(self, target: ClientMoneyRun) -> Mapping[str, Any]:
        accounts = SegregatedAccount.objects.filter(entity=target.entity_id, until=None).select_related("account")
        home = accounts.filter(account__currency=target.currency_id).first()
        short = Money(max(-target.difference, 0 * target.difference), target.currency_id).amount
        return {
            "accounts": accounts,
            "initial": {"to": home, "amount": f"{short.normalize():f}" if home else ""},
        }

    def consequences(self, target: ClientMoneyRun) -> Sequence[str]:
        return (
            "The house's own money goes to the client bank account when another agrees and a third person sends it.",
        )

    def payload(self, form: Any, target: ClientMoneyRun) -> actions.AskTopUp:
        data = form.cleaned_data
        return actions.AskTopUp(target.pk, data["to"].pk, data["amount"], data["to"].account.currency_id)


class AskSegregated(GatedPage):
    title = "Client bank account"
    permission = "reconciliation.ask_clientmoneyrule"
    form = forms.SegregatedForm
    action = actions.SEGREGATED
    nav = "client-money"

    def form_arguments(self, target: Any) -> Mapping[str, Any]:
        accounts: QuerySet[LedgerAccount] = self.visible(LedgerAccount.objects.filter(code__startswith="bank."))
        return {"accounts": accounts.filter(segregated=None), "initial": {"since": clock.today()}}

    def consequences(self, target: Any) -> Sequence[str]:
        return ("Money on it counts as client money from that day on, and nothing else does.",)

    def payload(self, form: Any, target: Any) -> actions.AskSegregated:
        data = form.cleaned_data
        return actions.AskSegregated(data["account"].pk, data["bank"], data["since"])


class AskClientMoneyRule(GatedPage):
    title = "Client-money rule"
    permission = "reconciliation.ask_clientmoneyrule"
    form = forms.ClientMoneyRuleForm
    action = actions.RULE
    nav = "client-money"

    def form_arguments(self, target: Any) -> Mapping[str, Any]:
        return {"entities": scope.entities_of(self.user), "initial": {"valid_from": clock.today()}}

    def payload(self, form: Any, target: Any) -> actions.AskRule:
        data = form.cleaned_data
        return actions.AskRule(
            entity_id=data["entity"].pk,
            regime=data["regime"],
            valid_from=data["valid_from"],
            rate_source=data["rate_source"],
            rate_days=data["rate_days"],
            in_flight=data["in_flight"],
            receipts=data["receipts"],
            note=data["reason"][:200],
        )
