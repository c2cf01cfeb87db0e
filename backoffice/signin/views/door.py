"""The door: name and password, signing out, the second factor, the password link."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.views import LoginView, LogoutView
from django.forms import Form
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.debug import sensitive_post_parameters

from backoffice.kernel.actor import System
from backoffice.kernel.errors import DomainError, NotFound
from backoffice.signin import forms
from backoffice.signin.middleware import SESSION
from backoffice.signin.selectors.standing import standing
from backoffice.signin.services import factors, passwords
from backoffice.signin.views.base import FormPage, completing, open_to_signing_in, wanted, with_next
from backoffice.ui.requests import ip_of, request_id_of
from backoffice.ui.views import SeeOther


@open_to_signing_in
class SignIn(LoginView):
    """Name and password. Who is inside already goes on to where they wanted; who is half inside, to the rest."""

    template_name = "sign_in.html"
    authentication_form = forms.SignInForm
    redirect_authenticated_user = True

    @method_decorator(sensitive_post_parameters())
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if getattr(request, "signing_in", None) is not None:
            return redirect(completing(request.standing, wanted(request)))  # type: ignore[attr-defined]
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: Any) -> Any:
        login(self.request, form.get_user())
        user = form.get_user()
        found = standing(self.request.session[SESSION], user.pk, ip_of(self.request))
        assert found is not None, "signing in opens a session"
        return redirect(self.get_success_url() if found.complete else completing(found, wanted(self.request)))


@open_to_signing_in
class SignOut(LogoutView):
    """By POST only, so that no link signs anybody out."""

    http_method_names = ("post", "options")


@open_to_signing_in
class SecondFactor(FormPage):
    """The code after the password."""

    template = "signin/second_factor.html"
    title = "Second factor"
    lead = "Open your authenticator app and type the six digits it shows for the back office."
    submit_label = "Sign in"
    form: ClassVar[type[Form]] = forms.CodeForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        found = getattr(request, "standing", None)
        if found is not None and found.complete:
            return redirect(wanted(request) or "today")
        if found is not None and not found.has_factor:
            return redirect(with_next(reverse("enrol"), wanted(request)))
        return super().dispatch(request, *args, **kwargs)

    def run(self, form: Any) -> HttpResponseBase:
        factors.give(actor=self.actor(), session_id=self.session_id, code=form.cleaned_data["code"])
        return self.go_on()


class Recover(SecondFactor):
    """A recovery code instead of the authenticator's."""

    template = "signin/form.html"
    title = "Recovery code"
    lead = "Each code works once. Approvals stay closed until you have enrolled a new authenticator."
    form: ClassVar[type[Form]] = forms.RecoveryForm

    def run(self, form: Any) -> HttpResponseBase:
        left = factors.recover(actor=self.actor(), session_id=self.session_id, code=form.cleaned_data["code"])
        messages.warning(self.request, f"You have {left} recovery codes left. Ask for a new second factor soon.")
        return self.go_on()


class StepUp(FormPage):
    """A fresh code before something that matters; then back to the page it came from."""

    template = "signin/form.html"
    title = "Confirm it is you"
    lead = "This needs a new code of your authenticator. A code works once: wait for the next if you just used it."
    submit_label = "Confirm"
    form = forms.CodeForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        found = getattr(request, "standing", None)
        if found is not None and not found.has_factor:
            messages.info(request, "This needs a second factor. Enrol one, then repeat what you wanted to do.")
            return redirect(completing(found, wanted(request)))
        return super().dispatch(request, *args, **kwargs)

    def run(self, form: Any) -> HttpResponseBase:
        factors.give(actor=self.actor(), session_id=self.session_id, code=form.cleaned_data["code"])
        return self.go_on()


@open_to_signing_in
class SetPassword(View):
    """Behind a one-time link. Looking at it uses nothing up: mail programs look too."""

    @method_decorator(sensitive_post_parameters())
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            passwords.link_of(kwargs["token"])
        except NotFound as error:
            return render(request, "signin/said.html", {"title": "Link not valid", "said": str(error)}, status=404)
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, token: str) -> HttpResponseBase:
        return self._show(forms.NewPasswordForm())

    def post(self, request: HttpRequest, token: str) -> HttpResponseBase:
        form = forms.NewPasswordForm(request.POST)
        if not form.is_valid():
            return self._show(form, 422)
        actor = System("password link", request_id=request_id_of(request))
        try:
            passwords.use_link(actor=actor, token=token, new=form.cleaned_data["new"])
        except DomainError as error:
            form.add_error(None, str(error))
            return self._show(form, 422)
        messages.success(request, "Your password is set. Sign in with it.")
        return SeeOther(reverse("sign-in"))

    def _show(self, form: Any, status: int = 200) -> HttpResponseBase:
        context = {"form": form, "title": "Set your password", "submit_label": "Set the password"}
        return render(self.request, "signin/form.html", context, status=status)
