"""Alerts of fraud rules as a queue: who looks at what, what is known, what came out; and the rules themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from accounts.selectors.kept import reveal
from backoffice.kernel.actor import Person
from backoffice.organisation.models import LegalEntity, User
from backoffice.organisation.selectors import scope
from backoffice.ui.views import ActionPage, Button, Crumb, DetailPage, GatedPage, ListPage, Page
from payments import filters
from payments.actions import fraud as actions
from payments.forms import fraud as forms
from payments.models import FraudAlert, FraudRule
from payments.services import fraud
from payments.tables import fraud as tables

VIEW, WORK = "payments.view_fraudalert", fraud.WORK
ALERTS = FraudAlert.objects.select_related("client", "entity", "assignee", "rule")


def _in_alerts(_: Page) -> Sequence[Crumb]:
    return (Crumb("Fraud alerts", reverse("fraud-alerts")),)


def _is_open(row: Any) -> bool:
    return bool(row.is_open)


class AlertList(ListPage):
    title = "Fraud alerts"
    queryset = ALERTS
    table = tables.AlertTable
    filters = filters.AlertFilters
    permission = VIEW
    buttons = (
        Button("Look now", "find-fraud", WORK),
        Button("Rules", "fraud-rules", "payments.view_fraudrule"),
    )


class AlertDetail(DetailPage):
    queryset = ALERTS
    template = "payments/alert.html"
    permission = VIEW
    nav = "fraud-alerts"
    buttons = (
        Button("Assign", "assign-alert", WORK, when=_is_open),
        Button("Explain", "explain-alert", WORK, when=_is_open),
        Button("Close", "close-alert", WORK, "primary", when=_is_open),
    )

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Fraud alerts", reverse("fraud-alerts")),)

    def heading(self) -> str:
        return f"{self.row}: {self.row.get_kind_display()}"

    def subtitle(self) -> str:
        return f"{self.row.client.number} · {self.row.entity.name}"

    def context(self, row: FraudAlert, tab: str) -> Mapping[str, Any]:
        events = list(row.events.order_by("pk"))
        reveal(events)
        return {
            "tones": tables.ALERT_TONES,
            "labels": tables.ALERT_STATES,
            "evidence": [(name, _said(value)) for name, value in sorted(row.evidence.items())],
            "parameters": fraud.words(row.rule.parameters),
            "events": events,
            "others": FraudAlert.objects.filter(client=row.client_id).exclude(pk=row.pk).order_by("-pk")[:20],
        }


def _said(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


class FindFraud(ActionPage):
    """Run the rules now, for the entities one works in."""

    permission = WORK
    nav = "fraud-alerts"
    title = "Look for fraud now"
    crumbs = _in_alerts
    submit_label = "Look now"

    def consequences(self, target: None) -> Sequence[str]:
        return ("The rules look; what they find comes to the queue. Nothing happens to any client.",)

    def run(self, *, actor: Person, form: Any, target: None) -> int:
        return sum(fraud.find(actor=actor, entity_id=pk) for pk in scope.entity_ids(self.user))

    def message(self, result: int) -> str:
        return f"{result} new alert{'' if result == 1 else 's'}."


class _OfAlert(ActionPage):
    queryset = ALERTS
    permission = WORK
    nav = "fraud-alerts"

    def heading(self) -> str:
        return f"{self.submit_label} · {self.target}"

    def crumbs(self) -> Sequence[Crumb]:
        here = Crumb(str(self.target), reverse("fraud-alert", args=[self.target.pk]))
        return (Crumb("Fraud alerts", reverse("fraud-alerts")), here)

    def facts(self, target: FraudAlert) -> Sequence[tuple[str, Any]]:
        return (("Rule", target.get_kind_display()), ("Client", f"{target.client.number} {target.client.name}"))

    def success_url(self, result: Any) -> str:
        return reverse("fraud-alert", args=[self.target.pk])


class AssignAlert(_OfAlert):
    form = forms.AssignAlertForm
    submit_label = "Assign"

    def form_arguments(self, target: FraudAlert) -> Mapping[str, Any]:
        able = [person.pk for person in User.objects.filter(is_active=True) if scope.may(person, WORK)]
        return {"people": User.objects.filter(pk__in=able), "initial": {"assignee": self.user.pk}}

    def run(self, *, actor: Person, form: Any, target: FraudAlert) -> FraudAlert:
        data = form.cleaned_data
        return fraud.assign(actor=actor, alert_id=target.pk, assignee_id=data["assignee"].pk, text=data["text"])


class ExplainAlert(_OfAlert):
    form = forms.ExplainAlertForm
    submit_label = "Explain"

    def run(self, *, actor: Person, form: Any, target: FraudAlert) -> FraudAlert:
        return fraud.explain(actor=actor, alert_id=target.pk, text=form.cleaned_data["text"])


class CloseAlert(_OfAlert):
    form = forms.CloseAlertForm
    submit_label = "Close"

    def consequences(self, target: FraudAlert) -> Sequence[str]:
        return ("Closing does nothing to the client. Flags and restrictions are set on the client's page.",)

    def run(self, *, actor: Person, form: Any, target: FraudAlert) -> FraudAlert:
        data = form.cleaned_data
        return fraud.close(actor=actor, alert_id=target.pk, outcome=data["outcome"], text=data["text"])


class FraudRuleList(ListPage):
    title = "Fraud rules"
    queryset = FraudRule.objects.select_related("entity")
    table = tables.FraudRuleTable
    permission = "payments.view_fraudrule"
    entity_path = ""


class ChangeFraudRule(GatedPage):
    """Another version of a rule, beginning with one that there is. Asked for in an entity one works in."""

    queryset = FraudRule.objects.select_related("entity")
    entity_path = ""
    permission = "payments.ask_fraudrule"
    form = forms.FraudRuleForm
    action = actions.CHANGE
    nav = "fraud-rules"

    def heading(self) -> str:
        return f"Fraud rule · {self.target.get_kind_display()}"

    def form_arguments(self, target: FraudRule) -> Mapping[str, Any]:
        return {"rule": target}

    def payload(self, form: Any, target: FraudRule) -> actions.ChangeFraudRule:
        data = form.cleaned_data
        return actions.ChangeFraudRule(
            entity_id=target.entity_id or self._here().pk,
            everywhere=data["everywhere"],
            kind=target.kind,
            is_on=data["is_on"],
            parameters=data["parameters"],
        )

    def _here(self) -> LegalEntity:
        rows: QuerySet[LegalEntity] = scope.entities_of(self.user).order_by("pk")
        return rows[0]
