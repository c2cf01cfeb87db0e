"""What the lists of connections and imports show."""

from __future__ import annotations

from django.urls import reverse

from backoffice.outbox.models import State
from backoffice.ui.columns import Column, Kind
from backoffice.ui.components import Tone
from backoffice.ui.tables import BulkAction, Table
from integrations import registry
from integrations.models import Connection, FileImport, ImportState, ServerCommand, SymbolMapping

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


SUPERSEDED = "SUPERSEDED"
COMMAND_TONES: dict[str, Tone] = {
    State.QUEUED: Tone.INFO,
    State.SENDING: Tone.INFO,
    State.DONE: Tone.GOOD,
    State.REFUSED: Tone.BAD,
    State.UNKNOWN: Tone.WARN,
    SUPERSEDED: Tone.NEUTRAL,
}
COMMAND_LABELS: dict[str, str] = {**dict(State.choices), SUPERSEDED: "overtaken"}


def state_of(command: ServerCommand) -> str:
    """Its message's state; a refusal because a newer command took its place is none of the server's."""
    return SUPERSEDED if command.is_superseded else command.message.state


def wish_of(command: ServerCommand) -> str:
    """What a command asks for, in words: trading off, leverage 1:30."""
    wish = command.wish
    words = [
        f"{label} {'on' if value else 'off'}"
        for label, value in (("log-in", wish.enabled), ("trading", wish.trading))
        if value is not None
    ]
    if wish.group is not None:
        words.append(f"group {wish.group}")
    if wish.leverage is not None:
        words.append(f"leverage 1:{wish.leverage}")
    if wish.reset_password is not None:
        words.append("new password at next log-in" if wish.reset_password else "no new password needed")
    return ", ".join(words)


def label_of(command: ServerCommand) -> str:
    return COMMAND_LABELS[state_of(command)]


class ServerCommandTable(Table):
    columns = (
        Column("pk", "Command", Kind.CODE, sort="id"),
        Column("login", "Login", Kind.CODE),
        Column(state_of, "State", Kind.STATUS, tones=COMMAND_TONES, labels=COMMAND_LABELS),
        Column(wish_of, "Wanted", wrap=True, width=40),
        Column("message.error", "What was said", wrap=True, width=60),
        Column("message.attempts", "Tries", Kind.NUMBER, hide_narrow=True),
        Column("connection.name", "Server", Kind.CODE, hide_narrow=True),
        Column("asked_at", "Asked", Kind.DATETIME),
        Column("message.finished_at", "Ended", Kind.DATETIME, hide_narrow=True),
    )
    sorts = {"id": ("pk",)}
    default_sort = "-id"
    bulk = (BulkAction("Try now", "retry-commands", "integrations.retry_servercommand"),)
    empty = "No commands fit."
    empty_hint = "A command is written when a status, restriction, group or leverage changes."


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
