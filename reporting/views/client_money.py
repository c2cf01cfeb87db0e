"""One calculation of client money as a report."""

from __future__ import annotations

from collections.abc import Sequence

from django.urls import reverse

from backoffice.ui.views import Crumb
from reconciliation.models import ClientMoneyRun
from reporting.definitions import client_money
from reporting.records import Parameters, Report
from reporting.selectors import entities
from reporting.views.of_row import ReportOfRow


class ClientMoneyReport(ReportOfRow):
    """It can only come out as it did before: nothing later than the calculation is in it."""

    queryset = ClientMoneyRun.objects.select_related("entity")
    permission = "reconciliation.view_clientmoneyrun"
    nav = "client-money"

    def crumbs(self) -> Sequence[Crumb]:
        place = reverse("client-money-run", args=[self.row.pk])
        return (Crumb("Client money", reverse("client-money")), Crumb(str(self.row.as_of), place))

    def heading(self) -> str:
        return f"{client_money.TITLE} · {self.row.as_of} · {self.row.entity.code}"

    def report(self, row: ClientMoneyRun) -> Report:
        return client_money.build(Parameters(row.as_of, tuple(entities.entities([row.entity_id])), row.cutoff_at))

    def mark(self, row: ClientMoneyRun) -> str:
        return str(row.number)
