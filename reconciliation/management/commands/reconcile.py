"""`manage reconcile KIND --date D`: run a reconciliation here and now.

Prints compared, matched and the open breaks [{class, key, amount, currency, ...}] of the day.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from django.core.management.base import CommandParser

from backoffice.kernel.actor import System
from backoffice.kernel.commands import Command as Base
from backoffice.kernel.commands import day
from backoffice.kernel.errors import DomainError, NotFound
from backoffice.organisation.models import LegalEntity
from integrations.models import Connection
from reconciliation.models import OPEN_STATES, Break, Kind, Run, RunState
from reconciliation.services import runs

ACTOR = System("manage reconcile")


class Command(Base):
    help = "Reconcile a business day of every entity, or of one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", choices=[kind.value for kind in Kind])
        parser.add_argument("--date", required=True, help="business day, 2026-11-19")
        parser.add_argument("--entity", help="code of one legal entity")

    def answer(self, **options: Any) -> dict[str, Any]:
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
