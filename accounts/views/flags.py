"""Pages that set and end flags, and the deadlines of AML holds. Who may not know a flag gets the answer they would get
if it were not there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from django.db.models import Model, OuterRef, QuerySet, Subquery
from django.urls import reverse

from accounts import actions, forms, tables
from accounts.models import Client, ConsentStep, Flag, FlagKind
from accounts.models.flags import RULES
from accounts.selectors import visible
from accounts.services import flags, papers
from accounts.views.steps import OfClient
from backoffice.kernel.actor import Person
from backoffice.organisation.selectors import scope
from backoffice.ui.views import ActionPage, AskingPage, ListPage

M = TypeVar("M", bound=Model)
# What the stored request says, whatever the flag: the words of people go into a confidential note.
_STORED_REASON = "The cause has been looked into; see the client's page."
_LATEST = ConsentStep.objects.filter(flag=OuterRef("pk")).order_by("-pk")


class SetFlag(OfClient):
    permission = "accounts.set_flag"
    form = forms.FlagForm
    submit_label = "Set a flag"

    def form_arguments(self, target: Client) -> Mapping[str, Any]:
        return {"user": self.user}

    def run(self, *, actor: Person, form: Any, target: Client) -> Flag:
        data = form.cleaned_data
        return flags.set_flag(actor=actor, client_id=target.pk, kind=data["kind"], note=data["note"])


class _OfFlag(ActionPage):
    entity_path = "client__entity"
    nav = "clients"
    queryset = Flag.objects.filter(ended_at=None).select_related("client", "set_by")

    def visible(self, queryset: QuerySet[M]) -> QuerySet[M]:
        known = visible.flags(self.user).values("pk")
        return super().visible(queryset).filter(pk__in=known)

    def facts(self, target: Flag) -> Sequence[tuple[str, Any]]:
        return (
            ("Client", str(target.client)),
            ("Flag", f"{target.get_kind_display()}, number {target.pk}"),
            ("Set", target.set_at),
            ("By", str(target.set_by or "a job")),
        )

    def success_url(self, result: Any) -> str:
        return reverse("client", args=[self.target.client_id])


class EndFlag(_OfFlag, AskingPage):
    """Ends a flag, or asks for it where two people must agree."""

    permission = "accounts.end_flag"
    form = forms.EndFlagForm
    submit_label = "End the flag"

    def heading(self) -> str:
        return f"{self.submit_label} · {self.target.client.number}"

    def asks(self, target: Flag) -> str:
        return "" if RULES[target.kind].decider is None else actions.END_FLAG[FlagKind(target.kind)]

    def run(self, *, actor: Person, form: Any, target: Flag) -> Any:
        if not self.asks(target):
            done: Any = flags.end_flag(actor=actor, flag_id=target.pk)
        else:
            scope.require(self.user, RULES[target.kind].end)
            form.cleaned_data["reason"] = _STORED_REASON
            done = self.ask(actor=actor, form=form, action=self.asks(target), payload=actions.EndFlag(target.pk))
        papers.add_note(actor=actor, client_id=target.client_id, text=form.cleaned_data["note"], confidential=True)
        return done

    def message(self, result: Any) -> str:
        return "Ended." if isinstance(result, Flag) else "Sent for approval. Nothing has changed yet."


class HoldList(ListPage):
    """AML holds with what is waited for until when."""

    title = "Holds"
    table = tables.HoldTable
    permission = "accounts.see_aml_hold"
    entity_path = "client__entity"

    def rows(self) -> QuerySet[Flag]:
        rows = Flag.objects.filter(kind=FlagKind.AML_HOLD, ended_at=None).select_related("client__entity", "set_by")
        return rows.annotate(
            stage=Subquery(_LATEST.values("kind")[:1]), deadline=Subquery(_LATEST.values("deadline_date")[:1])
        )


class NoteConsent(_OfFlag):
    """The authority's consent: asked for, given, refused."""

    permission = "accounts.see_aml_hold"
    form = forms.ConsentForm
    submit_label = "Note it"
    nav = "holds"

    def heading(self) -> str:
        return f"Consent · {self.target.client.number}"

    def visible(self, queryset: QuerySet[M]) -> QuerySet[M]:
        return super().visible(queryset).filter(kind=FlagKind.AML_HOLD)

    def run(self, *, actor: Person, form: Any, target: Flag) -> ConsentStep:
        scope.require(self.user, RULES[FlagKind.AML_HOLD].put)
        what, day = form.cleaned_data["what"], form.cleaned_data["day"]
        if what == ConsentStep.Kind.ASKED:
            return flags.ask_consent(actor=actor, flag_id=target.pk, on=day)
        return flags.record_answer(actor=actor, flag_id=target.pk, granted=what == ConsentStep.Kind.GRANTED, on=day)

    def success_url(self, result: Any) -> str:
        return reverse("holds")
