"""`manage protect`: give the application's database role exactly the rights the models declare, and watch the tables.

Run as the owner after every migration.
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from backoffice.audit.services.watching import watch
from backoffice.organisation.services.protection import protect


class Command(BaseCommand):
    help = "Grants for the application's database role, triggers on watched tables; run as the owner after migrate."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{protect()} tables protected, {watch()} watched")
