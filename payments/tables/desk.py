"""What the lists of requests for money, payees, receipts and rules show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.urls import reverse

from accounts.selectors.kept import reveal
from backoffice.kernel import clock
from backoffice.kernel.actor import System
from backoffice.organisation.models import LegalEntity
from backoffice.ui.columns import Column, Kind
from backoffice.ui.components import Tone
from backoffice.ui.tables import BulkAction, Table
from integrations.models import BankLine
from ledger.models import LedgerAccount
from payments.models import (
    FileState,
    MoneyRequest,
    OwnBank,
    Payee,
    PayeeState,
    PaymentFile,
    PaymentFileLine,
    PaymentRule,
    Payout,
    PayoutState,
    RequestState,
)
from payments.services import rules

TONES: dict[str, Tone] = {
    RequestState.ASKED: Tone.INFO,
    RequestState.IN_REVIEW: Tone.INFO,
    RequestState.APPROVED: Tone.WARN,
    RequestState.AT_SERVER: Tone.WARN,
    RequestState.TO_PAY: Tone.WARN,
    RequestState.PAYING: Tone.WARN,
    RequestState.SENT: Tone.GOOD,
    RequestState.DONE: Tone.GOOD,
    RequestState.REJECTED: Tone.BAD,
    RequestState.FAILED: Tone.BAD,
    RequestState.RETURNED: Tone.BAD,
}
PAYOUT_TONES: dict[str, Tone] = {
    PayoutState.SENT: Tone.GOOD,
    PayoutState.PAID: Tone.GOOD,
    PayoutState.SENDING: Tone.WARN,
    PayoutState.UNKNOWN: Tone.BAD,
    PayoutState.FAILED: Tone.BAD,
    PayoutState.RETURNED: Tone.BAD,
}
PAYEE_TONES: dict[str, Tone] = {PayeeState.PROPOSED: Tone.INFO, PayeeState.VERIFIED: Tone.GOOD}
STATES = dict(RequestState.choices)


# Who entered what no member of staff did.
CLIENTS = System("client area")


def _payout(row: MoneyRequest) -> str:
    payout = getattr(row, "payout", None)
    return str(payout.state) if payout is not None else ""


def _entered_by(row: MoneyRequest) -> object:
    return row.asked_by or CLIENTS


class RequestTable(Table):
    columns: ClassVar[tuple[Column, ...]] = (
        Column("reference", "Reference", Kind.CODE),
        Column("client.number", "Client", Kind.CODE),
        Column("client.name", "Name", width=32, hide_narrow=True),
        Column("entity.code", "Entity", Kind.CODE, hide_narrow=True),
        Column("amount", "Amount", Kind.MONEY, currency="currency_id"),
        Column("get_method_display", "Method"),
        Column("state", "State", Kind.STATUS, tones=TONES, labels=STATES),
        Column(_payout, "Payout", Kind.STATUS, tones=PAYOUT_TONES, labels=dict(PayoutState.choices), hide_narrow=True),
        Column(_entered_by, "Entered by", Kind.ACTOR, hide_narrow=True),
        Column("asked_at", "Entered", Kind.DATETIME, sort="asked"),
        Column("state_at", "Since", Kind.DATETIME),
    )
    sorts = {"asked": ("asked_at", "pk")}
    default_sort = "-asked"
    empty = "No requests fit."

    def link(self, row: MoneyRequest) -> str:
        return reverse("money-request", args=[row.pk])


class DepositTable(RequestTable):
    """Without a payout: nothing leaves."""

    columns = tuple(column for column in RequestTable.columns if column.label != "Payout")


class WorkTable(RequestTable):
    """The same, the oldest first: what waits longest is next."""

    default_sort = "asked"
    empty = "Nothing waits here."


class DoubtTable(WorkTable):
    columns = (
        *WorkTable.columns[:1],
        Column("get_kind_display", "Kind"),
        *WorkTable.columns[1:],
    )
    empty = "Nothing is in doubt."
    empty_hint = "Lost answers, money long on its way and lines that do not fit what they name appear here."

    def row_class(self, row: MoneyRequest) -> str:
        return "bad" if _payout(row) == PayoutState.UNKNOWN else ""


class ClientRequestTable(Table):
    """A client's newest requests, on the client's page."""

    columns = (
        Column("reference", "Reference", Kind.CODE),
        Column("get_kind_display", "Kind"),
        Column("amount", "Amount", Kind.MONEY, currency="currency_id"),
        Column("state", "State", Kind.STATUS, tones=TONES, labels=STATES),
        Column("asked_at", "Entered", Kind.DATETIME),
    )
    empty = "No requests for money."

    def link(self, row: MoneyRequest) -> str:
        return reverse("money-request", args=[row.pk])


class PayeeTable(Table):
    columns: ClassVar[tuple[Column, ...]] = (
        Column("pk", "Payee", Kind.CODE),
        Column("client.number", "Client", Kind.CODE),
        Column("client.name", "Name", width=32, hide_narrow=True),
        Column("get_kind_display", "Kind"),
        Column("label", "Where"),
        Column("currency_id", "Currency", Kind.CODE),
        Column("state", "State", Kind.STATUS, tones=PAYEE_TONES, labels=dict(PayeeState.choices)),
        Column("name_match", "Names agree", Kind.NUMBER),
        Column("proposed_by", "Proposed by", Kind.ACTOR, hide_narrow=True),
        Column("proposed_at", "Proposed", Kind.DATETIME, sort="proposed", hide_narrow=True),
        Column("verified_at", "Verified", Kind.DATETIME, hide_narrow=True),
    )
    sorts = {"proposed": ("proposed_at", "pk")}
    default_sort = "-proposed"
    empty = "No payees fit."

    def prepare(self, rows: Sequence[Any]) -> None:
        reveal(rows)

    def link(self, row: Payee) -> str:
        return reverse("payee", args=[row.pk])


class ClientPayeeTable(PayeeTable):
    columns = tuple(
        column for column in PayeeTable.columns if column.label not in ("Client", "Name", "Proposed by", "Proposed")
    )
    empty = "No payees."


class ReceiptTable(Table):
    columns = (
        Column("pk", "Bank line", Kind.CODE),
        Column("booking_date", "Booked", Kind.DATE, sort="booked"),
        Column("connection.name", "Bank", Kind.CODE),
        Column("amount", "Amount", Kind.MONEY, currency="currency"),
        Column("counterparty", "From", width=32),
        Column("remittance", "Text", width=40),
    )
    sorts = {"booked": ("booking_date", "pk")}
    default_sort = "-booked"
    empty = "Every receipt belongs to somebody."

    def link(self, row: BankLine) -> str:
        return reverse("allocate-receipt", args=[row.pk])


class RuleTable(Table):
    columns = (
        Column("pk", "Version", Kind.CODE, sort="id"),
        Column(lambda row: row.entity.code if row.entity else "all", "Entity", Kind.CODE),
        Column("get_source_order_display", "Return to source"),
        Column(lambda row: rules.words(row)["windows"], "Refund window, days"),
        Column(lambda row: rules.words(row)["profit_methods"], "Profit by"),
        Column("cool_off_days", "Payee young for days", Kind.NUMBER),
        Column("typed_from", "Typed from", Kind.NUMBER),
        Column("get_credit_on_display", "Credit on"),
        Column("at", "From", Kind.DATETIME),
    )
    sorts = {"id": ("pk",)}
    small = True

    def row_class(self, row: PaymentRule) -> str:
        return "" if row.at <= clock.now() else "muted"


class EntityTable(Table):
    """Legal entities, to choose one whose rules are to change."""

    columns = (Column("code", "Entity", Kind.CODE, sort="code"), Column("name", "Name"))
    sorts = {"code": ("code",)}
    default_sort = "code"
    small = True

    def link(self, row: LegalEntity) -> str:
        return reverse("change-payment-rules", args=[row.pk])


FILE_TONES: dict[str, Tone] = {
    FileState.MADE: Tone.WARN,
    FileState.SENT: Tone.INFO,
    FileState.ACCEPTED: Tone.GOOD,
    FileState.PARTLY: Tone.BAD,
    FileState.REJECTED: Tone.BAD,
}


class PaymentFileTable(Table):
    columns = (
        Column("message_id", "File", Kind.CODE),
        Column("entity.code", "Entity", Kind.CODE),
        Column("bank", "From", hide_narrow=True),
        Column("number", "Payments", Kind.NUMBER),
        Column("total", "Total", Kind.MONEY, currency="currency_id"),
        Column("scheme", "Scheme", Kind.CODE, hide_narrow=True),
        Column("state", "State", Kind.STATUS, tones=FILE_TONES, labels=dict(FileState.choices)),
        Column("execution_date", "Execution", Kind.DATE, hide_narrow=True),
        Column("made_by", "Put together by", Kind.ACTOR, hide_narrow=True),
        Column("made_at", "Made", Kind.DATETIME, sort="made"),
    )
    sorts = {"made": ("made_at", "pk")}
    default_sort = "-made"
    empty = "No payment files."
    empty_hint = "Pick payouts under “Payouts for files” and ask for one."

    def link(self, row: PaymentFile) -> str:
        return reverse("payment-file", args=[row.pk])


class FileLineTable(Table):
    """The payments of one file, with the newest word of the bank."""

    columns = (
        Column("end_to_end_id", "Payment", Kind.CODE),
        Column("payout.request.client.number", "Client", Kind.CODE),
        Column("amount", "Amount", Kind.MONEY, currency="payout.currency_id"),
        Column("payout.state", "Payout", Kind.STATUS, tones=PAYOUT_TONES, labels=dict(PayoutState.choices)),
        Column("said", "The bank says", wrap=True),
    )
    empty = "No payments."

    def link(self, row: PaymentFileLine) -> str:
        return reverse("money-request", args=[row.payout.request_id])


class FilePayoutTable(Table):
    """Payouts that wait for a payment file, the oldest first."""

    columns = (
        Column("reference", "Payment", Kind.CODE, sort="id"),
        Column("entity.code", "Entity", Kind.CODE),
        Column("request.client.number", "Client", Kind.CODE),
        Column("request.client.name", "Name", width=32, hide_narrow=True),
        Column("amount", "Amount", Kind.MONEY, currency="currency_id"),
        Column("payee.label", "To"),
        Column("state_at", "Since", Kind.DATETIME),
    )
    sorts = {"id": ("pk",)}
    default_sort = "id"
    bulk = (BulkAction("Put into a file", "make-batch", "payments.ask_paymentfile"),)
    empty = "No payout waits for a file."

    def prepare(self, rows: Sequence[Any]) -> None:
        reveal([row.payee for row in rows])

    def link(self, row: Payout) -> str:
        return reverse("money-request", args=[row.request_id])


class OwnBankTable(Table):
    columns = (
        Column("account.code", "In the books", Kind.CODE),
        Column("entity.code", "Entity", Kind.CODE),
        Column("currency_id", "Currency", Kind.CODE),
        Column("holder", "Holder"),
        Column(lambda row: row.iban or row.number, "Account", Kind.CODE),
        Column(lambda row: row.bic or f"{row.clearing_system} {row.clearing_member}", "Bank", Kind.CODE),
        Column(lambda row: f"{row.street} {row.town} {row.country}".strip(), "Address", hide_narrow=True),
        Column("get_charges_display", "Charges", hide_narrow=True),
        Column("at", "From", Kind.DATETIME, sort="id"),
    )
    sorts = {"id": ("pk",)}
    default_sort = "-id"
    small = True
    empty = "No account to pay from yet."
    empty_hint = "An administrator proposes one of the banks in the books; compliance or management approves it."

    def link(self, row: OwnBank) -> str:
        return reverse("change-own-bank", args=[row.account_id])


class BankAccountTable(Table):
    """Accounts at banks in the books, to choose one to pay from."""

    columns = (
        Column("code", "Account", Kind.CODE, sort="code", width=36),
        Column("entity.code", "Entity", Kind.CODE),
        Column("currency_id", "Currency", Kind.CODE),
    )
    sorts = {"code": ("code", "currency_id", "pk")}
    default_sort = "code"
    empty = "No account at a bank is in the books."
    empty_hint = "The first line of its statement opens it."

    def link(self, row: LedgerAccount) -> str:
        return reverse("change-own-bank", args=[row.pk])
