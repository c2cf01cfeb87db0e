"""Pages for what went wrong: each says what to do next and shows the request's number.

Wire them in the project's urls: handler400 = "backoffice.ui.errors.bad_request" and so on.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from backoffice.kernel.errors import DomainError, Forbidden, NotFound, NotPermitted
from backoffice.ui.requests import request_id_of


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400. No frame: what is wrong may be the address of the site itself."""
    return _bare(request, "errors/400.html", 400)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403, naming the permission that is missing, so that it can be asked for, or why it is somebody else's."""
    permission = exception.permission if isinstance(exception, NotPermitted) else ""
    said = str(exception) if isinstance(exception, Forbidden) else ""
    return render(request, "errors/403.html", {"permission": permission, "said": said}, status=403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404: not there, or not in the entities the person works in (the same answer on purpose)."""
    return render(request, "errors/404.html", {}, status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """500. Touches no database and no session: either may be the reason."""
    return _bare(request, "errors/500.html", 500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 because the form was not ours, or is older than the sign-in."""
    return _bare(request, "errors/csrf.html", 403)


def refused(request: HttpRequest, error: DomainError) -> HttpResponse:
    """A use case refused outside a form: its sentence as a page."""
    if isinstance(error, Forbidden):
        return forbidden(request, error)
    if isinstance(error, NotFound):
        return not_found(request, error)
    return render(request, "errors/refused.html", {"message": str(error)}, status=409)


def _bare(request: HttpRequest, template: str, status: int) -> HttpResponse:
    page = render_to_string(template, {"request_id": request_id_of(request)})
    return HttpResponse(page, status=status)
