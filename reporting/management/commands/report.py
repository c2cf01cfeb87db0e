"""`manage report NAME --date D --format F -o FILE`: make a report here and now, keep it, and write the file.

    manage report daily_reconciliation --date 2026-11-19 --format pdf -o report.pdf

With `--as-of` nothing that came later is in it: the report of a past moment, made again.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from backoffice.kernel.actor import System
from backoffice.kernel.commands import Command as Base
from backoffice.kernel.commands import day
from backoffice.kernel.errors import DomainError, NotFound
from backoffice.organisation.models import LegalEntity
from integrations.models import Connection
from reporting.models import Format, ReportRun, RunState
from reporting.selectors import files
from reporting.services import runs

ACTOR = System("manage report")


class Command(Base):
    help = "Make a report and write it to a file."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="daily_reconciliation")
        parser.add_argument("--date", required=True, help="business day, 2026-11-19")
        parser.add_argument("--format", required=True, choices=[form.value for form in Format])
        parser.add_argument("-o", "--output", required=True, help="the file to write; an existing one is replaced")
        parser.add_argument("--entity", action="append", help="code of a legal entity; may be given again")
        parser.add_argument("--as-of", help="know nothing after this moment, 2026-11-20T07:30:00Z")

    def answer(self, **options: Any) -> dict[str, Any]:
        target = Path(options["output"])
        run = runs.make_now(
            actor=ACTOR,
            report=options["name"],
            day=day(options["date"]),
            entity_ids=_entity_ids(options["entity"]),
            formats=[options["format"]],
            cutoff_at=_moment(options["as_of"]),
        )
        if run.state != RunState.DONE:
            raise DomainError(run.error)
        return _written(run, target)

    def sentences(self, result: dict[str, Any]) -> list[str]:
        entities = ", ".join(result["entities"])
        return [
            f"{result['report']} {result['date']} of {entities}: {result['file']}, {result['size']} bytes",
            f"cut-off {result['cutoff']}, sha256 {result['sha256']}, run {result['run']}",
        ]


def _written(run: ReportRun, target: Path) -> dict[str, Any]:
    file = run.files.get()
    try:
        target.write_bytes(files.content(file))
    except OSError as error:
        raise DomainError(
            f"{target} cannot be written: {error.strerror}. The report is kept as run {run.pk}."
        ) from error
    return {
        "run": run.pk,
        "report": run.report,
        "date": run.parameters["day"],
        "entities": run.parameters["entities"],
        "format": file.format,
        "file": str(target),
        "sha256": file.sha256,
        "size": file.size,
        "cutoff": run.cutoff_at,
        "definition_version": run.definition_version,
        "code_version": run.code_version,
        "content_hash": run.content_hash,
    }


def _entity_ids(codes: list[str] | None) -> list[int]:
    """The named entities, or all that have connections (all there are, where nothing is connected)."""
    rows = LegalEntity.objects.order_by("code")
    if codes:
        found = dict(rows.filter(code__in=codes).values_list("code", "pk"))
        missing = sorted(set(codes) - found.keys())
        if missing:
            raise NotFound(f"There is no legal entity {', '.join(missing)}.")
        return list(found.values())
    connected = list(rows.filter(pk__in=Connection.objects.values("entity_id")).values_list("pk", flat=True))
    return connected or list(rows.values_list("pk", flat=True))


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{text!r} is not a moment; write it as 2026-11-20T07:30:00Z.") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
