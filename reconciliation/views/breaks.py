"""Pages of reconciliation: breaks with both sides next to each other, and runs with their progress."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

from backoffice.kernel import clock
from backoffice.kernel.actor import Person
from backoffice.kernel.money import Money
from backoffice.organisation.models import User
from backoffice.organisation.selectors import calendars, scope
from backoffice.ui import formats
from backoffice.ui.views import ActionPage, Button, Crumb, DetailPage, GatedPage, ListPage
from integrations.models import ServerCommand
from reconciliation import filters, forms, tables
from reconciliation.actions import breaks as actions
from reconciliation.models import OPEN_STATES, Break, BreakState, Kind, Run, RunState
from reconciliation.selectors.sides import sides
from reconciliation.services import breaks, drift, runs


def _is_open(item: Any) -> bool:
    return bool(item.is_open)


# Classes that asking the trade server for the deal can settle.
_FETCHABLE = ("MISSING_IN_BOOKS", "MISSING_AT_SERVER", "EDITED")


class BreakList(ListPage):
    title = "Breaks"
    queryset = Break.objects.select_related("entity", "assignee")
    table = tables.BreakTable
    filters = filters.BreakFilters
    permission = "reconciliation.view_break"


class BreakDetail(DetailPage):
    queryset = Break.objects.select_related("entity", "assignee", "opened_by", "seen_by", "graded_by")
    template = "reconciliation/break.html"
    permission = "reconciliation.view_break"
    nav = "breaks"
    buttons = (
        Button("Assign", "assign-break", "reconciliation.assign_break", when=_is_open),
        Button("Explain", "explain-break", "reconciliation.explain_break", when=_is_open),
        Button(
            "Fetch from the server",
            "fetch-break",
            "reconciliation.explain_break",
            when=lambda b: b.is_open and b.klass in _FETCHABLE,
        ),
        Button(
            "Match by hand",
            "match-by-hand",
            "reconciliation.match_cash",
            when=lambda b: b.is_open and b.kind == Kind.CASH,
        ),
        Button("Push again", "push-again", "reconciliation.push_again", when=drift.can_push),
        Button("Resolve", "resolve-break", "reconciliation.explain_break", when=_is_open),
        Button("Ask to write off", "write-off", "reconciliation.ask_write_off", when=breaks.can_write_off),
    )  # fmt: skip

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Breaks", reverse("breaks")),)

    def heading(self) -> str:
        title = self.row.meaning.title
        return f"{title[:1].upper()}{title[1:]} · {self.row.business_date}"

    def context(self, row: Break, tab: str) -> Mapping[str, Any]:
        return {
            "sides": sides(row),
            "events": row.events.order_by("-id"),
            "tones": tables.BREAK_TONES,
            "labels": dict(BreakState.choices),
            "severity_tone": tables.SEVERITY_TONES[row.severity],
            "overdue": row.due_at is not None and row.due_at <= clock.now(),
            "age": tables.ages_of([row])[0],
        }


class _BreakAction(ActionPage):
    """An action on one break; goes back to it."""

    queryset = Break.objects.select_related("entity", "assignee")
    permission = "reconciliation.explain_break"
    nav = "breaks"

    def heading(self) -> str:
        return f"{self.submit_label} · break {self.target.pk}"

    def facts(self, target: Break) -> Sequence[tuple[str, Any]]:
        return (
            ("Class", target.meaning.title),
            ("What differs", target.summary),
            ("Business day", target.business_date),
        )

    def success_url(self, result: Any) -> str:
        return reverse("break", args=[self.target.pk])


class AssignBreak(_BreakAction):
    permission = "reconciliation.assign_break"
    form = forms.AssignForm
    submit_label = "Assign"

    def form_arguments(self, target: Break) -> Mapping[str, Any]:
        return {"people": colleagues(self.user), "initial": {"assignee": self.user.pk}}

    def run(self, *, actor: Person, form: Any, target: Break) -> int:
        return breaks.assign(actor=actor, break_ids=[target.pk], assignee_id=form.cleaned_data["assignee"].pk)


class AssignBreaks(ActionPage):
    """Give several breaks to one person at once."""

    title = "Assign breaks"
    queryset = Break.objects.select_related("entity").filter(state__in=OPEN_STATES)
    permission = "reconciliation.assign_break"
    form = forms.AssignForm
    submit_label = "Assign"
    bulk = True
    nav = "breaks"

    def form_arguments(self, target: Any) -> Mapping[str, Any]:
        return {"people": colleagues(self.user), "initial": {"assignee": self.user.pk}}

    def run(self, *, actor: Person, form: Any, target: list[Break]) -> int:
        ids = [item.pk for item in target]
        return breaks.assign(actor=actor, break_ids=ids, assignee_id=form.cleaned_data["assignee"].pk)

    def message(self, result: int) -> str:
        return f"{result} break{'s' if result != 1 else ''} assigned."


class ExplainBreak(_BreakAction):
    form = forms.ExplainForm
    submit_label = "Explain"

    def form_arguments(self, target: Break) -> Mapping[str, Any]:
        return {"initial": {"explanation": target.explanation}}

    def consequences(self, target: Break) -> Sequence[str]:
        return ("The break stays open until the sides agree or somebody closes it.",)

    def run(self, *, actor: Person, form: Any, target: Break) -> Break:
        return breaks.explain(actor=actor, break_id=target.pk, explanation=form.cleaned_data["explanation"])


class FetchBreak(_BreakAction):
    submit_label = "Fetch"

    def consequences(self, target: Break) -> Sequence[str]:
        return (
            "The trade server is asked for this deal now; what it says is stored as a new version and booked.",
            "The break resolves by itself at the next run, when the sides agree.",
        )

    def run(self, *, actor: Person, form: Any, target: Break) -> Break:
        return breaks.fetch(actor=actor, break_id=target.pk)

    def message(self, result: Break) -> str:
        return "Fetched and booked. The next run will compare again."


class PushAgain(_BreakAction):
    permission = "reconciliation.push_again"
    submit_label = "Push again"

    def consequences(self, target: Break) -> Sequence[str]:
        return (
            "The server is told once more what is wanted of this login, as it is wanted now.",
            "The break resolves by itself at the next run after the server has confirmed.",
        )

    def run(self, *, actor: Person, form: Any, target: Break) -> ServerCommand:
        return drift.push_again(actor=actor, break_id=target.pk)

    def message(self, result: ServerCommand) -> str:
        return f"Command {result.pk} is on its way to the server."


class ResolveBreak(_BreakAction):
    form = forms.ReasonForm
    submit_label = "Resolve"

    def consequences(self, target: Break) -> Sequence[str]:
        return ("Nothing is booked. The break opens again if the difference changes.",)

    def run(self, *, actor: Person, form: Any, target: Break) -> Break:
        return breaks.resolve(actor=actor, break_id=target.pk, reason=form.cleaned_data["reason"])


class AskWriteOff(GatedPage):
    queryset = Break.objects.select_related("entity")
    permission = "reconciliation.ask_write_off"
    form = forms.ReasonForm
    action = actions.WRITE_OFF
    nav = "breaks"

    def heading(self) -> str:
        return f"Write off break {self.target.pk}"

    def facts(self, target: Break) -> Sequence[tuple[str, Any]]:
        return (
            ("Class", target.meaning.title),
            ("What differs", target.summary),
            ("Difference", Money(target.amount or Decimal(0), target.currency)),
        )

    def consequences(self, target: Break) -> Sequence[str]:
        return ("The difference is booked to the write-off account when another person approves.",)

    def payload(self, form: Any, target: Break) -> actions.WriteOff:
        return actions.WriteOff(break_id=target.pk, reason=form.cleaned_data["reason"])

    def success_url(self, result: Any) -> str:
        return reverse("request", args=[result.pk])


class RunList(ListPage):
    title = "Runs"
    queryset = Run.objects.select_related("entity", "rule")
    table = tables.RunTable
    filters = filters.RunFilters
    permission = "reconciliation.view_run"
    buttons = (Button("Start a run", "start-run", "reconciliation.start_run", tone="primary"),)


class RunDetail(DetailPage):
    queryset = Run.objects.select_related("entity", "rule")
    template = "reconciliation/run.html"
    permission = "reconciliation.view_run"
    nav = "runs"

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Runs", reverse("runs")),)

    def heading(self) -> str:
        return f"{self.row.kind.capitalize()} {self.row.business_date} · {self.row.entity.code}"

    def context(self, row: Run, tab: str) -> Mapping[str, Any]:
        parameters = sorted(row.rule.parameters.items())
        found = Break.objects.filter(seen_by=row).select_related("entity", "assignee").order_by("klass", "key")
        return {
            "tones": tables.RUN_TONES,
            "labels": dict(RunState.choices),
            "under_way": row.state in (RunState.QUEUED, RunState.RUNNING),
            "classes": [(tables.CLASS_TITLES.get(c, c), n) for c, n in sorted(row.by_class.items())],
            "found": tables.BreakTable().html(list(found[:200]), caption="Breaks this run has seen last"),
            "parameters": [(name.replace("_", " "), formats.words(v)) for name, v in parameters],
        }


class RunProgress(RunDetail):
    """The part of a run's page that moves; asked for every second while it runs."""

    template = "reconciliation/run_progress.html"
    background = True

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = super().get(request, *args, **kwargs)
        if self.row.state not in (RunState.QUEUED, RunState.RUNNING):
            response["HX-Refresh"] = "true"
        return response


class StartRun(ActionPage):
    title = "Start a reconciliation"
    permission = "reconciliation.start_run"
    form = forms.StartRunForm
    submit_label = "Start"
    nav = "runs"

    def form_arguments(self, target: Any) -> Mapping[str, Any]:
        entities = scope.entities_of(self.user).order_by("code")
        first = entities.first()
        day = calendars.add_business_days(first.calendar, clock.today(), -1) if first else clock.today()
        return {"entities": entities, "initial": {"day": day, "entity": first.pk if first else None}}

    def run(self, *, actor: Person, form: Any, target: Any) -> Run:
        data = form.cleaned_data
        return runs.request(actor=actor, entity_id=data["entity"].pk, kind=Kind(data["kind"]), day=data["day"])

    def message(self, result: Run) -> str:
        return "Started."

    def success_url(self, result: Run) -> str:
        return reverse("run", args=[result.pk])


def colleagues(user: User) -> Any:
    """People who share an entity with `user` and may work on breaks."""
    everybody = User.objects.filter(is_active=True).order_by("first_name", "username")
    here = set(scope.entity_ids(user))
    able = [u.pk for u in everybody if scope.may(u, "reconciliation.explain_break") and here & set(scope.entity_ids(u))]
    return everybody.filter(pk__in=able)
