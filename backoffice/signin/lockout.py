"""Too many wrong passwords: counted in PostgreSQL by account and by address (django-axes), the same for names
that do not exist. Redis has no part in it."""

from __future__ import annotations

from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from backoffice.audit import services as audit
from backoffice.kernel.actor import System
from backoffice.organisation.models import User
from backoffice.ui.requests import ip_of, request_id_of

# An office shares one address, so an address may be wrong this many times as often as an account.
ADDRESS_FACTOR = 10


class Handler(AxesDatabaseHandler):
    """django-axes with one count per account and a wider one per address, and with audit entries."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """Failures of the account, or a tenth of the address's, whichever is more."""
        by_account, by_address = (
            rows.aggregate(total=Sum("failures_since_start"))["total"] or 0
            for rows in self.get_user_attempts(request, credentials)
        )
        return max(int(by_account), int(by_address) // ADDRESS_FACTOR)

    def reset_user_attempts(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """A right password clears its own account only: else somebody with an account could guess at others'
        for ever, signing in now and then."""
        username = (credentials or {}).get("username")
        count, _ = AccessAttempt.objects.filter(username=username).delete()
        return int(count)

    def user_login_failed(
        self, sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any
    ) -> None:
        before = bool(getattr(request, "axes_locked_out", False))
        super().user_login_failed(sender, credentials, request, **kwargs)
        if request is not None and not before:
            _record(request, str(credentials.get("username", "")))


@transaction.atomic
def _record(request: HttpRequest, username: str) -> None:
    """One entry per wrong password, one more for the one that locks. What is typed as an unknown name may be a
    password, so it is not kept."""
    user = User.objects.filter(username=username).first()
    actor = System("sign-in", request_id=request_id_of(request))
    data = {"ip": ip_of(request), "known": user is not None}
    audit.record(actor=actor, action="signin.refused", target=user or "", data=data)
    if getattr(request, "axes_locked_out", False):
        audit.record(actor=actor, action="signin.locked", target=user or "", data=data)


def answer(request: HttpRequest, response: HttpResponse | None, credentials: dict[str, Any] | None) -> HttpResponse:
    """429, and what to do."""
    minutes = int(settings.AXES_COOLOFF_TIME.total_seconds() // 60)
    page = render(request, "signin/locked.html", {"minutes": minutes}, status=429)
    page["Retry-After"] = str(minutes * 60)
    return page
