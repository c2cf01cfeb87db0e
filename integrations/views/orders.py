"""Pages of money orders: balance operations at trade servers, payouts at PSPs, and trying one now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.urls import reverse

from backoffice.kernel.actor import Person
from backoffice.kernel.money import Money
from backoffice.ui.views import ActionPage, Button, Crumb, DetailPage, ListPage
from integrations import filters, tables
from integrations.models import OrderState, PayoutOrder, ServerOperation
from integrations.selectors import orders
from integrations.services import operations, payouts

_OPERATIONS = ServerOperation.objects.select_related("connection", "entity", "message")
_PAYOUTS = PayoutOrder.objects.select_related("connection", "entity", "message")


class OperationList(ListPage):
    title = "Server operations"
    queryset = _OPERATIONS
    table = tables.ServerOperationTable
    filters = filters.ServerOperationFilters
    permission = "integrations.view_serveroperation"


class OperationDetail(DetailPage):
    queryset = _OPERATIONS
    template = "integrations/order.html"
    permission = "integrations.view_serveroperation"
    nav = "server-operations"
    buttons = (
        Button("Try now", "retry-operation", "integrations.retry_serveroperation", when=lambda row: row.is_open),
    )

    def heading(self) -> str:
        return f"{self.row.reference} on login {self.row.login}"

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Server operations", reverse("server-operations")),)

    def context(self, row: ServerOperation, tab: str) -> Mapping[str, Any]:
        ordered = [
            ("Login", f"{row.login} at {row.connection.name}"),
            ("Kind", row.get_kind_display()),
            ("Amount", Money(row.amount, row.currency)),
            ("Comment", row.comment),
            ("Asked", row.asked_at),
        ]
        done = [
            ("Left", row.sent_at),
            ("Ticket", row.ticket),
            ("Booked too often", ", ".join(map(str, row.duplicates))),
            ("Ended", row.message.finished_at),
        ]
        return {
            "state": row.message.state,
            "tones": tables.COMMAND_TONES,
            "labels": dict(orders.OPERATION_STATES),
            "next_step": orders.next_step(row),
            "ordered": ordered,
            "done": done,
            "said": row.message.error,
        }


class RetryOperation(ActionPage):
    title = "Try an operation now"
    queryset = _OPERATIONS
    permission = "integrations.retry_serveroperation"
    submit_label = "Try now"
    nav = "server-operations"

    def heading(self) -> str:
        return f"Try {self.target.reference} now"

    def consequences(self, target: ServerOperation) -> Sequence[str]:
        return _CONSEQUENCES

    def run(self, *, actor: Person, form: Any, target: ServerOperation) -> int:
        return operations.retry(actor=actor, operation_ids=[target.pk])

    def message(self, result: int) -> str:
        return "It is tried now. What becomes of it is on this page."

    def success_url(self, result: int) -> str:
        return reverse("server-operation", args=[self.target.pk])


class PayoutList(ListPage):
    title = "Payouts at PSPs"
    queryset = _PAYOUTS
    table = tables.PayoutOrderTable
    filters = filters.PayoutOrderFilters
    permission = "integrations.view_payoutorder"


class PayoutDetail(DetailPage):
    queryset = _PAYOUTS
    template = "integrations/order.html"
    permission = "integrations.view_payoutorder"
    nav = "psp-payouts"
    buttons = (
        Button(
            "Try now",
            "retry-payout",
            "integrations.retry_payoutorder",
            when=lambda row: row.state == OrderState.OPEN,
        ),
    )

    def heading(self) -> str:
        return f"Payout {self.row.reference}"

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Payouts at PSPs", reverse("psp-payouts")),)

    def context(self, row: PayoutOrder, tab: str) -> Mapping[str, Any]:
        ordered = [
            ("PSP", row.connection.name),
            ("Amount", Money(row.amount, row.currency)),
            ("Refund of", row.original_reference),
            *((f"To: {name.replace('_', ' ')}", value) for name, value in sorted(row.destination.items())),
            ("Asked", row.asked_at),
        ]
        done = [
            ("Left", row.sent_at),
            ("PSP's reference", row.psp_reference),
            ("Paid too often", ", ".join(map(str, row.duplicates))),
            ("In this state since", row.state_at),
            ("PSP is asked next", row.look_at),
        ]
        return {
            "state": orders.state_of_payout(row),
            "tones": tables.PAYOUT_TONES,
            "labels": dict(orders.PAYOUT_STATES),
            "next_step": orders.next_step_of_payout(row),
            "ordered": ordered,
            "done": done,
            "said": row.error or row.message.error,
        }


class RetryPayout(ActionPage):
    title = "Try a payout now"
    queryset = _PAYOUTS
    permission = "integrations.retry_payoutorder"
    submit_label = "Try now"
    nav = "psp-payouts"

    def heading(self) -> str:
        return f"Try {self.target.reference} now"

    def consequences(self, target: PayoutOrder) -> Sequence[str]:
        return _CONSEQUENCES

    def run(self, *, actor: Person, form: Any, target: PayoutOrder) -> int:
        return payouts.retry(actor=actor, order_ids=[target.pk])

    def message(self, result: int) -> str:
        return "It is tried now. What becomes of it is on this page."

    def success_url(self, result: int) -> str:
        return reverse("psp-payout", args=[self.target.pk])


_CONSEQUENCES = (
    "One whose outcome is unknown is looked up first, and sent again only if it certainly was not carried out.",
    "It is the same order with the same reference: it is not carried out twice.",
)
