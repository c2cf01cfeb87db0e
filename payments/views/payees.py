"""Payees as pages: the list, one of them, proposing, asking to verify, retiring; and the rules of the desk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.urls import reverse

from accounts.models import Client
from accounts.selectors.kept import reveal
from accounts.views.steps import OfClient
from backoffice.kernel.actor import Person
from backoffice.organisation.models import LegalEntity
from backoffice.ui.views import ActionPage, AskingPage, Button, Crumb, DetailPage, GatedPage, ListPage
from payments import filters
from payments.actions import outside as actions
from payments.forms import outside as forms
from payments.models import Payee, PayeeState, PaymentRule
from payments.selectors import checks, lists
from payments.selectors import payees as payee_page
from payments.services import payees
from payments.tables import desk as tables

_RELATED = ("client", "entity", "connection", "proposed_by", "verified_by", "retired_by", "replaces")


class PayeeList(ListPage):
    title = "Payees"
    queryset = Payee.objects.select_related("client", "entity", "proposed_by")
    table = tables.PayeeTable
    filters = filters.PayeeFilters
    permission = "payments.view_payee"


class PayeeDetail(DetailPage):
    queryset = Payee.objects.select_related(*_RELATED)
    template = "payments/payee.html"
    permission = "payments.view_payee"
    nav = "payees"
    buttons = (
        Button("Ask to verify", "ask-payee", "payments.propose_payee", "primary", when=payee_page.can_be_asked_for),
        Button("Retire", "retire-payee", "payments.propose_payee", "danger", when=lambda p: p.retired_at is None),
    )

    def crumbs(self) -> Sequence[Crumb]:
        return (
            Crumb("Payees", reverse("payees")),
            Crumb(self.row.client.name, reverse("client", args=[self.row.client_id])),
        )

    def heading(self) -> str:
        return f"Payee {self.row.pk} · {self.row.get_kind_display()}"

    def subtitle(self) -> str:
        return f"{self.row.client.number} · {self.row.entity.name}"

    def context(self, row: Payee, tab: str) -> Mapping[str, Any]:
        reveal([row])
        same = Payee.objects.filter(fingerprint=row.fingerprint).exclude(client=row.client_id)
        return {
            "tones": tables.PAYEE_TONES,
            "labels": dict(PayeeState.choices),
            "details": payee_page.named(row.details),
            "next": payee_page.next_step(row),
            "asked": row.approval or payee_page.asked_for(row),
            "days": checks.payee_age_days(row),
            "young": row.state == PayeeState.VERIFIED and checks.is_young(row),
            "shared": self.visible(same.select_related("client")).order_by("pk")[:10],
            "requests": tables.ClientRequestTable().html(
                lists.withdrawals().filter(payee=row).order_by("-pk")[:10], caption="Withdrawals to this payee"
            ),
        }


class ProposePayee(OfClient, AskingPage):
    """Enters the payee and asks for its verification."""

    title = "Payee"
    permission = "payments.propose_payee"
    form = forms.PayeeForm
    submit_label = "Propose the payee"

    def asks(self, target: Client) -> str:
        return actions.VERIFY

    def form_arguments(self, target: Client) -> Mapping[str, Any]:
        return {"client": target}

    def consequences(self, target: Client) -> Sequence[str]:
        return ("Compliance verifies it. You can then neither approve nor send a payment to it.",)

    def run(self, *, actor: Person, form: Any, target: Client) -> Payee:
        data = form.cleaned_data
        payee = payees.propose(
            actor=actor,
            client_id=target.pk,
            kind=data["kind"],
            currency=data["currency"].pk,
            holder=data["holder"],
            details=form.details(),
            connection_id=data["connection"].pk if data["connection"] else None,
            replaces_id=data["replaces"].pk if data["replaces"] else None,
        )
        self.ask(actor=actor, form=form, action=actions.VERIFY, payload=actions.VerifyPayee(payee.pk))
        return payee

    def message(self, result: Payee) -> str:
        return "The payee is proposed and waits for its verification."

    def success_url(self, result: Payee) -> str:
        return reverse("payee", args=[result.pk])


class _OfPayee(ActionPage):
    queryset = Payee.objects.select_related(*_RELATED)
    permission = "payments.propose_payee"
    nav = "payees"

    def heading(self) -> str:
        return f"{self.submit_label} · payee {self.target.pk}"

    def facts(self, target: Payee) -> Sequence[tuple[str, Any]]:
        reveal([target])
        return (
            ("Client", f"{target.client.number} {target.client.name}"),
            ("Holder", target.holder),
            ("Where", target.label),
        )

    def success_url(self, result: Any) -> str:
        return reverse("payee", args=[self.target.pk])


class AskPayee(_OfPayee, GatedPage):
    form = forms.AskForm
    action = actions.VERIFY
    submit_label = "Ask to verify"

    def payload(self, form: Any, target: Payee) -> actions.VerifyPayee:
        return actions.VerifyPayee(target.pk)


class RetirePayee(_OfPayee):
    submit_label = "Retire"
    tone = "danger"

    def consequences(self, target: Payee) -> Sequence[str]:
        return ("Nothing more is paid to it. The client needs another payee to be paid.",)

    def run(self, *, actor: Person, form: Any, target: Payee) -> Payee:
        return payees.retire(actor=actor, payee_id=target.pk)


class RuleList(ListPage):
    title = "Desk rules"
    queryset = PaymentRule.objects.select_related("entity")
    table = tables.RuleTable
    permission = "payments.view_paymentrule"
    entity_path = ""
    buttons = (Button("Propose other rules", "propose-payment-rules", "payments.ask_paymentrule"),)


class ChooseEntity(ListPage):
    """Whose rules are to change."""

    title = "Propose other rules"
    queryset = LegalEntity.objects.all()
    table = tables.EntityTable
    permission = "payments.ask_paymentrule"
    entity_path = "pk"
    nav = "payment-rules"


class ChangeRules(GatedPage):
    queryset = LegalEntity.objects.all()
    entity_path = "pk"
    permission = "payments.ask_paymentrule"
    form = forms.RuleForm
    action = actions.CHANGE_RULE
    nav = "payment-rules"

    def heading(self) -> str:
        return f"Rules of the payments desk · {self.target.name}"

    def form_arguments(self, target: LegalEntity) -> Mapping[str, Any]:
        return {"entity_id": target.pk}

    def payload(self, form: Any, target: LegalEntity) -> actions.ChangeRule:
        data = {
            name: value for name, value in form.cleaned_data.items() if name not in ("reason", "reason_code", "files")
        }
        return actions.ChangeRule(entity_id=target.pk, **data)
