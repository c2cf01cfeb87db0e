"""Deposits: by a booked line, by a PSP's message, by two people, and receipts that belong to nobody yet."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from accounts.services import flags
from accounts.services.restrictions import Restricted
from backoffice.approvals.services import requests
from backoffice.kernel import clock
from backoffice.kernel.errors import DomainError, NotPermitted
from integrations.hints import PspEvent, PspEventKind
from integrations.models import BankLine, ServerOperation
from integrations.selectors.events import Received
from ledger.models import LedgerAccount
from ledger.selectors.balances import balances
from payments.actions import outside as actions
from payments.models import MoneyRequest, PaymentRule, RequestState
from payments.selectors import checks, receipts, sources, verify
from payments.selectors.rules import rule_for
from payments.services import confirming, deposits, machine
from payments.services.deposits import CannotCredit
from tests.builders import ROBOT, user
from tests.desk import own_refused, unchanged
from tests.payments_desk import (
    IBAN,
    Desk,
    announced,
    at_source,
    bank,
    booked_deposit,
    fresh,
    open_desk,
    psp,
    state,
)
from tests.worlds import bank_line, psp_line

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture
def desk() -> Desk:
    return open_desk()


def rule(desk: Desk, **changes: Any) -> PaymentRule:
    """Other rules of the desk, asked for by sam and approved by mia."""
    values: dict[str, Any] = {
        "entity_id": desk.here.pk, "everywhere": False, "source_order": "FIFO", "priority": "", "windows": "CARD 120",
        "profit_methods": "BANK", "tolerance": D(0), "cool_off_days": 7, "typed_from": D(10000), "credit_on": "LINE",
        **changes,
    }  # fmt: skip
    payload = actions.ChangeRule(**values)
    asked = requests.submit(actor=desk.sam, action=actions.CHANGE_RULE, payload=payload, reason="the board wants it")
    requests.approve(actor=desk.mia, request_id=asked.pk, seen_hash=asked.payload_hash)
    return rule_for(desk.here.pk)


def balance(code: str) -> Decimal:
    account = LedgerAccount.objects.get(code=code, currency="USD", entity__code="CY")
    return balances([account.pk])[account.pk]


def ask(desk: Desk, request: MoneyRequest, who: Any = None) -> Any:
    payload = actions.credit(fresh(request))
    return requests.submit(actor=who or desk.fred, action=actions.CONFIRM, payload=payload, reason="seen at the bank")


def event(request: MoneyRequest, kind: PspEventKind, number: int, **changes: Any) -> Received:
    values: dict[str, Any] = {
        "event_id": f"E{number}", "kind": kind, "psp_reference": f"P{number}", "amount": request.amount,
        "merchant_reference": request.reference, "currency": "USD", **changes,
    }  # fmt: skip
    return Received(number, request.entity_id, psp().pk, "adyen", clock.now(), PspEvent(**values))


def test_a_booked_line_credits_exactly_what_was_announced(desk: Desk) -> None:
    request, other = announced(desk.client), announced(desk.client, "80.00")
    at_source(psp(), psp_line("P1", "250.00", fee="3.00", reference=request.reference))
    assert (state(request), desk.money()) == (RequestState.DONE, (D(1250), D(0)))
    at_source(psp(), psp_line("P2", "250.00", reference=request.reference))
    assert desk.money()[0] == D(1250), "credited once, whatever comes again"
    at_source(psp(), psp_line("P3", "79.99", reference=other.reference))
    assert (state(other), desk.money()[0]) == (RequestState.ASKED, D(1250))
    assert list(verify.findings()) == []


def test_onto_a_login_the_server_is_told_and_books_it(desk: Desk) -> None:
    request = announced(desk.client, account_id=desk.account.pk)
    at_source(psp(), psp_line("P1", "250.00", reference=request.reference))
    assert state(request) == RequestState.AT_SERVER
    assert ServerOperation.objects.get().amount == D(250)
    deposits.on_operated(f"{request.reference}:credit", "DONE", 7, "")
    assert state(request) == RequestState.DONE
    before = balance("clearing.client_money")
    booked_deposit(desk, 7, "250.00", comment=f"{request.reference} deposit")
    assert balance("clearing.client_money") == before + 250


def test_what_the_server_refuses_is_in_the_wallet(desk: Desk) -> None:
    request = announced(desk.client, account_id=desk.account.pk)
    at_source(psp(), psp_line("P1", "250.00", reference=request.reference))
    deposits.on_operated(f"{request.reference}:credit", "REFUSED", None, "no such login")
    assert (state(request), desk.money()) == (RequestState.DONE, (D(1250), D(0)))


def test_two_people_confirm_and_nobody_alone(desk: Desk) -> None:
    request = announced(desk.client)
    unchanged(NotPermitted, lambda: ask(desk, request, desk.sue))
    approval = ask(desk, request)
    assert {c.label: c.level.value for c in receipts.of_deposit(request)}["Line of PSP or bank"] == "amber"
    user("fred", "payments.approve_deposit")
    own_refused(lambda: desk.agree(approval, desk.fred))
    desk.agree(approval)
    assert (state(request), desk.money()[0]) == (RequestState.DONE, D(1250))
    at_source(psp(), psp_line("P1", "250.00", reference=request.reference))
    assert desk.money()[0] == D(1250)


def test_a_line_that_comes_while_people_decide_leaves_it_to_them(desk: Desk) -> None:
    request = announced(desk.client)
    approval = ask(desk, request)
    at_source(psp(), psp_line("P1", "250.00", reference=request.reference))
    assert (state(request), desk.money()[0]) == (RequestState.IN_REVIEW, D(1000))
    requests.reject(actor=desk.fiona, request_id=approval.pk, seen_hash=approval.payload_hash, reason="not ours")
    assert state(request) == RequestState.REJECTED


def test_a_message_is_a_hint_unless_the_rule_says_more(desk: Desk) -> None:
    request = announced(desk.client)
    confirming._read_event(event(request, PspEventKind.PAYMENT_APPROVED, 1))
    assert (state(request), fresh(request).psp_reference, desk.money()[0]) == (RequestState.ASKED, "P1", D(1000))
    assert rule(desk, credit_on="EVENT").credit_on == "EVENT"
    other = announced(desk.client, "80.00")
    for received in (
        event(other, PspEventKind.PAYMENT_PENDING, 2),
        event(other, PspEventKind.PAYMENT_APPROVED, 3, amount=D("79.99")),
        event(other, PspEventKind.PAYMENT_APPROVED, 4, currency="EUR"),
        replace(event(other, PspEventKind.PAYMENT_APPROVED, 5), entity_id=request.entity_id + 1),
    ):
        confirming._read_event(received)
        assert (state(other), desk.money()[0]) == (RequestState.ASKED, D(1000))
    confirming._read_event(event(other, PspEventKind.PAYMENT_APPROVED, 6))
    assert (state(other), desk.money()[0]) == (RequestState.DONE, D(1080))
    confirming._read_event(event(other, PspEventKind.PAYMENT_APPROVED, 7))
    assert desk.money()[0] == D(1080)


def test_one_payment_is_one_deposit(desk: Desk) -> None:
    first = announced(desk.client, connection_id=psp().pk, psp_reference="PAY-1")
    unchanged(CannotCredit, lambda: announced(desk.client, "1.00", connection_id=psp().pk, psp_reference="PAY-1"))
    deposits.drop(actor=desk.fred, request_id=first.pk, text="entered twice")
    announced(desk.client, connection_id=psp().pk, psp_reference="PAY-1")


def test_who_may_not_pay_in_is_not_credited_by_itself(desk: Desk) -> None:
    request = announced(desk.client)
    flags.set_flag(actor=desk.pat, client_id=desk.client.pk, kind="CHARGEBACK_RISK")
    unchanged(Restricted, lambda: announced(desk.client))
    at_source(psp(), psp_line("P1", "250.00", reference=request.reference))
    assert (state(request), desk.money()[0]) == (RequestState.ASKED, D(1000))
    announced(desk.client, method="BANK")


def receipt(desk: Desk, amount: str = "500.00", **changes: Any) -> BankLine:
    number = BankLine.objects.count() + 1
    at_source(bank(), bank_line(f"R{number}", amount, **{"remittance": "for trading", **changes}))
    return BankLine.objects.get(line_key=f"R{number}")


def test_a_receipt_without_a_reference_is_allocated_by_people(desk: Desk) -> None:
    line = receipt(desk, counterparty="LOVELACE ADA", counterparty_account=IBAN)
    assert list(receipts.unallocated()) == [line]
    assert balance("clearing.unallocated") == D(-500)
    (best,) = receipts.suggestions(line, desk.payee.fingerprint)
    assert (best.client, best.score) == (desk.client, 100)
    (named,) = receipts.suggestions(line, "")
    assert (named.client, named.why) == (desk.client, "names agree by 100 of 100")

    request = deposits.allocate(actor=desk.pat, line_id=line.pk, client_id=desk.client.pk, text="called us")
    assert not receipts.unallocated().exists()
    unchanged(CannotCredit, lambda: deposits.allocate(actor=desk.pat, line_id=line.pk, client_id=desk.client.pk))
    desk.agree(ask(desk, request))
    assert (state(request), desk.money()[0], balance("clearing.unallocated")) == (RequestState.DONE, D(1500), D(0))
    assert list(verify.findings()) == []


def test_an_allocated_receipt_onto_a_login_goes_through_clearing(desk: Desk) -> None:
    line = receipt(desk)
    request = deposits.allocate(actor=desk.pat, line_id=line.pk, client_id=desk.client.pk, account_id=desk.account.pk)
    before = balance("clearing.client_money")
    desk.agree(ask(desk, request))
    assert (state(request), balance("clearing.unallocated")) == (RequestState.AT_SERVER, D(0))
    deposits.on_operated(f"{request.reference}:credit", "DONE", 9, "")
    booked_deposit(desk, 9, "500.00", comment=f"{request.reference} deposit")
    assert balance("clearing.client_money") == before


@pytest.mark.parametrize("text", ["D-12345678 thanks", "TX1234567XT", ""])
def test_what_is_no_unallocated_receipt(desk: Desk, text: str) -> None:
    line = receipt(desk, "-5.00" if not text else "5.00", remittance=text or "rent")
    assert not receipts.unallocated().exists()
    unchanged(CannotCredit, lambda: deposits.allocate(actor=desk.pat, line_id=line.pk, client_id=desk.client.pk))


def paid_in(desk: Desk, amount: str, method: str, days: int) -> MoneyRequest:
    with clock.at(clock.now() - timedelta(days=days)):
        request = announced(desk.client, amount, method=method)
        with transaction.atomic():
            locked = machine.locked(request_id=request.pk)
            deposits.credit(actor=ROBOT, request=locked, data={})
    return fresh(request)


def test_return_to_source_reads_what_came_and_what_went(desk: Desk) -> None:
    card, wallet = paid_in(desk, "2000.00", "CARD", 20), paid_in(desk, "500.00", "EWALLET", 10)
    known = sources.sources_of(desk.client.pk, "USD")
    assert [(s.request_id, s.left) for s in known] == [(card.pk, D(2000)), (wallet.pk, D(500))]
    request = desk.submit("300.00")
    check = checks.source_order(fresh(request))
    assert (check.level.value, check.detail) == (
        "red",
        f"not by bank account alone: 300.00 USD by card ({card.reference})",
    )
    rule(desk, windows="CARD 7, EWALLET 7")
    assert checks.source_order(fresh(request)).level.value == "amber", "both windows are over: the bank may pay it"


def test_the_rules_are_changed_by_two_and_keep_their_versions(desk: Desk) -> None:
    before = rule_for(desk.here.pk)
    after = rule(desk, typed_from=D(500), cool_off_days=1)
    assert (before.entity_id, after.entity_id, after.typed_from) == (None, desk.here.pk, D(500))
    assert PaymentRule.objects.count() == 2
    for change in ({"profit_methods": ""}, {"priority": "GOLD"}, {"windows": "CARD"}, {"cool_off_days": 400}):
        unchanged(DomainError, lambda change=change: rule(desk, **change))
