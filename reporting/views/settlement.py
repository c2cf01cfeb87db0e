"""The settlement of one payout as a report: a page, and `?file=pdf`, csv or xlsx."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse

from backoffice.kernel import clock
from backoffice.organisation.selectors import scope
from backoffice.ui.requests import actor_of
from backoffice.ui.views import Crumb, DetailPage
from integrations.models import PspLine
from reconciliation.selectors.settlement import payouts
from reporting.definitions import settlement
from reporting.models import Format
from reporting.records import Parameters, Report
from reporting.render import RENDERERS, html
from reporting.selectors import entities
from reporting.services import runs

EXPORT = "organisation.export_rows"
_FILES = (Format.PDF, Format.XLSX, Format.CSV)


class SettlementReport(DetailPage):
    """Made when it is asked for, from what is known then; who took it, and its hash, stand in the log."""

    queryset = payouts().select_related("connection", "entity")
    template = "reporting/client_money.html"
    permission = "integrations.view_pspline"
    nav = "settlements"

    def crumbs(self) -> Sequence[Crumb]:
        here = Crumb(_name(self.row), reverse("settlement", args=[self.row.pk]))
        return (Crumb("Settlements", reverse("settlements")), here)

    def heading(self) -> str:
        return f"{settlement.TITLE} · {_name(self.row)} · {self.row.entity.code}"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if "file" not in request.GET:
            return super().get(request, *args, **kwargs)
        scope.require(request.user, EXPORT)
        payout: PspLine = self.row_or_404(self.queryset.all(), kwargs["pk"])
        chosen = request.GET["file"]
        if chosen not in _FILES:
            raise Http404
        report = _report(payout)
        body, name = RENDERERS[chosen].render(report), f"{report.stem}-{payout.pk}.{chosen}"
        runs.handed_out(actor=actor_of(request), target=payout, name=name, body=body)
        response = HttpResponse(body, content_type=RENDERERS[chosen].content_type)
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response

    def context(self, row: PspLine, tab: str) -> Mapping[str, Any]:
        report = _report(row)
        return {
            "report": report,
            "facts": report.facts,
            "parts": html.parts(report, paper=False),
            "formats": _FILES if scope.may(self.user, EXPORT) else (),
        }


def _name(payout: PspLine) -> str:
    return payout.payout_key or payout.psp_reference


def _report(payout: PspLine) -> Report:
    of = tuple(entities.entities([payout.entity_id]))
    return settlement.build(payout, Parameters(payout.business_date, of, clock.now()))
