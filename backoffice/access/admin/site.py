"""The Django admin, cut down to the administration of users: our permissions, our sign-in, no shortcut for anybody.

`is_staff` and `is_superuser` mean nothing here. Everything is read-only but people, and of people their names and
whether they may sign in; roles are asked for (users.py). Whoever changes something has given a fresh code. Passwords,
second factors and sessions have pages of their own under Sign-in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.auth.views import redirect_to_login
from django.db.models import Model
from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern, URLResolver

from backoffice.access.services.people import ADMINISTER
from backoffice.approvals.services import steps
from backoffice.kernel.errors import NotPermitted
from backoffice.organisation.selectors import scope
from backoffice.ui.requests import actor_of

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# Doors of Django's own that ours replace, and addresses nobody needs.
_DROPPED = {"login", "logout", "password_change", "password_change_done", "view_on_site", "autocomplete"}


class HouseAdmin(AdminSite):
    site_header = "Administration of users"
    site_title = "Back office"
    index_title = "Users, roles, access"
    site_url = "/"
    enable_nav_sidebar = False

    def has_permission(self, request: HttpRequest) -> bool:
        return scope.may(request.user, ADMINISTER)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        return [entry for entry in super().get_urls() if getattr(entry, "name", None) not in _DROPPED]

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Django's own check of the form's token stays; who may not enter is told so, or sent to our sign-in."""
        inner = super().admin_view(view, cacheable)

        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path(), settings.LOGIN_URL)
            if not self.has_permission(request):
                raise NotPermitted(ADMINISTER)
            if _changes(request):
                steps.require_fresh_factor(actor=actor_of(request))
            answer: HttpResponseBase = inner(request, *args, **kwargs)
            return answer

        return guarded


def _changes(request: HttpRequest) -> bool:
    """Whether this changes something or is a form that will: asked before it is filled in, so nothing typed is lost."""
    name = request.resolver_match.url_name or "" if request.resolver_match else ""
    return request.method not in _SAFE or name.endswith(("user_add", "user_change"))


if TYPE_CHECKING:  # generic for the type checker alone
    _ModelAdmin = ModelAdmin[Any]
else:
    _ModelAdmin = ModelAdmin


class ReadOnly(_ModelAdmin):
    """Rows to be looked at. No address of this page writes."""

    actions: Any = None
    # Whether rows are made here.
    adds = False
    list_max_show_all = 200

    def has_module_permission(self, request: HttpRequest) -> bool:
        return scope.may(request.user, ADMINISTER)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return scope.may(request.user, ADMINISTER)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        """Without the addresses that would only refuse."""
        refusing = ("_delete",) if self.adds else ("_delete", "_add")
        return [entry for entry in super().get_urls() if not (entry.name or "").endswith(refusing)]


site = HouseAdmin(name="admin")
