"""Parts of a page that another room has to say: a client's money on the client's page. Rooms register what they add
when they start; the page asks for all of it and does not know who answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from backoffice.organisation.models import User


@dataclass(frozen=True, slots=True)
class Panel:
    """A template and what it needs; each is one or more cards."""

    template: str
    context: Mapping[str, Any]


# Asked with the reader and the page's row; None where the reader may see nothing of it.
Provider = Callable[[User, Any], Panel | None]
_providers: dict[str, list[Provider]] = {}


def add(page: str, provider: Provider) -> None:
    """Have `provider` asked for the page of this route name."""
    known = _providers.setdefault(page, [])
    if provider not in known:
        known.append(provider)


def shown(page: str, request: HttpRequest, user: User, row: Any) -> list[SafeString]:
    """The panels of a page for this reader, in the order in which they were registered."""
    found = [provider(user, row) for provider in _providers.get(page, [])]
    return [render_to_string(panel.template, dict(panel.context), request) for panel in found if panel is not None]
