"""What Django tells about signing in and out, whichever page caused it: the one place that opens sessions."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.http import HttpRequest

from backoffice.kernel.actor import Person
from backoffice.organisation.models import User
from backoffice.signin.middleware import SESSION
from backoffice.signin.models import End, Session
from backoffice.signin.services import sessions
from backoffice.ui.requests import ip_of, request_id_of


def connect() -> None:
    user_logged_in.connect(_opened, dispatch_uid="signin.opened")
    user_logged_out.connect(_signed_out, dispatch_uid="signin.signed_out")


def person_of(request: HttpRequest, user: User) -> Person:
    """Somebody as an actor, also before they are in."""
    return Person(
        user_id=user.pk,
        name=str(user),
        request_id=request_id_of(request),
        ip=ip_of(request),
        verified_at=getattr(request, "verified_at", None),
    )


def _opened(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    session = sessions.open_session(actor=person_of(request, user), browser=request.headers.get("User-Agent", ""))
    request.session[SESSION] = session.pk


def _signed_out(sender: Any, request: HttpRequest, user: User | None, **_: Any) -> None:
    session = Session.objects.filter(pk=request.session.get(SESSION, 0)).select_related("user").first()
    if session is not None:
        sessions.end_one(actor=person_of(request, session.user), session_id=session.pk, end=End.SIGNED_OUT)
