"""All addresses: every room's own, and what belongs to the whole."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from backoffice.access.admin import site
from backoffice.health import healthz

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", healthz, name="healthz"),
    # Before the others: webhooks come most often, and every address in front of theirs is tried first.
    path("", include("integrations.urls")),
    path("", include("backoffice.signin.urls")),
    path("", include("backoffice.approvals.urls")),
    path("", include("backoffice.audit.urls")),
    path("", include("backoffice.access.urls")),
    path("admin/", site.urls),
    path("", include("ledger.urls")),
    path("", include("accounts.urls")),
    path("", include("payments.urls")),
    path("", include("reconciliation.urls")),
    path("", include("reporting.urls")),
]

handler400 = "backoffice.ui.errors.bad_request"
handler403 = "backoffice.ui.errors.forbidden"
handler404 = "backoffice.ui.errors.not_found"
handler500 = "backoffice.ui.errors.server_error"
