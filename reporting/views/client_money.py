"""One calculation of client money as a report: a page, and `?file=pdf`, csv or xlsx."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse

from backoffice.organisation.selectors import scope
from backoffice.ui.requests import actor_of
from backoffice.ui.views import Crumb, DetailPage
from reconciliation.models import ClientMoneyRun
from reporting.definitions import client_money
from reporting.models import Format
from reporting.records import Parameters, Report
from reporting.render import RENDERERS, html
from reporting.selectors import entities
from reporting.services import runs

EXPORT = "organisation.export_rows"
_FILES = (Format.PDF, Format.XLSX, Format.CSV)


class ClientMoneyReport(DetailPage):
    """The report of one calculation. It is made when it is asked for, and can only come out as it did before."""

    queryset = ClientMoneyRun.objects.select_related("entity")
    template = "reporting/client_money.html"
    permission = "reconciliation.view_clientmoneyrun"
    nav = "client-money"

    def crumbs(self) -> Sequence[Crumb]:
        place = reverse("client-money-run", args=[self.row.pk])
        return (Crumb("Client money", reverse("client-money")), Crumb(str(self.row.as_of), place))

    def heading(self) -> str:
        return f"{client_money.TITLE} · {self.row.as_of} · {self.row.entity.code}"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if "file" not in request.GET:
            return super().get(request, *args, **kwargs)
        scope.require(request.user, EXPORT)
        run: ClientMoneyRun = self.row_or_404(self.queryset.all(), kwargs["pk"])
        chosen = request.GET["file"]
        if chosen not in _FILES:
            raise Http404
        report = _report(run)
        body, name = RENDERERS[chosen].render(report), f"{report.stem}-{run.number}.{chosen}"
        runs.handed_out(actor=actor_of(request), target=run, name=name, body=body)
        response = HttpResponse(body, content_type=RENDERERS[chosen].content_type)
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response

    def context(self, row: ClientMoneyRun, tab: str) -> Mapping[str, Any]:
        report = _report(row)
        return {
            "report": report,
            "facts": report.facts,
            "parts": html.parts(report, paper=False),
            "formats": _FILES if scope.may(self.user, EXPORT) else (),
        }


def _report(run: ClientMoneyRun) -> Report:
    """The report as it stood when the run was made: nothing later is in it."""
    return client_money.build(Parameters(run.as_of, tuple(entities.entities([run.entity_id])), run.cutoff_at))
