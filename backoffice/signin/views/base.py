"""What the pages of sign-in share. They are one's own: no permission opens them, only being that person."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.middleware.csrf import rotate_token
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views import View
from django.views.decorators.debug import sensitive_post_parameters

from backoffice.kernel.actor import Person
from backoffice.kernel.errors import DomainError, StepUpNeeded
from backoffice.organisation.models import User
from backoffice.signin.selectors.standing import Standing
from backoffice.signin.services.sessions import SessionOver
from backoffice.signin.signals import person_of
from backoffice.ui.views import SeeOther


class OnlyTheirs(DomainError):
    """Somebody who looks as another person asked for a page that is that person's own."""


class Own(View):
    """A page of somebody who has given at least the password. Others go to the sign-in, and come back."""

    who: User
    standing: Standing

    @method_decorator(sensitive_post_parameters())
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        standing: Standing | None = getattr(request, "standing", None)
        if standing is None:
            return redirect(with_next(resolve_url(settings.LOGIN_URL), request.get_full_path()))
        if getattr(request, "looking", None) is not None:
            raise OnlyTheirs("This page is a person's own: nobody looks at it as them. End the look to see yours.")
        self.standing = standing
        self.who = cast(User, getattr(request, "signing_in", None) or request.user)
        return super().dispatch(request, *args, **kwargs)

    def actor(self) -> Person:
        return person_of(self.request, self.who)

    @property
    def session_id(self) -> int:
        return self.standing.session.pk

    def next_url(self) -> str:
        """Where to go on, if it is one of our addresses; else the start page."""
        return wanted(self.request) or resolve_url(settings.LOGIN_REDIRECT_URL)

    def go_on(self) -> HttpResponseRedirect:
        """On as a person who is in now: the session gets another number, and forms another token."""
        self.request.session.cycle_key()
        rotate_token(self.request)
        return SeeOther(self.next_url())


class FormPage(Own):
    """A form and what it does. A refusal is shown on it (422)."""

    template: ClassVar[str] = "signin/form.html"
    title: ClassVar[str] = ""
    lead: ClassVar[str] = ""
    submit_label: ClassVar[str] = "Go on"
    form: ClassVar[type[forms.Form]] = forms.Form

    def run(self, form: Any) -> HttpResponseBase:
        """Call the service and say where to go on."""
        raise AssertionError("every form does something")

    def more(self) -> dict[str, Any]:
        """More context."""
        return {}

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return self.show(self.form())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        form = self.form(request.POST)
        if not form.is_valid():
            return self.show(form, status=422)
        try:
            return self.run(form)
        except (StepUpNeeded, SessionOver):
            raise
        except DomainError as error:
            form.add_error(None, str(error))
            return self.show(form, status=422)

    def show(self, form: forms.Form, status: int = 200) -> HttpResponseBase:
        context = {
            "form": form,
            "title": self.title,
            "lead": self.lead,
            "submit_label": self.submit_label,
            "next": wanted(self.request),
            "who": self.who,
            **self.more(),
        }
        return render(self.request, self.template, context, status=status)


def wanted(request: HttpRequest) -> str:
    """The address of ours that the page was asked to lead to; empty when there is none."""
    given = request.POST.get("next") or request.GET.get("next") or ""
    fits = url_has_allowed_host_and_scheme(given, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return given if fits and given.startswith("/") else ""


def with_next(address: str, back: str) -> str:
    return f"{address}?{urlencode({'next': back})}" if back else address


def completing(standing: Standing, back: str) -> str:
    """The page that asks for what is missing in a session."""
    return with_next(reverse("second-factor" if standing.has_factor else "enrol"), back)


open_to_signing_in = method_decorator(login_not_required, name="dispatch")
