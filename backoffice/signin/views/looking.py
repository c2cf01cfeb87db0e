"""Looking at the pages as somebody else: where it begins and where it ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import resolve_url
from django.urls import reverse
from django.views import View

from backoffice.kernel.actor import Person
from backoffice.kernel.errors import NotFound
from backoffice.organisation.models import User
from backoffice.signin import forms
from backoffice.signin.models import Impersonation, LookEnd
from backoffice.signin.selectors.looking import IMPERSONATE
from backoffice.signin.services import impersonating, looking, sessions
from backoffice.signin.signals import person_of
from backoffice.ui.views import ActionPage, SeeOther


class Impersonate(ActionPage):
    """Asks for a fresh code before it asks for the reason, so that nothing typed is lost on the way."""

    queryset = User.objects.all()
    permission = IMPERSONATE
    entity_path = ""
    nav = "people-sign-in"
    form: ClassVar[type[Form]] = forms.LookForm
    submit_label = "Look as this person"

    def heading(self) -> str:
        return f"Look as {self.target}"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        sessions.require_fresh(request.standing.session)  # type: ignore[attr-defined]
        return super().get(request, *args, **kwargs)

    def consequences(self, target: User) -> Sequence[str]:
        return (
            f"For at most 30 minutes you see the pages as {target} sees them, and can change nothing.",
            "Every page you look at is in the audit log under your name, with the reason.",
            "What only compliance knows stays hidden, and no file can be taken away.",
        )

    def run(self, *, actor: Person, form: Any, target: User) -> Impersonation:
        session_id: int = self.request.standing.session.pk  # type: ignore[attr-defined]
        reason = form.cleaned_data["reason"]
        return impersonating.begin(actor=actor, session_id=session_id, user_id=target.pk, reason=reason)

    def message(self, result: Impersonation) -> str:
        return f"You look as {result.user} until {result.until:%H:%M} UTC."

    def success_url(self, result: Impersonation) -> str:
        return resolve_url("today")


class EndImpersonation(View):
    """The button of the banner. No permission opens it: it ends what this session began."""

    http_method_names = ("post", "options")

    def post(self, request: HttpRequest) -> HttpResponseBase:
        row: Impersonation | None = getattr(request, "looking", None)
        if row is None:
            raise NotFound("You look as nobody.")
        looking.end(actor=person_of(request, row.by), impersonation_id=row.pk, why=LookEnd.BY_PERSON)
        messages.success(request, f"You no longer look as {row.user}.")
        return SeeOther(reverse("person-sign-in", args=[row.user_id]))
