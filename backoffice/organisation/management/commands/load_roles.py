"""`manage load_roles`: make the staff roles (groups) say what organisation/roles.py says."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from backoffice.organisation.roles import ROLES


class Command(BaseCommand):
    help = "Create or update the staff roles; run after migrate."

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        known = {
            f"{app}.{codename}": pk
            for pk, app, codename in Permission.objects.values_list("pk", "content_type__app_label", "codename")
        }
        for role in ROLES:
            unknown = sorted(set(role.permissions) - known.keys())
            if unknown:
                raise CommandError(f"{role.code}: no such permission: {', '.join(unknown)}")
            group, _ = Group.objects.get_or_create(name=role.code)
            group.permissions.set([known[name] for name in role.permissions])
        self.stdout.write(f"{len(ROLES)} roles loaded")
