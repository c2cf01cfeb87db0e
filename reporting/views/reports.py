"""The daily report as a page, making files of it, and the files that were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse

from backoffice.kernel import clock
from backoffice.kernel.actor import Person
from backoffice.organisation.selectors import scope
from backoffice.ui.requests import actor_of
from backoffice.ui.views import ActionPage, Button, Crumb, DetailPage, ListPage, Page
from reporting import forms, tables
from reporting.definitions import daily_reconciliation, definition
from reporting.models import Format, ReportFile, ReportRun, RunState
from reporting.records import Entity, Parameters
from reporting.render import RENDERERS, html
from reporting.selectors import days, entities
from reporting.selectors.comparisons import usual_cutoff
from reporting.services import runs

EXPORT = "organisation.export_rows"
_FILES = (Format.PDF, Format.XLSX, Format.CSV)


class DailyReport(Page):
    """The daily reconciliation report of the entities a person works in, or of some of them."""

    title = daily_reconciliation.TITLE
    permission = "reporting.view_reportrun"
    entity_path = ""
    template = "reporting/daily.html"

    def get(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        mine = entities.entities(scope.entity_ids(request.user))
        chosen = _chosen(mine, request.GET.getlist("entity"))
        frame: dict[str, Any] = {"mine": mine, "chosen": {entity.id for entity in chosen}, "formats": _FILES}
        if not chosen:
            return self.page(frame)
        day, complaint = _day(request.GET.get("day", ""), chosen)
        parameters = Parameters(day, chosen, usual_cutoff([entity.id for entity in chosen], day, clock.now()))
        report = daily_reconciliation.build(parameters)
        return self.page(
            {
                **frame,
                **_around(day, chosen, len(mine)),
                "complaint": complaint,
                "report": report,
                "facts": report.facts,
                "parts": html.parts(report, paper=False),
                "may_make": scope.may(request.user, MakeReport.permission),
            }
        )


class MakeReport(ActionPage):
    """A file of a report: quick ones at once, PDF by a worker."""

    title = "Make a report"
    permission = "reporting.run_report"
    entity_path = ""
    form = forms.ReportForm
    submit_label = "Make"
    nav = "daily-report"

    def form_arguments(self, target: Any) -> Mapping[str, Any]:
        mine = scope.entities_of(self.user).order_by("code")
        chosen = entities.entities([entity.pk for entity in mine])
        initial = {"entities": mine, "day": _day("", chosen)[0] if chosen else None, "format": Format.PDF}
        return {"mine": mine, "initial": initial}

    def run(self, *, actor: Person, form: Any, target: Any) -> ReportRun:
        data = form.cleaned_data
        make = runs.request if RENDERERS[data["format"]].slow else runs.make_now
        return make(
            actor=actor,
            report=data["report"],
            day=data["day"],
            entity_ids=[entity.pk for entity in data["entities"]],
            formats=[data["format"]],
        )

    def message(self, result: ReportRun) -> str:
        return "Asked for." if result.under_way else "Made."

    def success_url(self, result: ReportRun) -> str:
        return reverse("report-run", args=[result.pk])


class _OwnRuns(Page):
    """Reports about the person's entities and no others."""

    permission = "reporting.view_reportrun"
    entity_path = "entities"

    def visible(self, queryset: Any) -> Any:
        scope.require(self.request.user, self.permission)
        return queryset.within(scope.entity_ids(self.request.user))


class ReportRunList(_OwnRuns, ListPage):
    title = "Report runs"
    queryset = ReportRun.objects.all()
    table = tables.ReportRunTable
    buttons = (Button("Make a report", "make-report", "reporting.run_report", tone="primary"),)


class ReportRunDetail(_OwnRuns, DetailPage):
    """A report that was made or is being made; `?file=pdf` hands the file out."""

    queryset = ReportRun.objects.all()
    template = "reporting/run.html"
    nav = "report-runs"

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Report runs", reverse("report-runs")),)

    def heading(self) -> str:
        return f"{definition(self.row.report).title} {self.row.parameters['day']}"

    def subtitle(self) -> str:
        return ", ".join(self.row.parameters["entities"])

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if "file" not in request.GET:
            return super().get(request, *args, **kwargs)
        scope.require(request.user, EXPORT)
        run = self.row_or_404(self.queryset.all(), kwargs["pk"])
        return _download(request, run, request.GET["file"])

    def context(self, row: ReportRun, tab: str) -> Mapping[str, Any]:
        about = list(row.scope.select_related("entity").order_by("entity__code"))
        query = [("day", row.parameters["day"]), *(("entity", str(part.entity_id)) for part in about)]
        return {
            "tones": tables.STATE_TONES,
            "labels": dict(RunState.choices),
            "entities": [part.entity for part in about],
            "files": list(row.files.all()),
            "may_download": scope.may(self.user, EXPORT),
            "page_url": f"{reverse('daily-report')}?{urlencode(query)}",
        }


class ReportRunProgress(ReportRunDetail):
    """The part of a run's page that moves; asked for every second until the report is made."""

    template = "reporting/run_progress.html"
    background = True

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = super().get(request, *args, **kwargs)
        if "file" not in request.GET and not self.row.under_way:
            response["HX-Refresh"] = "true"
        return response


def _download(request: HttpRequest, run: ReportRun, wanted: str) -> HttpResponse:
    file = ReportFile.objects.filter(run=run, format=wanted).first()
    if file is None:
        raise Http404
    kept, body = runs.hand_out(actor=actor_of(request), file_id=file.pk)
    response = HttpResponse(body, content_type=RENDERERS[kept.format].content_type)
    response["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(kept.name)}"
    return response


def _chosen(mine: Sequence[Entity], asked: Sequence[str]) -> tuple[Entity, ...]:
    """The entities asked for that are the person's own; all of them where none is."""
    found = tuple(entity for entity in mine if str(entity.id) in asked)
    return found or tuple(mine)


def _day(asked: str, chosen: Sequence[Entity]) -> tuple[date, str]:
    """The day asked for, or the last business day; and what was wrong with what was asked."""
    today = clock.today()
    calendars = days.of((entity.calendar for entity in chosen), today)
    usual = max(calendar.before(today) for calendar in calendars.values())
    if not asked:
        return usual, ""
    try:
        day = date.fromisoformat(asked)
    except ValueError:
        return usual, "Write the day as 2026-11-19. This is the last business day."
    if not today - timedelta(days=36_500) < day <= today:
        return usual, f"{day} has not come yet, or is long gone. This is the last business day."
    return day, ""


def _around(day: date, chosen: Sequence[Entity], of: int) -> dict[str, Any]:
    """The day and the addresses of the days before and after it."""
    today = clock.today()
    calendars = days.of((entity.calendar for entity in chosen), max(today, day), day).values()
    every = sorted({found for calendar in calendars for found in calendar.days})
    before = [found for found in every if found < day]
    after = [found for found in every if day < found <= today]
    kept = [("entity", str(entity.id)) for entity in chosen] if len(chosen) < of else []
    return {
        "day": day,
        "previous_url": f"?{urlencode([('day', before[-1]), *kept])}" if before else "",
        "next_url": f"?{urlencode([('day', after[0]), *kept])}" if after else "",
    }
