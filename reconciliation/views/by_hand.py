"""Matching without a suggestion: a person picks lines of two sides, from an open break; another person accepts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.urls import reverse

from backoffice.kernel.actor import Person
from backoffice.ui.views import ActionPage
from reconciliation import forms
from reconciliation.models import OPEN_STATES, Break, FactKind, Kind, Suggestion
from reconciliation.selectors.candidates import OURS, THEIRS, Candidate, Wanted, found, picked
from reconciliation.selectors.side_steps import written
from reconciliation.services import by_hand

# Where a break names its own lines.
_REFS = {"deal": "deals", "journal": "journals", "psp": "psp", "bank": "bank"}


class MatchByHand(ActionPage):
    queryset = Break.objects.select_related("entity").filter(kind=Kind.CASH, state__in=OPEN_STATES)
    permission = "reconciliation.match_cash"
    template = "reconciliation/match_by_hand.html"
    form = forms.ByHandForm
    submit_label = "Propose"
    nav = "breaks"

    def heading(self) -> str:
        return f"Match by hand · break {self.target.pk}"

    def facts(self, target: Break) -> Sequence[tuple[str, Any]]:
        return (("Class", target.meaning.title), ("What differs", target.summary), ("Day", target.business_date))

    def form_arguments(self, target: Break) -> Mapping[str, Any]:
        search = self._search(target)
        own = {kind: _own(target, kinds) for kind, kinds in (("ours", OURS), ("theirs", THEIRS))}
        shown = {
            side: {c.name: c for c in [*own[side], *_found(target, search, side, kinds)]}
            for side, kinds in (("ours", OURS), ("theirs", THEIRS))
        }
        choices = {side: [(name, label(one)) for name, one in rows.items()] for side, rows in shown.items()}
        return {**choices, "search": search, "initial": {side: [c.name for c in rows] for side, rows in own.items()}}

    def _search(self, target: Break) -> forms.SearchLinesForm:
        usual = {
            "day": target.business_date,
            "around": 7,
            "ours_currency": target.currency,
            "theirs_currency": target.currency,
        }
        asked = self.request.GET if "day" in self.request.GET else usual
        search = forms.SearchLinesForm(asked)
        search.is_valid()
        return search

    def consequences(self, target: Break) -> Sequence[str]:
        return (
            "Nothing is matched yet: another person finds it under Suggested matches and accepts or dismisses it.",
            "A difference that is said to be a fee or of exchange is booked when it is accepted.",
        )

    def run(self, *, actor: Person, form: Any, target: Break) -> Suggestion:
        data = form.cleaned_data
        return by_hand.propose(
            actor=actor,
            entity_id=target.entity_id,
            ours=data["ours"],
            theirs=data["theirs"],
            reason=data["reason"],
            difference=data["difference"],
        )

    def message(self, result: Suggestion) -> str:
        return "Proposed. It waits under Suggested matches for another person."

    def success_url(self, result: Suggestion) -> str:
        return reverse("break", args=[self.target.pk])


def label(one: Candidate) -> str:
    """A line in words, as one picks it."""
    left = "" if one.free == one.whole else f", {written(one.free, one.currency)} left"
    return f"{one.day} · {written(one.whole, one.currency)}{left} · {FactKind(one.kind).label}: {one.said}"[:240]


def _own(item: Break, kinds: Sequence[str]) -> list[Candidate]:
    """The break's own lines of a side of which something is left."""
    facts = {kind: item.refs.get(_REFS[kind], []) for kind in kinds}
    rows = picked(item.entity_id, {kind: ids for kind, ids in facts.items() if ids})
    return [one for one in rows if one.free and not one.superseded]


def _found(item: Break, search: forms.SearchLinesForm, side: str, kinds: Sequence[str]) -> list[Candidate]:
    if not search.is_valid():
        return []
    asked = search.cleaned_data
    wanted = Wanted(
        item.entity_id,
        asked[f"{side}_currency"].strip().upper(),
        asked["day"],
        asked["around"],
        asked["amount"],
        asked["text"],
    )
    return found(wanted, kinds)
