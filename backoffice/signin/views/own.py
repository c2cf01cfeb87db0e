"""What people do about their own sign-in: sessions, password, second factor, recovery codes."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from backoffice.kernel.errors import NotFound
from backoffice.signin import forms, qr
from backoffice.signin.models import End
from backoffice.signin.selectors import own
from backoffice.signin.selectors.standing import Standing
from backoffice.signin.services import factors, passwords, sessions
from backoffice.signin.views.base import FormPage, Own, open_to_signing_in
from backoffice.ui.views import SeeOther

ENROLLING = "enrolling"


class MySignIn(Own):
    """My sessions, and the ways to password, second factor and recovery codes."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        context = {
            "title": "My sign-in",
            "nav": "",
            "rows": own.open_sessions(self.who.pk),
            "here": self.session_id,
            "has_factor": self.standing.has_factor,
            "needs_factor": self.standing.needs_factor,
            "codes_left": own.codes_left(self.who.pk),
        }
        return render(request, "signin/mine.html", context)


class EndSession(Own):
    """End one of my sessions."""

    http_method_names = ("post", "options")

    def post(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        sessions.end_own(actor=self.actor(), session_id=pk)
        messages.success(request, "The session has ended.")
        return SeeOther(reverse("my-sign-in"))


class EndOthers(Own):
    """End all of my sessions but this one."""

    http_method_names = ("post", "options")

    def post(self, request: HttpRequest) -> HttpResponseBase:
        me, here = self.actor(), self.session_id
        count = sessions.end_sessions(actor=me, user_id=me.user_id, end=End.BY_PERSON, keep=here)
        messages.success(request, f"{count} other session{'' if count == 1 else 's'} ended.")
        return SeeOther(reverse("my-sign-in"))


class ChangePassword(FormPage):
    title = "Change your password"
    lead = "All your other sessions end when it is changed."
    submit_label = "Change the password"
    form = forms.ChangePasswordForm

    def run(self, form: Any) -> HttpResponseBase:
        old, new = form.cleaned_data["old"], form.cleaned_data["new"]
        user = passwords.change(actor=self.actor(), session_id=self.session_id, old=old, new=new)
        # Django signs sessions with the password's hash; this one goes on, under another number.
        update_session_auth_hash(self.request, user)
        messages.success(self.request, "Your password is changed. Your other sessions have ended.")
        return SeeOther(reverse("my-sign-in"))


@open_to_signing_in
class Enrol(FormPage):
    """First the password again, and a fresh code of the old authenticator where there is one."""

    title = "Enrol a second factor"
    lead = (
        "It is an authenticator app on your phone, which shows a new code every half minute. Give your password once "
        "more; the next page has the picture for the app."
    )
    form = forms.AgainForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        found: Standing | None = getattr(request, "standing", None)
        if found is not None and found.has_factor:
            if not found.complete:
                raise NotFound("You have a second factor already.")
            sessions.require_fresh(found.session)
        return super().dispatch(request, *args, **kwargs)

    def run(self, form: Any) -> HttpResponseBase:
        given = form.cleaned_data["password"]
        device = factors.begin(actor=self.actor(), session_id=self.session_id, password=given)
        self.request.session[ENROLLING] = device.pk
        return SeeOther(reverse("enrol-scan") + (f"?next={self.next_url()}" if "next" in self.request.POST else ""))


@open_to_signing_in
class EnrolScan(FormPage):
    """The picture, and the first code as proof. The answer shows the recovery codes, once."""

    template = "signin/scan.html"
    title = "Scan and confirm"
    submit_label = "Confirm"
    form = forms.CodeForm

    def device_id(self) -> int:
        found: int = self.request.session.get(ENROLLING, 0)
        return found

    def more(self) -> dict[str, Any]:
        device = factors.begun(actor=self.actor(), device_id=self.device_id())
        return {"picture": qr.picture(device.config_url), "secret": own.spelled_secret(device)}

    def run(self, form: Any) -> HttpResponseBase:
        code = form.cleaned_data["code"]
        codes = factors.confirm(actor=self.actor(), session_id=self.session_id, device_id=self.device_id(), code=code)
        del self.request.session[ENROLLING]
        to = self.go_on().url
        return render(self.request, "signin/codes.html", {"codes": codes, "to": to, "title": "Recovery codes"})


class NewCodes(FormPage):
    """A new set of recovery codes, shown once."""

    title = "New recovery codes"
    lead = "The codes you have now stop working."
    submit_label = "Make new codes"

    def run(self, form: Any) -> HttpResponseBase:
        codes = factors.renew_codes(actor=self.actor(), session_id=self.session_id)
        context = {"codes": codes, "to": reverse("my-sign-in"), "title": "Recovery codes"}
        return render(self.request, "signin/codes.html", context)
