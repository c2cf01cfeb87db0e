"""`manage load_roles`: make groups and forbidden pairs in the database say what the matrix says.

Run as the owner, after `migrate` (which does it by itself): the application's own role may read these tables only.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from backoffice.access.models import Conflict
from backoffice.organisation import pairs
from backoffice.organisation.roles import ROLES


class Command(BaseCommand):
    help = "Create or update the staff roles and forbidden pairs; part of migrate."

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
        _load_conflicts()
        self.stdout.write(f"{len(ROLES)} roles and {len(pairs.conflicts())} conflicts loaded")


def _load_conflicts() -> None:
    """A new version when the pairs have changed; the old ones stay to be read."""
    newest = Conflict.objects.order_by("-version").values_list("version", flat=True).first() or 0
    stored = set(Conflict.objects.filter(version=newest).values_list("pair", "role", "other"))
    if stored != {(found.pair, found.role, found.other) for found in pairs.conflicts()}:
        Conflict.objects.bulk_create(
            [
                Conflict(version=newest + 1, pair=found.pair, role=found.role, other=found.other)
                for found in pairs.conflicts()
            ]
        )
