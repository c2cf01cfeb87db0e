"""A withdrawal from its submission to the bank line, and everything that can stop it: J1 to J4 at the services."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.models import Flag, Reservation
from accounts.services import flags
from accounts.services.restrictions import Restricted
from backoffice.access.services.pairs import PairForbidden
from backoffice.approvals.models import Request, State
from backoffice.approvals.services import requests
from backoffice.approvals.services.refusals import AlreadyAsked, Blocked, Excluded, NotOpen, SameEyes
from backoffice.audit.models import Entry
from backoffice.kernel import clock
from backoffice.kernel.errors import DomainError, NotPermitted
from backoffice.outbox.models import Message
from ledger.models import LedgerAccount
from ledger.selectors.balances import balances
from ledger.services.journal import BelowFloor
from payments.actions import outside as actions
from payments.models import Payout, RequestState
from payments.models.reasons import REFUSALS
from payments.selectors import checks, lists, page
from payments.services import machine, payees, payouts, sending, withdrawals
from payments.services.sending import CannotSend, TypedWrong
from payments.services.withdrawals import CannotWithdraw
from tests.builders import user
from tests.desk import own_refused, policy, unchanged
from tests.payments_desk import Desk, at_source, bank, fresh, open_desk, put, state, verified
from tests.worlds import bank_line

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture
def desk() -> Desk:
    return open_desk()


def test_two_people_and_a_payer(desk: Desk) -> None:
    """J1."""
    request = desk.submit("400.00")
    assert desk.money() == (D(600), D(400))
    approval = desk.ask(request)
    assert state(request) == RequestState.IN_REVIEW
    user("fred", "payments.approve_withdrawal")
    own_refused(lambda: desk.agree(approval, desk.fred))
    desk.agree(approval)
    assert (state(request), desk.money()) == (RequestState.APPROVED, (D(600), D(400)))
    assert not Payout.objects.exists()

    desk.send(request)
    assert (state(request), desk.money()) == (RequestState.TO_PAY, (D(600), D(400)))
    sending.sent_by_hand(actor=desk.pat, request_id=request.pk, bank_reference="BK-77")
    assert (state(request), desk.money()) == (RequestState.SENT, (D(600), D(0)))
    unchanged(CannotSend, lambda: desk.send(request))
    unchanged(CannotSend, lambda: sending.sent_by_hand(actor=desk.pat, request_id=request.pk, bank_reference="BK-78"))

    at_source(bank(), bank_line("L1", "-400.00", remittance=f"{request.reference} withdrawal"))
    assert state(request) == RequestState.DONE
    chain = [(str(who), what) for _, what, who, _ in page.chain(fresh(request), page.payout(request))]
    assert chain == [
        ("Fred", "entered"),
        ("Fred", "sent for approval"),
        ("Fiona", "approved"),
        ("Pat", "sent: by hand"),
    ]
    public = list(fresh(request).events.exclude(public="").values_list("public", flat=True))
    assert public == ["Your withdrawal was sent.", "Your withdrawal has arrived at your bank or payment provider."]
    assert [m.payload["subject"] for m in Message.objects.filter(kind="client.mail").order_by("pk")] == [
        f"Your withdrawal {request.reference}"
    ] * 2


def test_rejected_and_released_to_the_cent(desk: Desk) -> None:
    """J2."""
    request = desk.submit("399.99")
    approval = desk.ask(request)
    for code, note in (("PAYEE_MISMATCH", " "), ("", "why"), ("NO_SUCH", "why")):
        unchanged(
            DomainError,
            lambda code=code, note=note: withdrawals.reject(
                actor=desk.fiona, request_id=request.pk, code=code, note=note
            ),
        )
    note = "The IBAN is his brother's"
    withdrawals.reject(actor=desk.fiona, request_id=request.pk, code="PAYEE_MISMATCH", note=note)

    assert (state(request), desk.money()) == (RequestState.REJECTED, (D(1000), D(0)))
    reservation = Reservation.objects.get(reference=request.reference)
    assert (reservation.state, reservation.amount) == ("RELEASED", D("399.99"))
    event = fresh(request).events.latest("pk")
    assert event.data["reservation"] == reservation.pk and event.data["journal"] == reservation.ended_journal_id
    approval.refresh_from_db()
    assert approval.state == State.REJECTED
    unchanged(NotOpen, lambda: desk.agree(approval))
    unchanged(DomainError, lambda: desk.ask(request))
    mail = Message.objects.get(kind="client.mail")
    assert mail.payload["body"] == REFUSALS["PAYEE_MISMATCH"].public
    for text in (note, "brother", desk.client.name):
        assert text not in str(mail.payload) and text not in str(Entry.objects.values_list("data", flat=True))


def test_rejected_on_the_general_page_releases_too(desk: Desk) -> None:
    request = desk.submit()
    approval = desk.ask(request)
    requests.reject(actor=desk.fiona, request_id=approval.pk, seen_hash=approval.payload_hash, reason="no")
    assert (state(request), desk.money()) == (RequestState.REJECTED, (D(1000), D(0)))
    assert Message.objects.get(kind="client.mail").payload["body"] == REFUSALS["OTHER"].public


def test_returned_withdrawn_and_expired_approvals_leave_it_asked(desk: Desk) -> None:
    request = desk.submit()
    approval = desk.ask(request)
    requests.return_for_change(actor=desk.fiona, request_id=approval.pk, seen_hash=approval.payload_hash, reason="?")
    assert (state(request), desk.money()) == (RequestState.ASKED, (D(600), D(400)))
    newer = desk.ask(fresh(request))
    with pytest.raises(AlreadyAsked):
        desk.ask(fresh(request))
    requests.withdraw(actor=desk.fred, request_id=newer.pk)
    assert state(request) == RequestState.ASKED
    last = desk.ask(fresh(request))
    with clock.at(last.expires_at + timedelta(seconds=1)):
        assert requests.expire() == 1
    assert (state(request), desk.money()) == (RequestState.ASKED, (D(600), D(400)))
    withdrawals.take_back(actor=desk.fred, request_id=request.pk)
    assert (state(request), desk.money()) == (RequestState.WITHDRAWN, (D(1000), D(0)))


def test_a_new_version_is_the_withdrawal_that_stands_there(desk: Desk) -> None:
    """A replaced request for approval may not carry another amount."""
    request = desk.submit()
    first = desk.ask(request)
    requests.return_for_change(actor=desk.fiona, request_id=first.pk, seen_hash=first.payload_hash, reason="?")
    other = replace(actions.pay(fresh(request)), amount=D("999.00"))
    unchanged(
        DomainError, lambda: requests.replace(actor=desk.fred, request_id=first.pk, payload=other, reason="again")
    )
    second = requests.replace(actor=desk.fred, request_id=first.pk, payload=actions.pay(fresh(request)), reason="again")
    assert fresh(request).approval_id == second.pk
    desk.agree(second)
    assert state(request) == RequestState.APPROVED


def test_a_young_payee_needs_a_second_approver_who_had_no_hand_in_it(desk: Desk) -> None:
    """J3."""
    policy(action=actions.PAY, risk_flag=actions.YOUNG, approvers=2)
    young = verified(desk.floor, desk.client, days=1, iban="GB29NWBK60161331926819", town="London", country="GB")
    request = desk.submit("500.00", payee_id=young.pk)
    assert ("amber", "payee 1 day old, verified") in [(c.level.value, c.detail) for c in checks.of_withdrawal(request)]
    approval = desk.ask(request)
    assert approval.approvals_needed == 2
    assert Flag.objects.filter(client=desk.client, kind="PAYEE_CHANGED", ended_at=None).exists()

    user("carl", "payments.approve_withdrawal")
    user("sue", "payments.approve_withdrawal", "payments.send_payout")
    unchanged(Excluded, lambda: desk.agree(approval, desk.carl))
    unchanged(Excluded, lambda: desk.agree(approval, desk.sue))
    desk.agree(approval)
    assert state(request) == RequestState.IN_REVIEW
    desk.agree(approval, desk.fiora)
    assert state(request) == RequestState.APPROVED
    user("carl", "payments.send_payout")
    for who in (desk.carl, desk.sue):
        unchanged(PairForbidden, lambda who=who: desk.send(request, who))
    old = desk.submit("100.00")
    assert desk.ask(old).approvals_needed == 2, "the client's flag counts for every payee while it lasts"


def test_splitting_does_not_help(desk: Desk) -> None:
    """J4."""
    policy(action=actions.PAY)
    policy(action=actions.PAY, from_amount=D(1000), approvers=2, second_permission="payments.approve_withdrawal_large")
    with_more = [desk.ask(desk.submit(amount)) for amount in ("400.00", "400.00", "200.00")]
    assert [(row.approvals_needed, row.second_permission) for row in with_more] == [
        (1, ""),
        (1, ""),
        (2, "payments.approve_withdrawal_large"),
    ]


def test_who_asked_or_approved_does_not_send(desk: Desk) -> None:
    request = desk.approved()
    for name in ("fred", "fiona"):
        user(name, "payments.send_payout")
        unchanged(SameEyes, lambda name=name: desk.send(request, desk.floor.people[name]))
    unchanged(NotPermitted, lambda: desk.send(request, desk.fay))
    desk.send(request)
    assert Payout.objects.get().executed_by_id == desk.pat.user_id


def test_who_entered_it_does_not_send(desk: Desk) -> None:
    request = desk.submit(who=desk.sue)
    desk.agree(desk.ask(request))
    user("sue", "payments.send_payout")
    unchanged((SameEyes, PairForbidden), lambda: desk.send(request, desk.sue))


def test_a_large_sum_is_typed_once_more(desk: Desk) -> None:
    put(desk.wallet, "20000.00", "more")
    request = desk.approved("12000.50")
    for typed in (None, D("12000"), D("1200.05")):
        unchanged(TypedWrong, lambda typed=typed: desk.send(request, typed=typed))
    desk.send(request, typed=D("12000.50"))
    assert state(request) == RequestState.TO_PAY


@pytest.mark.parametrize("amount", ["0", "-5", "0.001"])
def test_amounts_that_are_none(desk: Desk, amount: str) -> None:
    unchanged(DomainError, lambda: desk.submit(amount))


def test_more_than_there_is(desk: Desk) -> None:
    desk.submit("700.00")
    unchanged((BelowFloor, DomainError), lambda: desk.submit("300.01"))
    desk.submit("300.00")
    assert desk.money() == (D(0), D(1000))


def test_only_to_a_verified_payee_of_the_client(desk: Desk) -> None:
    proposed = payees.propose(
        actor=desk.sue, client_id=desk.client.pk, kind="CRYPTO", currency="USD", holder="Ada Lovelace",
        details={"network": "BTC", "address": "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"},
    )  # fmt: skip
    unchanged(CannotWithdraw, lambda: desk.submit(payee_id=proposed.pk))
    unchanged(CannotWithdraw, lambda: desk.submit(payee_id=proposed.pk + 1000))


def test_a_hold_stops_it_everywhere_in_neutral_words(desk: Desk) -> None:
    asked, ready = desk.submit("100.00"), desk.approved("200.00")
    waiting = desk.submit("50.00")
    approval = desk.ask(waiting)
    flags.set_flag(actor=desk.carl, client_id=desk.client.pk, kind="AML_HOLD", note="an informer called")
    unchanged(Restricted, lambda: desk.submit("10.00"), match="under operational review")
    unchanged(Restricted, lambda: desk.ask(asked), match="under operational review")
    unchanged(Blocked, lambda: desk.agree(approval), match="under operational review")
    unchanged(Restricted, lambda: desk.send(ready), match="under operational review")
    said = str([(c.label, c.detail) for c in checks.of_withdrawal(fresh(asked))])
    assert "under operational review" in said and "AML" not in said and "hold" not in said
    assert "AML" not in str(list(Request.objects.values("preview", "risk", "summary")))


def test_a_payee_that_is_paid_to_is_not_retired(desk: Desk) -> None:
    request = desk.submit()
    unchanged(payees.PayeeInUse, lambda: payees.retire(actor=desk.sue, payee_id=desk.payee.pk))
    withdrawals.take_back(actor=desk.fred, request_id=request.pk)
    payees.retire(actor=desk.sue, payee_id=desk.payee.pk)
    unchanged(CannotWithdraw, desk.submit)


def test_what_was_approved_can_be_refused_by_payments_until_it_is_sent(desk: Desk) -> None:
    request = desk.approved()
    unchanged(
        NotPermitted, lambda: withdrawals.reject(actor=desk.fred, request_id=request.pk, code="PAPERS", note="no")
    )
    withdrawals.reject(actor=desk.pat, request_id=request.pk, code="PAPERS", note="passport has expired")
    assert (state(request), desk.money()) == (RequestState.REJECTED, (D(1000), D(0)))
    other = desk.approved()
    desk.send(other)
    unchanged(
        machine.IllegalStep, lambda: withdrawals.reject(actor=desk.pat, request_id=other.pk, code="PAPERS", note="no")
    )
    unchanged(machine.IllegalStep, lambda: withdrawals.take_back(actor=desk.fred, request_id=other.pk))
    payouts.give_up(actor=desk.pat, request_id=other.pk, code="PAPERS", note="the bank does not know it")
    assert (state(other), desk.money()) == (RequestState.FAILED, (D(1000), D(0)))


def test_what_the_bank_sends_back_is_the_clients_again(desk: Desk) -> None:
    request = desk.approved()
    desk.send(request)
    sending.sent_by_hand(actor=desk.pat, request_id=request.pk, bank_reference="BK-1")
    at_source(bank(), bank_line("L1", "-400.00", remittance=request.reference))
    assert state(request) == RequestState.DONE
    at_source(bank(), bank_line("L2", "400.00", remittance=f"RETURN {request.reference}"))
    assert (state(request), desk.money()) == (RequestState.RETURNED, (D(1000), D(0)))
    assert Payout.objects.get().state == "RETURNED"
    at_source(bank(), bank_line("L3", "400.00", remittance=f"RETURN {request.reference}"))
    assert desk.money() == (D(1000), D(0)), "a second line credits nothing"
    assert on_its_way() == D(400), "and stands for a person to find"


def on_its_way() -> Decimal:
    """What is on clearing.client_money, shown as its other side: money that came and nobody was credited for."""
    account = LedgerAccount.objects.get(code="clearing.client_money", currency="USD", entity__code="CY")
    return -balances([account.pk])[account.pk] + D(1000)


def test_a_bank_faster_than_the_person_who_types(desk: Desk) -> None:
    request = desk.approved()
    desk.send(request)
    at_source(bank(), bank_line("L1", "-400.00", remittance=request.reference))
    assert state(request) == RequestState.TO_PAY
    sending.sent_by_hand(actor=desk.pat, request_id=request.pk, bank_reference="BK-1")
    assert state(request) == RequestState.DONE


def test_a_line_over_another_amount_settles_nothing(desk: Desk) -> None:
    request = desk.approved()
    desk.send(request)
    sending.sent_by_hand(actor=desk.pat, request_id=request.pk, bank_reference="BK-1")
    at_source(bank(), bank_line("L1", "-399.00", remittance=request.reference))
    assert state(request) == RequestState.SENT
    at_source(bank(), bank_line("L2", "-1.00", remittance=request.reference))
    assert state(request) == RequestState.DONE


def test_payment_files_take_each_payout_once(desk: Desk) -> None:
    one, two = desk.approved("100.00"), desk.approved("200.00")
    for request in (one, two):
        desk.send(request, way="FILE")
    ready = list(lists.payouts_for_files(desk.here.pk, "USD"))
    assert [row.reference for row in ready] == [one.reference, two.reference]
    ids = [row.pk for row in ready]
    payouts.into_file(actor=desk.pat, payout_ids=ids, file_reference="FILE-1")
    assert not lists.payouts_for_files(desk.here.pk, "USD").exists()
    unchanged(payouts.NotInFile, lambda: payouts.into_file(actor=desk.pat, payout_ids=ids, file_reference="FILE-2"))
    assert payouts.file_sent(actor=desk.pat, payout_ids=ids) == 2
    assert payouts.file_sent(actor=desk.pat, payout_ids=ids) == 0
    assert (state(one), desk.money()) == (RequestState.SENT, (D(700), D(0)))
    payouts.file_refused(actor=desk.pat, reference=two.reference, reason="AC04 closed account")
    assert payouts.file_refused(actor=desk.pat, reference=two.reference, reason="AC04 closed account") is None
    assert (state(two), desk.money()) == (RequestState.FAILED, (D(900), D(0)))
    at_source(bank(), bank_line("L1", "-100.00", end_to_end_id=one.reference))
    assert state(one) == RequestState.DONE
