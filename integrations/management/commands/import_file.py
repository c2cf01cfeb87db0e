"""`manage import_file --source NAME FILE...`: import files as if they had been handed in on the page.

Prints one object per file: file, sha256, rows, new, duplicate, rejected, control_totals, balanced, state. The
exit code is 1 when a file was refused or held; the others are stored all the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from backoffice.kernel.actor import System
from backoffice.kernel.commands import Command as Base
from backoffice.kernel.errors import DomainError, NotFound
from integrations.models import Connection, FileImport, ImportState
from integrations.services import imports


class Command(Base):
    help = "Import files for a connection."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--source", required=True, help="name of the connection the files belong to")
        parser.add_argument("files", nargs="+", metavar="FILE")

    def answer(self, **options: Any) -> dict[str, Any]:
        connection = Connection.objects.filter(name=options["source"]).first()
        if connection is None:
            known = ", ".join(Connection.objects.values_list("name", flat=True)) or "none yet"
            raise NotFound(f"There is no connection named {options['source']!r} (known: {known}).")
        results = [_one(connection, Path(name)) for name in options["files"]]
        return results[0] if len(results) == 1 else {"files": results}

    def exit_code(self, result: dict[str, Any]) -> int:
        files = result.get("files", [result])
        return 0 if all(one["state"] == "stored" for one in files) else 1


def _one(connection: Connection, path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            done = imports.import_file(
                actor=System("manage import_file"), connection_id=connection.pk, stream=stream, filename=path.name
            )
    except (OSError, DomainError) as error:
        return {"file": path.name, "state": "refused", "error": str(error)}
    return describe(done)


def describe(done: FileImport) -> dict[str, Any]:
    """An import as the command prints it."""
    return {
        "file": done.filename,
        "sha256": done.sha256,
        "state": ImportState(done.state).name.lower(),
        "rows": done.rows,
        "new": done.new,
        "changed": done.changed,
        "duplicate": done.duplicate,
        "rejected": [{"line": r.line, "field": r.field, "reason": r.reason} for r in done.rejections.all()],
        "control_totals": done.control_totals,
        "balanced": done.balanced,
        "facts": done.facts,
        "warnings": done.warnings,
        "error": done.error,
    }
