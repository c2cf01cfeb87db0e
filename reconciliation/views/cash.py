"""Pages of the cash ladder: what matched and by which rule, what is suggested, and the rules themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.urls import reverse

from backoffice.kernel.actor import Person
from backoffice.kernel.money import Money
from backoffice.organisation.selectors import scope
from backoffice.ui.views import ActionPage, Button, Crumb, DetailPage, GatedPage, ListPage
from integrations.models import PspLine
from reconciliation import filters, forms, tables
from reconciliation.actions import rules as rule_actions
from reconciliation.models import CashMatch, Rule, Rung, Suggestion, SuggestionState
from reconciliation.selectors.evidence import allocated, said
from reconciliation.selectors.settlement import payouts, settlements_of
from reconciliation.services import hands

MATCH = "reconciliation.match_cash"
# By these every side is in the match's currency.
_ONE_CURRENCY = (Rung.ID, Rung.GROUP, Rung.REFERENCE)


class MatchList(ListPage):
    title = "Matches"
    queryset = CashMatch.objects.select_related("entity", "rule")
    table = tables.MatchTable
    filters = filters.MatchFilters
    permission = "reconciliation.view_cashmatch"


class MatchDetail(DetailPage):
    queryset = CashMatch.objects.select_related("entity", "rule", "run", "suggestion")
    template = "reconciliation/match.html"
    permission = "reconciliation.view_cashmatch"
    nav = "matches"
    buttons = (Button("Undo", "undo-match", MATCH, when=lambda m: m.stands and m.person_id is not None),)

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Matches", reverse("matches")),)

    def heading(self) -> str:
        return f"{self.row.key.partition(':')[2]} · {self.row.get_rung_display()}"

    def context(self, row: CashMatch, tab: str) -> Mapping[str, Any]:
        return {
            "evidence": said(row.evidence, row.currency if row.rung in _ONE_CURRENCY else ""),
            "allocated": allocated(row),
            "amount": Money(row.amount, row.currency),
            "difference": Money(row.difference, row.currency) if row.difference else None,
        }


class UndoMatch(ActionPage):
    queryset = CashMatch.objects.select_related("entity").exclude(person=None)
    permission = MATCH
    form = forms.ReasonForm
    submit_label = "Undo"
    tone = "danger"
    nav = "matches"

    def heading(self) -> str:
        return f"Undo match {self.target.pk}"

    def facts(self, target: CashMatch) -> Sequence[tuple[str, Any]]:
        return (
            ("Reference", target.key.partition(":")[2]),
            ("Amount", Money(target.amount, target.currency)),
            ("Matched by", target.made_by),
        )

    def consequences(self, target: CashMatch) -> Sequence[str]:
        booked = ("What was booked with it is reversed.",) if target.booked else ()
        return (*booked, "The match stays to be read, with your reason. The next run looks at its lines again.")

    def run(self, *, actor: Person, form: Any, target: CashMatch) -> CashMatch:
        return hands.undo(actor=actor, match_id=target.pk, reason=form.cleaned_data["reason"])

    def success_url(self, result: Any) -> str:
        return reverse("match", args=[self.target.pk])


class SuggestionList(ListPage):
    title = "Suggested matches"
    queryset = Suggestion.objects.select_related("entity", "rule")
    table = tables.SuggestionTable
    filters = filters.SuggestionFilters
    permission = "reconciliation.view_suggestion"


class _Decision(ActionPage):
    """A decision on one suggestion."""

    queryset = Suggestion.objects.select_related("entity", "rule", "person").filter(state=SuggestionState.OPEN)
    permission = MATCH
    nav = "suggestions"

    def heading(self) -> str:
        return f"{self.submit_label}: {self.target.reference}"

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Suggested matches", reverse("suggestions")),)

    def facts(self, target: Suggestion) -> Sequence[tuple[str, Any]]:
        return (
            ("What", target.summary),
            ("Rung", target.get_rung_display()),
            ("Outside", Money(target.amount, target.currency)),
            *((f"Ours: {ref}", Money(amount, currency)) for ref, amount, currency in tables.ours_of(target)),
            ("Rule", str(target.rule)),
            *((("Put together by", str(target.person)), ("Reason", target.reason)) if target.person else ()),
            *said(target.evidence),
        )

    def success_url(self, result: Any) -> str:
        return self.back()


class AcceptSuggestion(_Decision):
    submit_label = "Accept"

    def consequences(self, target: Suggestion) -> Sequence[str]:
        other = ("Other references or lines fit as well: be sure that it is this one.",) if target.tie else ()
        cost = (f"The difference of {Money(target.difference, target.currency)} is booked.",) * bool(target.difference)
        return (
            *other,
            "The money is matched in your name, and leaves the unallocated receipts if it stands there.",
            *cost,
        )

    def run(self, *, actor: Person, form: Any, target: Suggestion) -> list[CashMatch]:
        return hands.accept(actor=actor, suggestion_id=target.pk)

    def message(self, result: list[CashMatch]) -> str:
        return "Matched. The break resolves at the next run."


class DismissSuggestion(_Decision):
    submit_label = "Dismiss"

    def consequences(self, target: Suggestion) -> Sequence[str]:
        return ("It is not suggested again. The break stays as it is.",)

    def run(self, *, actor: Person, form: Any, target: Suggestion) -> Suggestion:
        return hands.dismiss(actor=actor, suggestion_id=target.pk)


class SettlementList(ListPage):
    """Payouts of PSPs with what they are made of; its file is the formula as CSV."""

    title = "Settlements"
    queryset = payouts().select_related("connection")
    table = tables.SettlementTable
    filters = filters.SettlementFilters
    permission = "integrations.view_pspline"


class SettlementDetail(DetailPage):
    queryset = payouts().select_related("connection", "entity")
    template = "reconciliation/settlement.html"
    permission = "integrations.view_pspline"
    nav = "settlements"

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Settlements", reverse("settlements")),)

    def heading(self) -> str:
        return f"Settlement {self.row.payout_key or self.row.psp_reference}"

    def context(self, row: PspLine, tab: str) -> Mapping[str, Any]:
        settlement = settlements_of([row])[row.pk]
        received = settlement.received
        return {
            "settlement": settlement,
            "steps": settlement.steps(),
            "paid": Money(settlement.paid, row.currency),
            "received": None if received is None else Money(received, row.currency),
            "open": Money(settlement.open, row.currency),
        }


class RuleList(ListPage):
    title = "Reconciliation rules"
    queryset = Rule.objects.all()
    table = tables.RuleTable
    permission = "reconciliation.view_run"
    entity_path = ""


class ChangeRule(GatedPage):
    """Ask for another version of the rule of a kind; the row of the address is the version one starts from."""

    queryset = Rule.objects.all()
    entity_path = ""
    permission = "reconciliation.ask_rule"
    form = forms.RuleForm
    action = rule_actions.CHANGE_RULE
    nav = "reconciliation-rules"

    def heading(self) -> str:
        return f"Another rule for {self.target.kind}"

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Reconciliation rules", reverse("reconciliation-rules")),)

    def form_arguments(self, target: Rule) -> Mapping[str, Any]:
        entities = scope.entities_of(self.user).order_by("code")
        text = json.dumps(target.parameters, indent=2, sort_keys=True, ensure_ascii=False)
        return {"entities": entities, "initial": {"parameters": text, "entity": entities.first()}}

    def consequences(self, target: Rule) -> Sequence[str]:
        return ("Runs from the approval on use it. What was matched before keeps the version it was matched by.",)

    def payload(self, form: Any, target: Rule) -> rule_actions.ChangeRule:
        data = form.cleaned_data
        return rule_actions.ChangeRule(data["entity"].pk, target.kind, data["parameters"], data["note"])

    def success_url(self, result: Any) -> str:
        return reverse("request", args=[result.pk])
