"""What the trade server and the PSP answer moves a withdrawal on: told by the outbox's real senders, over sockets, and
never by calling what listens to them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from accounts.models import Reservation
from accounts.services import booking
from backoffice.kernel import clock
from backoffice.outbox import services as outbox
from integrations.models import PayoutOrder, ServerOperation
from integrations.services import feeds, payouts
from ledger.selectors.balances import balances
from payments.models import MoneyRequest, Payout
from payments.selectors import lists
from payments.services import confirming, sending
from reconciliation.models import OPEN_STATES, Break, Kind
from reconciliation.services import runs
from tests.attacks import findings
from tests.builders import ROBOT
from tests.payments_desk import fresh, state
from tests.psp_world import NOW
from tests.storm_world import OPENING, Broker, Customer, open_broker, outside

pytestmark = pytest.mark.django_db
D = Decimal
BALANCE = "/api/trade/balance"
# Numbers of Broker.enter with one customer: from a wallet to a card, to an address, from a login to a card.
TO_CARD, TO_ADDRESS, FROM_LOGIN = 0, 1, 2


class Desk:
    """A customer's withdrawals, and the schedule's jobs in one thread, on a clock shared with the outside."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker

    @property
    def customer(self) -> Customer:
        return self.broker.customers[0]

    def sent(self, which: int, amount: str = "250.00") -> MoneyRequest:
        request = self.broker.approve(self.broker.enter(which, D(amount)))
        connection = self.broker.gateway_of(request)
        return sending.send(
            actor=self.broker.people["pat"], request_id=request.pk, way="PSP", connection_id=connection.pk
        )

    def work(self, minutes: int = 0) -> None:
        self.broker.world.moment += timedelta(minutes=minutes)
        with clock.at(self.broker.world.moment):
            while outbox.send_due():
                pass

    def read(self) -> None:
        with clock.at(self.broker.world.moment):
            feeds.pull(actor=ROBOT, connection_id=self.broker.server.pk)
            booking.book_all(actor=ROBOT)
            confirming.confirm_all()
            confirming.read_events()
            while payouts.follow_due():
                pass

    def psp(self, order: str, request: MoneyRequest, kind: str = "card") -> None:
        """What the PSP does with a payout, and its webhook, twice."""
        psp = self.broker.world.psps[kind]
        psp.control.run(order, {"reference": request.reference})
        (number,) = psp.book.numbers_of(request.reference)
        event = psp.psp.event(psp.book.payouts[number])
        for _ in range(2):
            with clock.at(self.broker.world.moment):
                answer = Client().post(
                    f"/hooks/{self.broker.hooks[kind]}/", data=event.body, content_type="application/json",
                    headers=dict(event.headers),
                )  # fmt: skip
            assert 200 <= answer.status_code < 300

    def report(self) -> None:
        with clock.at(self.broker.world.moment):
            self.broker.import_reports(self.broker.world.moment.date())
        self.read()

    def wrong(self, where: str, kind: str, count: int = 1, **more: Any) -> None:
        one = self.broker.world.server if where == "server" else self.broker.world.psps[where]
        one.control.run("fault", {"kind": kind, "count": count, "seconds": 30, **more})

    def debits(self) -> list[Decimal]:
        deals = self.broker.world.deals([self.customer.account.login])
        return [D(deal["Profit"]) for deal in deals if deal["Comment"] != "opening"]

    def paid(self, request: MoneyRequest) -> int:
        return sum(len(psp.book.numbers_of(request.reference)) for psp in self.broker.world.psps.values())

    def wallet(self) -> Decimal:
        """What the customer has free in dollars."""
        account = self.customer.dollars.account_id
        return -balances([account])[account] - D(OPENING)

    def all_agree(self) -> None:
        """Four ways, long after: nothing is missing and every rule holds."""
        with clock.at(self.broker.world.moment + timedelta(days=7)):
            for kind in (Kind.CASH, Kind.BALANCES):
                runs.run_now(actor=ROBOT, entity_id=self.broker.server.entity_id, kind=kind, day=clock.today())
        assert list(Break.objects.filter(state__in=OPEN_STATES).values_list("klass", "key")) == []
        assert {rule for rule, _ in findings()} == set()


@pytest.fixture
def desk() -> Iterator[Desk]:
    with outside(NOW) as world:
        with clock.at(NOW):
            broker = open_broker(world, 1)
        with clock.at(NOW):
            yield Desk(broker)


def steps(request: MoneyRequest) -> list[str]:
    found = fresh(request).events.order_by("pk").values_list("before", "after")
    return [after for before, after in found if before != after]


def doubtful(desk: Desk) -> list[str]:
    with clock.at(desk.broker.world.moment):
        return list(lists.doubtful().values_list("reference", flat=True))


def test_from_a_login_it_is_debited_then_paid_then_done(desk: Desk) -> None:
    request = desk.sent(FROM_LOGIN)
    assert (state(request), desk.debits(), PayoutOrder.objects.count()) == ("AT_SERVER", [], 0)
    desk.work()
    assert steps(request)[-3:] == ["AT_SERVER", "PAYING", "SENT"]
    assert (desk.debits(), desk.paid(request)) == ([D(-250)], 1)
    told = fresh(request).events.get(before="AT_SERVER", after="PAYING")
    assert told.data["ticket"] == ServerOperation.objects.get().ticket
    assert Payout.objects.get().provider_reference == PayoutOrder.objects.get().psp_reference
    assert Reservation.objects.get().state == "HELD"
    desk.read()
    assert Reservation.objects.get().state == "USED", "by the server's own deal"
    desk.psp("settle", request)
    desk.read()
    assert (state(request), Payout.objects.get().state) == ("SENT", "PAID"), "a word is no line"
    desk.report()
    assert state(request) == "DONE"
    desk.all_agree()


@pytest.mark.parametrize("which", [TO_CARD, TO_ADDRESS])
def test_from_a_wallet_it_is_used_when_the_psp_has_it(desk: Desk, which: int) -> None:
    request = desk.sent(which)
    assert (state(request), Reservation.objects.get().state) == ("PAYING", "HELD")
    desk.work()
    assert (state(request), Reservation.objects.get().state, desk.paid(request)) == ("SENT", "USED", 1)
    desk.report()
    assert (state(request), Payout.objects.get().state) == ("DONE", "PAID"), "the line says it before a webhook did"
    desk.psp("settle", request, "card" if which == TO_CARD else "crypto")
    desk.read()
    assert state(request) == "DONE"
    desk.all_agree()


def test_what_the_server_refuses_is_free_again_and_no_psp_hears_of_it(desk: Desk) -> None:
    desk.wrong("server", "retcode", path=BALANCE, retcode="10019 Not enough money")
    request = desk.sent(FROM_LOGIN)
    desk.work()
    assert (state(request), Reservation.objects.get().state) == ("FAILED", "RELEASED")
    assert (desk.debits(), desk.paid(request), PayoutOrder.objects.exists()) == ([], 0, False)
    assert "Not enough money" in Payout.objects.get().error
    desk.all_agree()


@pytest.mark.parametrize("kind", ["hang_after", "drop", "error_after", "truncated"])
def test_a_debit_whose_answer_was_lost_is_found_and_goes_on(desk: Desk, kind: str) -> None:
    desk.wrong("server", kind, path=BALANCE)
    request = desk.sent(FROM_LOGIN)
    desk.work()
    assert (state(request), desk.debits(), desk.paid(request)) == ("AT_SERVER", [D(-250)], 0)
    assert doubtful(desk) == [request.reference]
    desk.work(minutes=15)
    assert (state(request), desk.debits(), desk.paid(request)) == ("SENT", [D(-250)], 1)
    assert doubtful(desk) == []


def test_a_debit_that_did_not_happen_is_ordered_again_once_that_is_certain(desk: Desk) -> None:
    desk.wrong("server", "forget_balance")
    request = desk.sent(FROM_LOGIN)
    desk.work()
    assert (state(request), desk.debits()) == ("AT_SERVER", []) and doubtful(desk) == [request.reference]
    desk.work(minutes=1)
    assert (state(request), desk.debits()) == ("AT_SERVER", []), "it may still be carried out"
    desk.work(minutes=15)
    desk.work(minutes=1)
    assert (state(request), desk.debits(), desk.paid(request)) == ("SENT", [D(-250)], 1)


def test_what_the_psp_refuses_after_the_debit_is_the_clients_in_the_wallet(desk: Desk) -> None:
    desk.wrong("card", "reject", path="/payments")
    request = desk.sent(FROM_LOGIN)
    desk.work()
    assert (state(request), Payout.objects.get().state, desk.wallet()) == ("FAILED", "FAILED", D(250))
    assert (desk.debits(), desk.paid(request)) == ([D(-250)], 0)
    desk.read()
    desk.all_agree()


@pytest.mark.parametrize(("which", "kind"), [(TO_CARD, "card"), (TO_ADDRESS, "crypto")])
@pytest.mark.parametrize("fault", ["hang_after", "error_after"])
def test_a_payment_whose_answer_was_lost_is_in_doubt_until_it_is_found(
    desk: Desk, which: int, kind: str, fault: str
) -> None:
    desk.wrong(kind, fault)
    request = desk.sent(which)
    desk.work()
    assert (state(request), desk.paid(request), Reservation.objects.get().state) == ("PAYING", 1, "HELD")
    desk.read()
    assert Payout.objects.get().state == "UNKNOWN" and doubtful(desk) == [request.reference]
    desk.work(minutes=15)
    assert (state(request), desk.paid(request), doubtful(desk)) == ("SENT", 1, [])


def test_a_line_comes_before_the_answer_that_was_lost(desk: Desk) -> None:
    desk.wrong("card", "drop")
    request = desk.sent(TO_CARD)
    desk.work()
    desk.report()
    assert (state(request), PayoutOrder.objects.get().state) == ("DONE", "OPEN")
    desk.work(minutes=15)
    assert (state(request), PayoutOrder.objects.get().state, desk.paid(request)) == ("DONE", "SENT", 1)
    desk.all_agree()


@pytest.mark.parametrize("which", [TO_CARD, FROM_LOGIN])
@pytest.mark.parametrize(("order", "end"), [("decline", "FAILED"), ("return", "RETURNED")])
def test_what_the_psp_takes_back_is_heard_at_once_and_credited_once(
    desk: Desk, which: int, order: str, end: str
) -> None:
    request = desk.sent(which)
    desk.work()
    desk.read()
    if order == "return":
        desk.psp("settle", request)
        desk.read()
    desk.psp(order, request)
    desk.read()
    assert (state(request), Payout.objects.get().state) == (end, end), "the webhook had the PSP asked"
    assert desk.wallet() == (D(250) if which == FROM_LOGIN else D(0)), "as much as before, in the wallet"
    desk.report()
    desk.report()
    assert (state(request), desk.wallet()) == (end, D(250) if which == FROM_LOGIN else D(0))
    desk.all_agree()
