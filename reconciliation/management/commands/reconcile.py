"""`manage reconcile KIND --date D`: run a reconciliation here and now.

Prints compared, matched and the open breaks [{class, key, amount, currency, ...}] of the day.

`manage reconcile files --set SET.json --folder FOLDER --entity CODE` puts files of other houses through the ladder (a
set says which: services/files.py). Where the set names a column of labels, what was found is set against them
afterwards.
"""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from backoffice.kernel.actor import System
from backoffice.kernel.commands import Command as Base
from backoffice.kernel.commands import day
from backoffice.kernel.errors import DomainError, NotFound
from backoffice.organisation.models import LegalEntity
from integrations.models import Connection
from reconciliation.models import OPEN_STATES, Break, Comparison, Kind, Run, RunState
from reconciliation.models.runs import FILES
from reconciliation.services import files, judging, runs

ACTOR = System("manage reconcile")


class Command(Base):
    help = "Reconcile a business day of every entity, or of one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", choices=[*(kind.value for kind in Kind), FILES])
        parser.add_argument("--date", help="business day, 2026-11-19; of files there is none")
        parser.add_argument("--entity", help="code of one legal entity")
        parser.add_argument("--set", type=Path, help="with files: which files, profiles and comparisons")
        parser.add_argument("--folder", type=Path, help="with files: where they are")

    def answer(self, **options: Any) -> dict[str, Any]:
        if options["kind"] == FILES:
            return _files(options)
        if not options["date"]:
            raise DomainError("Name the business day: --date 2026-11-19.")
        kind, on = Kind(options["kind"]), day(options["date"])
        entities = LegalEntity.objects.filter(pk__in=Connection.objects.values("entity_id")).order_by("code")
        if options["entity"]:
            entities = entities.filter(code=options["entity"])
        if not entities:
            raise NotFound("No legal entity with connections fits.")
        done = [runs.run_now(actor=ACTOR, entity_id=e.pk, kind=kind, day=on) for e in entities]
        failed = [run.error or f"{run} was taken over by a worker." for run in done if run.state != RunState.DONE]
        if failed:
            raise DomainError("; ".join(failed))
        return {
            "kind": kind.value,
            "date": on,
            "compared": sum(run.compared for run in done),
            "matched": sum(run.matched for run in done),
            "breaks": [row for run in done for row in _breaks(run, on)],
            "notes": [note for run in done for note in run.notes],
        }

    def sentences(self, result: dict[str, Any]) -> list[str]:
        if result["kind"] == FILES:
            return _said(result)
        head = f"{result['kind']} {result['date']}: {result['compared']} compared, {result['matched']} matched"
        lines = [f"  {b['class']:18} {b['summary']}" for b in result["breaks"]]
        return [head, *lines, *(f"  note: {note}" for note in result["notes"])]


def _breaks(run: Run, on: date) -> list[dict[str, Any]]:
    rows = Break.objects.filter(entity_id=run.entity_id, kind=run.kind, state__in=OPEN_STATES).select_related("entity")
    lasting = run.kind in (Kind.CASH, Kind.ACCOUNTS)
    rows = rows.filter(business_date__lte=on) if lasting else rows.filter(business_date=on)
    return [
        {
            "class": b.klass,
            "key": b.key,
            "entity": b.entity.code,
            "date": b.business_date,
            "amount": b.amount,
            "currency": b.currency,
            "state": b.state,
            "owner": b.owner_role,
            "summary": b.summary,
        }
        for b in rows.order_by("klass", "key")
    ]


def _files(options: dict[str, Any]) -> dict[str, Any]:
    """Load a set, compare, and judge what is labelled."""
    if not options["set"] or not options["folder"] or not options["entity"]:
        raise DomainError("Comparing files needs --set, --folder and --entity.")
    try:
        spec = json.loads(options["set"].read_text())
    except (OSError, ValueError) as error:
        raise DomainError(f"{options['set']} cannot be read: {error}.") from None
    here = LegalEntity.objects.filter(code=options["entity"]).first()
    if here is None:
        raise NotFound(f"There is no legal entity {options['entity']}.")
    loaded, made = files.load_set(actor=ACTOR, entity_id=here.pk, folder=options["folder"], spec=spec)
    verdicts = judging.judge(folder=options["folder"], spec=spec, files=loaded, made=made)
    return {
        "kind": FILES,
        "set": spec["name"],
        "rule": str(made[0].rule),
        "comparisons": [{"name": one.name, "lines": _counts(one)} for one in made],
        "sources": [
            {
                "source": verdict.source,
                "file": loaded[verdict.source].name,
                "lines": verdict.lines,
                "right": verdict.right,
                "agreement": f"{verdict.agreement:.4f}",
                "false_matches": list(verdict.false_matches),
                "table": [
                    {"label": label, "labelled": wanted, "found": got, "lines": count}
                    for (label, wanted, got), count in sorted(verdict.table.items())
                ],
                "classes": [
                    {
                        "class": score.klass,
                        "labelled": score.labelled,
                        "found": score.found,
                        "right": score.right,
                        "precision": _share(score.precision),
                        "recall": _share(score.recall),
                    }
                    for score in verdict.scores
                ],
            }
            for verdict in verdicts
        ],
    }


def _counts(made: Comparison) -> dict[str, int]:
    counts: dict[str, int] = {}
    for klass in made.lines.values_list("klass", flat=True):
        counts[klass] = counts.get(klass, 0) + 1
    return dict(sorted(counts.items()))


def _share(value: Decimal | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _said(result: dict[str, Any]) -> list[str]:
    lines = [f"{result['set']} by {result['rule']}"]
    for one in result["comparisons"]:
        lines.append(f"  {one['name']}: " + ", ".join(f"{klass} {count}" for klass, count in one["lines"].items()))
    for source in result["sources"]:
        false = len(source["false_matches"])
        lines += [
            "",
            f"{source['source']} ({source['file']}): {source['right']} of {source['lines']} lines as labelled"
            f" ({source['agreement']}), {false} false matches",
            f"  {'label':40} {'class labelled':18} {'class found':18} lines",
            *(f"  {r['label']:40} {r['labelled']:18} {r['found']:18} {r['lines']:5}" for r in source["table"]),
            f"  {'class':18} labelled found right precision recall",
            *(
                f"  {c['class']:18} {c['labelled']:8} {c['found']:5} {c['right']:5} {c['precision']:>9}"
                f" {c['recall']:>6}"
                for c in source["classes"]
            ),
        ]
    return lines
