"""A withdrawal over its sources: the parts are the whole to the cent, however often one presses, before approval."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.urls import reverse

from accounts.models import Reservation
from backoffice.approvals.registry import Level
from backoffice.approvals.services import requests
from backoffice.kernel import clock
from backoffice.kernel.errors import Forbidden, Stale
from backoffice.organisation.models import User
from payments.actions import outside as actions
from payments.models import MoneyRequest, Payee, RequestState
from payments.selectors import checks, splits, verify
from payments.services import machine, payees, withdrawals
from payments.services.splitting import Portion, split
from tests.attacks import at_once, execute, refused
from tests.desk import unchanged
from tests.payments_desk import Desk, announced, crypto, fresh, open_desk, psp, state

D = Decimal
committed = pytest.mark.django_db(transaction=True)


def paid_in(desk: Desk, amount: str, method: str, **more: Any) -> MoneyRequest:
    """A deposit of twenty days ago that two people confirmed."""
    with clock.at(clock.now() - timedelta(days=20)):
        made = announced(desk.client, amount, method=method, **more)
        asked = requests.submit(
            actor=desk.fred, action=actions.CONFIRM, payload=actions.credit(made), reason="seen", reason_code="SEEN"
        )
        desk.agree(asked)
    return fresh(made)


def card(desk: Desk) -> Payee:
    with clock.at(clock.now() - timedelta(days=15)):
        payee = payees.propose(
            actor=desk.sue, client_id=desk.client.pk, kind="CARD", currency="USD", holder=desk.client.name,
            details={"token": "src_1", "last4": "4242", "brand": "Visa"}, connection_id=psp().pk,
        )  # fmt: skip
        asked = requests.submit(
            actor=desk.sue, action=actions.VERIFY, payload=actions.VerifyPayee(payee.pk), reason="new"
        )
        requests.approve(actor=desk.carl, request_id=asked.pk, seen_hash=asked.payload_hash)
    return Payee.objects.get(pk=payee.pk)


class Case:
    """200.00 came by card and 100.00 by bank; 450.00 of 1,300.00 in the wallet are to go out, 150.00 of it profit."""

    def __init__(self) -> None:
        self.desk = open_desk("1000.00")
        self.by_card = paid_in(self.desk, "200.00", "CARD", connection_id=psp().pk, psp_reference="P-1")
        self.by_bank = paid_in(self.desk, "100.00", "BANK")
        self.card = card(self.desk)
        self.whole = self.desk.submit("450.00")

    def portions(self) -> list[Portion]:
        return [Portion(D(200), self.card.pk, self.by_card.pk), Portion(D(250), self.desk.payee.pk)]

    def split(self, portions: list[Portion] | None = None, who: Any = None) -> list[MoneyRequest]:
        actor = who or self.desk.fred
        return split(actor=actor, request_id=self.whole.pk, portions=portions or self.portions())


@pytest.fixture
def case(db: None) -> Case:
    return Case()


def test_the_parts_are_the_whole_and_each_goes_back_its_way(case: Case) -> None:
    before = case.desk.money()
    assert checks.source_order(case.whole).level == Level.RED
    made = case.split()
    assert [(row.amount, row.payee_id, row.original_id) for row in made] == [
        (D(200), case.card.pk, case.by_card.pk),
        (D(250), case.desk.payee.pk, None),
    ]
    assert (state(case.whole), [state(row) for row in made]) == ("SPLIT", ["ASKED", "ASKED"])
    assert {row.split_from_id for row in made} == {case.whole.pk} and fresh(case.whole).ended_at is not None
    assert len({case.whole.reference, *(row.reference for row in made)}) == 3
    assert case.desk.money() == before == (D(850), D(450))
    held = Reservation.objects.filter(state="HELD").values_list("reference", "amount")
    assert dict(held) == {row.reference: row.amount for row in made}
    assert [checks.source_order(fresh(row)).level for row in made] == [Level.GREEN, Level.GREEN]
    stored = [event.data["checks"] for row in made for event in row.events.all() if "checks" in event.data]
    assert len(stored) == 2 and all(
        one["level"] == "green" for said in stored for one in said if one["label"] == "Return to source"
    )
    assert list(verify.findings()) == []


def test_a_part_is_approved_by_itself_and_not_split_again(case: Case) -> None:
    first, second = case.split()
    case.desk.agree(case.desk.ask(second))
    assert (state(first), state(second), state(case.whole)) == ("ASKED", "APPROVED", "SPLIT")
    assert case.desk.send(fresh(second)).state == RequestState.TO_PAY
    with pytest.raises(machine.IllegalStep, match="is a part"):
        split(actor=case.desk.fred, request_id=first.pk, portions=case.portions())
    withdrawals.take_back(actor=case.desk.fred, request_id=first.pk)
    assert case.desk.money() == (D(1050), D(250)) and list(verify.findings()) == []


def test_other_sums_other_deposits_and_other_payees_are_refused(case: Case) -> None:
    bank, token = case.desk.payee.pk, case.card.pk
    wrong: list[tuple[type[Exception], list[Portion]]] = [
        (Stale, [Portion(D("199.99"), token, case.by_card.pk), Portion(D(250), bank)]),
        (Stale, [Portion(D("199.99"), token, case.by_card.pk), Portion(D("250.01"), bank)]),
        (Stale, [Portion(D(450), bank)]),
        (Stale, [*case.portions(), Portion(D(0), bank)]),
        (Stale, [Portion(D(200), token), Portion(D(250), bank)]),
        (Stale, [Portion(D(200), token, case.by_bank.pk), Portion(D(250), bank)]),
        (withdrawals.CannotWithdraw, [Portion(D(200), bank, case.by_card.pk), Portion(D(250), bank)]),
        (withdrawals.CannotWithdraw, [Portion(D(200), token, case.by_card.pk), Portion(D(250), token)]),
        (withdrawals.CannotWithdraw, [Portion(D(200), token, case.by_card.pk), Portion(D(250), 0)]),
    ]
    for error, portions in wrong:
        unchanged(error, lambda portions=portions: case.split(portions))


def test_a_plan_that_changed_is_looked_at_again(case: Case) -> None:
    seen = case.portions()
    paid_in(case.desk, "60.00", "CARD", connection_id=psp().pk, psp_reference="P-2")
    unchanged(Stale, lambda: case.split(seen), "another one now")


def test_only_what_was_asked_is_split(case: Case) -> None:
    approval = case.desk.ask(case.whole)
    unchanged(machine.IllegalStep, case.split, "before it is sent")
    case.desk.agree(approval)
    unchanged(machine.IllegalStep, case.split, "before it is sent")
    case.desk.send(fresh(case.whole))
    unchanged(machine.IllegalStep, case.split)
    with pytest.raises(machine.IllegalStep):
        split(actor=case.desk.fred, request_id=case.by_card.pk, portions=case.portions())


def test_who_does_not_review_does_not_split_and_one_way_is_not_split(case: Case) -> None:
    for who in (case.desk.pat, case.desk.fiona, case.desk.sue):
        unchanged(Forbidden, lambda who=who: case.split(who=who))
    withdrawals.take_back(actor=case.desk.fred, request_id=case.whole.pk)
    small = case.desk.submit("150.00", payee_id=case.card.pk)
    assert not splits.can_be_split(small)
    alone = [Portion(D(150), case.card.pk, case.by_card.pk)]
    unchanged(
        withdrawals.CannotWithdraw,
        lambda: split(actor=case.desk.fred, request_id=small.pk, portions=alone),
        "nothing to split",
    )


def test_profit_may_go_another_way_of_the_rule(case: Case) -> None:
    """Where no bank deposit is given back, any method for profit does."""
    withdrawals.take_back(actor=case.desk.fred, request_id=case.whole.pk)
    paid = case.desk.submit("100.00")
    case.desk.agree(case.desk.ask(paid))
    case.desk.send(fresh(paid))
    case.whole = case.desk.submit("230.00")
    coins = crypto(case.desk)
    first, second = case.split([Portion(D(200), case.card.pk, case.by_card.pk), Portion(D(30), coins.pk)])
    assert (first.method, second.method, second.amount) == ("CARD", "CRYPTO", D(30))


def test_the_database_knows_the_whole_and_its_parts(case: Case) -> None:
    made = case.split()
    statement = (
        "INSERT INTO payments_moneyrequest (reference, kind, entity_id, client_id, state, amount, currency_id,"
        " payee_id, source_wallet_id, split_from_id, asked_at, state_at, method, rate_source, psp_reference, reason)"
        f" SELECT 'W-00000001', kind, entity_id, client_id, 'ASKED', 1, currency_id, payee_id, source_wallet_id,"
        f" {case.whole.pk}, now(), now(), '', '', '', '' FROM payments_moneyrequest WHERE id = {made[0].pk}"
    )
    with pytest.raises(DatabaseError, match="are not the whole"), transaction.atomic():
        execute(statement)
        execute("SET CONSTRAINTS moneyrequest_split IMMEDIATE")
    alone = case.desk.submit("10.00")
    with pytest.raises(DatabaseError, match="are not the whole"), transaction.atomic():
        execute(
            "UPDATE payments_moneyrequest SET state = 'SPLIT', state_at = state_at, ended_at = now()"
            f" WHERE id = {alone.pk}"
        )
        execute("SET CONSTRAINTS moneyrequest_split IMMEDIATE")
    with refused("BO091"):
        execute(f"UPDATE payments_moneyrequest SET split_from_id = {alone.pk} WHERE id = {made[0].pk}")


@committed
def test_many_presses_at_once_split_once() -> None:
    case = Case()
    results = at_once(8, lambda _: case.split())
    assert sum(isinstance(result, list) for result in results) == 1
    assert sum(isinstance(result, machine.IllegalStep) for result in results) == 7
    assert case.whole.parts.count() == 2 and case.desk.money() == (D(850), D(450))
    assert list(verify.findings()) == []


@committed
def test_split_send_for_approval_and_take_back_at_once_come_to_one() -> None:
    case = Case()
    for _ in range(3):
        work = (
            case.split,
            lambda: withdrawals.take_back(actor=case.desk.fred, request_id=case.whole.pk),
            lambda: case.desk.ask(case.whole),
        )
        at_once(3, lambda n, work=work: work[n]())
        now, parts = state(case.whole), list(case.whole.parts.all())
        assert now in ("SPLIT", "WITHDRAWN", "IN_REVIEW") and bool(parts) == (now == "SPLIT")
        held = sum(Reservation.objects.filter(state="HELD").values_list("amount", flat=True), D(0))
        assert held == (0 if now == "WITHDRAWN" else D(450))
        for row in [*parts, *([case.whole] if now == "IN_REVIEW" else [])]:
            if now == "IN_REVIEW":
                withdrawals.reject(actor=case.desk.fiona, request_id=row.pk, code="OTHER", note="again")
            else:
                withdrawals.take_back(actor=case.desk.fred, request_id=row.pk)
        assert list(verify.findings()) == []
        case.whole = case.desk.submit("450.00")


def test_the_page_offers_it_and_does_it(case: Case, client: Any) -> None:
    client.force_login(User.objects.get(pk=case.desk.fred.user_id))
    address = reverse("split-withdrawal", args=[case.whole.pk])
    assert address in client.get(reverse("money-request", args=[case.whole.pk])).content.decode()
    page = client.get(address).content.decode()
    assert "200.00 USD by card" in page and "150.00 USD more than all deposits" in page
    plan = splits.token(splits.shares(case.whole))
    chosen = {"payee_1": case.card.pk, "payee_2": case.desk.payee.pk}
    assert client.post(address, {"plan": "1:BANK", **chosen}).status_code == 422
    assert client.post(address, {"plan": plan, "payee_1": case.card.pk}).status_code == 422
    assert state(case.whole) == RequestState.ASKED and not case.whole.parts.exists()
    assert client.post(address, {"plan": plan, **chosen}).status_code == 303
    whole = client.get(reverse("money-request", args=[case.whole.pk])).content.decode()
    assert all(row.reference in whole for row in case.whole.parts.all()) and address not in whole
