"""`manage import_status_report FILE...`: what a bank answers to payment files (pain.002), as if handed in on the page.

Prints one object per report: file, state (stored, or refused with the reason), the report's and the payment file's
names, what the bank says of the whole, and how many payments it says something of, which it refused, and what is in
doubt: `unknown` are payments that the file does not have, `conflicts` what does not fit what is known. The exit code is
1 when a report was refused or something is in doubt. A report that comes again changes nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from backoffice.kernel.actor import System
from backoffice.kernel.commands import Command as Base
from backoffice.kernel.errors import DomainError
from payments.adapters import pain002
from payments.models.files import StatusReport
from payments.services import file_reports


class Command(Base):
    help = "Import a bank's status reports (pain.002) on payment files."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE")

    def answer(self, **options: Any) -> dict[str, Any]:
        results = [_one(Path(name)) for name in options["files"]]
        return results[0] if len(results) == 1 else {"files": results}

    def exit_code(self, result: dict[str, Any]) -> int:
        files = result.get("files", [result])
        clear = all(one["state"] == "stored" and not one["unknown"] and not one["conflicts"] for one in files)
        return 0 if clear else 1


def _one(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            taken = file_reports.take(actor=System("manage import_status_report"), stream=stream)
    except (OSError, DomainError) as error:
        return {"file": path.name, "state": "refused", "error": str(error)}
    return {"file": path.name, "state": "stored", **_said(taken)}


def _said(report: StatusReport) -> dict[str, Any]:
    refused = report.lines.filter(status=pain002.REFUSED).order_by("id")
    return {
        "report": report.message_id,
        "payment_file": report.file.message_id,
        "payment_file_state": report.file.state,
        "status": report.status,
        "payments": report.lines.count(),
        "refused": list(refused.values_list("line__end_to_end_id", flat=True)),
        "unknown": report.unknown,
        "conflicts": report.conflicts,
    }
