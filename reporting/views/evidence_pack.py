"""The evidence pack of a chargeback case: to be read, and taken away as one PDF."""

from __future__ import annotations

from collections.abc import Sequence

from django.urls import reverse

from backoffice.kernel import clock
from backoffice.ui.components import Crumb
from payments.models import ChargebackCase
from payments.selectors.cases import WORK, cases
from reporting.definitions import evidence_pack
from reporting.models import Format
from reporting.records import Parameters, Report
from reporting.selectors import entities
from reporting.views.of_row import ReportOfRow


class EvidencePack(ReportOfRow):
    """From what is known when it is made."""

    queryset = cases().filter(client__isnull=False).select_related("deposit")
    permission = WORK
    nav = "chargebacks"
    formats = (Format.PDF,)

    def crumbs(self) -> Sequence[Crumb]:
        here = Crumb(str(self.row), reverse("chargeback", args=[self.row.pk]))
        return (Crumb("Chargebacks", reverse("chargebacks")), here)

    def heading(self) -> str:
        return f"{evidence_pack.TITLE} · {self.row}"

    def report(self, row: ChargebackCase) -> Report:
        now = clock.now()
        of = tuple(entities.entities([row.entity_id]))
        return evidence_pack.build(row, Parameters(now.date(), of, now))

    def mark(self, row: ChargebackCase) -> str:
        return str(row)
