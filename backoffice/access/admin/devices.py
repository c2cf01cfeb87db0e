"""Second factors in the admin: who has one. The secret is nowhere on these pages; taking one away is asked for."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django_otp.plugins.otp_totp.models import TOTPDevice

from backoffice.access.admin.site import ReadOnly, site


@admin.register(TOTPDevice, site=site)
class Devices(ReadOnly):
    """A person who has lost theirs: Sign-in, the person, Take the second factor away (two people)."""

    list_display = ("user", "name", "confirmed", "last_used_at", "created_at")
    list_filter = ("confirmed",)
    fields: ClassVar[tuple[str, ...]] = ("user", "name", "confirmed", "last_used_at", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[TOTPDevice]:
        return super().get_queryset(request).select_related("user").defer("key")
