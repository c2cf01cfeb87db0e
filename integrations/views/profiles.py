"""Pages of mapping profiles: the list, one version, and making one with a look at what it would read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse

from backoffice.kernel.actor import Person
from backoffice.organisation.selectors import scope
from backoffice.ui.views import ActionPage, Button, Crumb, DetailPage, ListPage
from integrations import filters, forms, registry, tables
from integrations.models import Connection, FileProfile
from integrations.services import profiles


class ProfileList(ListPage):
    title = "Mapping profiles"
    queryset = FileProfile.objects.select_related("entity")
    table = tables.FileProfileTable
    filters = filters.FileProfileFilters
    permission = "integrations.view_fileprofile"
    nav = "imports"
    buttons = (Button("New profile", "add-file-profile", "integrations.add_fileprofile"),)

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Imports", reverse("imports")),)


class ProfileDetail(DetailPage):
    queryset = FileProfile.objects.select_related("entity")
    template = "integrations/file_profile.html"
    permission = "integrations.view_fileprofile"
    nav = "imports"

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Imports", reverse("imports")), Crumb("Mapping profiles", reverse("file-profiles")))

    def context(self, row: FileProfile, tab: str) -> Mapping[str, Any]:
        others = {
            name: value for name, value in row.spec.items() if name != "columns" and value not in ("", [], {}, None)
        }
        return {
            "columns": [(f, " + ".join(h) if isinstance(h, list) else h) for f, h in row.spec["columns"].items()],
            "others": [(name.replace("_", " "), _shown(value)) for name, value in others.items()],
            "readers": Connection.objects.filter(entity_id=row.entity_id, settings__file_profile=str(row)),
            "may_change": scope.may(self.user, AddProfile.permission),
        }


class AddProfile(ActionPage):
    """First it shows what the sample would become; the second button stores the profile."""

    title = "New mapping profile"
    permission = "integrations.add_fileprofile"
    form = forms.ProfileForm
    template = "integrations/add_file_profile.html"
    submit_label = "Look at it"
    nav = "imports"
    preview: profiles.Preview | None = None

    def form_arguments(self, target: Any) -> Mapping[str, Any]:
        known = {"entities": scope.entities_of(self.user)}
        given = self.request.GET.get("from", "")
        if given in registry.SHIPPED_PROFILES:
            return {**known, "initial": forms.profile_initial(registry.SHIPPED_PROFILES[given])}
        rows = scope.visible(self.user, FileProfile.objects.all(), self.permission)
        found = rows.filter(pk=given).first() if given.isascii() and given.isdigit() and len(given) < 10 else None
        more = {"name": found.name, "entity": found.entity_id} if found else {}
        return {**known, "initial": forms.profile_initial(found.spec) | more} if found else known

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if "store" in request.POST:
            return super().post(request, *args, **kwargs)
        form = self.make_form(request.POST.copy(), request.FILES)
        if form.is_valid():
            self._look(form)
        return self._show(form, status=200 if self.preview else 422)

    def _look(self, form: Any) -> None:
        body = form.body()
        try:
            self.preview = profiles.try_out(spec=form.spec(), sample=body)
        except profiles.BadProfile as error:
            form.add_error(None, str(error))
        form.data["lines"] = body.decode("utf-8", errors="replace")

    def page(self, context: Mapping[str, Any], status: int = 200) -> Any:
        return super().page({**context, "preview": self.preview, "shipped": list(registry.SHIPPED_PROFILES)}, status)

    def run(self, *, actor: Person, form: Any, target: Any) -> FileProfile:
        data = form.cleaned_data
        return profiles.make(
            actor=actor,
            entity_id=data["entity"].pk,
            name=data["name"],
            spec=form.spec(),
            note=data["note"],
            sample=form.body(),
        )

    def message(self, result: FileProfile) -> str:
        return f"{result} is stored. A connection reads with it when its settings name it."

    def success_url(self, result: FileProfile) -> str:
        return reverse("file-profile", args=[result.pk])


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)
