"""Around every request: a number for it, a signed-in person behind it, no copy of it in any cache."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import resolve_url
from django.utils.http import urlencode

from backoffice.kernel.errors import DomainError
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

    def handle_no_permission(  # type: ignore[override]
        self, request: HttpRequest, view_func: Callable[..., Any]
    ) -> HttpResponseBase:
        """To the sign-in and back. A part of a page that is fetched by script must not show the sign-in inside
        the page, so there the whole page goes."""
        if "HX-Request" not in request.headers:
            return super().handle_no_permission(request, view_func)
        here = urlsplit(request.headers.get("HX-Current-URL", ""))
        back = urlencode({self.redirect_field_name: here.path + (f"?{here.query}" if here.query else "")})
        return HttpResponse(headers={"HX-Redirect": f"{resolve_url(self.get_login_url(view_func))}?{back}"})

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """A refusal that no form took becomes a page; everything else is a defect and goes its way."""
        return errors.refused(request, exception) if isinstance(exception, DomainError) else None
