"""Steps of a client's life as pages: those that protect are done at once, those that give back are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.urls import reverse

from accounts import actions, forms, tables
from accounts.models import Client, Reason, Restriction
from accounts.models.clients import ERASABLE
from accounts.models.restrictions import OF_DEALING
from accounts.selectors import visible
from accounts.services import closing, erasing, onboarding, papers, protective, restrictions
from backoffice.kernel.actor import Person
from backoffice.organisation.selectors import scope
from backoffice.ui.views import ActionPage, AskingPage, Crumb, GatedPage, ListPage

_NOTHING_YET = "Sent for approval. Nothing has changed yet."


class OfClient(ActionPage):
    """An action on one client; goes back to the client's page."""

    queryset = Client.objects.select_related("entity")
    nav = "clients"

    def heading(self) -> str:
        return f"{self.title or self.submit_label} · {self.target.number} {self.target.name}"

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Clients", reverse("clients")), Crumb(self.target.name, reverse("client", args=[self.target.pk])))

    def facts(self, target: Client) -> Sequence[tuple[str, Any]]:
        return (("Status", target.get_status_display()), ("Since", target.status_at))

    def success_url(self, result: Any) -> str:
        return reverse("client", args=[self.target.pk])


class ReviewClient(OfClient):
    permission = "accounts.review_client"
    form = forms.ReviewForm
    submit_label = "Put under review"

    def consequences(self, target: Client) -> Sequence[str]:
        return ("Deposits and withdrawals stop at once.", "Another person looks at it within a day.")

    def run(self, *, actor: Person, form: Any, target: Client) -> Client:
        data = form.cleaned_data
        return protective.put_under_review(
            actor=actor, client_id=target.pk, reason=data["code"], trading=data["trading"]
        )


class SuspendClient(OfClient):
    permission = "accounts.suspend_client"
    form = forms.SuspendForm
    submit_label = "Suspend"
    tone = "danger"

    def consequences(self, target: Client) -> Sequence[str]:
        return (
            "Deposits, withdrawals and transfers stop at once, whether or not a trade server answers.",
            "Each login gets a command: trading off, or only closing. Stop-loss orders keep working.",
            "Only two other people can lift it.",
        )

    def run(self, *, actor: Person, form: Any, target: Client) -> Client:
        data = form.cleaned_data
        return protective.suspend(actor=actor, client_id=target.pk, reason=data["code"], trading=data["trading"])


class RestrictClient(OfClient):
    permission = "accounts.restrict_client"
    form = forms.RestrictForm
    submit_label = "Restrict"
    tone = "danger"

    def form_arguments(self, target: Client) -> Mapping[str, Any]:
        return {"client": target}

    def consequences(self, target: Client) -> Sequence[str]:
        return ("It holds from now on. Another person looks at it within a day; lifting it takes two others.",)

    def run(self, *, actor: Person, form: Any, target: Client) -> Restriction:
        data = form.cleaned_data
        return restrictions.restrict(
            actor=actor,
            client_id=target.pk,
            kind=data["kind"],
            reason=data["code"],
            account_id=data["account"].pk if data["account"] else None,
            expires_at=forms.end_of(data["until"]),
        )


class StartClosing(OfClient):
    permission = "accounts.start_closing"
    form = forms.ReasonForm
    submit_label = "Start closing"

    def consequences(self, target: Client) -> Sequence[str]:
        return ("Positions can be closed and money taken out; deposits, new positions and new accounts stop.",)

    def run(self, *, actor: Person, form: Any, target: Client) -> Client:
        return closing.start_closing(actor=actor, client_id=target.pk, reason=form.cleaned_data["code"])


class AskProtect(OfClient, AskingPage):
    """For people who may ask for protection and not take it."""

    permission = "accounts.ask_protect"
    form = forms.AskProtectForm
    submit_label = "Ask for approval"
    title = "Ask for protection"

    def asks(self, target: Client) -> str:
        return actions.RESTRICT

    def run(self, *, actor: Person, form: Any, target: Client) -> Any:
        data = form.cleaned_data
        what, code = data["what"], data["code"]
        action, payload = {
            "REVIEW": (actions.REVIEW, actions.Protect(target.pk, code, protective.UNCHANGED)),
            "SUSPEND": (actions.SUSPEND, actions.Protect(target.pk, code, protective.TRADING_OFF)),
        }.get(what, (actions.RESTRICT, actions.Restrict(target.pk, what, code)))
        return self.ask(actor=actor, form=form, action=action, payload=payload)

    def message(self, result: Any) -> str:
        return _NOTHING_YET


class _AskStep(OfClient, GatedPage):
    form = forms.AskForm

    def payload(self, form: Any, target: Client) -> Any:
        return actions.Step(client_id=target.pk, reason=form.cleaned_data["code"])


class ReactivateClient(_AskStep):
    title = "Make active again"
    permission = "accounts.ask_lift"
    action = actions.REACTIVATE

    def consequences(self, target: Client) -> Sequence[str]:
        return ("Group, leverage and rights of every login become what they were before.",)


class WakeClient(_AskStep):
    title = "Wake"
    permission = "accounts.ask_wake"
    action = actions.WAKE


class CloseClient(_AskStep):
    title = "Close for good"
    permission = "accounts.ask_close"
    action = actions.CLOSE


class ReopenClient(_AskStep):
    title = "Open again"
    permission = "accounts.ask_reopen_client"
    action = actions.REOPEN


class EraseClient(OfClient, GatedPage):
    title = "Erase personal data"
    permission = "accounts.ask_erase"
    form = forms.AskEraseForm
    action = actions.ERASE

    def facts(self, target: Client) -> Sequence[tuple[str, Any]]:
        kept = [("Kept at least until", erasing.kept_until(target))] if target.status in ERASABLE else []
        return (*super().facts(target), *kept)

    def consequences(self, target: Client) -> Sequence[str]:
        return forms.WHAT_ERASING_DOES

    def payload(self, form: Any, target: Client) -> actions.Erase:
        return actions.Erase(client_id=target.pk)


class ChangeCategory(OfClient, GatedPage):
    title = "Change category"
    permission = "accounts.ask_category"
    form = forms.CategoryForm
    action = actions.CATEGORY

    def payload(self, form: Any, target: Client) -> actions.Category:
        return actions.Category(client_id=target.pk, category=form.cleaned_data["category"])


class Application(OfClient):
    permission = "accounts.onboard_client"
    form = forms.ApplicationForm
    submit_label = "Go on"
    title = "Application"

    def run(self, *, actor: Person, form: Any, target: Client) -> Client:
        step = {
            "CHECK": onboarding.start_check,
            "COMPLETE": onboarding.papers_complete,
            "WITHDRAW": onboarding.withdraw_application,
        }[form.cleaned_data["step"]]
        return step(actor=actor, client_id=target.pk)


class DecideApplication(OfClient, AskingPage):
    """Accept or turn down: alone where one person may, else sent for approval."""

    permission = "accounts.record_kyc"
    form = forms.DecideForm
    submit_label = "Decide"
    asked = False

    def asks(self, target: Client) -> str:
        return actions.APPROVE

    def run(self, *, actor: Person, form: Any, target: Client) -> Any:
        data = form.cleaned_data
        accept, code = data["decision"] == "ACCEPT", data["code"]
        try:
            if accept:
                return onboarding.approve_alone(actor=actor, client_id=target.pk)
            return onboarding.reject_alone(actor=actor, client_id=target.pk, reason=code)
        except onboarding.TwoNeeded:
            self.asked = True
            action = actions.APPROVE if accept else actions.REJECT
            payload = actions.Step(client_id=target.pk, reason=code)
            return self.ask(actor=actor, form=form, action=action, payload=payload)

    def message(self, result: Any) -> str:
        return _NOTHING_YET if self.asked else "Done."


class AddNote(OfClient):
    permission = "accounts.write_note"
    form = forms.NoteForm
    submit_label = "Write a note"

    def form_arguments(self, target: Client) -> Mapping[str, Any]:
        return {"confidential": scope.may(self.user, visible.CONFIDENTIAL)}

    def run(self, *, actor: Person, form: Any, target: Client) -> Any:
        data = form.cleaned_data
        return papers.add_note(
            actor=actor, client_id=target.pk, text=data["text"], confidential=data.get("confidential", False)
        )


class AddDocument(OfClient):
    permission = "accounts.add_client_document"
    form = forms.DocumentForm
    submit_label = "Enter a document"

    def run(self, *, actor: Person, form: Any, target: Client) -> Any:
        data = form.cleaned_data
        return papers.add_document(
            actor=actor,
            client_id=target.pk,
            kind=data["kind"],
            name=data["name"],
            sha256=data["sha256"],
            expires_date=data["expires"],
        )


class RecordKyc(OfClient):
    permission = "accounts.record_kyc"
    form = forms.KycForm
    submit_label = "Record a check"

    def run(self, *, actor: Person, form: Any, target: Client) -> Any:
        data = dict(form.cleaned_data)
        return papers.record_kyc(actor=actor, client_id=target.pk, next_review_date=data.pop("next_review"), **data)


class ReviewsDue(ListPage):
    """Protective steps that somebody else has to look at."""

    title = "Reviews due"
    queryset = Restriction.objects.filter(lifted_at=None, review_due_at__isnull=False).select_related(
        "client__entity", "set_by"
    )
    table = tables.RestrictionTable
    permission = "accounts.confirm_restriction"
    entity_path = "client__entity"


class _OfRestriction(ActionPage):
    queryset = Restriction.objects.filter(lifted_at=None).select_related("client", "set_by")
    entity_path = "client__entity"
    nav = "clients"

    def heading(self) -> str:
        return f"{self.submit_label} · {self.target.get_kind_display()} · {self.target.client.number}"

    def facts(self, target: Restriction) -> Sequence[tuple[str, Any]]:
        return (
            ("Client", str(target.client)),
            ("Set", target.set_at),
            ("By", str(target.set_by or "a job")),
            ("Reason", Reason(target.reason).label),
            ("Review due", target.review_due_at),
        )

    def success_url(self, result: Any) -> str:
        return reverse("client", args=[self.target.client_id])


class LiftRestriction(_OfRestriction, GatedPage):
    permission = "accounts.ask_lift"
    form = forms.AskForm
    action = actions.LIFT
    submit_label = "Ask to lift"

    def payload(self, form: Any, target: Restriction) -> actions.Lift:
        return actions.Lift(restriction_id=target.pk, reason=form.cleaned_data["code"])


class LiftTrading(LiftRestriction):
    """For “trading off” and “close only” that somebody set: support may ask, and dealing may agree."""

    queryset = LiftRestriction.queryset.filter(kind__in=OF_DEALING, origin="")
    permission = "accounts.ask_lift_trading"
    action = actions.LIFT_TRADING

    def consequences(self, target: Restriction) -> Sequence[str]:
        return ("Dealing or compliance decides, but never who set it. The logins follow when it is agreed to.",)


class ConfirmRestriction(_OfRestriction):
    permission = "accounts.confirm_restriction"
    form = forms.ConfirmForm
    submit_label = "Keep it"

    def run(self, *, actor: Person, form: Any, target: Restriction) -> Restriction:
        until = forms.end_of(form.cleaned_data["day"])
        assert until is not None
        return restrictions.confirm(actor=actor, restriction_id=target.pk, next_review_at=until)
