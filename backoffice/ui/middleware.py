"""Around every request: a number for it, a signed-in person behind it, no copy of it in any cache."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import resolve_url
from django.utils.http import urlencode

from backoffice.kernel.errors import DomainError, StepUpNeeded
from backoffice.ui import errors


class RequestContext(LoginRequiredMiddleware):
    """Numbers the request (`request.request_id`, header X-Request-Id), keeps answers out of caches, asks for a
    sign-in on every view that is not marked `login_not_required`, and shows refusals as pages."""

    async_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        super().__init__(get_response)
        self._answer = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        number = uuid.uuid4().hex
        request.request_id = number  # type: ignore[attr-defined]
        response = self._answer(request)
        response["X-Request-Id"] = number
        response["Cache-Control"] = "no-store, private"
        return response

    def get_login_url(self, view_func: Callable[..., Any]) -> str:
        """There is one door, whatever a library's view (Django's admin) would name."""
        return resolve_url(settings.LOGIN_URL)

    def handle_no_permission(  # type: ignore[override]
        self, request: HttpRequest, view_func: Callable[..., Any]
    ) -> HttpResponseBase:
        """To the sign-in and back. A part of a page that is fetched by script must not show the sign-in inside
        the page, so there the whole page goes."""
        if "HX-Request" not in request.headers:
            return super().handle_no_permission(request, view_func)
        back = urlencode({self.redirect_field_name: _path_of(request.headers.get("HX-Current-URL", ""))})
        return HttpResponse(headers={"HX-Redirect": f"{resolve_url(self.get_login_url(view_func))}?{back}"})

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """A refusal that no form took becomes a page; everything else is a defect and goes its way."""
        if isinstance(exception, StepUpNeeded):
            return _step_up(request)
        return errors.refused(request, exception) if isinstance(exception, DomainError) else None


def _step_up(request: HttpRequest) -> HttpResponse:
    """To the page that asks for a fresh second factor, and back: to the form that was sent, with the rows that
    were picked, or to the page where it stood if the address itself cannot be looked at."""
    back = request.get_full_path()
    if "HX-Request" in request.headers:
        back = _path_of(request.headers.get("HX-Current-URL", ""))
    elif request.method == "POST":
        view = getattr(request.resolver_match.func, "view_class", None) if request.resolver_match else None
        kept = QueryDict(mutable=True)
        for name in ("ids", "back"):
            kept.setlist(name, request.POST.getlist(name))
        query = kept.urlencode(safe="/")
        back = f"{request.path}?{query}" if query else back
        if not hasattr(view, "get"):
            back = _path_of(request.headers.get("Referer", ""))
    where = f"{resolve_url('step-up')}?{urlencode({'next': back})}"
    if "HX-Request" in request.headers:
        return HttpResponse(headers={"HX-Redirect": where})
    return HttpResponse(status=303, headers={"Location": where})


def _path_of(address: str) -> str:
    parts = urlsplit(address)
    return parts.path + (f"?{parts.query}" if parts.query else "")
