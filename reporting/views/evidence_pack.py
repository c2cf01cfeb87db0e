"""The evidence pack of a chargeback case: to be read, and taken away as one PDF."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse

from backoffice.kernel import clock
from backoffice.organisation.selectors import scope
from backoffice.ui.components import Crumb
from backoffice.ui.requests import actor_of
from backoffice.ui.views import DetailPage
from payments.models import ChargebackCase
from payments.selectors.cases import WORK, cases
from reporting.definitions import evidence_pack
from reporting.models import Format
from reporting.records import Parameters, Report
from reporting.render import html, pdf
from reporting.selectors import entities
from reporting.services import runs

EXPORT = "organisation.export_rows"


class EvidencePack(DetailPage):
    """Made when it is asked for, from what is known then; who took it, and its hash, stand in the log."""

    queryset = cases().filter(client__isnull=False).select_related("deposit")
    template = "reporting/client_money.html"
    permission = WORK
    nav = "chargebacks"

    def crumbs(self) -> Sequence[Crumb]:
        here = Crumb(str(self.row), reverse("chargeback", args=[self.row.pk]))
        return (Crumb("Chargebacks", reverse("chargebacks")), here)

    def heading(self) -> str:
        return f"{evidence_pack.TITLE} · {self.row}"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if "file" not in request.GET:
            return super().get(request, *args, **kwargs)
        scope.require(request.user, EXPORT)
        case: ChargebackCase = self.row_or_404(self.queryset.all(), kwargs["pk"])
        if request.GET["file"] != Format.PDF:
            raise Http404
        report = _report(case)
        body, name = pdf.render(report), f"{report.stem}-{case}.pdf"
        runs.handed_out(actor=actor_of(request), target=case, name=name, body=body)
        response = HttpResponse(body, content_type="application/pdf")
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response

    def context(self, row: ChargebackCase, tab: str) -> Mapping[str, Any]:
        report = _report(row)
        return {
            "report": report,
            "facts": report.facts,
            "parts": html.parts(report, paper=False),
            "formats": (Format.PDF,) if scope.may(self.user, EXPORT) else (),
        }


def _report(case: ChargebackCase) -> Report:
    now = clock.now()
    return evidence_pack.build(case, Parameters(now.date(), tuple(entities.entities([case.entity_id])), now))
