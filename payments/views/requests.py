"""Lists of requests for money, and everything about one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from accounts.selectors.kept import reveal
from backoffice.organisation.selectors import scope
from backoffice.ui.views import Button, Crumb, DetailPage, ListPage
from payments import filters
from payments.models import MoneyRequest, Payout, PayoutState, PayoutWay, RequestKind, RequestState
from payments.selectors import checks, effects, lists, page, receipts, splits
from payments.selectors import payees as payee_page
from payments.services import splitting
from payments.tables import desk as tables

VIEW = lists.VIEW
RELATED = ("client", "entity", "asked_by", "payout")
_S = RequestState
_LISTS = (
    Button("New requests", "new-withdrawals", VIEW),
    Button("To pay", "to-pay", "payments.send_payout"),
    Button("In doubt", "in-doubt", VIEW),
)


class _RequestList(ListPage):
    table = tables.RequestTable
    filters = filters.RequestFilters
    permission = VIEW


class WithdrawalList(_RequestList):
    title = "Withdrawals"
    queryset = lists.withdrawals().select_related(*RELATED)
    buttons = _LISTS


class NewWithdrawals(_RequestList):
    title = "New requests"
    nav = "withdrawals"

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Withdrawals", reverse("withdrawals")),)

    queryset = lists.withdrawals().filter(state=_S.ASKED, ended_at=None).select_related(*RELATED)
    table = tables.WorkTable
    filters = filters.WorkFilters


class ToPay(_RequestList):
    title = "To pay"
    permission = "payments.send_payout"
    queryset = lists.payable().select_related(*RELATED)
    table = tables.WorkTable
    filters = filters.WorkFilters


class InDoubt(_RequestList):
    title = "In doubt"
    table = tables.DoubtTable
    filters = filters.WorkFilters

    def rows(self) -> QuerySet[MoneyRequest]:
        return lists.doubtful().select_related(*RELATED)


class DepositList(_RequestList):
    title = "Deposits"
    queryset = lists.deposits().select_related(*RELATED)
    table = tables.DepositTable


def _is(kind: RequestKind, *states: RequestState) -> Any:
    return lambda row: row.kind == kind and row.state in states


def _by_hand(row: MoneyRequest) -> bool:
    payout = Payout.objects.filter(request=row).first()
    return row.state == _S.TO_PAY and payout is not None and payout.way == PayoutWay.HAND


# Afterwards only the checks as they stood say something.
_CHECKED = (_S.ASKED, _S.IN_REVIEW, _S.APPROVED, _S.TO_PAY)
_W, _D = RequestKind.WITHDRAWAL, RequestKind.DEPOSIT
STEPS = (
    Button("Send for approval", "ask-withdrawal", "payments.ask_withdrawal", "primary", when=_is(_W, _S.ASKED)),
    Button("Send", "send-withdrawal", "payments.send_payout", "primary", when=_is(_W, _S.APPROVED)),
    Button("Enter the payment", "enter-payment", "payments.send_payout", "primary", when=_by_hand),
    Button("Split over its sources", "split-withdrawal", splitting.ASK, when=splits.can_be_split),
    Button("Reject", "reject-withdrawal", "payments.ask_withdrawal", "danger", when=_is(_W, _S.ASKED)),
    Button("Reject", "reject-withdrawal", "payments.approve_withdrawal", "danger", when=_is(_W, _S.IN_REVIEW)),
    Button("Reject", "reject-withdrawal", "payments.send_payout", "danger", when=_is(_W, _S.APPROVED)),
    Button("Take back", "take-back-withdrawal", "payments.submit_withdrawal", when=_is(_W, _S.ASKED, _S.APPROVED)),
    Button("Cannot be paid", "give-up-payment", "payments.send_payout", "danger", when=_is(_W, _S.TO_PAY)),
    Button("Ask to confirm", "ask-deposit", "payments.ask_deposit", "primary", when=_is(_D, _S.ASKED)),
    Button("Drop", "drop-deposit", "payments.ask_deposit", when=_is(_D, _S.ASKED)),
)


class RequestDetail(DetailPage):
    """What was asked for, the checks, the ledger, the server, the payout, the people, and what is next."""

    queryset = MoneyRequest.objects.select_related(
        "client", "entity", "asked_by", "payee__connection", "original", "split_from", "approval", "connection",
        "source_wallet", "source_account__connection", "target_wallet", "target_account__connection",
    )  # fmt: skip
    template = "payments/request.html"
    permission = VIEW
    buttons = STEPS

    def crumbs(self) -> Sequence[Crumb]:
        route = {"W": "withdrawals", "D": "deposits"}.get(self.row.kind)
        client = Crumb(self.row.client.name, reverse("client", args=[self.row.client_id]))
        return (
            (Crumb(RequestKind(self.row.kind).label.capitalize() + "s", reverse(route)), client) if route else (client,)
        )

    def heading(self) -> str:
        return f"{RequestKind(self.row.kind).label.capitalize()} {self.row.reference}"

    def subtitle(self) -> str:
        return f"{self.row.client.number} · {self.row.entity.name}"

    def context(self, row: MoneyRequest, tab: str) -> Mapping[str, Any]:
        sent, asked = page.payout(row), page.operations(row)
        events = list(row.events.order_by("pk"))
        sees_payee = row.payee is not None and scope.may(self.user, "payments.view_payee")
        reveal([*events, *([row.payee] if sees_payee and row.payee is not None else [])])
        return {
            "tones": tables.TONES,
            "labels": tables.STATES,
            "payout_tones": tables.PAYOUT_TONES,
            "payout_labels": dict(PayoutState.choices),
            "next": page.next_step(row, sent, asked),
            "checks": _checks(row) if row.state in _CHECKED else [],
            "sees_payee": sees_payee,
            "sees_orders": scope.may(self.user, "integrations.view_payoutorder"),
            "sees_accounts": scope.may(self.user, "ledger.view_ledgeraccount"),
            "payee_details": payee_page.named(row.payee.details) if sees_payee and row.payee is not None else [],
            "file": page.file_of(self.user, sent),
            "payee_days": checks.payee_age_days(row.payee) if row.payee is not None else 0,
            "wallets": page.wallets_of(row.client),
            "reservation": page.reservation(row),
            "lines": effects.lines(row),
            "operations": asked,
            "order": page.order(row),
            "payout": sent,
            "evidence": row.evidence.all(),
            "chain": page.chain(row, sent),
            "events": [(event, event.data.get("checks", [])) for event in events],
            "others": page.others(row),
            "parts": row.parts.order_by("pk"),
        }


def _checks(row: MoneyRequest) -> list[Any]:
    if row.kind == RequestKind.WITHDRAWAL:
        return checks.of_withdrawal(row)
    return receipts.of_deposit(row) if row.kind == RequestKind.DEPOSIT else []
