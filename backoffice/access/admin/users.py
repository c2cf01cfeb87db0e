"""People in the admin. Saving changes a name; a role becomes a request, made after the name is saved."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from backoffice.access import actions
from backoffice.access.admin.forms import PersonForm
from backoffice.access.admin.site import ReadOnly, site
from backoffice.access.models import Grant, Waiver
from backoffice.access.services import people
from backoffice.approvals.models import Policy
from backoffice.approvals.services import requests
from backoffice.kernel.errors import DomainError
from backoffice.organisation.models import Desk, DeskAccess, EntityAccess, Holiday, LegalEntity, User
from backoffice.organisation.selectors import scope
from backoffice.ui.markup import join, tag
from backoffice.ui.requests import actor_of


@admin.register(User, site=site)
class People(ReadOnly):
    """Created here without rights. `is_active` is changed by the two actions, with what belongs to it."""

    form = PersonForm
    adds = True
    list_display = ("username", "first_name", "last_name", "title", "is_active", "held")
    list_filter = ("is_active", "groups")
    search_fields = ("username", "first_name", "last_name", "email")
    ordering = ("username",)
    actions = ("deactivate", "reactivate")
    readonly_fields = ("held", "places", "is_active", "last_login", "date_joined")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return scope.may(request.user, people.ADMINISTER)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return scope.may(request.user, people.ADMINISTER)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        asked = ("Ask for roles", {"fields": ("roles", "entities", "reason_code", "reason")})
        own = (None, {"fields": ("username", *people.FIELDS)})
        if obj is None:
            return (own, asked)
        return (own, ("Now", {"fields": self.readonly_fields}), asked)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*self.readonly_fields, "username") if obj is not None else ()

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        base = super().get_form(request, obj, change, **kwargs)
        return type("AskedForm", (base,), {"offered": scope.entities_of(request.user)})

    @admin.display(description="roles")
    def held(self, user: User) -> str:
        return ", ".join(sorted(group.name for group in user.groups.all())) or "none"

    @admin.display(description="works in")
    def places(self, user: User) -> SafeString:
        entities = EntityAccess.objects.filter(user=user).select_related("content_object")
        desks = DeskAccess.objects.filter(user=user).select_related("content_object")
        return join([tag("div", str(row)) for row in (*entities, *desks)]) or tag("span", "nowhere")

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm[User], change: bool) -> None:
        """Through the services, which know four fields and nothing else that a form may carry."""
        values = {name: form.cleaned_data[name] for name in people.FIELDS}
        if change:
            saved = people.change(actor=actor_of(request), user_id=obj.pk, values=values)
        else:
            saved = people.create(actor=actor_of(request), username=form.cleaned_data["username"], values=values)
        obj.pk = saved.pk
        request._asked = (saved.pk, form.cleaned_data)  # type: ignore[attr-defined]

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Nothing: groups and permissions are not saved by a form."""

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        answer = super().changeform_view(request, object_id, form_url, extra_context)
        # Django's own transaction is over here: a request for approval needs one of its own.
        user_id, data = getattr(request, "_asked", (None, {}))
        if user_id is not None and isinstance(answer, HttpResponse) and answer.status_code == 302:
            self._ask(request, user_id, data)
        return answer

    def _ask(self, request: HttpRequest, user_id: int, data: dict[str, Any]) -> None:
        for role in data.get("roles") or []:
            payload = actions.RoleGrant(
                user_id=user_id,
                role=role,
                entities=tuple(sorted(here.pk for here in data["entities"])),
                desks=(),
                until=None,
            )
            try:
                made = requests.submit(
                    actor=actor_of(request),
                    action=actions.GRANT,
                    payload=payload,
                    reason=data["reason"],
                    reason_code=data["reason_code"],
                )
            except DomainError as error:
                messages.error(request, f"{role} was not asked for: {error}")
            else:
                messages.success(request, f"{role} is asked for as request {made.pk}; management decides.")

    @admin.action(description="Deactivate: sessions end, roles are taken", permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        self._each(request, queryset, people.deactivate, "deactivated")

    @admin.action(description="Let sign in again, without roles", permissions=["change"])
    def reactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        self._each(request, queryset, people.reactivate, "active again, without roles")

    def _each(self, request: HttpRequest, queryset: QuerySet[User], use_case: Any, said: str) -> None:
        for user in queryset:
            try:
                use_case(actor=actor_of(request), user_id=user.pk, reason="in the administration of users")
            except DomainError as error:
                messages.error(request, f"{user}: {error}")
            else:
                messages.success(request, f"{user} is {said}.")


@admin.register(Group, site=site)
class Roles(ReadOnly):
    """What each role holds. It follows from the matrix and is changed with a version of the product."""

    list_display = ("name",)
    fields = ("name", "held")
    readonly_fields = ("held",)

    @admin.display(description="permissions")
    def held(self, group: Group) -> SafeString:
        rows = Permission.objects.filter(group=group).select_related("content_type")
        names = sorted(f"{row.content_type.app_label}.{row.codename}" for row in rows)
        return join([tag("div", name) for name in names])


@admin.register(Grant, site=site)
class Grants(ReadOnly):
    list_display = ("id", "user", "role", "kind", "granted_at", "until", "ended_at")
    list_filter = ("kind", "role")


@admin.register(Waiver, site=site)
class Waivers(ReadOnly):
    list_display = ("id", "user", "pair", "until", "ended_at")


@admin.register(EntityAccess, site=site)
class EntityPlaces(ReadOnly):
    list_display = ("user", "content_object")
    list_filter = ("content_object",)


@admin.register(DeskAccess, site=site)
class DeskPlaces(ReadOnly):
    list_display = ("user", "content_object")


@admin.register(LogEntry, site=site)
class Log(ReadOnly):
    list_display = ("action_time", "user", "object_repr", "get_change_message")


for _model in (LegalEntity, Desk, Holiday, Policy):
    site.register(cast(Any, _model), ReadOnly)
