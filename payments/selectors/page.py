"""Everything about one request on one screen: what stands in the books, at the server, at the PSP, and what is next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet

from accounts.models import Client, Reservation, Wallet
from backoffice.approvals.models import Participation
from backoffice.approvals.selectors import progress
from backoffice.kernel.money import Money
from backoffice.organisation.models import User
from backoffice.organisation.selectors import scope
from integrations.models import PayoutOrder, ServerOperation
from ledger.selectors.balances import balances
from payments.models import MoneyRequest, PaymentFile, Payout, PayoutState, PayoutWay, RequestKind, RequestState

_S = RequestState


@dataclass(frozen=True, slots=True)
class WalletState:
    """A wallet as people read it: what is booked, of it reserved, and what is free."""

    wallet: Wallet
    booked: Money
    reserved: Money
    available: Money


def wallets_of(client: Client) -> list[WalletState]:
    """A client's wallets with their balances, in one query for all of them."""
    rows = list(client.wallets.order_by("currency_id"))
    found = balances([pk for row in rows for pk in (row.account_id, row.reserved_id)])
    return [_wallet(row, found) for row in rows]


def _wallet(row: Wallet, found: dict[int, Decimal]) -> WalletState:
    free, held = -found.get(row.account_id, Decimal(0)), -found.get(row.reserved_id, Decimal(0))
    currency = row.currency_id
    return WalletState(row, Money(free + held, currency), Money(held, currency), Money(free, currency))


def operations(request: MoneyRequest) -> list[ServerOperation]:
    """What trade servers were asked to book for it."""
    rows = ServerOperation.objects.filter(reference=request.reference).select_related("connection", "message")
    return list(rows.order_by("pk"))


def order(request: MoneyRequest) -> PayoutOrder | None:
    """What the PSP was asked to pay for it."""
    return PayoutOrder.objects.filter(reference=request.reference).select_related("connection", "message").first()


def payout(request: MoneyRequest) -> Payout | None:
    rows = Payout.objects.filter(request=request).select_related("connection", "executed_by")
    return rows.first()


def file_of(user: User, sent: Payout | None) -> PaymentFile | None:
    """The payment file the payout stands in, for those who may see files."""
    if sent is None or not sent.file_reference:
        return None
    rows = PaymentFile.objects.filter(message_id=sent.file_reference).defer("content")
    return scope.visible(user, rows, "payments.view_paymentfile").first()


def reservation(request: MoneyRequest) -> Reservation | None:
    return Reservation.objects.filter(reference=request.reference).first()


def chain(request: MoneyRequest, sent: Payout | None) -> list[tuple[Any, str, Any, str]]:
    """Who did what when: entered, asked, approved, sent; with the reason where one was given."""
    found: list[tuple[Any, str, Any, str]] = [(request.asked_at, "entered", request.asked_by, "")]
    if request.approval_id is not None:
        parts = Participation.objects.filter(request=request.approval_id).select_related("person")
        words = {"MAKER": "sent for approval"}
        found += [
            (part.at, words.get(part.part, part.get_part_display()), part.person, part.reason)
            for part in parts.order_by("pk")
        ]
    if sent is not None:
        found.append((sent.created_at, f"sent: {sent.get_way_display()}", sent.executed_by, ""))
    return found


def others(request: MoneyRequest) -> QuerySet[MoneyRequest]:
    """The client's other requests that are not over."""
    rows = MoneyRequest.objects.filter(client=request.client_id, ended_at=None).exclude(pk=request.pk)
    return rows.order_by("-pk")[:20]


def next_step(request: MoneyRequest, sent: Payout | None, asked: Sequence[ServerOperation]) -> str:
    """What has to happen next, and who does it; where it failed, what can be done; empty when all is well and over."""
    if request.kind == RequestKind.DEPOSIT and request.state == _S.ASKED:
        return "Waits for the money: a booked line or a message credits it by the rules; else two people confirm it."
    if request.state == _S.AT_SERVER:
        return _at_server(asked)
    if request.state == _S.PAYING and sent is not None:
        return _paying(sent)
    return {
        _S.ASKED: "Finance looks at the checks and sends it for approval, or rejects it.",
        _S.IN_REVIEW: _in_review(request),
        _S.APPROVED: "Payments sends it: somebody who neither entered, asked, approved nor had a hand in the payee.",
        _S.TO_PAY: _to_pay(sent),
        _S.SENT: "Waits for the line of the PSP or bank that brings the reference. After five days it is in doubt.",
        _S.SPLIT: "Nothing here: its parts are requests of their own, and each is sent for approval by itself.",
        _S.REJECTED: "Nothing: the money is free again. Asking again is another request.",
        _S.FAILED: "Nothing: the money is the client's again. Another way is another request.",
        _S.RETURNED: "What was paid came back. Ask the client where to pay it to, and enter another request.",
    }.get(RequestState(request.state), "")


def _in_review(request: MoneyRequest) -> str:
    """Whose approval is missing, in the words of the request for it."""
    if request.approval is None:
        return "Waits for approval."
    lack = progress.sentences(request.approval, progress.missing(request.approval))
    return f"Request #{request.approval_id} {'; '.join(lack)}." if lack else "All approvals are given."


def _to_pay(sent: Payout | None) -> str:
    if sent is not None and sent.way == PayoutWay.FILE:
        return "Waits for the next payment file."
    return "Enter the payment at the bank, then type the bank's reference here."


def _at_server(asked: Sequence[ServerOperation]) -> str:
    open_ones = [row for row in asked if row.is_open]
    if open_ones and open_ones[-1].message.state == "UNKNOWN":
        return (
            "The server's answer was lost. Its deals are searched for our reference; nothing is sent again before. "
            "If this stays, look at the login's deals on the server and at the operation below."
        )
    return "Waits for the trade server. If it stays here, look at the connection and at the operation below."


def _paying(sent: Payout) -> str:
    if sent.state == PayoutState.UNKNOWN:
        return (
            "The PSP's answer was lost. It is asked what became of the reference; nothing is sent again before. "
            "Do not pay it another way. If this stays, look the reference up in the PSP's own pages."
        )
    if sent.way == PayoutWay.FILE:
        return f"Stands in the payment file {sent.file_reference}. Waits for the bank's answer."
    return "The PSP is being told. A booked line settles it in any case."
