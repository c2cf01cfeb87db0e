"""Pages of imports: upload, preview with control totals, confirm, discard, rejected rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse

from backoffice.kernel import jobs
from backoffice.kernel.actor import Person
from backoffice.organisation.selectors import scope
from backoffice.ui import formats
from backoffice.ui.views import ActionPage, Button, Crumb, DetailPage, GatedPage, ListPage
from integrations import actions, filters, forms, tables
from integrations.models import FileImport, ImportState, Rejection
from integrations.services import imports

# A larger file is read by a worker, with its progress on the page.
_READ_HERE = 2 * 1024 * 1024
_PREVIEW_ROWS = 20
_FIGURE = re.compile(r"-?\d+(\.\d+)?")
_NO_PREVIEW = (ImportState.RECEIVED, ImportState.REFUSED)


class ImportList(ListPage):
    title = "Imports"
    queryset = FileImport.objects.select_related("connection")
    table = tables.FileImportTable
    filters = filters.FileImportFilters
    permission = "integrations.view_fileimport"
    buttons = (
        Button("Import a file", "upload", "integrations.import_file", tone="primary"),
        Button("Mapping profiles", "file-profiles", "integrations.view_fileprofile"),
    )


class Upload(ActionPage):
    title = "Import a file"
    permission = "integrations.import_file"
    form = forms.UploadForm
    submit_label = "Upload and look at it"
    nav = "imports"

    def form_arguments(self, target: Any) -> Mapping[str, Any]:
        return {"sources": filters.sources(scope.entity_ids(self.user))}

    def consequences(self, target: Any) -> Sequence[str]:
        return (
            "The file is kept as it is, read, and checked against its own control totals.",
            "Nothing is stored as a fact until you confirm the preview.",
        )

    def run(self, *, actor: Person, form: Any, target: Any) -> FileImport:
        upload = form.cleaned_data["file"]
        received = imports.receive(
            actor=actor, connection_id=form.cleaned_data["source"].pk, stream=upload.file, filename=upload.name
        )
        if received.size <= _READ_HERE:
            return imports.examine(actor=actor, import_id=received.pk)
        jobs.wake(imports.WAKE, import_id=received.pk)
        return received

    def message(self, result: FileImport) -> str:
        return f"{result.filename} was received."

    def success_url(self, result: FileImport) -> str:
        return reverse("import", args=[result.pk])


class ImportDetail(DetailPage):
    """The preview: what the file says of itself, its control totals, its first rows, what was rejected."""

    queryset = FileImport.objects.select_related("connection", "entity")
    template = "integrations/import.html"
    permission = "integrations.view_fileimport"
    nav = "imports"
    buttons = (
        Button(
            "Confirm",
            "confirm-import",
            "integrations.import_file",
            tone="primary",
            when=lambda i: i.state == ImportState.PREVIEW,
        ),
        Button(
            "Ask to accept it",
            "accept-held",
            "integrations.ask_accept_held",
            when=lambda i: i.state == ImportState.HELD,
        ),
        Button(
            "Discard",
            "discard-import",
            "integrations.import_file",
            when=lambda i: i.state in (ImportState.PREVIEW, ImportState.HELD),
        ),
        Button("Rejected rows", "rejections", "integrations.view_rejection", when=lambda i: i.rejected > 0),
    )

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Imports", reverse("imports")),)

    def heading(self) -> str:
        return str(self.row.filename)

    def context(self, row: FileImport, tab: str) -> Mapping[str, Any]:
        waiting = row.state == ImportState.RECEIVED
        holding = sum(1 for total in row.control_totals if total["holds"])
        preview = imports.preview(row, limit=_PREVIEW_ROWS) if row.state not in _NO_PREVIEW else ([], [])
        return {
            "tones": tables.IMPORT_TONES,
            "labels": dict(ImportState.choices),
            "waiting": waiting,
            "totals": sorted(row.control_totals, key=lambda total: bool(total["holds"])),
            "totals_note": f"{holding} of {len(row.control_totals)} hold" if row.control_totals else "",
            "facts": said_of_file(row.facts),
            "headings": preview[0],
            "preview": preview[1],
            "rejections": tables.RejectionTable().html(
                row.rejections.order_by("line")[:_PREVIEW_ROWS], caption="Rejected rows"
            ),
        }


class ConfirmImport(ActionPage):
    queryset = FileImport.objects.select_related("connection")
    permission = "integrations.import_file"
    submit_label = "Store it"
    nav = "imports"

    def heading(self) -> str:
        return f"Confirm {self.target.filename}"

    def facts(self, target: FileImport) -> Sequence[tuple[str, Any]]:
        return (("Source", target.connection.name), ("Rows", target.rows), ("Rejected", target.rejected))

    def consequences(self, target: FileImport) -> Sequence[str]:
        return ("Its rows become facts and are booked within seconds.", "Rows that are known already add nothing.")

    def run(self, *, actor: Person, form: Any, target: FileImport) -> FileImport:
        return imports.confirm(actor=actor, import_id=target.pk)

    def message(self, result: FileImport) -> str:
        if result.state == ImportState.HELD:
            return "Held: with what was stored since, a control total no longer holds."
        return f"Stored: {result.new} new, {result.changed} changed, {result.duplicate} known already."

    def success_url(self, result: FileImport) -> str:
        return reverse("import", args=[result.pk])


class DiscardImport(ActionPage):
    queryset = FileImport.objects.select_related("connection")
    permission = "integrations.import_file"
    form = forms.ReasonForm
    submit_label = "Discard"
    tone = "danger"
    nav = "imports"

    def heading(self) -> str:
        return f"Discard {self.target.filename}"

    def consequences(self, target: FileImport) -> Sequence[str]:
        return ("The bytes stay; nothing of the file is stored. A corrected file is a new import.",)

    def run(self, *, actor: Person, form: Any, target: FileImport) -> FileImport:
        return imports.discard(actor=actor, import_id=target.pk, reason=form.cleaned_data["reason"])


class AskAcceptHeld(GatedPage):
    queryset = FileImport.objects.select_related("connection")
    permission = "integrations.ask_accept_held"
    form = forms.ReasonForm
    action = actions.ACCEPT_HELD
    nav = "imports"

    def heading(self) -> str:
        return f"Accept {self.target.filename}"

    def consequences(self, target: FileImport) -> Sequence[str]:
        return ("Its control totals do not hold: another person has to agree before its rows are stored.",)

    def payload(self, form: Any, target: FileImport) -> actions.AcceptHeld:
        return actions.AcceptHeld(import_id=target.pk, reason=form.cleaned_data["reason"])


class RejectionList(ListPage):
    title = "Rejected rows"
    table = tables.RejectionTable
    permission = "integrations.view_rejection"
    entity_path = "file_import__entity"
    nav = "imports"

    def rows(self) -> QuerySet[Rejection]:
        found = scope.visible(self.user, FileImport.objects.all(), self.permission)
        return Rejection.objects.filter(file_import=get_object_or_404(found, pk=self.kwargs["pk"]))

    def crumbs(self) -> Sequence[Crumb]:
        return (
            Crumb("Imports", reverse("imports")),
            Crumb(f"Import {self.kwargs['pk']}", reverse("import", args=[self.kwargs["pk"]])),
        )


class ImportProgress(ImportDetail):
    """The part of the import page that changes while a worker reads the file; asked for every second."""

    template = "integrations/import_progress.html"
    background = True

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = super().get(request, *args, **kwargs)
        if self.row.state != ImportState.RECEIVED:
            response["HX-Refresh"] = "true"
        return response


def said_of_file(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a reader found out about a file, in words: "net:EUR" is "net EUR", amounts are grouped."""
    return [(name.replace("_", " ").replace(":", " "), _figure(value)) for name, value in facts.items()]


def _figure(value: Any) -> str:
    text = str(value)
    return formats.grouped(Decimal(text), len(text.partition(".")[2])) if _FIGURE.fullmatch(text) else text
