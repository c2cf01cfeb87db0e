"""What the lists of connections and imports show."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from backoffice.kernel.money import Money
from backoffice.outbox.models import State
from backoffice.ui.columns import Column, Kind
from backoffice.ui.components import Tone
from backoffice.ui.tables import BulkAction, Table
from integrations import registry
from integrations.hints import PspEvent
from integrations.models import (
    EVENT_KINDS,
    Connection,
    FileImport,
    FileProfile,
    ImportState,
    OrderState,
    PayoutOrder,
    ServerCommand,
    ServerOperation,
    SymbolMapping,
    Verdict,
    Webhook,
)
from integrations.selectors import orders

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


class ServerOperationTable(Table):
    columns = (
        Column("reference", "Reference", Kind.CODE),
        Column("login", "Login", Kind.CODE),
        Column("message.state", "State", Kind.STATUS, tones=COMMAND_TONES, labels=dict(orders.OPERATION_STATES)),
        Column("amount", "Amount", Kind.MONEY, currency="currency"),
        Column("get_kind_display", "Kind", hide_narrow=True),
        Column("ticket", "Ticket", Kind.CODE),
        Column(orders.next_step, "Next step", wrap=True, width=60),
        Column("message.error", "What was said", wrap=True, width=60, hide_narrow=True),
        Column("connection.name", "Server", Kind.CODE, hide_narrow=True),
        Column("asked_at", "Asked", Kind.DATETIME),
        Column("pk", "Operation", Kind.CODE, sort="id", hide_narrow=True),
    )
    sorts = {"id": ("pk",)}
    default_sort = "-id"
    empty = "No operations fit."
    empty_hint = "One is written when money is put on a login or taken off it."

    def link(self, row: ServerOperation) -> str:
        return reverse("server-operation", args=[row.pk])

    def row_class(self, row: ServerOperation) -> str:
        return "warn" if row.duplicates else ""


PAYOUT_TONES: dict[str, Tone] = {
    **COMMAND_TONES,
    OrderState.SENT: Tone.INFO,
    OrderState.PAID: Tone.GOOD,
    OrderState.FAILED: Tone.BAD,
    OrderState.RETURNED: Tone.BAD,
}


class PayoutOrderTable(Table):
    columns = (
        Column("reference", "Reference", Kind.CODE),
        Column(orders.state_of_payout, "State", Kind.STATUS, tones=PAYOUT_TONES, labels=dict(orders.PAYOUT_STATES)),
        Column("amount", "Amount", Kind.MONEY, currency="currency"),
        Column("connection.name", "PSP", Kind.CODE),
        Column("psp_reference", "PSP's reference", Kind.CODE, hide_narrow=True),
        Column(orders.next_step_of_payout, "Next step", wrap=True, width=60),
        Column("error", "What was said", wrap=True, width=60, hide_narrow=True),
        Column("asked_at", "Asked", Kind.DATETIME, sort="id"),
        Column("pk", "Order", Kind.CODE, hide_narrow=True),
    )
    sorts = {"id": ("pk",)}
    default_sort = "-id"
    empty = "No payouts fit."
    empty_hint = "One is written when a withdrawal is executed by a PSP."

    def link(self, row: PayoutOrder) -> str:
        return reverse("psp-payout", args=[row.pk])

    def row_class(self, row: PayoutOrder) -> str:
        return "warn" if row.duplicates else ""


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


VERDICT_TONES: dict[str, Tone] = {
    Verdict.VERIFIED: Tone.GOOD,
    Verdict.DIFFERS: Tone.BAD,
    Verdict.UNREADABLE: Tone.WARN,
    Verdict.UNSIGNED: Tone.NEUTRAL,
    Verdict.MISMATCH: Tone.BAD,
    Verdict.OUT_OF_WINDOW: Tone.WARN,
}
VERDICT_LABELS: dict[str, str] = dict(Verdict.choices)
EVENT_LABELS: dict[str, str] = dict(EVENT_KINDS)


def event_pairs(event: PspEvent) -> list[tuple[str, Any]]:
    """A hint as labels and typed values, without what it does not say."""
    found: list[tuple[str, Any]] = [
        ("Says", EVENT_LABELS[event.kind.value]),
        ("In the provider's words", event.status),
        ("Reason", event.reason),
        ("Provider's reference", event.psp_reference),
        ("Original payment", event.original_reference),
        ("Our reference", event.merchant_reference),
        ("Amount", Money(event.amount, event.currency) if event.amount is not None else ""),
        ("Happened", event.occurred_at or ""),
        ("Event", event.event_id),
        *((name.replace("_", " ").capitalize(), value) for name, value in sorted(event.details.items())),
    ]
    return [(label, value) for label, value in found if value != ""]


class WebhookTable(Table):
    columns = (
        Column("pk", "Webhook", Kind.CODE, sort="id"),
        Column("received_at", "Received", Kind.DATETIME),
        Column("connection.name", "Connection", Kind.CODE),
        Column("verdict", "Verdict", Kind.STATUS, tones=VERDICT_TONES, labels=VERDICT_LABELS),
        Column("kind", "Says", Kind.STATUS, labels=EVENT_LABELS),
        Column("merchant_reference", "Our reference", Kind.CODE),
        Column("psp_reference", "Provider's reference", Kind.CODE, hide_narrow=True),
        Column("amount", "Amount", Kind.MONEY, currency="currency"),
        # Either the provider's word, or why it was not taken.
        Column(lambda w: w.why or w.status, "What it says, or why not", wrap=True, width=40, hide_narrow=True),
    )
    sorts = {"id": ("pk",)}
    default_sort = "-id"
    empty = "No webhooks fit."
    empty_hint = "Set them up on a connection's page and give the provider the address."

    def link(self, row: Webhook) -> str:
        return reverse("webhook", args=[row.pk])


class FileProfileTable(Table):
    columns = (
        Column("name", "Profile", Kind.CODE, sort="name"),
        Column("version", "Version", Kind.NUMBER),
        Column("get_kind_display", "Rows are of a"),
        Column("entity.code", "Entity", Kind.CODE),
        Column("note", "Note", wrap=True, width=60),
        Column("made_at", "Made", Kind.DATETIME),
        Column("made_by", "By", Kind.ACTOR, hide_narrow=True),
    )
    sorts = {"name": ("name", "version", "pk")}
    default_sort = "name"
    small = True
    empty = "No profiles of your own yet."
    empty_hint = "Wise and Revolut come with the product; any other bank or PSP needs one."

    def link(self, row: FileProfile) -> str:
        return reverse("file-profile", args=[row.pk])
