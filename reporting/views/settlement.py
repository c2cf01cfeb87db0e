"""The settlement of one payout as a report."""

from __future__ import annotations

from collections.abc import Sequence

from django.urls import reverse

from backoffice.kernel import clock
from backoffice.ui.views import Crumb
from integrations.models import PspLine
from reconciliation.selectors.settlement import payouts
from reporting.definitions import settlement
from reporting.records import Parameters, Report
from reporting.selectors import entities
from reporting.views.of_row import ReportOfRow


class SettlementReport(ReportOfRow):
    """From what is known when it is made."""

    queryset = payouts().select_related("connection", "entity")
    permission = "integrations.view_pspline"
    nav = "settlements"

    def crumbs(self) -> Sequence[Crumb]:
        here = Crumb(_name(self.row), reverse("settlement", args=[self.row.pk]))
        return (Crumb("Settlements", reverse("settlements")), here)

    def heading(self) -> str:
        return f"{settlement.TITLE} · {_name(self.row)} · {self.row.entity.code}"

    def report(self, row: PspLine) -> Report:
        of = tuple(entities.entities([row.entity_id]))
        return settlement.build(row, Parameters(row.business_date, of, clock.now()))

    def mark(self, row: PspLine) -> str:
        return str(row.pk)


def _name(payout: PspLine) -> str:
    return payout.payout_key or payout.psp_reference
