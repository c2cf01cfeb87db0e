"""What of facts and orders has to be looked at before a day is closed."""

from __future__ import annotations

from datetime import date

from django.db.models import Max
from django.urls import reverse

from accounts.models import BookingCursor, Unbooked
from backoffice.approvals.registry import Level
from integrations.models import (
    BankLine,
    Connection,
    Deal,
    FileImport,
    Fill,
    ImportState,
    PayoutOrder,
    PspLine,
    ServerOperation,
)
from ledger.registry import Finding

_FACTS = {"deal": Deal, "fill": Fill, "psp": PspLine, "bank": BankLine}


def of_day(entity_id: int, day: date) -> list[Finding]:
    unbooked = Unbooked.objects.filter(entity=entity_id, closed_at=None, business_date__lte=day)
    waiting = unbooked.exclude(reason="NOT_YET").count()
    unknown = {"entity": entity_id, "message__state": "UNKNOWN", "asked_at__date__lte": day}
    servers, psps = ServerOperation.objects.filter(**unknown).count(), PayoutOrder.objects.filter(**unknown).count()
    held = FileImport.objects.filter(entity=entity_id, state__in=[ImportState.HELD, ImportState.PREVIEW]).count()
    behind = _behind(entity_id)
    return [
        _line(len(behind), "Facts are booked", f"booking is behind: {', '.join(behind)}", reverse("journals")),
        _line(waiting, "Nothing is unbooked", f"{waiting} facts of this day or before", reverse("unbooked")),
        _line(servers, "Servers have answered", f"{servers} unknown", reverse("server-operations")),
        _line(psps, "PSPs have answered", f"{psps} unknown", reverse("psp-payouts")),
        _line(held, "No file waits", f"{held} held or not confirmed", reverse("imports"), Level.AMBER),
    ]


def _line(number: int, label: str, detail: str, url: str, bad: Level = Level.RED) -> Finding:
    return Finding(bad if number else Level.GREEN, label, detail if number else "done", url)


def _behind(entity_id: int) -> list[str]:
    """Connections with facts that booking has not looked at."""
    through = {
        (row.connection_id, row.fact_kind): row.through_id
        for row in BookingCursor.objects.filter(connection__entity=entity_id)
    }
    names = dict(Connection.objects.filter(entity=entity_id).values_list("pk", "name"))
    late = set()
    for kind, model in _FACTS.items():
        newest = (
            model._default_manager.filter(connection__in=names).order_by().values("connection").annotate(last=Max("id"))
        )
        late |= {names[row["connection"]] for row in newest if row["last"] > through.get((row["connection"], kind), 0)}
    return sorted(late)
