"""What the list of requests shows."""

from __future__ import annotations

from django.urls import reverse

from backoffice.approvals.models import Request, State
from backoffice.approvals.registry import get
from backoffice.ui import components
from backoffice.ui.columns import Column, Kind
from backoffice.ui.components import Tone
from backoffice.ui.tables import Table

TONES: dict[str, Tone] = {
    State.PENDING: Tone.WARN,
    State.APPROVED: Tone.INFO,
    State.EXECUTED: Tone.GOOD,
    State.REJECTED: Tone.BAD,
    State.WITHDRAWN: Tone.NEUTRAL,
    State.EXPIRED: Tone.NEUTRAL,
}


class RequestTable(Table):
    columns = (
        Column("pk", "Request", Kind.CODE, sort="id"),
        Column(lambda r: get(r.action).title, "What"),
        Column("summary", "Summary", wrap=True, width=60),
        Column("amount", "Amount", Kind.MONEY, currency="currency"),
        Column("entity.code", "Entity", Kind.CODE, hide_narrow=True),
        Column("maker", "Asked by", Kind.ACTOR),
        Column(lambda r: components.age(r.requested_at), "Asked", export=lambda r: r.requested_at),
        Column("state", "State", Kind.STATUS, tones=TONES, labels=dict(State.choices)),
        Column("expires_at", "Expires", Kind.DATETIME, hide_narrow=True),
    )
    sorts = {"id": ("pk",)}
    default_sort = "-id"
    empty = "Nothing waits for approval."
    empty_hint = "Requests that need a second person appear here."

    def link(self, row: Request) -> str:
        return reverse("request", args=[row.pk])
