"""`manage migrate`: Django's own, and afterwards the roles, so that no version runs with the rights of another."""

from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django.core.management.commands.migrate import Command as Migrate


class Command(Migrate):
    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        whole = not (options["app_label"] or options["plan"] or options["check_unapplied"] or options["prune"])
        if whole:
            call_command("load_roles", stdout=self.stdout)
