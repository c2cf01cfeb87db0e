"""A small site on the generic pages: what the tests of backoffice.ui look at. Also the example to copy from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import include, path, reverse

from backoffice.audit.models import Entry
from backoffice.kernel.actor import Person
from backoffice.kernel.errors import DomainError
from backoffice.organisation.models import Desk
from backoffice.ui import filters
from backoffice.ui.components import Tone
from backoffice.ui.tables import BulkAction, Column, Kind, Table
from backoffice.ui.views import ActionPage, Button, DetailPage, GatedPage, ListPage, Page, Tab

handler400 = "backoffice.ui.errors.bad_request"
handler403 = "backoffice.ui.errors.forbidden"
handler404 = "backoffice.ui.errors.not_found"
handler500 = "backoffice.ui.errors.server_error"


class DeskTable(Table):
    columns = (
        Column("code", "Code", sort="code"),
        Column("name", "Name", wrap=True),
        Column("entity.code", "Entity", Kind.STATUS, tones={"CY": Tone.GOOD}),
    )
    sorts: ClassVar = {"code": ("code", "pk"), "name": ("name", "pk")}
    default_sort = "code"
    bulk = (BulkAction("Rename", "desks-rename", "organisation.change_desk"),)
    empty = "No desks."
    small = True

    def link(self, row: Desk) -> str:
        return reverse("desk", kwargs={"pk": row.pk})


class DeskFilters(filters.Filters):
    search = filters.Search(("code", "exact"), ("name", "istartswith"))
    entity = filters.Entities()
    code = filters.MultiChoice("code", "Code", [("FX", "forex"), ("CM", "commodities")])


class Desks(ListPage):
    title = "Desks"
    permission = "organisation.view_desk"
    queryset = Desk.objects.select_related("entity")
    table = DeskTable
    filters = DeskFilters
    buttons = (Button("Ask", "desk-ask", "organisation.add_desk"),)


class DeskPage(DetailPage):
    permission = "organisation.view_desk"
    queryset = Desk.objects.select_related("entity")
    nav = "desks"
    tabs = (Tab("facts", "Facts", "ui/messages.html"), Tab("secret", "Secret", "ui/messages.html", "audit.view_entry"))
    buttons = (Button("Rename", "desk-rename", "organisation.change_desk", when=lambda desk: desk.name != "fixed"),)


class NameForm(forms.Form):
    name = forms.CharField(max_length=80)


class Rename(ActionPage):
    title = "Rename"
    permission = "organisation.change_desk"
    queryset = Desk.objects.all()
    form = NameForm
    nav = "desks"

    def run(self, *, actor: Person, form: Any, target: Desk) -> Desk:
        if form.cleaned_data["name"] == "taken":
            raise DomainError("That name is taken. Choose another.")
        target.name = form.cleaned_data["name"]
        target.save(update_fields=["name"])
        return target

    def message(self, result: Any) -> str:
        return "Renamed."


class RenameMany(Rename):
    bulk = True

    def run(self, *, actor: Person, form: Any, target: Sequence[Desk]) -> Any:
        return [super(RenameMany, self).run(actor=actor, form=form, target=desk) for desk in target]


class ReasonForm(forms.Form):
    reason = forms.CharField()


class Ask(GatedPage):
    title = "Ask"
    permission = "organisation.add_desk"
    form = ReasonForm
    nav = "desks"
    action = "organisation.desk.open"

    def asks(self, target: Any) -> str:
        return ""  # no room has registered it

    def payload(self, form: Any, target: Any) -> Any:
        return {"name": "new"}


class EntryTable(Table):
    columns = (
        Column("at", "At", Kind.DATETIME, sort="at"),
        Column("actor_label", "Who", Kind.ACTOR),
        Column("target", "Target"),
    )
    sorts: ClassVar = {"id": ("pk",), "at": ("at", "pk")}
    default_sort = "-at"


class EntryFilters(filters.Filters):
    target = filters.Exact("target", "Target")
    actor = filters.Whole("actor_id", "Person")
    at = filters.MomentRange("at", "At")


class Entries(ListPage):
    title = "Audit log"
    permission = "audit.view_entry"
    queryset = Entry.objects.all()
    table = EntryTable
    filters = EntryFilters
    page_size = 5


class Today(Page):
    title = "Today"
    entity_path = ""
    permission = "organisation.view_desk"
    template = "base.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.page({})


class Refusing(Today):
    def get(self, request: HttpRequest) -> HttpResponse:
        raise DomainError("The file is held. Accept it first.")


def broken(request: HttpRequest) -> HttpResponse:
    raise ValueError("a defect")


urlpatterns = [
    path("", include("backoffice.signin.urls")),
    path("", Today.as_view(), name="today"),
    path("desks/", Desks.as_view(), name="desks"),
    path("desks/<int:pk>/", DeskPage.as_view(), name="desk"),
    path("desks/<int:pk>/rename/", Rename.as_view(), name="desk-rename"),
    path("desks/rename/", RenameMany.as_view(), name="desks-rename"),
    path("desks/ask/", Ask.as_view(), name="desk-ask"),
    path("audit/", Entries.as_view(), name="entries"),
    path("refusing/", Refusing.as_view(), name="refusing"),
    path("broken/", broken, name="broken"),
]
