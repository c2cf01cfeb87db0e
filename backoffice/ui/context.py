"""What the frame of every page shows: navigation, entities, roles."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.shortcuts import resolve_url

from backoffice.organisation.models import User
from backoffice.organisation.roles import ROLES
from backoffice.ui import navigation as rail
from backoffice.ui.requests import entities_of, request_id_of

_TITLES = {role.code: role.title for role in ROLES}


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Context processor. Visitors who have not signed in get no frame, and cost no query."""
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        return {"request_id": request_id_of(request)}
    match = request.resolver_match
    return {
        "request_id": request_id_of(request),
        "sections": rail.sections(user),
        "nav": match.view_name if match else "",
        "home_url": resolve_url(settings.LOGIN_REDIRECT_URL),
        "entities": [code for _, code in entities_of(request)],
        "roles": [_TITLES.get(name, name) for name in sorted(user.groups.values_list("name", flat=True))],
    }
