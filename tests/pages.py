"""The pages of a URL map, and who can make rows for them.

A room that adds pages adds a module `tests/pages_<room>.py` with builders:

    @builds("break", "break-assign")
    def breaks(here: LegalEntity, number: int) -> Made:
        rows = [...]                       # `number` more rows in the entity `here`
        return Made(kwargs={"pk": rows[0].pk})

tests/test_ui_pages.py then attacks each page: anonymous, without permission, with it, from another entity, and
with 1 and 50 rows.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.urls.converters import IntConverter, UUIDConverter

from backoffice.organisation.models import LegalEntity
from backoffice.ui.views import Page

# Views that may be seen without signing in, reviewed one by one.
PUBLIC = frozenset(
    {"sign-in", "sign-out", "healthz", "admin:login", "admin:jsi18n"}
    | {"receive-webhook"}  # lets in what is signed
    # half way through the door: each sends visitors without a password to the sign-in
    | {"second-factor", "recover", "enrol", "enrol-scan", "set-password"}
)


@dataclass(frozen=True)
class Made:
    """What a page needs in its address to show the rows made: `kwargs` in the path, `ids` of picked rows.
    `words` are on the page for those who may see the rows, and for nobody else."""

    kwargs: dict[str, Any] = field(default_factory=dict)
    ids: tuple[Any, ...] = ()
    words: tuple[str, ...] = ()


Builder = Callable[[LegalEntity, int], Made]
_builders: dict[str, Builder] = {}
_SAMPLES = {IntConverter: 1, UUIDConverter: UUID(int=1)}


def builds(*routes: str) -> Callable[[Builder], Builder]:
    """Register a function that makes rows for the pages with these URL names."""

    def register(builder: Builder) -> Builder:
        for route in routes:
            assert route not in _builders, f"two builders for {route}"
            _builders[route] = builder
        return builder

    return register


@cache
def _all_builders() -> dict[str, Builder]:
    """Asked for late: the modules that register builders import this one."""
    for module in sorted(Path(__file__).parent.glob("pages_*.py")):
        importlib.import_module(f"tests.{module.stem}")
    return _builders


@dataclass(frozen=True)
class Found:
    """One address of the URL map. `arguments` are the names in its path, each with a value that fits its kind."""

    urlconf: str
    route: str
    view: Any
    arguments: dict[str, Any]

    @property
    def page(self) -> type[Page] | None:
        view = getattr(self.view, "view_class", None)
        return view if isinstance(view, type) and issubclass(view, Page) else None

    @property
    def builder(self) -> Builder | None:
        return _all_builders().get(self.route)

    def address(self, made: Made | None = None) -> str:
        """The page's address; without rows, one that leads to nothing."""
        kwargs = made.kwargs if made is not None else self.arguments
        query = "&".join(f"ids={key}" for key in made.ids) if made is not None else ""
        path = reverse(self.route, urlconf=self.urlconf, kwargs={name: kwargs[name] for name in self.arguments})
        return f"{path}?{query}" if query else path


def walk(urlconf: str) -> list[Found]:
    """Every named view of a URL map."""
    return list(_walk(urlconf, get_resolver(urlconf), "", {}))


def pages(urlconf: str) -> list[Found]:
    """Those of them that are our pages."""
    return [found for found in walk(urlconf) if found.page is not None]


def _walk(urlconf: str, resolver: URLResolver, prefix: str, outer: dict[str, Any]) -> Iterator[Found]:
    for entry in resolver.url_patterns:
        arguments = {
            **outer,
            **{name: _SAMPLES.get(type(kind), "x") for name, kind in entry.pattern.converters.items()},
        }
        if isinstance(entry, URLResolver):
            inner = f"{prefix}{entry.namespace}:" if entry.namespace else prefix
            yield from _walk(urlconf, entry, inner, arguments)
        elif isinstance(entry, URLPattern) and entry.name:
            yield Found(urlconf, prefix + entry.name, entry.callback, arguments)
