"""What the lists of chargeback cases and dispute ratios show."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import ClassVar

from django.urls import reverse

from backoffice.kernel import clock
from backoffice.ui.columns import Column, Kind
from backoffice.ui.components import Tone
from backoffice.ui.tables import Table
from payments.models import CaseState, ChargebackCase, DisputeMonth
from payments.models.ratios import LEVELS, NEAR, OVER, Scheme

CASE_TONES: dict[str, Tone] = {
    **dict.fromkeys((CaseState.FRAUD_NOTICE, CaseState.INQUIRY, CaseState.DEFENDED), Tone.INFO),
    **dict.fromkeys((CaseState.NOTIFIED, CaseState.PRE_ARBITRATION, CaseState.ARBITRATION), Tone.WARN),
    **dict.fromkeys((CaseState.CHARGED_BACK, CaseState.SECOND_ROUND), Tone.BAD),
    **dict.fromkeys((CaseState.LOST, CaseState.EXPIRED, CaseState.ACCEPTED), Tone.BAD),
    CaseState.REVERSED: Tone.INFO,
    **dict.fromkeys((CaseState.WON, CaseState.PREVENTED), Tone.GOOD),
}
CASE_STATES = dict(CaseState.choices)


class CaseTable(Table):
    columns: ClassVar[tuple[Column, ...]] = (
        Column(str, "Case", Kind.CODE),
        Column("client.number", "Client", Kind.CODE),
        Column("client.name", "Name", width=32, hide_narrow=True),
        Column("entity.code", "Entity", Kind.CODE, hide_narrow=True),
        Column("amount", "Disputed", Kind.MONEY, currency="currency_id"),
        Column("state", "State", Kind.STATUS, tones=CASE_TONES, labels=CASE_STATES),
        Column("deadline_at", "Deadline", Kind.DATETIME),
        Column("reason_code", "Reason", Kind.CODE, hide_narrow=True),
        Column("method", "Method", hide_narrow=True),
        Column("connection.name", "Provider", Kind.CODE, hide_narrow=True),
        Column("dispute_reference", "Their reference", Kind.CODE, hide_narrow=True),
        Column("opened_at", "Opened", Kind.DATETIME, sort="opened", hide_narrow=True),
    )
    sorts = {"opened": ("opened_at", "pk")}
    default_sort = "-opened"
    empty = "No chargebacks fit."

    def link(self, row: ChargebackCase) -> str:
        return reverse("chargeback", args=[row.pk])

    def row_class(self, row: ChargebackCase) -> str:
        if row.ended_at is not None or row.deadline_at is None:
            return ""
        return "bad" if row.deadline_at < clock.now() else ""


class DueCaseTable(CaseTable):
    """Open cases with a deadline, the nearest first."""

    sorts = {"deadline": ("due_at", "pk")}
    default_sort = "deadline"
    columns = tuple(replace(column, sort={"Deadline": "deadline"}.get(column.label)) for column in CaseTable.columns)
    empty = "Nothing has a deadline."


class RatioTable(Table):
    """A month of a provider and scheme; ratios in percent."""

    columns = (
        Column("month", "Month", Kind.DATE, sort="month"),
        Column("connection.name", "Merchant account", Kind.CODE),
        Column("entity.code", "Entity", Kind.CODE, hide_narrow=True),
        Column("scheme", "Scheme", Kind.STATUS, labels=dict(Scheme.choices)),
        Column("settled", "Payments", Kind.NUMBER),
        Column("settled_before", "Month before", Kind.NUMBER, hide_narrow=True),
        Column("notices", "Fraud notices", Kind.NUMBER),
        Column("disputes", "Disputes", Kind.NUMBER),
        Column(lambda row: _percent(row.ratio), "Ratio %", Kind.NUMBER),
        Column("of_payments", "Of its payments", Kind.NUMBER),
        Column(lambda row: _percent(row.ratio_of_payments), "Ratio of payments %", Kind.NUMBER),
        Column("level", "Threshold", Kind.STATUS, tones={OVER: Tone.BAD, NEAR: Tone.WARN}, labels=LEVELS),
    )
    sorts = {"month": ("month", "pk")}
    default_sort = "-month"
    empty = "No month was counted yet."

    def row_class(self, row: DisputeMonth) -> str:
        return {OVER: "bad", NEAR: "warn"}.get(row.level, "")


def _percent(ratio: Decimal | None) -> Decimal | None:
    return None if ratio is None else round(ratio * 100, 2)
