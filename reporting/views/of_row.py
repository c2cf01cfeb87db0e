"""The report of one row: a page, and `?file=` for those who may take files out of the house."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase

from backoffice.organisation.selectors import scope
from backoffice.ui.requests import actor_of
from backoffice.ui.views import DetailPage
from reporting.models import Format
from reporting.records import Report
from reporting.render import RENDERERS, html
from reporting.services import runs

EXPORT = "organisation.export_rows"


class ReportOfRow(DetailPage):
    """Made when it is asked for; who took a file, and its hash, stand in the log."""

    template = "reporting/of_row.html"
    formats: ClassVar[tuple[Format, ...]] = (Format.PDF, Format.XLSX, Format.CSV)

    @abstractmethod
    def report(self, row: Any) -> Report: ...

    @abstractmethod
    def mark(self, row: Any) -> str:
        """What tells this row's file from those of others, at the end of its name."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if "file" not in request.GET:
            return super().get(request, *args, **kwargs)
        scope.require(request.user, EXPORT)
        row = self.row_or_404(self.queryset.all(), kwargs["pk"])
        chosen = request.GET["file"]
        if chosen not in self.formats:
            raise Http404
        report, renderer = self.report(row), RENDERERS[chosen]
        body, name = renderer.render(report), f"{report.stem}-{self.mark(row)}.{chosen}"
        runs.handed_out(actor=actor_of(request), target=row, name=name, body=body)
        response = HttpResponse(body, content_type=renderer.content_type)
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response

    def context(self, row: Any, tab: str) -> Mapping[str, Any]:
        report = self.report(row)
        return {
            "report": report,
            "facts": report.facts,
            "parts": html.parts(report, paper=False),
            "formats": self.formats if scope.may(self.user, EXPORT) else (),
        }
