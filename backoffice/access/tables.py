"""What the lists of grants and of requests about rights show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.urls import reverse

from backoffice.access.models import Grant, Kind
from backoffice.kernel import clock
from backoffice.organisation.models import Desk, LegalEntity
from backoffice.ui.columns import Column
from backoffice.ui.columns import Kind as Shown
from backoffice.ui.components import Tone
from backoffice.ui.tables import Table

ENDED, OVER, LIVE = "ended", "ran out", "in force"
TONES: dict[str, Tone] = {LIVE: Tone.GOOD, OVER: Tone.WARN, ENDED: Tone.NEUTRAL}
KINDS: dict[str, Tone] = {Kind.BREAK_GLASS: Tone.BAD, Kind.GRANT: Tone.INFO, Kind.SETUP: Tone.NEUTRAL}


def state_of(grant: Grant) -> str:
    """Where a grant stands: what has run out does not count, even before it is swept."""
    if grant.ended_at is not None:
        return ENDED
    return OVER if grant.until is not None and grant.until <= clock.now() else LIVE


class GrantTable(Table):
    columns = (
        Column("pk", "Grant", Shown.CODE, sort="id"),
        Column("user", "Person", Shown.ACTOR),
        Column("role", "Role", Shown.CODE),
        Column("kind", "How", Shown.STATUS, labels=dict(Kind.choices), tones=KINDS),
        Column("places", "Where", wrap=True),
        Column("granted_at", "Since", Shown.DATETIME),
        Column("until", "Until", Shown.DATETIME),
        Column(state_of, "State", Shown.STATUS, tones=TONES),
        Column("end_reason", "Ended because", hide_narrow=True),
        Column("request_id", "Request", Shown.CODE, hide_narrow=True),
        Column("take", "", link=lambda row: reverse("ask-revoke", args=[row.pk]) if row.take else None),
    )
    sorts = {"id": ("pk",)}
    default_sort = "-id"
    small = True
    empty = "No role was granted yet."
    empty_hint = "Roles that were asked for and approved appear here."

    # Set by the page for those who may ask to take a role away.
    offers = False

    def prepare(self, rows: Sequence[Any]) -> None:
        entities = dict(LegalEntity.objects.values_list("pk", "code")) if rows else {}
        wanted = {pk for row in rows for pk in row.desks}
        desks = dict(Desk.objects.filter(pk__in=wanted).values_list("pk", "code")) if wanted else {}
        for row in rows:
            here = ", ".join(entities.get(pk, "?") for pk in row.entities)
            at = ", ".join(desks.get(pk, "?") for pk in row.desks)
            row.take = "Take away" if self.offers and row.ended_at is None else ""
            row.places = f"{here} ({at})" if at else here

    def link(self, row: Grant) -> str | None:
        return reverse("request", args=[row.request_id]) if row.request_id else None
