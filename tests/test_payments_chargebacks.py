"""Chargeback cases: made from what providers say, forward only, booked by two people, undone to the cent when won."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import DatabaseError, transaction
from django.test import Client as Browser
from django.urls import reverse

from accounts.models import FlagKind, Reason, RestrictionKind
from accounts.services import flags, papers, restrictions, wallets
from accounts.services.restrictions import Restricted
from backoffice.approvals.services.refusals import SameEyes
from backoffice.audit.models import Entry
from backoffice.kernel import clock
from backoffice.kernel.errors import DomainError, NotFound, NotPermitted
from backoffice.kernel.money import Money
from backoffice.organisation.models import User
from integrations.models import WebhookEndpoint
from integrations.records import PspKind
from ledger.models import LedgerAccount
from ledger.selectors.balances import balances
from payments.actions import chargebacks as actions
from payments.models import CaseEvent, CasePosting, CaseState, ChargebackCase, DisputeMonth, EventSource
from payments.models.chargebacks import ENDS, STEPS, legal
from payments.models.ratios import NEAR, OVER, WELL
from payments.selectors import cases as found
from payments.selectors import disputed, verify
from payments.services import case_posting, case_reading, cases, ratios, withdrawals
from payments.services.case_posting import CannotBook
from payments.services.machine import BadAmount, IllegalStep
from reporting.definitions import evidence_pack
from reporting.records import Parameters
from reporting.render import html
from reporting.selectors.entities import entities
from tests import hooks
from tests.attacks import at_once, execute, refused
from tests.builders import ROBOT
from tests.chargebacks import both, opened
from tests.payments_desk import Desk, announced, at_source, open_desk, psp, put
from tests.worlds import NOON, World, connection, deal, psp_line

D, S = Decimal, CaseState
committed = pytest.mark.django_db(transaction=True)
SAMPLES = Path(settings.BASE).parent / "shared" / "samples" / "webhooks"


@pytest.fixture
def desk(db: None) -> Desk:
    return open_desk()


def told(desk: Desk, state: CaseState | None, number: int, **more: Any) -> ChargebackCase:
    """A provider's message number so and so about the dispute D-1 of the payment P-1."""
    about = {"entity_id": desk.here.pk, "connection_id": psp().pk, "dispute_reference": "D-1", "psp_reference": "P-1"}
    for name in ("deposit", "client_id", "dispute_reference", "psp_reference"):
        if name in more:
            about[name] = more.pop(name)
    said = {
        "kind": state or "NOTE", "state": state, "happened_at": clock.now(), "source": EventSource.MESSAGE,
        "source_id": number, "amount": Money(D(50), "USD"), **more,
    }  # fmt: skip
    with transaction.atomic():
        return cases.hear(actor=cases.ROBOT, about=cases.About(**about), said=cases.Said(**said))


def guarded(desk: Desk) -> tuple[bool, bool]:
    """Whether the client is flagged, and kept from withdrawing."""
    client = desk.client
    return (
        client.flags.filter(kind=FlagKind.CHARGEBACK_RISK, ended_at=None).exists(),
        client.restrictions.filter(kind=RestrictionKind.NO_WITHDRAWAL, lifted_at=None).exists(),
    )


def loss(desk: Desk, code: str = case_posting.LOSS) -> Decimal:
    accounts = LedgerAccount.objects.filter(entity=desk.here, code=code).values_list("pk", flat=True)
    return sum(balances(list(accounts)).values(), D(0))


# Forward, never back.


def test_the_database_has_the_same_steps(desk: Desk) -> None:
    case = opened(desk.client, psp(), state=S.FRAUD_NOTICE)
    for before in S:
        for after in S:
            if before == after:
                continue
            with transaction.atomic():
                _force(case, before)
                statement = _step(case, after)
                if legal(before, after):
                    execute(statement)
                else:
                    with pytest.raises(DatabaseError, match="does not go from"), transaction.atomic():
                        execute(statement)
                transaction.set_rollback(True)


def _step(case: ChargebackCase, after: CaseState) -> str:
    ends = "now()" if after in ENDS else "NULL"
    return (
        f"UPDATE payments_chargebackcase SET state = '{after}', state_at = state_at + interval '1 second',"
        f" ended_at = {ends} WHERE id = {case.pk}"
    )


def _force(case: ChargebackCase, to: CaseState) -> None:
    """Bring the row to a state along legal steps."""
    path: dict[CaseState, list[CaseState]] = {S.FRAUD_NOTICE: []}
    queue = [S.FRAUD_NOTICE]
    while queue:
        here = queue.pop(0)
        for after in sorted(STEPS[here]):
            if after not in path:
                path[after] = [*path[here], after]
                queue.append(after)
    for step in path[to]:
        execute(_step(case, step))


def test_a_whole_life_and_every_message_twice_and_late(desk: Desk) -> None:
    life = (S.INQUIRY, S.NOTIFIED, S.CHARGED_BACK, S.DEFENDED, S.REVERSED, S.PRE_ARBITRATION, S.SECOND_ROUND,
            S.ARBITRATION, S.LOST)  # fmt: skip
    for number, state in enumerate(life):
        case = told(desk, state, number)
        assert case.state == state and case.is_open == (state != S.LOST)
        for again in range(number + 1):
            assert told(desk, life[again], again).state == state
        assert case.events.count() == number + 1
    for late, state in enumerate(life[:-1], 100):
        assert told(desk, state, late).state == S.LOST
    assert CaseEvent.objects.filter(case=case, before="LOST", after="LOST").count() == len(life) - 1
    assert ChargebackCase.objects.count() == 1


def test_a_reversal_is_not_final_and_neither_is_a_win_by_hand(desk: Desk) -> None:
    told(desk, S.CHARGED_BACK, 1)
    case = told(desk, S.REVERSED, 2)
    assert case.is_open and case.ended_at is None
    cases.move(actor=ROBOT, case_id=case.pk, to=S.WON, text="")
    early = clock.now() - timedelta(days=3)
    assert told(desk, S.SECOND_ROUND, 3, happened_at=early).state == S.WON  # old: from before the end
    with clock.at(clock.now() + timedelta(days=1)):
        case = told(desk, S.SECOND_ROUND, 4)
    assert (case.state, case.ended_at) == (S.SECOND_ROUND, None)


def test_what_a_case_is_about_stands(desk: Desk) -> None:
    case = opened(desk.client, psp(), dispute_reference="D-9")
    for change in ("client_id = NULL", "dispute_reference = 'other'", "entity_id = 0", "opened_at = now()",
                   "ended_at = now()", "state_at = state_at - interval '1 day'", "taken_at = NULL"):  # fmt: skip
        with refused("BO110", "BO111", "23503"):
            execute(f"UPDATE payments_chargebackcase SET {change} WHERE id = {case.pk}")
    for table in ("payments_chargebackcase", "payments_caseevent", "payments_caseposting"):
        with pytest.raises(DatabaseError), transaction.atomic():
            execute(f"DELETE FROM {table}")
    with refused("BO112"):
        execute(_step(case, S.DEFENDED))
        execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_the_deadline_is_the_providers_and_goes_when_it_was_met(desk: Desk) -> None:
    until = clock.now() + timedelta(days=9)
    assert told(desk, S.NOTIFIED, 1).deadline_at is None
    assert told(desk, S.CHARGED_BACK, 2, deadline_at=until).deadline_at == until
    assert told(desk, S.DEFENDED, 3).deadline_at is None
    later = until + timedelta(days=30)
    case = told(desk, S.SECOND_ROUND, 4, deadline_at=later)
    assert case.deadline_at == later
    assert told(desk, S.CHARGED_BACK, 5, deadline_at=until).deadline_at == later  # late and old


# Whose it is, and what protects us.


def test_our_reference_finds_deposit_and_client_and_guards_them(desk: Desk) -> None:
    deposit = announced(desk.client, "250.00", psp_reference="P-1", connection_id=psp().pk)
    assert guarded(desk) == (False, False)
    told(desk, S.INQUIRY, 1, deposit=deposit, client_id=desk.client.pk)
    assert guarded(desk) == (False, False)
    case = told(desk, S.NOTIFIED, 2, deposit=deposit, client_id=desk.client.pk)
    assert (case.client_id, case.deposit_id, case.our_reference) == (desk.client.pk, deposit.pk, deposit.reference)
    assert guarded(desk) == (True, True)
    with pytest.raises(Restricted):
        withdrawals.submit(
            actor=ROBOT, client_id=desk.client.pk, amount=Money(D(1), "USD"), payee_id=desk.payee.pk,
            wallet_id=desk.wallet.pk,
        )  # fmt: skip
    assert disputed.cases_of(desk.client.pk) == [f"CB-{case.pk}: notified since {case.state_at:%Y-%m-%d}"]
    assert disputed.charged_back([deposit.pk]) == {deposit.pk: D(50)}


def test_people_lift_it_and_only_new_money_taken_sets_it_again(desk: Desk) -> None:
    told(desk, S.NOTIFIED, 1, client_id=desk.client.pk)
    for row in desk.client.restrictions.filter(lifted_at=None):
        restrictions.lift(actor=desk.carl, restriction_id=row.pk, reason=Reason.CLEARED)
    flag = desk.client.flags.get(kind=FlagKind.CHARGEBACK_RISK)
    with pytest.raises(DomainError):
        flags.end_flag(actor=desk.pat, flag_id=flag.pk)  # PAY and FAP, never one alone
    told(desk, None, 2)
    told(desk, S.NOTIFIED, 3)
    assert guarded(desk) == (True, False)
    told(desk, S.CHARGED_BACK, 4)
    assert guarded(desk) == (True, True)
    told(desk, S.DEFENDED, 5)
    case = told(desk, S.WON, 6)
    assert case.state == S.WON and guarded(desk) == (True, True)


def test_a_case_of_nobody_is_given_to_a_client_once(desk: Desk) -> None:
    case = told(desk, S.CHARGED_BACK, 1)
    assert case.client_id is None
    with pytest.raises(DomainError, match="whose payment"):
        cases.note(actor=desk.pat, case_id=case.pk, text="who is it?")
    cases.assign(actor=desk.pat, case_id=case.pk, client_id=desk.client.pk, deposit_id=None, text="by the card")
    assert guarded(desk) == (True, True)
    with pytest.raises(DomainError, match="belongs"):
        cases.assign(actor=desk.pat, case_id=case.pk, client_id=desk.client.pk, deposit_id=None, text="again")


def test_by_hand_and_by_message_are_one_case(desk: Desk) -> None:
    by_hand = opened(desk.client, psp(), state=S.INQUIRY, psp_reference="P-1")
    heard = told(desk, S.CHARGED_BACK, 1)
    assert (heard.pk, heard.dispute_reference, heard.client_id) == (by_hand.pk, "D-1", desk.client.pk)
    with pytest.raises(cases.KnownCase, match=str(by_hand)):
        opened(desk.client, psp(), dispute_reference="D-1")
    assert told(desk, S.CHARGED_BACK, 2, dispute_reference="D-2").pk != by_hand.pk


def test_a_case_by_hand_knows_what_the_report_says_of_the_payment(desk: Desk) -> None:
    at_source(psp(), psp_line("P-1", "50", method="visa"))
    case = opened(desk.client, psp(), psp_reference="P-1")
    assert (case.method, case.paid_at) == ("visa", NOON.replace(tzinfo=UTC))


def test_what_nobody_may_open(desk: Desk) -> None:
    for amount in ("0", "-5", "0.001"):
        with pytest.raises(BadAmount):
            opened(desk.client, psp(), amount=amount)
    with pytest.raises(NotFound):
        opened(desk.client, connection("adyen_settlement", "theirs", "UK"))
    case = opened(desk.client, psp(), text="<script>alert(1)</script>")
    with pytest.raises(IllegalStep):
        cases.move(actor=desk.pat, case_id=case.pk, to=S.INQUIRY, text="back")


# The book.


def charge(desk: Desk, case: ChargebackCase, amount: str = "50") -> CasePosting:
    both(desk.fred, desk.fiona, actions.CHARGE, actions.ChargeClient(case.pk, desk.wallet.pk, D(amount), "USD"))
    return CasePosting.objects.latest("pk")


def test_charged_to_the_client_and_won_leaves_nothing_anywhere(desk: Desk) -> None:
    """J13: the ledger half."""
    deposit = announced(desk.client, "250.00")
    before = loss(desk), desk.money()[0]
    at_source(psp(), psp_line("P-1", "250", reference=deposit.reference))
    line = psp_line("L-2", "-250", psp_reference="P-1", modification_reference="D-1", kind=PspKind.CHARGEBACK,
                    provider_type="Chargeback", reference=deposit.reference)  # fmt: skip
    at_source(psp(), line)
    case_reading.read_lines()
    case = ChargebackCase.objects.get()
    assert (case.state, case.client_id, case.amount) == (S.CHARGED_BACK, desk.client.pk, 250)
    assert case.deposit_id == deposit.pk
    money = desk.money()[0]
    assert loss(desk) == before[0] + 250
    charge(desk, case, "250")
    assert (loss(desk), desk.money()[0]) == (before[0], money - 250)
    back = psp_line("L-3", "250", psp_reference="P-1", modification_reference="D-1",
                    kind=PspKind.CHARGEBACK_REVERSED, provider_type="ChargebackReversed")  # fmt: skip
    at_source(psp(), back)
    case_reading.read_lines()
    payload = actions.ReturnCharge(case.pk, case.postings.get().pk)
    with pytest.raises(CannotBook, match="won for good"):
        both(desk.fred, desk.fiona, actions.RETURN, payload)
    cases.move(actor=desk.pat, case_id=case.pk, to=S.WON, text="the time of the issuer is over")
    both(desk.fred, desk.fiona, actions.RETURN, payload)
    assert (loss(desk), desk.money()[0]) == (before[0], money)
    with pytest.raises(DomainError, match="given back"):
        both(desk.fred, desk.fiona, actions.RETURN, payload)
    assert found.charged(case) == 0 and list(verify.findings()) == []


def test_nothing_is_charged_twice_too_much_too_early_or_from_nothing(desk: Desk) -> None:
    notice = opened(desk.client, psp(), state=S.NOTIFIED)
    with pytest.raises(CannotBook, match="No money was taken"):
        charge(desk, notice)
    case = opened(desk.client, psp(), amount="5000")
    with pytest.raises(CannotBook, match="loss"):
        charge(desk, case, "5000")
    charge(desk, case, "1000")  # what is there; the rest is the house's
    assert desk.money()[0] == 0 and loss(desk) == -1000
    put(desk.wallet, "9000", "more")
    with pytest.raises(CannotBook, match="are left"):
        charge(desk, case, "4000.01")
    for amount in ("0", "-10"):
        with pytest.raises(CannotBook):
            charge(desk, case, amount)
    charge(desk, case, "4000")
    with pytest.raises(CannotBook):
        charge(desk, case, "0.01")
    other = wallets.open_wallet(actor=ROBOT, client_id=desk.client.pk, currency="EUR")
    with pytest.raises(CannotBook):
        both(desk.fred, desk.fiona, actions.CHARGE, actions.ChargeClient(case.pk, other.pk, D(1), "EUR"))


def test_one_person_does_not_book(desk: Desk) -> None:
    case = opened(desk.client, psp())
    payload = actions.ChargeClient(case.pk, desk.wallet.pk, D(50), "USD")
    with pytest.raises(NotPermitted):
        both(desk.pat, desk.fiona, actions.CHARGE, payload)
    asked = desk.floor.ask(desk.fred, actions.CHARGE, payload)
    for decider in (desk.fred, desk.pat, desk.sue):
        with pytest.raises((SameEyes, NotPermitted)):
            desk.floor.agree(decider, asked)
    assert not CasePosting.objects.exists()


def test_a_posting_without_two_people_does_not_commit(desk: Desk) -> None:
    case = opened(desk.client, psp())
    charge(desk, case, "10")
    row = case.postings.get()
    values = (case.pk, desk.wallet.pk, row.journal_id + 1, row.approval_id)
    insert = (
        "INSERT INTO payments_caseposting (case_id, kind, wallet_id, amount, currency_id, journal_id, approval_id, at)"
        f" VALUES ({values[0]}, 'CHARGE', {values[1]}, %s, 'USD', {values[2]}, {values[3]}, now())"
    )
    with refused("BO113"):
        execute(insert % 41)
    with refused("BO114"):
        execute(insert % 1)
        execute("SET CONSTRAINTS ALL IMMEDIATE")


# What providers say.


def adyen(where: WebhookEndpoint, *items: dict[str, Any]) -> None:
    for item in items:
        assert hooks.post(where, *hooks.adyen(item)).status_code == 200


def dispute(code: str, **changes: Any) -> dict[str, Any]:
    values = {
        "eventCode": code, "pspReference": "D-77", "originalReference": "P-77", "paymentMethod": "mc",
        "amount": {"currency": "USD", "value": 25000}, "reason": "Fraudulent transaction", **changes,
    }  # fmt: skip
    return hooks.adyen_item(**values)


def test_messages_make_a_case_and_carry_it(desk: Desk) -> None:
    deposit, where = announced(desk.client, "250.00"), hooks.endpoint("adyen")
    mine = {"merchantReference": deposit.reference}
    until = "2026-12-01T10:00:00+01:00"
    said = dispute("CHARGEBACK", additionalData={"defensePeriodEndsAt": until, "chargebackReasonCode": "4837"}, **mine)
    adyen(where, dispute("NOTIFICATION_OF_CHARGEBACK", **mine), said, said, dispute("INFORMATION_SUPPLIED", **mine))
    assert case_reading.read_events() == 3 and case_reading.read_events() == 0
    case = ChargebackCase.objects.get()
    assert (case.state, case.deposit_id, case.client_id) == (S.DEFENDED, deposit.pk, desk.client.pk)
    assert (case.amount, case.mid, case.method, case.reason_code) == (250, "Broker", "mc", "4837")
    assert [event.after for event in case.events.order_by("pk")] == ["NOTIFIED", "CHARGED_BACK", "DEFENDED"]
    adyen(where, dispute("NOTIFICATION_OF_FRAUD", **mine), dispute("DISPUTE_DEFENSE_PERIOD_ENDED", **mine))
    case_reading.read_events()
    case.refresh_from_db()
    assert case.state == S.DEFENDED and case.events.count() == 5  # kept, and changed nothing
    assert (case.deadline_at, guarded(desk)) == (None, (True, True))


def test_a_line_of_the_report_and_the_message_are_one_case(desk: Desk) -> None:
    deposit, where = announced(desk.client, "250.00"), hooks.endpoint("adyen", name="adyen")
    adyen(where, dispute("CHARGEBACK", merchantReference=deposit.reference))
    line = psp_line("L-2", "-250", psp_reference="P-77", modification_reference="D-77", kind=PspKind.CHARGEBACK,
                    provider_type="Chargeback", reference=deposit.reference)  # fmt: skip
    at_source(psp(), line)
    case_reading.read_lines()
    case_reading.read_events()
    case = ChargebackCase.objects.get()
    assert case.events.count() == 2 and [row.line_key for row in found.lines_about(case)] == ["L-2"]


def test_a_defence_that_runs_out_ends_it_and_an_inquiry_may_still_become_one(desk: Desk) -> None:
    where = hooks.endpoint("adyen")
    adyen(where, dispute("NOTIFICATION_OF_CHARGEBACK"), dispute("DISPUTE_DEFENSE_PERIOD_ENDED"))
    case_reading.read_events()
    assert ChargebackCase.objects.get().state == S.EXPIRED
    adyen(where, dispute("CHARGEBACK", eventDate="2026-11-20T14:00:00+01:00"))
    case_reading.read_events()
    case = ChargebackCase.objects.get()
    assert case.state == S.CHARGED_BACK and case.ended_at is None


@pytest.mark.skipif(not SAMPLES.exists(), reason="the sample files are not beside the repository")
def test_the_published_messages_over_a_disputes_life(desk: Desk) -> None:
    """Six of Adyen's messages share one dispute; the other six are about payments, refunds and reports."""
    where = hooks.endpoint("adyen")
    order = ("RequestForInformation", "NotificationOfChargeback", "Chargeback", "ChargebackReversed",
             "SecondChargeback", "PrearbitrationLost")  # fmt: skip
    others = sorted({path.stem.removeprefix("adyen_ipn_") for path in SAMPLES.glob("adyen_ipn_*.json")} - {*order})
    assert len(others) == 6
    states = []
    for name in (*order, *others):
        body = json.loads((SAMPLES / f"adyen_ipn_{name}.json").read_text())
        adyen(where, *(hooks.sign_adyen(one["NotificationRequestItem"]) for one in body["notificationItems"]))
        case_reading.read_events()
        states.append(ChargebackCase.objects.get().state)
    life = [S.INQUIRY, S.NOTIFIED, S.CHARGED_BACK, S.REVERSED, S.SECOND_ROUND, S.LOST]
    assert states == life + [S.LOST] * 6
    case = ChargebackCase.objects.get()
    assert (case.dispute_reference, case.mid, case.currency_id) == (
        "YOUR_PSP_REFERENCE",
        "YOUR_MERCHANT_ACCOUNT",
        "EUR",
    )
    said = case.events.get(kind="CHARGED_BACK")
    assert (said.amount, case.reason_code, case.method) == (D("2"), "502", "visa")
    assert case.taken_at is not None and case.amount == D("10")


def test_words_from_outside_are_text_and_nothing_else(desk: Desk) -> None:
    deposit, where = announced(desk.client, "250.00"), hooks.endpoint("adyen")
    evil = "<script>alert(1)</script>"
    adyen(where, dispute("CHARGEBACK", reason=evil, merchantReference=deposit.reference, paymentMethod=evil))
    case_reading.read_events()
    case, browser = ChargebackCase.objects.get(), Browser()
    browser.force_login(User.objects.get(username="pat"))
    for route in ("chargebacks", "chargeback"):
        page = browser.get(reverse(route, args=[case.pk] if route == "chargeback" else [])).content.decode()
        assert evil not in page
    assert "&lt;script&gt;" in page


def test_a_message_without_amount_or_in_no_currency_of_ours_is_a_case(desk: Desk) -> None:
    where = hooks.endpoint("adyen")
    adyen(where, dispute("NOTIFICATION_OF_FRAUD", amount={"currency": "XTS", "value": 5}))
    case_reading.read_events()
    case = ChargebackCase.objects.get()
    assert (case.amount, case.currency_id, case.state) == (None, None, S.FRAUD_NOTICE)
    adyen(where, dispute("CHARGEBACK"))
    case_reading.read_events()
    case.refresh_from_db()
    assert (case.amount, case.currency_id) == (250, "USD")


@committed
def test_four_readers_at_once_make_one_case_and_each_event_once() -> None:
    desk = open_desk()
    deposit, where = announced(desk.client, "250.00"), hooks.endpoint("adyen", name="adyen")
    mine = {"merchantReference": deposit.reference}
    codes = ("REQUEST_FOR_INFORMATION", "NOTIFICATION_OF_CHARGEBACK", "CHARGEBACK", "CHARGEBACK_REVERSED")
    adyen(where, *(dispute(code, **mine) for code in codes))
    line = psp_line("L-2", "-250", psp_reference="P-77", modification_reference="D-77", kind=PspKind.CHARGEBACK,
                    provider_type="Chargeback", reference=deposit.reference)  # fmt: skip
    at_source(psp(), line)
    read = (case_reading.read_events, case_reading.read_lines)
    results = at_once(4, lambda number: read[number % 2]())
    assert sum(results) == 5, results
    case = ChargebackCase.objects.get()
    assert case.events.count() == 5 and case.state == S.REVERSED
    assert desk.client.flags.filter(kind=FlagKind.CHARGEBACK_RISK).count() == 1


# Ratios.


def test_ratios_by_the_month_of_the_dispute_and_of_the_payment(desk: Desk) -> None:
    november, october = NOON.replace(tzinfo=UTC), datetime(2026, 10, 5, 12, tzinfo=UTC)
    lines = [psp_line(f"V{n}", "10", method="visa", booked_at=november) for n in range(4)]
    lines += [psp_line(f"M{n}", "10", method="mc", booked_at=november) for n in range(2)]
    lines += [psp_line(f"O{n}", "10", method="mc_debit", booked_at=october) for n in range(8)]
    at_source(psp(), *lines)
    with clock.at(november + timedelta(days=1)):
        for number, (state, paid, method) in enumerate(
            ((S.CHARGED_BACK, "O1", "mc"), (S.CHARGED_BACK, "M1", "mc"), (S.FRAUD_NOTICE, "V1", "visa"),
             (S.NOTIFIED, "V2", "visa"), (S.INQUIRY, "V3", "visa"))
        ):  # fmt: skip
            line = next(one for one in lines if one.line_key == paid)
            about = cases.About(entity_id=desk.here.pk, connection_id=psp().pk, dispute_reference=f"X{number}",
                                psp_reference=paid, paid_at=line.booked_at)  # fmt: skip
            said = cases.Said(kind=state, state=state, happened_at=clock.now(), source=EventSource.MESSAGE,
                              source_id=number, method=method)  # fmt: skip
            with transaction.atomic():
                cases.hear(actor=ROBOT, about=about, said=said)
        assert ratios.count() == ratios.count()
    rows = {(row.scheme, row.month.month): row for row in DisputeMonth.objects.all()}
    visa, mc, before = rows["VISA", 11], rows["MASTERCARD", 11], rows["MASTERCARD", 10]
    assert (visa.settled, visa.notices, visa.disputes, visa.of_payments) == (4, 1, 1, 1)
    assert (visa.ratio, visa.ratio_of_payments) == (D("0.5"), D("0.25"))
    assert (mc.settled, mc.settled_before, mc.disputes, mc.ratio) == (2, 8, 2, D("0.25"))
    assert (before.disputes, before.of_payments, before.settled) == (0, 1, 8)
    assert visa.level == NEAR  # the ratio is there, the count is not


@pytest.mark.parametrize(
    ("scheme", "settled", "counted", "level"),
    [
        ("VISA", 100_067, 1_501, WELL),  # 1.49999 %
        ("VISA", 100_066, 1_501, OVER),
        ("VISA", 50_000, 1_500, NEAR),
        ("MASTERCARD", 6_666, 100, OVER),
        ("MASTERCARD", 6_667, 100, NEAR),
        ("MASTERCARD", 1_000, 99, NEAR),
        ("OTHER", 1, 5_000, WELL),
        ("VISA", 0, 0, WELL),
    ],
)
def test_thresholds(scheme: str, settled: int, counted: int, level: str) -> None:
    row = DisputeMonth(
        scheme=scheme, month=date(2026, 11, 1), settled=settled, settled_before=settled, disputes=counted
    )
    assert row.level == (NEAR if (scheme, counted) == ("VISA", 1_501) and level == WELL else level)


def test_the_threshold_is_that_of_its_month() -> None:
    for month, ratio in ((date(2026, 3, 1), "0.0220"), (date(2026, 4, 1), "0.0150")):
        limit = DisputeMonth(scheme="VISA", month=month).threshold
        assert limit is not None and limit.ratio == D(ratio)


# The evidence pack.


def test_the_pack_holds_what_we_have_and_nothing_of_compliance(desk: Desk) -> None:
    pytest.importorskip("weasyprint")
    where = hooks.endpoint("adyen", name="adyen")
    deposit = announced(desk.client, "250.00")
    adyen(where, hooks.adyen_item(merchantReference=deposit.reference, pspReference="P-77",
                                  additionalData={"threeDAuthenticated": "true", "eci": "05", "secretThing": "no"}),
          dispute("CHARGEBACK", merchantReference=deposit.reference))  # fmt: skip
    case_reading.read_events()
    case = ChargebackCase.objects.select_related("client", "deposit").get()
    papers.add_note(actor=desk.sue, client_id=desk.client.pk, text="She rang and was happy with the deposit.")
    papers.add_note(actor=desk.carl, client_id=desk.client.pk, text="Known to the MLRO.", confidential=True)
    flags.set_flag(actor=desk.mona, client_id=desk.client.pk, kind=FlagKind.AML_HOLD, note="smurf")
    cases.note(actor=desk.pat, case_id=case.pk, text="Our weak spot: no 3DS answer kept.")
    for outcome in ("CLEAN", "ACCEPTED"):
        papers.record_kyc(
            actor=desk.carl, client_id=desk.client.pk, provider=f"Checker {outcome}", reference="R", outcome=outcome,
            risk="LOW",
        )  # fmt: skip
    now = clock.now()
    World.put(object.__new__(World), desk.server, deal(91, symbol="XAUUSD", server_time=now.replace(tzinfo=None)))
    with clock.at(now + timedelta(hours=1)):
        parameters = Parameters(clock.today(), entities([desk.here.pk]), clock.now())
    report = evidence_pack.build(case, parameters)
    said = html.document(report)
    for word in ("Ada Lovelace", "threeDAuthenticated", "05", deposit.reference, "XAUUSD", "Checker CLEAN", "happy"):
        assert word in said, word
    for word in ("secretThing", "MLRO", "smurf", "AML", "review", "weak spot", "Checker ACCEPTED", "chargeback risk"):
        assert word not in said, word
    assert report.content_hash() == evidence_pack.build(case, parameters).content_hash()
    browser = Browser()
    browser.force_login(User.objects.get(username="pat"))
    answer = browser.get(reverse("evidence-pack", args=[case.pk]), {"file": "pdf"})
    assert answer.status_code == 200 and answer.content.startswith(b"%PDF-")
    assert Entry.objects.filter(action="report.downloaded", target=f"payments.chargebackcase:{case.pk}").count() == 1
