"""`manage protect`: give the application's database role exactly the rights the models declare."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from backoffice.organisation.services.protection import protect


class Command(BaseCommand):
    help = "Grants for the application's database role; run as the owner after migrate."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{protect()} tables protected")
