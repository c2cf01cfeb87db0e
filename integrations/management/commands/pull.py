"""`manage pull CONNECTION`: read a trade server now."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser

from backoffice.kernel.actor import System
from backoffice.kernel.commands import Command as Base
from backoffice.kernel.commands import day
from backoffice.kernel.errors import NotFound
from integrations.models import Connection
from integrations.services import feeds


class Command(Base):
    help = "Read what is new on a trade server; --since reads again from a day on."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("connection")
        parser.add_argument("--since", help="server date from which to read again")

    def answer(self, **options: Any) -> dict[str, Any]:
        connection = Connection.objects.filter(name=options["connection"]).first()
        if connection is None:
            raise NotFound(f"There is no connection named {options['connection']!r}.")
        since = datetime.combine(day(options["since"]), datetime.min.time()) if options["since"] else None
        pulled = feeds.pull(actor=System("manage pull"), connection_id=connection.pk, since=since)
        return {
            "connection": pulled.connection,
            "read": pulled.read,
            "new": pulled.new,
            "changed": pulled.changed,
            "deleted": pulled.deleted,
            "rejected": [{"line": r.line, "field": r.field, "reason": r.reason} for r in pulled.rejected],
            "server_time": pulled.server_now,
        }
