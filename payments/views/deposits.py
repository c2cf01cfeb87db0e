"""Deposits as pages: entered, confirmed by two, dropped; and receipts of banks that belong to nobody yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from accounts.models import Client, TradingAccount
from accounts.views.steps import OfClient
from backoffice.kernel.actor import Person
from backoffice.kernel.errors import DomainError
from backoffice.kernel.money import Money
from backoffice.ui.markup import tag
from backoffice.ui.views import ActionPage, Crumb, GatedPage, ListPage
from integrations.models import BankLine
from payments import filters
from payments.actions import outside as actions
from payments.forms import outside as forms
from payments.models import MoneyRequest, PayeeKind, RequestKind
from payments.selectors import receipts
from payments.services import deposits
from payments.services.destinations import BadDestination, checked, fingerprint
from payments.tables import desk as tables
from payments.views.withdrawals import OfRequest

DEPOSITS = MoneyRequest.objects.filter(kind=RequestKind.DEPOSIT).select_related(
    "client", "entity", "target_wallet", "target_account", "payee"
)


class AnnounceDeposit(OfClient):
    title = "Deposit"
    permission = "payments.ask_deposit"
    form = forms.DepositForm
    submit_label = "Enter the deposit"

    def form_arguments(self, target: Client) -> Mapping[str, Any]:
        return {"client": target}

    def consequences(self, target: Client) -> Sequence[str]:
        return ("Nothing is credited yet: a booked line does it by the rules, or two people confirm it.",)

    def run(self, *, actor: Person, form: Any, target: Client) -> MoneyRequest:
        data, place = form.cleaned_data, form.cleaned_data["target"]
        code = data["currency"].pk
        if place is not None and place.currency_id != code:
            raise DomainError(f"The target is in {place.currency_id}, the deposit in {code}.")
        return deposits.announce(
            actor=actor,
            client_id=target.pk,
            amount=Money(data["amount"], code),
            method=data["method"],
            account_id=place.pk if isinstance(place, TradingAccount) else None,
            connection_id=data["connection"].pk if data["connection"] else None,
            psp_reference=data["psp_reference"],
            text=data["text"],
        )

    def message(self, result: MoneyRequest) -> str:
        return f"{result.reference} is entered."

    def success_url(self, result: MoneyRequest) -> str:
        return reverse("money-request", args=[result.pk])


class AskDeposit(OfRequest, GatedPage):
    queryset = DEPOSITS
    permission = "payments.ask_deposit"
    form = forms.AskForm
    action = actions.CONFIRM
    submit_label = "Ask to confirm"
    nav = "deposits"

    def payload(self, form: Any, target: MoneyRequest) -> actions.ConfirmDeposit:
        return actions.credit(target)


class DropDeposit(OfRequest):
    queryset = DEPOSITS
    permission = "payments.ask_deposit"
    form = forms.NoteForm
    submit_label = "Drop"
    nav = "deposits"

    def run(self, *, actor: Person, form: Any, target: MoneyRequest) -> MoneyRequest:
        return deposits.drop(actor=actor, request_id=target.pk, text=form.cleaned_data["note"])


class ReceiptList(ListPage):
    title = "Receipts to allocate"
    table = tables.ReceiptTable
    filters = filters.ReceiptFilters
    permission = "payments.ask_deposit"

    def rows(self) -> QuerySet[BankLine]:
        return receipts.unallocated().select_related("connection")


class AllocateReceipt(ActionPage):
    """Whose a receipt is: with suggestions, decided by a person, confirmed by two."""

    queryset = BankLine.objects.select_related("connection")
    permission = "payments.ask_deposit"
    form = forms.AllocateForm
    submit_label = "Allocate"
    nav = "receipts"

    def heading(self) -> str:
        return f"Allocate · bank line {self.target.pk}"

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Receipts to allocate", reverse("receipts")),)

    def form_arguments(self, target: BankLine) -> Mapping[str, Any]:
        return {"entity_id": target.entity_id}

    def facts(self, target: BankLine) -> Sequence[tuple[str, Any]]:
        found = receipts.suggestions(target, _fingerprint(target))
        return (
            ("Booked", target.booking_date),
            ("Amount", Money(target.amount, target.currency)),
            ("From", target.counterparty or "–"),
            ("Text", target.remittance or "–"),
            ("Account", target.account),
            ("Line", tag("a", f"bank line {target.pk}", href=reverse("bank-line", args=[target.pk]))),
            *((f"Suggestion: {s.client.number}", f"{s.client.name} · {s.why}") for s in found),
        )

    def consequences(self, target: BankLine) -> Sequence[str]:
        return ("A deposit of this client is entered. It is credited when two people have confirmed it.",)

    def run(self, *, actor: Person, form: Any, target: BankLine) -> MoneyRequest:
        data = form.cleaned_data
        return deposits.allocate(actor=actor, line_id=target.pk, client_id=data["number"].pk, text=data["text"])

    def message(self, result: MoneyRequest) -> str:
        return f"{result.reference} is entered. Ask for its confirmation."

    def success_url(self, result: MoneyRequest) -> str:
        return reverse("money-request", args=[result.pk])


def _fingerprint(line: BankLine) -> str:
    """That of the sender's account, as a payee of a client would have it."""
    given = {"iban": line.counterparty_account, "town": "-", "country": "XX"}
    try:
        return fingerprint(PayeeKind.BANK, checked(PayeeKind.BANK, given).identity)
    except BadDestination:
        return ""
