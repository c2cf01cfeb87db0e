"""Pages of approvals: what waits, what exactly was asked, and the decisions about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from django.forms import Form
from django.urls import reverse

from backoffice.approvals import filters, forms, registry, tables
from backoffice.approvals.models import OPEN, Part, Request, State
from backoffice.approvals.services import requests
from backoffice.kernel.actor import Person
from backoffice.kernel.money import Money
from backoffice.organisation.models import User
from backoffice.organisation.selectors import scope
from backoffice.ui import formats
from backoffice.ui.components import Difference
from backoffice.ui.views import ActionPage, Crumb, DetailPage, ListPage

VIEW = "approvals.view_request"


def took_part(request: Request, user: User) -> str:
    """The part a person has already taken, in words; empty when none."""
    found = request.participations.filter(person=user).first()
    return found.get_part_display() if found else ""


class RequestList(ListPage):
    title = "Approvals"
    queryset = Request.objects.select_related("entity", "maker")
    table = tables.RequestTable
    filters = filters.RequestFilters
    permission = VIEW


class RequestDetail(DetailPage):
    """Frozen payload, human diff, automatic checks, what would be booked, and the chain with names."""

    queryset = Request.objects.select_related("entity", "maker")
    template = "approvals/request.html"
    permission = VIEW
    nav = "requests"

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Approvals", reverse("requests")),)

    def heading(self) -> str:
        return registry.get(self.row.action).title

    def context(self, row: Request, tab: str) -> Mapping[str, Any]:
        action = registry.get(row.action)
        payload = registry.load(action.payload, row.payload)
        given = row.participations.filter(part=Part.APPROVER).count()
        return {
            "tones": tables.TONES,
            "labels": dict(State.choices),
            "changes": [Difference(c["label"], c["before"], c["after"]) for c in row.preview.get("changes", [])],
            "effects": [_effect(effect) for effect in row.preview.get("effects", [])],
            "checks": action.checks(payload) if row.state in OPEN else [],
            "chain": row.participations.select_related("person"),
            "given": given,
            "missing": max(row.approvals_needed - given, 0),
            "others": Request.objects.filter(client=row.client, state__in=OPEN).exclude(pk=row.pk)
            if row.client
            else Request.objects.none(),
            "payload": [(name.replace("_", " "), formats.words(v)) for name, v in sorted(row.payload.items())],
            "decisions": self.decisions(row),
            "blocked": self.blocked(row),
        }

    def decisions(self, row: Request) -> list[Mapping[str, str]]:
        """What this person may do now; nothing for somebody who already took part."""
        mine = row.maker_id == self.user.pk
        parts = took_part(row, self.user)
        may_decide = not parts and scope.may(self.user, row.approve_permission)
        may_execute = not parts and scope.may(self.user, row.execute_permission) and row.execute_permission
        choices = [
            ("approve", "Approve", "primary", row.state == State.PENDING and may_decide),
            ("execute", "Execute", "primary", row.state == State.APPROVED and may_execute),
            ("reject", "Reject", "danger", row.state in OPEN and may_decide),
            ("withdraw", "Withdraw", "", row.state in OPEN and mine),
        ]
        return [
            {"label": label, "url": reverse(f"{name}-request", args=[row.pk]), "tone": tone}
            for name, label, tone, shown in choices
            if shown
        ]

    def blocked(self, row: Request) -> str:
        """Why this person cannot decide, said plainly."""
        if row.state not in OPEN:
            return ""
        part = took_part(row, self.user)
        if part:
            return f"You {part} this request: another person has to decide."
        if not scope.may(self.user, row.approve_permission):
            return f"Deciding needs the permission “{row.approve_permission}”."
        return ""


class _Decision(ActionPage):
    queryset = Request.objects.select_related("entity", "maker")
    permission = VIEW
    form: ClassVar[type[Form]] = forms.DecisionForm
    nav = "requests"

    def heading(self) -> str:
        return f"{self.submit_label}: {self.target.summary}"

    def form_arguments(self, target: Request) -> Mapping[str, Any]:
        return {"initial": {"seen": target.payload_hash}}

    def facts(self, target: Request) -> Sequence[tuple[str, Any]]:
        amount = f"{target.amount:,.2f} {target.currency}" if target.amount is not None else "–"
        return (("Asked by", target.maker), ("Reason", target.reason), ("Amount", amount))

    def success_url(self, result: Any) -> str:
        return reverse("request", args=[self.target.pk])


class Approve(_Decision):
    submit_label = "Approve"

    def consequences(self, target: Request) -> Sequence[str]:
        if target.execute_permission:
            return ("With the last approval it waits for a third person to execute it.",)
        return ("With the last approval it is carried out at once, exactly as shown.",)

    def run(self, *, actor: Person, form: Any, target: Request) -> Request:
        data = form.cleaned_data
        return requests.approve(actor=actor, request_id=target.pk, seen_hash=data["seen"], reason=data["reason"])

    def message(self, result: Request) -> str:
        return "Approved and carried out." if result.state == State.EXECUTED else "Approved."


class Execute(_Decision):
    submit_label = "Execute"

    def run(self, *, actor: Person, form: Any, target: Request) -> Request:
        return requests.execute(actor=actor, request_id=target.pk, seen_hash=form.cleaned_data["seen"])

    def message(self, result: Request) -> str:
        return "Carried out."


class Reject(_Decision):
    form = forms.RejectForm
    submit_label = "Reject"
    tone = "danger"

    def run(self, *, actor: Person, form: Any, target: Request) -> Request:
        data = form.cleaned_data
        return requests.reject(actor=actor, request_id=target.pk, seen_hash=data["seen"], reason=data["reason"])

    def message(self, result: Request) -> str:
        return "Rejected. Nothing was changed."


class Withdraw(_Decision):
    form = forms.WithdrawForm
    submit_label = "Withdraw"

    def form_arguments(self, target: Request) -> Mapping[str, Any]:
        return {}

    def run(self, *, actor: Person, form: Any, target: Request) -> Request:
        return requests.withdraw(actor=actor, request_id=target.pk, reason=form.cleaned_data["reason"])

    def message(self, result: Request) -> str:
        return "Withdrawn."


def _effect(effect: Mapping[str, Any]) -> tuple[str, Money | None]:
    """What would happen, in words, and the money it moves (debit positive)."""
    others = {name: value for name, value in effect.items() if name not in ("account", "amount", "currency")}
    says = " ".join(filter(None, (str(effect.get("account", "")), formats.words(others) if others else "")))
    amount = effect.get("amount")
    return says, None if amount is None else Money(Decimal(str(amount)), str(effect.get("currency", "")))
