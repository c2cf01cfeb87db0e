"""Lists of requests: to decide, asked by me, all; and what one was told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from django.db.models import Model, QuerySet
from django.urls import reverse

from backoffice.approvals import filters, tables
from backoffice.approvals.models import Notice, Request
from backoffice.approvals.selectors import sight, waiting
from backoffice.approvals.services import notices
from backoffice.kernel.actor import Person
from backoffice.ui.views import ActionPage, Button, ListPage, Page
from backoffice.ui.views.lists import Listing

M = TypeVar("M", bound=Model)


class Room(Page):
    """A page about requests: the rows are those that selectors/sight.py lets this person see."""

    permission = sight.VIEW
    nav = "to-decide"

    def visible(self, queryset: QuerySet[M]) -> QuerySet[M]:
        return sight.visible(self.user, queryset, self.entity_path.removesuffix("entity"))


class _Requests(Room, ListPage):
    template = "approvals/list.html"
    queryset = Request.objects.select_related("entity", "maker")
    table = tables.RequestTable
    filters = filters.RequestFilters

    def more(self, listing: Listing) -> Mapping[str, Any]:
        here = self.request.resolver_match.view_name if self.request.resolver_match else ""
        counts = {"to-decide": waiting.waiting_for(self.user), "my-requests": waiting.returned_to(self.user)}
        named = (("to-decide", "To decide"), ("my-requests", "Asked by me"), ("requests", "All"))
        return {"parts": [(label, reverse(name), name == here, counts.get(name, 0)) for name, label in named]}


class ToDecide(_Requests):
    """What this person can decide or execute now, the most urgent first."""

    title = "Approvals to decide"
    table = tables.DecideTable
    filters = filters.DecideFilters

    def rows(self) -> QuerySet[Request]:
        return waiting.decidable(self.user, self.queryset.all())


class MyRequests(_Requests):
    title = "Approvals asked by me"
    table = tables.MyTable
    filters = filters.MyFilters

    def rows(self) -> QuerySet[Request]:
        return self.queryset.filter(maker=self.user)


class RequestList(_Requests):
    title = "Approvals"


class NoticeList(Room, ListPage):
    title = "Notices"
    entity_path = "request__entity"
    nav = "notices"
    queryset = Notice.objects.select_related("request")
    table = tables.NoticeTable
    buttons = (Button("Mark all as read", "read-all-notices", sight.VIEW),)

    def rows(self) -> QuerySet[Notice]:
        return self.queryset.filter(person=self.user)


class ReadNotices(Room, ActionPage):
    """Mark picked notices as read."""

    title = "Mark as read"
    submit_label = "Mark as read"
    entity_path = "request__entity"
    nav = "notices"
    bulk = True
    queryset: ClassVar[QuerySet[Any] | None] = Notice.objects.all()

    def visible(self, queryset: QuerySet[M]) -> QuerySet[M]:
        return super().visible(queryset).filter(person=self.user)

    def run(self, *, actor: Person, form: Any, target: Sequence[Notice] | None) -> int:
        ids = None if target is None else [notice.pk for notice in target]
        return notices.mark_read(actor=actor, notice_ids=ids)

    def message(self, result: int) -> str:
        return f"{result} marked as read."


class ReadAllNotices(ReadNotices):
    """Mark all of them."""

    title = "Mark all as read"
    entity_path = ""
    bulk = False
    queryset = None
