"""What PostgreSQL refuses about requests, payees and payouts, whoever writes; and what many at once come to."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from backoffice.approvals.models import Participation, Request
from backoffice.kernel.errors import DomainError
from backoffice.outbox.models import Message
from integrations.models import Deal, PayoutOrder, ServerOperation
from integrations.records import PspKind
from ledger.selectors.balances import balances
from payments.models import MoneyRequest, Payee, Payout, PayoutState, RequestState
from payments.models.payouts import PAYOUT_STEPS
from payments.models.requests import STEPS
from payments.selectors import lists, verify
from payments.services import machine, payees, payouts, sending, withdrawals
from tests.attacks import at_once, execute, refused
from tests.builders import ROBOT
from tests.desk import unchanged
from tests.payments_desk import Desk, at_source, booked_deposit, crypto, fresh, open_desk, psp, state, verified
from tests.worlds import connection, psp_line

D = Decimal
committed = pytest.mark.django_db(transaction=True)


@pytest.fixture
def desk(db: None) -> Desk:
    return open_desk()


def test_every_step_that_is_not_in_the_table_is_refused_by_the_database(desk: Desk) -> None:
    """Every pair, tried on one row each with the guard alone."""
    request = desk.submit("1.00")
    for before in RequestState:
        for after in RequestState:
            if before == after:
                continue
            ends = "now()" if after in ("DONE", "REJECTED", "WITHDRAWN", "FAILED", "RETURNED", "SPLIT") else "NULL"
            statement = (
                f"UPDATE payments_moneyrequest SET state = '{after}', state_at = now() + interval '1 day',"
                f" ended_at = {ends} WHERE id = {request.pk}"
            )
            with transaction.atomic():
                _force(request, before)
                if after in STEPS[before]:
                    execute(statement)
                else:
                    with pytest.raises(DatabaseError, match="does not go from"), transaction.atomic():
                        execute(statement)
                transaction.set_rollback(True)


def _force(request: MoneyRequest, to: RequestState) -> None:
    """Bring a row to a state along legal steps, as the guard sees them."""
    path: dict[RequestState, list[RequestState]] = {RequestState.ASKED: []}
    queue = [RequestState.ASKED]
    while queue:
        here = queue.pop(0)
        for after in STEPS[here]:
            if after not in path:
                path[after] = [*path[here], after]
                queue.append(after)
    for step in path[to]:
        over = "now()" if step in ("DONE", "REJECTED", "WITHDRAWN", "FAILED", "RETURNED", "SPLIT") else "NULL"
        execute(
            f"UPDATE payments_moneyrequest SET state = '{step}', ended_at = {over}, state_at = state_at"
            f" WHERE id = {request.pk}"
        )


def test_what_was_asked_stands(desk: Desk) -> None:
    request, other = (
        desk.submit("10.00"),
        verified(desk.floor, desk.client, iban="GB29NWBK60161331926819", country="GB"),
    )
    for change in (
        "amount = 11",
        f"payee_id = {other.pk}",
        "currency_id = 'EUR'",
        "reference = 'W-00000000'",
        "kind = 'T'",
        "source_wallet_id = NULL",
        "asked_by_id = NULL",
        "client_id = client_id + 1",
        "ended_at = now()",
        "state_at = now()",
    ):
        with refused("BO090", "BO091", "23503"):
            execute(f"UPDATE payments_moneyrequest SET {change} WHERE id = {request.pk}")
    execute(f"UPDATE payments_moneyrequest SET psp_reference = 'one' WHERE id = {request.pk}")
    with refused("BO091"):
        execute(f"UPDATE payments_moneyrequest SET psp_reference = 'two' WHERE id = {request.pk}")
    for table in ("payments_moneyrequest", "payments_payee", "payments_payout", "payments_requestevent"):
        with refused("42501"):
            execute(f"DELETE FROM {table}")
    with refused("BO001", "42501"):
        execute("UPDATE payments_requestevent SET public = 'x'")


def test_a_step_without_event_or_approval_does_not_commit(desk: Desk) -> None:
    request = desk.submit("10.00")
    with refused("BO093"):
        later = "state = 'IN_REVIEW', state_at = clock_timestamp()"
        execute(f"UPDATE payments_moneyrequest SET {later} WHERE id = {request.pk}")
        execute("SET CONSTRAINTS ALL IMMEDIATE")
    for to in ("TO_PAY", "APPROVED"):
        with refused("BO094"), transaction.atomic():
            locked = machine.locked(request_id=request.pk)
            machine.move(actor=ROBOT, request=locked, to=RequestState.IN_REVIEW)
            machine.move(actor=ROBOT, request=locked, to=to)
            execute("SET CONSTRAINTS ALL IMMEDIATE")
    other = desk.approved("20.00")
    with refused("BO094"), transaction.atomic():
        locked = machine.locked(request_id=request.pk)
        locked.approval_id = None
        machine.move(actor=ROBOT, request=locked, to=RequestState.IN_REVIEW)
        machine.move(actor=ROBOT, request=locked, to=RequestState.APPROVED)
        execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert fresh(other).approval_id is not None


def test_a_payee_is_verified_by_another_behind_a_request_and_never_changes(desk: Desk) -> None:
    for change in (
        "fingerprint = 'x'",
        "name_match = 100",
        "under_key = '{}'",
        "proposed_by_id = NULL",
        "kind = 'CARD'",
    ):
        with refused("BO095"):
            execute(f"UPDATE payments_payee SET {change} WHERE id = {desk.payee.pk}")
    with refused("BO095"):
        execute(f"UPDATE payments_payee SET state = 'PROPOSED' WHERE id = {desk.payee.pk}")
    with refused("BO095"):
        execute(f"UPDATE payments_payee SET verified_by_id = {desk.pat.user_id} WHERE id = {desk.payee.pk}")
    new = payees.propose(
        actor=desk.sue, client_id=desk.client.pk, kind="CARD", currency="USD", holder="Ada Lovelace",
        details={"token": "tok_9", "last4": "4242"}, connection_id=psp().pk,
    )  # fmt: skip
    approval = Request.objects.get(pk=desk.payee.approval_id)
    with refused("BO095"):
        execute(
            f"UPDATE payments_payee SET state = 'VERIFIED', verified_at = now(), verified_by_id = {desk.pat.user_id}"
            f" WHERE id = {new.pk}"
        )
    with refused("BO095", "23505"):
        execute(
            f"UPDATE payments_payee SET state = 'VERIFIED', verified_at = now(), verified_by_id = {desk.pat.user_id},"
            f" approval_id = {approval.pk} WHERE id = {new.pk}"
        )
        execute("SET CONSTRAINTS ALL IMMEDIATE")
    with refused("23514"):
        execute(_clear_text(new))


def _clear_text(payee: Payee) -> str:
    """An IBAN in clear, in a row of the owner's making."""
    columns = [field.column for field in Payee._meta.concrete_fields if field.column not in ("id", "under_key")]
    names = ", ".join(columns)
    values = ", ".join("'other'" if name == "fingerprint" else name for name in columns)
    return (
        f"INSERT INTO payments_payee (under_key, {names})"
        f' SELECT \'{{"iban": "DE89370400440532013000"}}\', {values} FROM payments_payee WHERE id = {payee.pk}'
    )


def test_no_part_for_who_had_a_hand_in_the_payee(desk: Desk) -> None:
    approval = desk.ask(desk.submit("10.00"))
    for who in (desk.sue, desk.carl):
        with refused("BO096"):
            Participation.objects.create(
                request=approval, person_id=who.user_id, part="APPROVER", payload_hash=approval.payload_hash,
                at=approval.requested_at, reason="",
            )  # fmt: skip


def test_a_payout_that_is_not_what_was_approved_is_refused(desk: Desk) -> None:
    request, asked = desk.approved("10.00"), desk.submit("20.00")
    good = {
        "request": request, "entity": desk.here, "reference": request.reference, "way": "HAND", "payee": desk.payee,
        "amount": D(10), "currency_id": "USD", "executed_by_id": desk.pat.user_id, "created_at": request.asked_at,
        "state_at": request.asked_at,
    }  # fmt: skip
    wrong: list[dict[str, Any]] = [
        {"amount": D("10.01")},
        {"currency_id": "EUR"},
        {"reference": asked.reference},
        {"request": asked, "reference": asked.reference, "amount": D(20)},
        {"executed_by_id": None},
        {"state": "SENT"},
        *({"executed_by_id": who.user_id} for who in (desk.fred, desk.fiona, desk.sue, desk.carl)),
    ]
    for change in wrong:
        with refused("BO097"):
            Payout.objects.create(**{**good, **change})
    made = Payout.objects.create(**good)
    with refused("23505"):
        Payout.objects.create(**good)
    for change in ("amount = 11", "executed_by_id = NULL", "way = 'PSP'"):
        with refused("BO097"):
            execute(f"UPDATE payments_payout SET {change} WHERE id = {made.pk}")
    for after in PayoutState:
        if after != PayoutState.READY and after not in PAYOUT_STEPS[PayoutState.READY]:
            with refused("BO098"):
                execute(f"UPDATE payments_payout SET state = '{after}' WHERE id = {made.pk}")


def test_the_rules_of_the_desk_need_a_request(desk: Desk) -> None:
    with refused("BO099"):
        execute(
            "INSERT INTO payments_paymentrule (source_order, priority, windows, profit_methods, tolerance,"
            " cool_off_days, typed_from, credit_on, at)"
            " VALUES ('FIFO', '[]', '{}', '[\"BANK\"]', 0, 0, 1000000, 'EVENT', now())"
        )
        execute("SET CONSTRAINTS ALL IMMEDIATE")
    with refused("42501", "BO001"):
        execute("UPDATE payments_paymentrule SET typed_from = 1000000")


# Half-way failures


def gateway() -> Any:
    return connection("coinspaid_gateway", "crypto")


def of_login(desk: Desk) -> tuple[Decimal, Decimal]:
    account = desk.account
    account.refresh_from_db()
    found = balances([account.balance_account_id, account.reserved_account_id])
    return -found[account.balance_account_id], -found[account.reserved_account_id]


def test_a_server_that_refuses_gives_it_back(desk: Desk) -> None:
    request = at_server(desk)
    assert (state(request), of_login(desk)) == (RequestState.AT_SERVER, (D(200), D(300)))
    assert ServerOperation.objects.get().amount == D(-300)
    sending.on_operated(f"{request.reference}:debit", "REFUSED", None, "not enough free margin (10019)")
    assert (state(request), of_login(desk)) == (RequestState.FAILED, (D(500), D(0)))
    sending.on_operated(f"{request.reference}:debit", "DONE", 5, "")
    assert state(request) == RequestState.FAILED and not PayoutOrder.objects.exists()


def at_server(desk: Desk, way: str = "HAND") -> MoneyRequest:
    booked_deposit(desk, 1, "500.00")
    request = desk.approved("300.00", wallet_id=None, account_id=desk.account.pk)
    return fresh(desk.send(request, way=way))


def test_debited_at_the_server_and_then_not_payable_goes_to_the_wallet(desk: Desk) -> None:
    request = at_server(desk)
    sending.on_operated(f"{request.reference}:debit", "DONE", 2, "")
    assert state(request) == RequestState.TO_PAY
    booked_deposit(desk, 2, "-300.00", comment=f"{request.reference} withdrawal")
    assert of_login(desk) == (D(200), D(0)) and Deal.objects.count() == 2
    before = desk.money()
    payouts.give_up(actor=desk.pat, request_id=request.pk, code="OTHER", note="account closed")
    assert (state(request), desk.money()) == (RequestState.FAILED, (before[0] + 300, D(0)))


def paying(desk: Desk, amount: str = "400.00") -> MoneyRequest:
    """A withdrawal to a crypto address that the PSP's interface was told to pay."""
    request = desk.approved(amount, payee_id=crypto(desk).pk)
    return fresh(desk.send(request, way="PSP", connection_id=gateway().pk))


def test_a_psp_that_fails_releases_and_one_that_returns_credits(desk: Desk) -> None:
    request = paying(desk)
    assert (state(request), desk.money(), PayoutOrder.objects.count()) == (RequestState.PAYING, (D(600), D(400)), 1)
    payouts.on_paid(request.reference, "FAILED", "", "insufficient funds")
    assert (state(request), desk.money()) == (RequestState.FAILED, (D(1000), D(0)))
    for late in ("SENT", "PAID", "RETURNED", "FAILED"):
        payouts.on_paid(request.reference, late, "psp-1", "")
        assert (state(request), desk.money()) == (RequestState.FAILED, (D(1000), D(0)))


@pytest.mark.parametrize("told", [("SENT", "PAID"), ("PAID",), ("SENT", "SENT", "PAID", "PAID", "SENT")])
def test_a_psp_that_pays_is_believed_when_its_line_is_booked(desk: Desk, told: tuple[str, ...]) -> None:
    request = paying(desk)
    for word in told:
        payouts.on_paid(request.reference, word, "psp-1", "")
    assert (state(request), desk.money()) == (RequestState.SENT, (D(600), D(0)))
    at_source(psp(), psp_line("P1", "-400.00", reference=request.reference, kind=_kind("REFUND")))
    assert state(request) == RequestState.DONE
    payouts.on_paid(request.reference, "RETURNED", "psp-1", "address unknown")
    assert (state(request), desk.money()) == (RequestState.RETURNED, (D(1000), D(0)))
    payouts.on_paid(request.reference, "RETURNED", "psp-1", "again")
    assert desk.money() == (D(1000), D(0))


def _kind(name: str) -> Any:
    return PspKind(name)


def test_a_lost_answer_is_shown_and_ended_by_the_line(desk: Desk) -> None:
    request = paying(desk)
    Message.objects.filter(kind="psp.payout").update(state="UNKNOWN")
    assert payouts.find_unknown() == 1
    assert Payout.objects.get().state == PayoutState.UNKNOWN
    assert list(lists.doubtful()) == [request]
    unchanged(DomainError, lambda: desk.send(request, way="PSP", connection_id=gateway().pk))
    at_source(psp(), psp_line("P1", "-400.00", reference=request.reference, kind=_kind("REFUND")))
    assert (state(request), desk.money()) == (RequestState.DONE, (D(600), D(0)))
    assert Payout.objects.get().state == PayoutState.PAID and not lists.doubtful().exists()


# Many at once


@committed
def test_fifty_sends_make_one_payout() -> None:
    desk = open_desk()
    request = desk.approved("400.00")
    users = [desk.pat, desk.paul]
    results = at_once(50, lambda number: desk.send(request, users[number % 2]))
    kinds = Counter(type(result).__name__ for result in results)
    assert kinds == {"MoneyRequest": 1, "CannotSend": 49}
    assert (Payout.objects.count(), desk.money()) == (1, (D(600), D(400)))
    results = at_once(
        20, lambda n: sending.sent_by_hand(actor=desk.pat, request_id=request.pk, bank_reference=f"BK-{n}")
    )
    assert sum(isinstance(result, MoneyRequest) for result in results) == 1
    assert desk.money() == (D(600), D(0))
    assert list(verify.findings()) == []


@committed
def test_twenty_withdrawals_of_a_wallet_promise_only_what_is_there() -> None:
    desk = open_desk("1000.00")
    results = at_once(20, lambda _: desk.submit("300.00"))
    assert sum(isinstance(result, MoneyRequest) for result in results) == 3
    assert desk.money() == (D(100), D(900))
    assert MoneyRequest.objects.count() == 3 and list(verify.findings()) == []


@committed
def test_send_and_take_back_at_once_come_to_one_of_them() -> None:
    desk = open_desk()
    for _ in range(4):
        request = desk.approved("100.00")
        at_once(
            6,
            lambda n, request=request: (
                desk.send(request) if n % 2 else withdrawals.take_back(actor=desk.fred, request_id=request.pk)
            ),
        )
        sent = Payout.objects.filter(request=request).exists()
        assert state(request) == (RequestState.TO_PAY if sent else RequestState.WITHDRAWN)
    assert list(verify.findings()) == []
