"""What all pages share: the permission, the one way to rows, the frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, cast

from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views import View

from backoffice.organisation.models import User
from backoffice.organisation.selectors import scope
from backoffice.ui.components import Crumb

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Button:
    """A way from a page to an action, shown to those who hold `permission`.

    On a detail page the route gets the row's `pk`, and `when` decides whether the row allows it now.
    """

    label: str
    route: str
    permission: str
    tone: str = ""
    when: Callable[[Any], bool] | None = None


class SeeOther(HttpResponseRedirect):
    """303: the change is done, look there."""

    status_code = 303


class Page(View):
    """A page behind a permission.

    `entity_path` leads from a row to its legal entity; empty for data that belongs to none. `nav` is the route
    of the navigation item that is lit up; empty: the page's own.
    """

    title: ClassVar[str] = ""
    permission: ClassVar[str] = ""
    entity_path: ClassVar[str] = "entity"
    template: ClassVar[str] = ""
    nav: ClassVar[str] = ""
    # Asked for by the page itself, without the person: does not keep a session alive.
    background: ClassVar[bool] = False

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        scope.require(request.user, self.permission)
        return super().dispatch(request, *args, **kwargs)

    @property
    def user(self) -> User:
        """The signed-in person."""
        return cast(User, self.request.user)

    def heading(self) -> str:
        """The title, where it depends on the row."""
        return self.title

    def crumbs(self) -> Sequence[Crumb]:
        """The way back, without the page itself."""
        return ()

    def visible(self, queryset: QuerySet[M]) -> QuerySet[M]:
        """The rows of a queryset that this person may see on this page."""
        return scope.visible(self.request.user, queryset, self.permission, self.entity_path)

    def row_or_404(self, queryset: QuerySet[M], pk: Any) -> M:
        """One of them. Foreign and missing rows give the same answer."""
        row = self.visible(queryset).filter(pk=pk).first()
        if row is None:
            raise Http404
        return row

    def links(self, buttons: Sequence[Button], row: Model | None = None) -> list[Mapping[str, str]]:
        """The buttons this person and this row allow, with their addresses."""
        arguments = {} if row is None else {"pk": row.pk}
        return [
            {"label": button.label, "url": reverse(button.route, kwargs=arguments), "tone": button.tone}
            for button in buttons
            if scope.may(self.request.user, button.permission) and (button.when is None or button.when(row))
        ]

    def page(self, context: Mapping[str, Any], status: int = 200) -> HttpResponse:
        """The page in its frame."""
        frame: dict[str, Any] = {"title": self.heading(), "crumbs": self.crumbs()}
        if self.nav:
            frame["nav"] = self.nav
        return render(self.request, self.template, {**frame, **context}, status=status)
