"""The steps people take with a request. Each form carries what its page showed; anything older is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from django.db.models import Model, QuerySet
from django.forms import Form
from django.urls import reverse

from backoffice.approvals import forms, registry
from backoffice.approvals.models import Part, Participation, Request, State
from backoffice.approvals.registry import Level
from backoffice.approvals.selectors import progress, sight, verdicts
from backoffice.approvals.services import attachments, bulk, requests, steps
from backoffice.approvals.services.bulk import Outcome
from backoffice.approvals.services.refusals import SameEyes
from backoffice.approvals.views.lists import Room
from backoffice.kernel.actor import Person
from backoffice.kernel.errors import NotPermitted
from backoffice.ui.requests import actor_of
from backoffice.ui.views import ActionPage

M = TypeVar("M", bound=Model)


class _Step(Room, ActionPage):
    queryset = Request.objects.select_related("entity", "maker")

    def heading(self) -> str:
        return f"{self.submit_label}: {self.target.summary}"

    def success_url(self, result: Any) -> str:
        return reverse("request", args=[self.target.pk])


class _Decision(_Step):
    """Somebody who may not take the step gets no form, and what they send is not read."""

    form: ClassVar[type[Form]] = forms.DecisionForm
    part: ClassVar[Part] = Part.APPROVER

    def row_or_404(self, queryset: QuerySet[M], pk: Any) -> M:
        row = super().row_or_404(queryset, pk)
        assert isinstance(row, Request), "decisions are about requests"
        actor = actor_of(self.request)
        try:
            steps.require_may_take(actor=actor, request=row, part=self.part)
        except SameEyes:
            if self.request.method == "POST":
                steps.note_own(actor=actor, request_id=row.pk, step=type(self).__name__.lower())
            raise
        return row

    def form_arguments(self, target: Request) -> Mapping[str, Any]:
        return {"initial": {"seen": target.payload_hash, "token": progress.token(target)}}

    def facts(self, target: Request) -> Sequence[tuple[str, Any]]:
        amount = f"{target.amount:,.2f} {target.currency}" if target.amount is not None else "–"
        client = registry.named_client(self.user, target.client)
        loud = [f"{check.label}: {check.detail}" for check in _checks(target) if check.level is not Level.GREEN]
        return (
            ("Asked by", target.maker),
            *([("Client", client[0])] if client else []),
            ("Reason", f"{registry.words_of(target.action, target.reason_code)}: {target.reason}"),
            ("Amount", amount),
            ("Checks", "; ".join(loud) or "all green"),
        )

    def arguments(self, form: Any, target: Request) -> dict[str, Any]:
        data = form.cleaned_data
        return {"request_id": target.pk, "seen_hash": data["seen"], "token": data["token"], "reason": data["reason"]}


class Approve(_Decision):
    submit_label = "Approve"

    def consequences(self, target: Request) -> Sequence[str]:
        if target.execute_permission:
            return ("With the last approval it waits for a third person to execute it.",)
        if progress.missing(target).count > 1:
            return ("Other approvals are still missing; nothing is carried out yet.",)
        return ("With the last approval it is carried out at once, exactly as shown.",)

    def run(self, *, actor: Person, form: Any, target: Request) -> Request:
        return requests.approve(actor=actor, **self.arguments(form, target))

    def message(self, result: Request) -> str:
        return "Approved and carried out." if result.state == State.EXECUTED else "Approved."


class Execute(_Decision):
    form = forms.SeenForm
    part = Part.EXECUTOR
    submit_label = "Execute"

    def run(self, *, actor: Person, form: Any, target: Request) -> Request:
        data = form.cleaned_data
        return requests.execute(actor=actor, request_id=target.pk, seen_hash=data["seen"], token=data["token"])

    def message(self, result: Request) -> str:
        return "Carried out."


class Reject(_Decision):
    form = forms.RejectForm
    part = Part.REJECTER
    submit_label = "Reject"
    tone = "danger"

    def run(self, *, actor: Person, form: Any, target: Request) -> Request:
        return requests.reject(actor=actor, **self.arguments(form, target))

    def message(self, result: Request) -> str:
        return "Rejected. Nothing was changed."


class Return(_Decision):
    form = forms.RejectForm
    part = Part.RETURNER
    submit_label = "Return for change"

    def consequences(self, target: Request) -> Sequence[str]:
        return ("The person who asked can make a new version. Approvals given so far do not count for it.",)

    def run(self, *, actor: Person, form: Any, target: Request) -> Request:
        return requests.return_for_change(actor=actor, **self.arguments(form, target))

    def message(self, result: Request) -> str:
        return "Returned for change. Nothing was changed."


class Replace(_Step):
    form: ClassVar[type[Form]] = forms.VersionForm
    submit_label = "Ask for approval"

    def form_arguments(self, target: Request) -> Mapping[str, Any]:
        initial = {"reason": target.reason, "reason_code": target.reason_code}
        return {"action": registry.get(target.action), "content": target.payload, "initial": initial}

    def facts(self, target: Request) -> Sequence[tuple[str, Any]]:
        said = target.participations.filter(part="RETURNER").select_related("person").first()
        return (("Returned by", said.person), ("Because", said.reason)) if said else ()

    def run(self, *, actor: Person, form: Any, target: Request) -> Request:
        data = form.cleaned_data
        return requests.replace(
            actor=actor,
            request_id=target.pk,
            payload=form.payload(),
            reason=data["reason"],
            reason_code=data["reason_code"],
            files=data["files"],
        )

    def success_url(self, result: Request) -> str:
        return reverse("request", args=[result.pk])

    def message(self, result: Request) -> str:
        return f"Version {result.version} was sent for approval. Nothing has changed yet."


class Attach(_Step):
    form: ClassVar[type[Form]] = forms.AttachForm
    submit_label = "Add a file"

    def run(self, *, actor: Person, form: Any, target: Request) -> Any:
        file = form.cleaned_data["file"]
        # One byte more than the largest says that it is too large; the rest is not read.
        content = file.read(attachments.LARGEST + 1)
        return attachments.attach(actor=actor, request_id=target.pk, name=file.name, content=content)

    def message(self, result: Any) -> str:
        return f"{result.name} was added."


class Withdraw(_Step):
    form: ClassVar[type[Form]] = forms.WithdrawForm
    submit_label = "Withdraw"

    def run(self, *, actor: Person, form: Any, target: Request) -> Request:
        return requests.withdraw(actor=actor, request_id=target.pk, reason=form.cleaned_data["reason"])

    def message(self, result: Request) -> str:
        return "Withdrawn."


class ApproveMany(Room, ActionPage):
    """Several at once, each of which its policy lets be approved so."""

    title = "Approve several"
    submit_label = "Approve"
    bulk = True
    form: ClassVar[type[Form]] = forms.ManyForm
    queryset = Request.objects.select_related("maker")

    def _picked(self, queryset: QuerySet[Any], ids: Sequence[str]) -> list[Any]:
        """The picked requests; one that is not this person's to decide refuses all, before the form is read."""
        rows = super()._picked(queryset, ids)
        for row in rows:
            if not sight.may_decide(self.user, row):
                raise NotPermitted(row.approve_permission)
        own = Participation.objects.filter(person=self.user, request__in=rows).order_by("pk").first()
        if own is not None:
            raise SameEyes(f"You {own.get_part_display()} #{own.request_id} yourself: another person has to decide it.")
        return rows

    def form_arguments(self, target: Sequence[Request]) -> Mapping[str, Any]:
        seen = " ".join(f"{pk}:{token}" for pk, token in bulk.tokens(target).items())
        return {"initial": {"seen": seen}}

    def facts(self, target: Sequence[Request]) -> Sequence[tuple[str, Any]]:
        return tuple((f"#{row.pk}", f"{row.summary} ({row.maker}: {row.reason})") for row in target)

    def run(self, *, actor: Person, form: Any, target: Sequence[Request]) -> Outcome:
        seen = {row.pk: form.cleaned_data["seen"].get(row.pk, "") for row in target}
        return bulk.approve_many(actor=actor, seen=seen, reason=form.cleaned_data["reason"])

    def message(self, result: Outcome) -> str:
        refused = "".join(f" #{pk} was not: {why}" for pk, why in result.refused)
        return f"{result.approved} approved.{refused}"


def _checks(target: Request) -> list[registry.Check]:
    return verdicts.checks(target)
