"""Pages of the audit log: search, one entry with its proof, one object, one person, changes, verification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse

from backoffice.audit import filters, tables
from backoffice.audit.models import Change, Check, CheckState, Cursor, Entry, Seal
from backoffice.audit.selectors import log
from backoffice.audit.services import export, personal, verification
from backoffice.kernel.actor import Person
from backoffice.organisation.models import User
from backoffice.organisation.selectors import scope
from backoffice.ui import formats
from backoffice.ui.requests import actor_of
from backoffice.ui.views import ActionPage, Button, Crumb, DetailPage, ListPage, Page

VIEW, EXPORT, REVEAL = "audit.view_entry", "organisation.export_rows", "audit.reveal_personal"
ENTRIES = Entry.objects.select_related("entity")


class _Log(Page):
    """Entries as far as a reader of the log may see them."""

    permission = VIEW
    nav = "audit-log"

    def visible(self, queryset: Any) -> Any:
        scope.require(self.request.user, self.permission)
        return log.entries(self.user, queryset)

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Audit log", reverse("audit-log")),)


class EntryList(_Log, ListPage):
    title = "Audit log"
    queryset = ENTRIES
    table = tables.EntryTable
    filters = filters.EntryFilters

    def crumbs(self) -> Sequence[Crumb]:
        return ()


class _Part(_Log, ListPage):
    """The part of the log about one thing. What has no visible entry is not there."""

    table = tables.EntryTable
    filters = filters.PartFilters

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not self.visible(self.rows()).exists():
            raise Http404
        return super().get(request, *args, **kwargs)


class ObjectHistory(_Part):
    """Everything about one object: entries, and below them what was changed in its row."""

    template = "audit/object.html"

    def heading(self) -> str:
        return f"History of {self.kwargs['target']}"

    def rows(self) -> QuerySet[Entry]:
        return ENTRIES.filter(target=self.kwargs["target"])

    def more(self, listing: Any) -> Mapping[str, Any]:
        if not scope.may(self.user, ChangeList.permission):
            return {}
        rows = log.changes_of(self.user, self.kwargs["target"]).order_by("-pk")[:50]
        return {"changes": tables.ChangeTable().html(rows, caption="Changes of its row")}


class PersonHistory(_Part):
    """Everything one person did."""

    def heading(self) -> str:
        user = User.objects.filter(pk=self.kwargs["pk"]).first()
        return f"What {user or 'somebody'} did"

    def rows(self) -> QuerySet[Entry]:
        return ENTRIES.filter(actor_id=self.kwargs["pk"])


class MyEntries(ListPage):
    """What the person who looks did."""

    title = "What I did"
    permission = "audit.view_own_entry"
    entity_path = ""
    table = tables.OwnTable
    filters = filters.PartFilters

    def rows(self) -> QuerySet[Entry]:
        return ENTRIES.filter(actor_id=self.user.pk)


class TechnicalEntries(_Log, ListPage):
    """Users, roles, sign-ins and connections, for those who administer them."""

    title = "Technical log"
    permission = "audit.view_technical_entry"
    nav = "audit-technical"
    table = tables.OwnTable
    filters = filters.TechnicalFilters

    def rows(self) -> QuerySet[Entry]:
        return log.technical(ENTRIES.all())

    def crumbs(self) -> Sequence[Crumb]:
        return ()


class EntryDetail(_Log, DetailPage):
    """One entry with its place under the seal; `?proof=1` hands out its inclusion proof."""

    queryset = ENTRIES
    template = "audit/entry.html"

    def heading(self) -> str:
        return f"{self.row.action}"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if "proof" not in request.GET:
            return super().get(request, *args, **kwargs)
        scope.require(request.user, EXPORT)
        entry = self.row_or_404(self.queryset.all(), kwargs["pk"])
        content = export.one(actor=actor_of(request), stream=export.ENTRIES, key=entry.pk)
        answer = HttpResponse(content, content_type="application/jsonl; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="audit-entry-{entry.pk}.jsonl"'
        return answer

    def context(self, row: Entry, tab: str) -> Mapping[str, Any]:
        data = personal.shown(row.data, reveal=scope.may(self.user, REVEAL))
        batch = export.batch_of(export.ENTRIES, row.pk)
        changed: Sequence[Change] | QuerySet[Change] = ()
        if row.xid is not None and scope.may(self.user, ChangeList.permission):
            changed = log.changes(self.user, Change.objects.filter(xid=row.xid)).order_by("pk")[:50]
        return {
            "data": [(name.replace("_", " "), formats.words(value)) for name, value in sorted(data.items())],
            "seal": batch.seal if batch else None,
            "position": batch.first + batch.keys.index(row.pk) if batch else None,
            "object_url": tables.object_url(row.target),
            "may_download": scope.may(self.user, EXPORT),
            "changes": tables.ChangeTable().html(changed, caption="Changes in the same transaction") if changed else "",
        }


class ChangeList(ListPage):
    """What was changed in watched tables, by whomever; “by a use case: no” finds what went around the application."""

    title = "Changes in tables"
    permission = "audit.view_change"
    queryset = Change.objects.all()
    table = tables.ChangeTable
    filters = filters.ChangeFilters

    def visible(self, queryset: Any) -> Any:
        scope.require(self.request.user, self.permission)
        return log.changes(self.user, queryset)


class CheckList(ListPage):
    """Verifications, and how far the log is sealed."""

    title = "Verification"
    permission = "audit.view_check"
    entity_path = ""
    template = "audit/checks.html"
    queryset = Check.objects.all()
    table = tables.CheckTable
    buttons = (Button("Verify now", "audit-verify", "audit.verify_log", tone="primary"),)

    def more(self, listing: Any) -> Mapping[str, Any]:
        return {"newest": Seal.objects.first(), "streams": Cursor.objects.order_by("stream")}


class Verify(ActionPage):
    title = "Verify the log"
    permission = "audit.verify_log"
    entity_path = ""
    nav = "audit-checks"
    submit_label = "Verify now"

    def consequences(self, target: Any) -> Sequence[str]:
        return (
            "A worker reads every sealed row and recomputes every hash, root and signature, and compares them with the "
            "heads kept outside the database. Nothing is changed.",
        )

    def run(self, *, actor: Person, form: Any, target: Any) -> Check:
        return verification.request(actor=actor)

    def message(self, result: Check) -> str:
        return "Asked for. The result stands here when a worker has it."

    def success_url(self, result: Check) -> str:
        return reverse("audit-check", args=[result.pk])


class CheckDetail(DetailPage):
    queryset = Check.objects.all()
    permission = "audit.view_check"
    entity_path = ""
    template = "audit/check.html"
    nav = "audit-checks"

    def heading(self) -> str:
        return f"Verification {self.row.pk}"

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Verification", reverse("audit-checks")),)

    def context(self, row: Check, tab: str) -> Mapping[str, Any]:
        return {
            "tones": tables.TONES,
            "labels": dict(CheckState.choices),
            "rows": sorted(row.result.get("rows", {}).items()),
            "total": sum(row.result.get("rows", {}).values()),
        }


class CheckProgress(CheckDetail):
    """The part of a verification's page that moves; asked for every second until there is a result."""

    template = "audit/check_progress.html"
    background = True

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = super().get(request, *args, **kwargs)
        if not self.row.under_way:
            response["HX-Refresh"] = "true"
        return response
