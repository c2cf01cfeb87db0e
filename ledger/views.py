"""Pages of the books: journals, accounts with their statements, the trial balance, manual journals, closing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

from backoffice.kernel import clock
from backoffice.kernel.actor import Person
from backoffice.organisation.models import FxRate
from backoffice.organisation.selectors import scope
from backoffice.ui.requests import address
from backoffice.ui.views import ActionPage, Button, Crumb, DetailPage, GatedPage, ListPage, Page
from ledger import actions, filters, forms, tables
from ledger.models import Balance, Closing, Journal, LedgerAccount
from ledger.selectors import closing as found
from ledger.selectors.lines import lines_of
from ledger.selectors.statements import Position, statement
from ledger.selectors.trial_balance import trial_balance
from ledger.services import closing

_STATEMENT_DAYS = 31


# Kinds of facts in a journal's reference, and the names of their pages.
_SOURCES = {"deal": "deal", "fill": "fill", "psp": "psp-line", "bank": "bank-line"}


class JournalList(ListPage):
    title = "Journals"
    queryset = Journal.objects.select_related("entity")
    table = tables.JournalTable
    filters = filters.JournalFilters
    permission = "ledger.view_journal"
    buttons = (Button("Manual journal", "manual-journal", "ledger.ask_manual_journal"),)


class JournalDetail(DetailPage):
    queryset = Journal.objects.select_related("entity")
    template = "ledger/journal.html"
    permission = "ledger.view_journal"
    nav = "journals"

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Journals", reverse("journals")),)

    def context(self, row: Journal, tab: str) -> Mapping[str, Any]:
        reversed_by = Journal.objects.filter(entity_id=row.entity_id, reverses_id=row.pk).first()
        return {
            "lines": lines_of(row.entity_id, row.pk),
            "reversed_by": reversed_by,
            "source_url": _source_url(row.reference),
        }


def _source_url(reference: str) -> str:
    """The page of the fact that a reference names ("deal:17"), by the page's name; empty where there is none."""
    kind, _, number = reference.partition(":")
    return reverse(_SOURCES[kind], args=[int(number)]) if kind in _SOURCES and number.isdigit() else ""


class LedgerAccountList(ListPage):
    title = "Ledger accounts"
    table = tables.LedgerAccountTable
    filters = filters.LedgerAccountFilters
    permission = "ledger.view_ledgeraccount"
    buttons = (
        Button("Trial balance", "trial-balance", "ledger.view_ledgeraccount"),
        Button("Close", "close", "ledger.view_journal"),
        Button("Reopen", "reopen", "ledger.ask_reopen"),
    )

    def rows(self) -> QuerySet[LedgerAccount]:
        total = Balance.objects.filter(account=OuterRef("pk")).order_by().values("account").annotate(s=Sum("amount"))
        return LedgerAccount.objects.select_related("entity").annotate(balance=Subquery(total.values("s")))


class LedgerAccountDetail(DetailPage):
    """An account's statement: opening balance, lines with the balance after each, closing balance."""

    queryset = LedgerAccount.objects.select_related("entity", "currency")
    template = "ledger/account.html"
    permission = "ledger.view_ledgeraccount"
    nav = "ledger-accounts"

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Ledger accounts", reverse("ledger-accounts")),)

    def heading(self) -> str:
        return f"{self.row.code} · {self.row.currency_id}"

    def subtitle(self) -> str:
        return f"{self.row.name} · {self.row.get_kind_display()} · {self.row.entity.name}"

    def context(self, row: LedgerAccount, tab: str) -> Mapping[str, Any]:
        form = forms.StatementForm(self.request.GET)
        chosen = form.cleaned_data if form.is_valid() else {}
        last = chosen.get("last") or clock.today()
        first = min(chosen.get("first") or last - timedelta(days=_STATEMENT_DAYS), last)
        found = statement(row, first=first, last=last, after=_position(self.request.GET.get("after", "")))
        after = "/".join(map(str, found.end)) if found.more and found.end else ""
        return {
            "statement": found,
            "first": first,
            "last": last,
            "next_url": address(self.request.GET, after=after) if after else "",
            "first_url": address(self.request.GET, after=None) if self.request.GET.get("after") else "",
            "period_error": "" if form.is_valid() else "Write days as 2026-11-19.",
        }


class TrialBalance(Page):
    title = "Trial balance"
    permission = "ledger.view_ledgeraccount"
    template = "ledger/trial_balance.html"
    nav = "ledger-accounts"

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Ledger accounts", reverse("ledger-accounts")),)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            day = date.fromisoformat(request.GET.get("day", ""))
        except ValueError:
            day = clock.today()
        books = []
        for entity in scope.entities_of(self.user).order_by("code"):
            lines = trial_balance(entity_id=entity.pk, day=day)
            totals: dict[str, list[Decimal]] = {}
            for line in lines:
                sums = totals.setdefault(line.currency, [Decimal(0), Decimal(0)])
                sums[0] += line.debit
                sums[1] += line.credit
            closed = Closing.objects.filter(entity=entity).order_by("-id").first()
            books.append({"entity": entity, "lines": lines, "totals": sorted(totals.items()), "closed": closed})
        return self.page({"books": books, "day": day})


class AskManualJournal(GatedPage):
    title = "Manual journal"
    permission = "ledger.ask_manual_journal"
    form = forms.ManualJournalForm
    action = actions.MANUAL_JOURNAL
    nav = "journals"

    def form_arguments(self, target: Any) -> Mapping[str, Any]:
        return {"entities": scope.entities_of(self.user)}

    def payload(self, form: Any, target: Any) -> actions.ManualJournal:
        data = form.cleaned_data
        return actions.ManualJournal(
            data["key"], data["entity"].pk, data["business_date"], data["description"], data["parsed"]
        )

    def consequences(self, target: Any) -> Sequence[str]:
        return ("The journal is tried out now and booked when another person approves it.",)


def _in_close(_: Page) -> Sequence[Crumb]:
    return (Crumb("Close", reverse("close")),)


class CloseDay(ActionPage):
    title = "Close a business day"
    permission = "ledger.close_day"
    form = forms.CloseDayForm
    submit_label = "Close the day"
    nav = "close"
    crumbs = _in_close

    def form_arguments(self, target: Any) -> Mapping[str, Any]:
        return {"entities": scope.entities_of(self.user), "initial": _asked(self.request)}

    def consequences(self, target: Any) -> Sequence[str]:
        return (
            "What is red on the list before closing needs a written reason; it is kept.",
            "No posting is taken for this day and any day before it.",
            "Opening it again needs management and leaves a trace.",
        )

    def run(self, *, actor: Person, form: Any, target: Any) -> Closing:
        data = form.cleaned_data
        return closing.close_day(actor=actor, entity_id=data["entity"].pk, day=data["day"], reason=data["note"])

    def message(self, result: Closing) -> str:
        return f"The books are closed through {result.closed_through}."


class Close(Page):
    """What is done and what is not, before the buttons that close a day or its month."""

    title = "Close"
    permission = "ledger.view_journal"
    template = "ledger/close.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        entities = list(scope.entities_of(self.user).order_by("code"))
        asked = _asked(request)
        chosen = [row for row in entities if str(row.pk) == asked["entity"]] or entities
        entity = chosen[0] if chosen else None
        day = asked.get("day") or clock.today() - timedelta(days=1)
        if entity is None:
            return self.page({"entities": [], "entity": None})
        last_day = found.last_day_of(day)
        monthly = day == last_day
        return self.page(
            {
                "entities": entities,
                "entity": entity,
                "day": day,
                "last_day": last_day,
                "checks": found.of_period(entity.pk, day) if monthly else found.of_day(entity.pk, day),
                "through": found.closed_through(entity.pk),
                "period": found.period_of(entity.pk, last_day),
                "monthly": monthly,
                "may_close": scope.may(self.user, "ledger.close_day"),
                "may_ask": scope.may(self.user, "ledger.ask_period"),
                "may_reopen": scope.may(self.user, "ledger.ask_reopen"),
            }
        )


class AskPeriod(GatedPage):
    title = "Close a month"
    crumbs = _in_close
    permission = "ledger.ask_period"
    form = forms.PeriodForm
    action = actions.CLOSE_PERIOD
    nav = "close"

    def form_arguments(self, target: Any) -> Mapping[str, Any]:
        return {"entities": scope.entities_of(self.user), "initial": _asked(self.request)}

    def payload(self, form: Any, target: Any) -> actions.ClosePeriod:
        return actions.ClosePeriod(form.cleaned_data["entity"].pk, found.last_day_of(form.cleaned_data["day"]))

    def consequences(self, target: Any) -> Sequence[str]:
        return (
            "The approver sees the list as it stands; it is kept with the month.",
            "Opening a day of the month again needs management and leaves a trace.",
        )


class RateList(ListPage):
    title = "Rates"
    queryset = FxRate.objects.select_related("entered")
    table = tables.RateTable
    filters = filters.RateFilters
    permission = "organisation.view_fxrate"
    entity_path = ""
    buttons = (Button("Enter a rate", "enter-rate", "ledger.ask_manualrate"),)


class EnterRate(GatedPage):
    """For a day on which no source has it. Another entry of the same pair and day is its next version."""

    title = "Enter a reference rate"
    permission = "ledger.ask_manualrate"
    form = forms.RateForm
    action = actions.ENTER_RATE
    nav = "fx-rates"

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Rates", reverse("fx-rates")),)

    def form_arguments(self, target: Any) -> Mapping[str, Any]:
        return {"entities": scope.entities_of(self.user)}

    def payload(self, form: Any, target: Any) -> actions.EnterRate:
        data = form.cleaned_data
        return actions.EnterRate(
            data["entity"].pk, data["day"], data["base"].pk, data["quote"].pk, data["rate"], data["reason"]
        )

    def consequences(self, target: Any) -> Sequence[str]:
        return (
            "The rate is kept as a version of the source MANUAL when another person approves it.",
            "It counts only where a rule names this source; what asks for any source does not see it.",
        )


def _asked(request: HttpRequest) -> dict[str, Any]:
    """Entity and day from the address; what is no day is left out."""
    asked: dict[str, Any] = {"entity": request.GET.get("entity", "")}
    try:
        asked["day"] = date.fromisoformat(request.GET.get("day", ""))
    except ValueError:
        return asked
    return asked


class AskReopen(GatedPage):
    title = "Open closed days again"
    permission = "ledger.ask_reopen"
    form = forms.ReopenForm
    action = actions.REOPEN
    nav = "close"
    crumbs = _in_close

    def form_arguments(self, target: Any) -> Mapping[str, Any]:
        return {"entities": scope.entities_of(self.user)}

    def payload(self, form: Any, target: Any) -> actions.Reopen:
        data = form.cleaned_data
        return actions.Reopen(data["entity"].pk, data["through"], data["reason"])


def _position(text: str) -> Position | None:
    """Where a statement page goes on; nonsense starts at the beginning."""
    try:
        day, journal_id, line_no = text.split("/")
        return (date.fromisoformat(day), int(journal_id), int(line_no))
    except ValueError:
        return None
