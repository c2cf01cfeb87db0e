"""On every request: is this session still good, is it complete, does it come from an allowed address.

A person whose session is not complete is nobody to all pages: `request.user` is anonymous, and only the pages of
this room find them, as `request.signing_in`. So a page cannot forget to ask for the second factor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render

from backoffice.kernel.actor import Person, System
from backoffice.organisation.models import User
from backoffice.organisation.selectors import scope
from backoffice.signin.models import End, Impersonation
from backoffice.signin.selectors import looking as rules
from backoffice.signin.selectors.standing import Standing, standing
from backoffice.signin.services import looking, sessions
from backoffice.ui.requests import act_as, ip_of, request_id_of

SESSION = "signin"
Answer = Callable[[HttpRequest], HttpResponseBase]
_SAID = {
    End.IDLE: "You were signed out because nothing happened for a while. Sign in to go on.",
    End.AGE: "A session lasts one working day. Sign in to go on.",
    End.SIGNED_OUT: "",
}
# What may be sent while one looks as somebody else.
_LEAVING = frozenset({"end-impersonation", "sign-out"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
ONLY_LOOKING = "You are looking as {}: nothing can be changed. End the look first, then do it as yourself."
NO_FILES = "You are looking as {}: files are not taken away. Ask them for the file, or end the look first."
LOOK_OVER = "You are no longer looking as {}, so what you sent was not done."


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


class Looking:
    """Stands behind the gate. The state of a look is a row that hangs on the session's row; the browser holds nothing
    of it. Whether it may go on is asked on every request."""

    def __init__(self, get_response: Answer) -> None:
        self._answer = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        found: Standing | None = getattr(request, "standing", None)
        if found is None or not found.complete or found.looking is None:
            return self._answer(request)
        row = Impersonation.objects.select_related("by", "user").get(pk=found.looking)
        why = rules.over(row)
        if why is not None:
            looking.end(actor=_person(request, row.by, str(row.by)), impersonation_id=row.pk, why=why)
            messages.info(request, f"You no longer look as {row.user}: {why.label}.")
            return self._answer(request) if request.method in _SAFE else _refuse(request, LOOK_OVER.format(row.user))
        _become(request, row)
        response = self._answer(request)
        if response.streaming or "attachment" in response.get("Content-Disposition", ""):
            return _refuse(request, NO_FILES.format(row.user))
        return response

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        """Every page that is looked at is noted before it is made; everything but looking is refused."""
        row: Impersonation | None = getattr(request, "looking", None)
        if row is None:
            return None
        match = request.resolver_match
        if request.method not in _SAFE:
            leaving = match is not None and match.view_name in _LEAVING
            return None if leaving else _refuse(request, ONLY_LOOKING.format(row.user))
        looking.note(
            actor=_person(request, row.by, f"{row.by} as {row.user}"),
            row=row,
            path=request.path,
            parameters=request.GET,
            once=getattr(getattr(view, "view_class", None), "background", False),
        )
        return None


def _become(request: HttpRequest, row: Impersonation) -> None:
    """The pages are shown as to the other, without what is withheld and without a fresh factor; what they record was
    done by the administrator."""
    scope.withhold(row.user, rules.WITHHELD)
    request.user = row.user
    request.looking = row  # type: ignore[attr-defined]
    request.verified_at = None  # type: ignore[attr-defined]
    act_as(request, _person(request, row.by, f"{row.by} as {row.user}"))


def _person(request: HttpRequest, user: User, name: str) -> Person:
    return Person(user_id=user.pk, name=name, request_id=request_id_of(request), ip=ip_of(request))


def _refuse(request: HttpRequest, said: str) -> HttpResponse:
    return render(request, "signin/only_looking.html", {"said": said}, status=403)
