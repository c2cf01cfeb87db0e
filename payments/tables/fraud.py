"""What the lists of alerts and fraud rules show."""

from __future__ import annotations

from django.urls import reverse

from backoffice.ui.columns import Column, Kind
from backoffice.ui.components import Tone
from backoffice.ui.tables import Table
from payments.models import AlertState, FraudAlert, FraudRule
from payments.services import fraud

ALERT_TONES: dict[str, Tone] = {
    AlertState.OPEN: Tone.WARN,
    AlertState.ASSIGNED: Tone.INFO,
    AlertState.CLOSED: Tone.GOOD,
}
ALERT_STATES = dict(AlertState.choices)


class AlertTable(Table):
    columns = (
        Column(str, "Alert", Kind.CODE),
        Column("get_kind_display", "Rule"),
        Column("client.number", "Client", Kind.CODE),
        Column("client.name", "Name", width=32, hide_narrow=True),
        Column("entity.code", "Entity", Kind.CODE, hide_narrow=True),
        Column("state", "State", Kind.STATUS, tones=ALERT_TONES, labels=ALERT_STATES),
        Column("assignee", "Assigned to", Kind.ACTOR),
        Column("get_outcome_display", "Outcome", hide_narrow=True),
        Column("opened_at", "Found", Kind.DATETIME, sort="found"),
    )
    sorts = {"found": ("opened_at", "pk")}
    default_sort = "-found"
    empty = "No alerts fit."

    def link(self, row: FraudAlert) -> str:
        return reverse("fraud-alert", args=[row.pk])


class FraudRuleTable(Table):
    columns = (
        Column("pk", "Version", Kind.CODE, sort="id"),
        Column("get_kind_display", "Rule"),
        Column(lambda row: row.entity.code if row.entity else "all", "Entity", Kind.CODE),
        Column("is_on", "Looks", Kind.FLAG),
        Column(lambda row: fraud.words(row.parameters), "Parameters", width=40),
        Column("at", "From", Kind.DATETIME),
    )
    sorts = {"id": ("pk",)}
    small = True

    def link(self, row: FraudRule) -> str:
        return reverse("change-fraud-rule", args=[row.pk])
