"""What the lists of clients, accounts and outside facts show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.urls import reverse

from accounts.models import (
    Client,
    ClientStatus,
    ConsentStep,
    Flag,
    Restriction,
    TradingAccount,
    Unbooked,
    UnbookedReason,
)
from accounts.selectors import visible
from accounts.selectors.said import currencies_of
from accounts.selectors.server_state import CODES, state_of
from backoffice.kernel import clock
from backoffice.ui.columns import Column, Kind
from backoffice.ui.components import Tone
from backoffice.ui.tables import Table
from integrations.models import BankLine, BankNotice, Deal, Fill, PspLine

CLIENT_TONES: dict[str, Tone] = {
    ClientStatus.ACTIVE: Tone.GOOD,
    ClientStatus.APPROVED: Tone.INFO,
    ClientStatus.UNDER_REVIEW: Tone.WARN,
    ClientStatus.SUSPENDED: Tone.BAD,
    ClientStatus.REJECTED: Tone.BAD,
    ClientStatus.DORMANT: Tone.WARN,
    ClientStatus.CLOSING: Tone.WARN,
}


class ClientTable(Table):
    columns = (
        Column("number", "Client", Kind.CODE, sort="number"),
        Column("name", "Name", sort="name", width=32),
        Column("entity.code", "Entity", Kind.CODE),
        Column("country", "Country", Kind.CODE),
        Column("get_category_display", "Category"),
        Column("status", "Status", Kind.STATUS, tones=CLIENT_TONES, labels=dict(ClientStatus.choices)),
        Column(visible.shown_flags, "Flags", width=30),
        Column("logins", "Logins", Kind.NUMBER, hide_narrow=True),
        Column("opened_at", "Opened", Kind.DATETIME, hide_narrow=True),
    )
    sorts = {"number": ("number", "pk"), "name": ("name", "pk")}
    default_sort = "number"
    empty = "No clients fit."

    def link(self, row: Client) -> str:
        return reverse("client", args=[row.pk])


SERVER_TONES: dict[str, Tone] = {
    "CONFIRMED": Tone.GOOD,
    "QUEUED": Tone.INFO,
    "PENDING": Tone.WARN,
    "REFUSED": Tone.BAD,
}


class RestrictionTable(Table):
    columns = (
        Column("pk", "No.", Kind.CODE, sort="id"),
        Column("client.number", "Client", Kind.CODE),
        Column("client.name", "Name", width=32, hide_narrow=True),
        Column("get_kind_display", "Restriction"),
        Column("get_reason_display", "Reason", hide_narrow=True),
        Column("set_by", "Set by", Kind.ACTOR),
        Column("set_at", "Set", Kind.DATETIME, hide_narrow=True),
        Column("review_due_at", "Review due", Kind.DATETIME),
    )
    sorts = {"id": ("pk",)}
    default_sort = "id"
    empty = "Nothing waits for a review."
    empty_hint = "Reviews, suspensions and restrictions appear here until somebody else has looked at them."

    def link(self, row: Restriction) -> str:
        return reverse("confirm-restriction", args=[row.pk])

    def row_class(self, row: Restriction) -> str:
        return "bad" if row.review_due_at and row.review_due_at <= clock.now() else ""


class HoldTable(Table):
    columns = (
        Column("pk", "No.", Kind.CODE, sort="id"),
        Column("client.number", "Client", Kind.CODE),
        Column("client.name", "Name", width=32, hide_narrow=True),
        Column("set_by", "Set by", Kind.ACTOR),
        Column("set_at", "Set", Kind.DATETIME),
        Column("stage", "Consent", Kind.STATUS, labels=dict(ConsentStep.Kind.choices)),
        Column("deadline", "Deadline", Kind.DATE),
    )
    sorts = {"id": ("pk",)}
    default_sort = "id"
    small = True
    empty = "No holds."

    def link(self, row: Flag) -> str:
        return reverse("note-consent", args=[row.pk])

    def row_class(self, row: Any) -> str:
        return "bad" if row.deadline and row.deadline < clock.today() else ""


class TradingAccountTable(Table):
    columns = (
        Column("login", "Login", Kind.CODE, sort="login"),
        Column("connection.name", "Server", Kind.CODE),
        Column("client.name", "Client", width=32),
        Column("entity.code", "Entity", Kind.CODE),
        Column("group", "Group", Kind.CODE, hide_narrow=True),
        Column("leverage", "Leverage", Kind.NUMBER, hide_narrow=True),
        Column("shown_balance", "Balance", Kind.MONEY, currency="currency_id"),
        Column("shown_credit", "Credit", Kind.MONEY, currency="currency_id"),
        Column("server.code", "Server state", Kind.STATUS, tones=SERVER_TONES, labels=CODES),
        Column("opened_at", "Opened", Kind.DATETIME, hide_narrow=True),
    )
    sorts = {"login": ("login", "pk")}
    default_sort = "login"
    empty = "No trading accounts fit."

    def prepare(self, rows: Sequence[Any]) -> None:
        states = state_of(rows)
        for row in rows:
            row.server = states[row.pk]

    def link(self, row: TradingAccount) -> str:
        return reverse("trading-account", args=[row.pk])


class DealTable(Table):
    columns = (
        Column("ticket", "Deal", Kind.CODE),
        Column("dealt_at", "Dealt", Kind.DATETIME, sort="dealt"),
        Column("connection.name", "Server", Kind.CODE, hide_narrow=True),
        Column("login", "Login", Kind.CODE),
        Column("kind", "Kind", Kind.CODE, hide_narrow=True),
        Column("side", "Side", Kind.CODE),
        Column("symbol", "Symbol", Kind.CODE),
        Column(lambda d: d.volume_lots or None, "Lots", Kind.LOTS),
        Column(lambda d: d.price or None, "Price", Kind.PRICE),
        Column("profit", "Profit or amount", Kind.MONEY, currency="currency"),
        Column(lambda d: d.swap or None, "Swap", Kind.MONEY, currency="currency", hide_narrow=True),
        Column(lambda d: d.commission or None, "Commission", Kind.MONEY, currency="currency", hide_narrow=True),
        Column("gateway", "Book", Kind.CODE, hide_narrow=True),
        Column("comment", "Comment", hide_narrow=True, width=24),
        Column("version", "Version", Kind.NUMBER, hide_narrow=True),
    )
    sorts = {"dealt": ("dealt_at", "id")}
    default_sort = "-dealt"
    empty = "No deals fit."
    empty_hint = "Deals appear a few seconds after the trade server has them."

    def prepare(self, rows: Sequence[Any]) -> None:
        currencies = currencies_of(rows)
        for row in rows:
            row.currency = currencies.get((row.connection_id, row.login), "")

    def link(self, row: Deal) -> str:
        return reverse("deal", args=[row.pk])

    def row_class(self, row: Deal) -> str:
        return "bad" if row.deleted else "warn" if row.modify_flags else ""


class FillTable(Table):
    columns = (
        Column("exec_id", "Execution", Kind.CODE),
        Column("traded_at", "Traded", Kind.DATETIME, sort="traded"),
        Column("connection.name", "Provider", Kind.CODE),
        Column("order_ref", "Order", Kind.CODE),
        Column("side", "Side", Kind.CODE),
        Column("symbol", "Symbol", Kind.CODE),
        Column("quantity_units", "Units", Kind.NUMBER),
        Column("price", "Price", Kind.PRICE),
        Column("commission", "Commission", Kind.MONEY, currency="commission_currency", hide_narrow=True),
        Column("trade_date", "Trade date", Kind.DATE, hide_narrow=True),
    )
    sorts = {"traded": ("traded_at", "id")}
    default_sort = "-traded"
    empty = "No fills fit."

    def link(self, row: Fill) -> str:
        return reverse("fill", args=[row.pk])


class PspLineTable(Table):
    columns = (
        Column("psp_reference", "PSP reference", Kind.CODE),
        Column("booked_at", "Booked", Kind.DATETIME, sort="booked"),
        Column("connection.name", "PSP", Kind.CODE, hide_narrow=True),
        Column("provider_type", "Type", width=18),
        Column("merchant_reference", "Our reference", Kind.CODE),
        Column("method", "Method", hide_narrow=True),
        Column("gross", "Gross", Kind.MONEY, currency="currency"),
        Column("fee", "Fee", Kind.MONEY, currency="currency", hide_narrow=True),
        Column("net", "Net", Kind.MONEY, currency="currency"),
        Column("payout_key", "Payout", Kind.CODE, hide_narrow=True),
    )
    sorts = {"booked": ("booked_at", "id")}
    default_sort = "-booked"
    empty = "No PSP lines fit."
    empty_hint = "Hand in a settlement report under Imports."

    def link(self, row: PspLine) -> str:
        return reverse("psp-line", args=[row.pk])


class BankLineTable(Table):
    columns = (
        Column("booking_date", "Booked", Kind.DATE, sort="booked"),
        Column("amount", "Amount", Kind.MONEY, currency="currency"),
        Column("counterparty", "Counterparty", width=28),
        Column("remittance", "Remittance", wrap=True, width=48),
        Column("end_to_end_id", "End-to-end id", Kind.CODE, hide_narrow=True),
        Column("account", "Account", Kind.CODE, hide_narrow=True),
        Column("connection.name", "Bank", Kind.CODE, hide_narrow=True),
        Column("value_date", "Value date", Kind.DATE, hide_narrow=True),
        Column("is_reversal", "Reversal", Kind.FLAG, hide_narrow=True),
    )
    sorts = {"booked": ("booking_date", "id")}
    default_sort = "-booked"
    empty = "No bank lines fit."
    empty_hint = "Hand in a bank statement under Imports."

    def link(self, row: BankLine) -> str:
        return reverse("bank-line", args=[row.pk])


class BankNoticeTable(Table):
    """What banks told beside their statements. It is never booked; it tells the parts of a batched line."""

    columns = (
        Column("booking_date", "Told for", Kind.DATE, sort="booked"),
        Column("message", "Message", Kind.CODE),
        Column("amount", "Amount", Kind.MONEY, currency="currency"),
        Column("entry_amount", "Of an entry over", Kind.MONEY, currency="currency", hide_narrow=True),
        Column("entry_reference", "Bank's reference", Kind.CODE, hide_narrow=True),
        Column("counterparty", "Counterparty", width=28),
        Column("remittance", "Remittance", wrap=True, width=48),
        Column("end_to_end_id", "End-to-end id", Kind.CODE, hide_narrow=True),
        Column("account", "Account", Kind.CODE, hide_narrow=True),
        Column("received_at", "Received", Kind.DATETIME, hide_narrow=True),
    )
    sorts = {"booked": ("booking_date", "id")}
    default_sort = "-booked"
    empty = "No bank has told anything beside its statements."
    empty_hint = "Hand in a camt.052, camt.054 or MT942 under Imports: it tells what is in batched lines."

    def link(self, row: BankNotice) -> str:
        return reverse("raw-message", args=[row.raw_id])


class UnbookedTable(Table):
    columns = (
        Column("pk", "No.", Kind.CODE, sort="id"),
        Column("business_date", "Business day", Kind.DATE),
        Column("connection.name", "Source", Kind.CODE),
        Column("fact_kind", "Fact", Kind.CODE),
        Column("reason", "Reason", Kind.STATUS, labels=dict(UnbookedReason.choices)),
        Column("detail", "Detail", wrap=True, width=48),
        Column("since", "Since", Kind.DATETIME),
    )
    sorts = {"id": ("pk",)}
    default_sort = "-id"
    small = True
    empty = "Every fact has been booked."
    empty_hint = "Facts of an unknown login, symbol or currency would wait here."

    def link(self, row: Unbooked) -> str:
        route = {"deal": "deal", "psp": "psp-line", "bank": "bank-line", "fill": "fill"}[row.fact_kind]
        return reverse(route, args=[row.fact_id])
