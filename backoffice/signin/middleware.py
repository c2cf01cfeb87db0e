"""On every request: is this session still good, is it complete, does it come from an allowed address.

A person whose session is not complete is nobody to all pages: `request.user` is anonymous, and only the pages of
this room find them, as `request.signing_in`. So a page cannot forget to ask for the second factor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render

from backoffice.kernel.actor import System
from backoffice.organisation.models import User
from backoffice.signin.models import End
from backoffice.signin.selectors.standing import Standing, standing
from backoffice.signin.services import sessions
from backoffice.ui.requests import ip_of, request_id_of

SESSION = "signin"
Answer = Callable[[HttpRequest], HttpResponseBase]
_SAID = {
    End.IDLE: "You were signed out because nothing happened for a while. Sign in to go on.",
    End.AGE: "A session lasts one working day. Sign in to go on.",
    End.SIGNED_OUT: "",
}


class Headers:
    """Headers of every answer that no library sets. The content security policy is django-csp's; the other
    usual ones are those of Django's SecurityMiddleware."""

    def __init__(self, get_response: Answer) -> None:
        self._answer = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._answer(request)
        response["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
        response["Cross-Origin-Resource-Policy"] = "same-origin"
        return response


class Gate:
    """Stands after the request has its number and before any view."""

    def __init__(self, get_response: Answer) -> None:
        self._answer = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        user = request.user
        if isinstance(user, User):
            number = request.session.get(SESSION)
            found = standing(number, user.pk, ip_of(request)) if isinstance(number, int) else None
            if found is None or found.over is not None:
                self._close(request, found)
                if found is not None and found.over is End.ADDRESS:
                    return render(request, "signin/elsewhere.html", {"ip": ip_of(request)}, status=403)
            elif not found.complete:
                _hide(request, user, found)
            else:
                _let_in(request, found)
        return self._answer(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        """What a page asks for by itself is no activity of the person."""
        found: Standing | None = getattr(request, "standing", None)
        if found is not None and not getattr(getattr(view, "view_class", None), "background", False):
            sessions.seen(found.session)

    def _close(self, request: HttpRequest, found: Standing | None) -> None:
        said = "Your session has ended. Sign in to go on."
        if found is not None and found.over is not None:
            actor = System("sign-in", request_id=request_id_of(request))
            sessions.end_one(actor=actor, session_id=found.session.pk, end=found.over)
            said = _SAID.get(found.over, f"Your session has ended: {found.over.label}. Sign in to go on.")
        request.session.flush()
        request.user = AnonymousUser()
        if said and "HX-Request" not in request.headers:
            messages.info(request, said)


def _hide(request: HttpRequest, user: User, found: Standing) -> None:
    request.user = AnonymousUser()
    request.signing_in = user  # type: ignore[attr-defined]
    request.standing = found  # type: ignore[attr-defined]


def _let_in(request: HttpRequest, found: Standing) -> None:
    request.standing = found  # type: ignore[attr-defined]
    request.verified_at = found.session.stepped_at  # type: ignore[attr-defined]
