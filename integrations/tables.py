"""What the lists of connections and imports show."""

from __future__ import annotations

from django.urls import reverse

from backoffice.ui.columns import Column, Kind
from backoffice.ui.components import Tone
from backoffice.ui.tables import Table
from integrations import registry
from integrations.models import Connection, FileImport, ImportState, SymbolMapping

IMPORT_TONES: dict[str, Tone] = {
    ImportState.STORED: Tone.GOOD,
    ImportState.PREVIEW: Tone.INFO,
    ImportState.HELD: Tone.WARN,
    ImportState.REFUSED: Tone.BAD,
}
FEED_TONES: dict[str, Tone] = {
    "ok": Tone.GOOD,
    "check": Tone.WARN,
    "late": Tone.WARN,
    "failing": Tone.BAD,
    "never read": Tone.NEUTRAL,
    "paused": Tone.NEUTRAL,
}


class ConnectionTable(Table):
    columns = (
        Column("name", "Connection", Kind.CODE, sort="name"),
        Column(lambda c: registry.title(c.adapter), "Reads", width=36),
        Column("entity.code", "Entity", Kind.CODE),
        Column("paired_with.name", "Covers", Kind.CODE, hide_narrow=True),
        Column("is_active", "Active", Kind.FLAG),
        Column("feed.last_success_at", "Last read", Kind.DATETIME),
        Column("feed.last_fact_at", "Last news", Kind.DATETIME, hide_narrow=True),
        Column(lambda c: c.feed.failures or None, "Failures", Kind.NUMBER),
        Column("feed.last_error", "Trouble", wrap=True, width=40, hide_narrow=True),
    )
    sorts = {"name": ("name",)}
    default_sort = "name"
    small = True
    empty = "No connections yet."
    empty_hint = "Add the trade server, the liquidity provider, the PSP and the banks."

    def link(self, row: Connection) -> str:
        return reverse("connection", args=[row.pk])


class FileImportTable(Table):
    columns = (
        Column("pk", "Import", Kind.CODE, sort="id"),
        Column("filename", "File", wrap=True, width=40),
        Column("connection.name", "Source", Kind.CODE),
        Column("state", "State", Kind.STATUS, tones=IMPORT_TONES, labels=dict(ImportState.choices)),
        Column("rows", "Rows", Kind.NUMBER),
        Column("new", "New", Kind.NUMBER),
        Column("duplicate", "Known", Kind.NUMBER, hide_narrow=True),
        Column("rejected", "Rejected", Kind.NUMBER),
        Column("received_at", "Received", Kind.DATETIME),
        Column("received_by", "By", Kind.ACTOR, hide_narrow=True),
    )
    sorts = {"id": ("pk",)}
    default_sort = "-id"
    empty = "No files yet."
    empty_hint = "Upload a statement, a settlement report or an extract."

    def link(self, row: FileImport) -> str:
        return reverse("import", args=[row.pk])


class RejectionTable(Table):
    columns = (
        Column("line", "Line", Kind.NUMBER, sort="line"),
        Column("field", "Field", Kind.CODE),
        Column("reason", "Reason", wrap=True, width=60),
        Column("raw", "As it came", Kind.CODE, css="wrap", width=60),
    )
    sorts = {"line": ("line", "pk")}
    default_sort = "line"
    small = True
    empty = "Every row could be read."


class SymbolMappingTable(Table):
    columns = (
        Column("symbol", "Symbol", Kind.CODE, sort="symbol"),
        Column("connection.name", "Source", Kind.CODE),
        Column("instrument.code", "Instrument", Kind.CODE),
        Column("contract_size", "Units per lot", Kind.NUMBER),
    )
    sorts = {"symbol": ("symbol", "pk")}
    default_sort = "symbol"
    small = True
    empty = "No symbols are mapped."
    empty_hint = "Deals in a symbol that stands for nothing wait unbooked."

    def row_class(self, row: SymbolMapping) -> str:
        return "warn" if row.contract_size != row.instrument.contract_size else ""
