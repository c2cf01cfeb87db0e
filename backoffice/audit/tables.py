"""What the lists of the log show."""

from __future__ import annotations

from typing import Any, ClassVar

from django.urls import reverse

from backoffice.audit.models import Change, Check, CheckState, Entry
from backoffice.audit.services import personal
from backoffice.ui import formats
from backoffice.ui.columns import Column, Kind
from backoffice.ui.components import Tone
from backoffice.ui.tables import Table

TONES: dict[str, Tone] = {
    CheckState.QUEUED: Tone.NEUTRAL,
    CheckState.RUNNING: Tone.INFO,
    CheckState.CLEAN: Tone.GOOD,
    CheckState.BROKEN: Tone.BAD,
    CheckState.FAILED: Tone.WARN,
}


def words(data: Any) -> str:
    """An entry's data on one line; personal data only ever on the entry's own page."""
    return formats.words(personal.masked(data)) if data else ""


def said(change: Change) -> str:
    """The first rows of a change in words."""
    parts = []
    for row in change.content[:3]:
        before, after = row.get("before") or {}, row.get("after") or {}
        parts.append(
            "; ".join(
                f"{name}: {formats.words(before.get(name))} → {formats.words(after.get(name))}" if before and after
                else f"{name}: {formats.words((after or before)[name])}"
                for name in sorted(before | after)
                if (before and after) or (after or before)[name] not in (None, "")
            )
        )  # fmt: skip
    return " | ".join(parts)[:400]


def object_url(target: str) -> str | None:
    return reverse("audit-object", args=[target]) if target and "/" not in target else None


def person_url(row: Entry) -> str | None:
    return reverse("audit-person", args=[row.actor_id]) if row.actor_id is not None else None


class OwnTable(Table):
    """What one did oneself."""

    columns: ClassVar[tuple[Column, ...]] = (
        Column("at", "When", Kind.DATETIME, sort="id"),
        Column("action", "What", Kind.CODE),
        Column("target", "About", Kind.CODE),
        Column("entity.code", "Entity", Kind.CODE, hide_narrow=True),
        Column(lambda row: words(row.data), "Details", wrap=True, width=60),
        Column("ip", "From", Kind.CODE, hide_narrow=True),
    )
    sorts = {"id": ("pk",)}
    default_sort = "-id"
    empty = "No entry fits."
    empty_hint = "Take a filter away, or choose other days."


class EntryTable(OwnTable):
    """The log, each entry with the way to itself, to its object and to its person."""

    columns = (
        OwnTable.columns[0],
        Column("actor_label", "Who", Kind.ACTOR, link=person_url),
        OwnTable.columns[1],
        Column("target", "About", Kind.CODE, link=lambda row: object_url(row.target)),
        *OwnTable.columns[3:],
    )

    def link(self, row: Entry) -> str:
        return reverse("audit-entry", args=[row.pk])


class ChangeTable(Table):
    """Statements on watched tables."""

    columns = (
        Column("at", "When", Kind.DATETIME, sort="id"),
        Column("table_name", "Table", Kind.CODE),
        Column("operation", "Statement"),
        Column("rows", "Rows", Kind.NUMBER),
        Column(lambda row: ", ".join(row.keys[:5]) + (" …" if len(row.keys) > 5 else ""), "Keys", wrap=True),
        Column(said, "Before and after", wrap=True, width=60),
        Column("role", "Database role", Kind.CODE, hide_narrow=True),
        Column("xid", "Transaction", Kind.CODE, hide_narrow=True),
    )
    sorts = {"id": ("pk",)}
    default_sort = "-id"
    empty = "No change fits."
    empty_hint = "Take a filter away, or choose other days."


class CheckTable(Table):
    columns = (
        Column("pk", "Verification", Kind.CODE, sort="id"),
        Column("state", "Result", Kind.STATUS, tones=TONES, labels=dict(CheckState.choices)),
        Column("asked_at", "Asked for", Kind.DATETIME),
        Column("asked_by", "By", Kind.ACTOR),
        Column("finished_at", "Finished", Kind.DATETIME, hide_narrow=True),
        Column(lambda row: row.result.get("first_bad", ""), "First bad row", wrap=True),
    )
    sorts = {"id": ("pk",)}
    default_sort = "-id"
    empty = "Nobody has verified the log here yet."
    empty_hint = "“Verify now” reads all of it; a worker does the work."

    def link(self, row: Check) -> str:
        return reverse("audit-check", args=[row.pk])
