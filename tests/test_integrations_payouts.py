"""Payouts at PSPs that hang up after paying, list late, forget their keys, pay twice and bring money back: each order
is paid at most once, none is lost, and its state never goes back."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection as database
from django.db import transaction

from backoffice.audit.models import Entry
from backoffice.kernel import clock, jobs
from backoffice.kernel.money import Money
from backoffice.outbox import services as outbox
from backoffice.outbox.models import Message, State
from backoffice.outbox.services import KeyReused
from integrations import registry
from integrations.adapters.gateway import Http
from integrations.models import Connection, PayoutOrder
from integrations.selectors import verify
from integrations.services import connections, payouts
from integrations.services.payouts import BadPayout, CannotRetry, ReferenceUsed
from integrations.simulators.psp.book import Payout, Stage
from tests.attacks import at_once, refused, start_process
from tests.builders import ROBOT
from tests.psp_world import ADDRESS, LATER, NOW, Desk, is_genuine, listening, running

pytestmark = pytest.mark.django_db
committed = pytest.mark.django_db(transaction=True)
LOST = ["drop", "hang_after", "truncated", "error_after"]


@pytest.fixture(autouse=True)
def no_wake_ups(monkeypatch):
    """There is no Redis here: the sweeper alone finds the work."""
    monkeypatch.setattr(jobs, "wake", lambda *given, **named: None)


@pytest.fixture(params=["card", "crypto"])
def kind(request):
    return request.param


@pytest.fixture
def desk(kind, monkeypatch):
    with running(kind) as simulator, clock.at(NOW):
        desk = Desk(kind, simulator)
        monkeypatch.setattr(registry, "_paid", [lambda *said: desk.heard.append(said)])
        yield desk


@pytest.fixture
def card(monkeypatch):
    with running("card") as simulator, clock.at(NOW):
        desk = Desk("card", simulator)
        monkeypatch.setattr(registry, "_paid", [lambda *said: desk.heard.append(said)])
        yield desk


# The way it should go


def test_a_payout_is_sent_once_then_found_paid(desk):
    order = desk.order(amount="123.45")
    assert (desk.state(), desk.made()) == (("OPEN", State.QUEUED), 0), "nothing leaves within the transaction"
    assert desk.work() == 1
    assert (desk.state(), desk.made()) == (("SENT", State.DONE), 1)
    name = desk.row().psp_reference
    assert desk.heard == [("W-00000001", "SENT", name, "")] and name
    (paid,) = desk.simulator.book.payouts.values()
    assert (paid.amount, paid.reference) == (Decimal("123.45"), "W-00000001")
    assert desk.follow(30) == 0, "not yet"
    assert desk.follow(61) == 1 and desk.state()[0] == "SENT"
    desk.say("settle")
    assert desk.follow(600) == 1
    assert desk.state() == ("PAID", State.DONE) and desk.heard[1:] == [("W-00000001", "PAID", name, "")]
    entries = Entry.objects.filter(target=f"integrations.payoutorder:{order.pk}").order_by("pk")
    assert list(entries.values_list("action", flat=True)) == ["payout.ordered", "payout.sent", "payout.paid"]
    assert ADDRESS not in str(Message.objects.values()), "destinations stay in the order"
    assert list(verify.findings()) == []


def test_a_refund_gives_back_part_of_a_payment(card):
    payment = card.say("payment", reference="D-00000001", amount="100", currency="USD")["number"]
    card.order(1, "60.00", original=f"pay_{payment:06d}", destination={})
    card.order(2, "50.00", original=f"pay_{payment:06d}", destination={})
    card.order(3, "5.00", original="pay_999999", destination={})
    card.work()
    assert [card.state(n)[0] for n in (1, 2, 3)] == ["SENT", "FAILED", "FAILED"]
    assert "refund_amount_exceeds_balance" in card.row(2).error and "HTTP 404" in card.row(3).error
    assert card.row(1).psp_reference.startswith("act_")
    card.say("settle")
    card.follow(61)
    assert card.state(1)[0] == "PAID"
    card.say("return", reference="W-00000001")
    card.follow(90_000)
    assert card.state(1)[0] == "RETURNED"


@pytest.mark.parametrize("lost", LOST)
def test_a_refund_whose_answer_was_lost(card, lost):
    payment = card.say("payment", reference="D-00000001", amount="100", currency="USD")["number"]
    card.say("fault", kind=lost, count=1, path="/payments")
    card.order(1, "100.00", original=f"pay_{payment:06d}", destination={})
    card.work()
    assert card.state() == ("OPEN", State.UNKNOWN)
    card.work(10)
    assert (card.state(), card.made()) == (("SENT", State.DONE), 1)


def test_the_same_key_is_the_same_promise_and_a_reference_pays_once(desk):
    first = desk.order()
    assert desk.order().pk == first.pk
    with pytest.raises(KeyReused):
        desk.order(amount="51.00")
    with pytest.raises(KeyReused):
        desk.order(destination={"source_id": "src_2"} if desk.kind == "card" else {"address": ADDRESS + "2"})
    with pytest.raises(ReferenceUsed, match="W-00000001 was ordered"):
        desk.order(key="another")
    desk.work()
    assert desk.order().state == "SENT" and desk.work() == 0 and desk.made() == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": Money(Decimal("0"), "USD")}, {"amount": Money(Decimal("-5"), "USD")},
        {"amount": Money(Decimal("5.001"), "USD")}, {"amount": Money(Decimal("5"), "XXQ")},
        {"reference": "W-1"}, {"destination": {}}, {"destination": {"iban": "CY1"}},
    ],
)  # fmt: skip
def test_what_cannot_be_paid_as_meant_is_refused_at_once(desk, wrong):
    with pytest.raises(BadPayout):
        desk.order(**wrong)
    assert not Message.objects.exists()


def test_a_connection_that_does_not_pay_is_refused(desk):
    Connection.objects.update(adapter="camt053")
    with pytest.raises(BadPayout, match="takes no payouts"):
        desk.order()


# The PSP says no, or not now


def test_a_refusal_is_final(desk):
    desk.say("fault", kind="reject", count=1)
    desk.order()
    desk.work()
    assert desk.state() == ("FAILED", State.REFUSED) and desk.row().error.endswith("Nothing was paid.")
    assert desk.heard == [("W-00000001", "FAILED", "", desk.row().error)]
    assert desk.work(90_000) == 0 and desk.made() == 0
    with pytest.raises(CannotRetry, match="another request"):
        payouts.retry(actor=ROBOT, order_ids=[desk.row().pk])


def test_a_decline_on_the_way_is_found(desk):
    desk.order()
    desk.work()
    desk.say("decline", reference="W-00000001", reason="blocked by the issuer")
    desk.follow(61)
    assert desk.state()[0] == "FAILED" and desk.heard[-1][1:] == ("FAILED", desk.row().psp_reference, desk.row().error)
    assert desk.row().error == "blocked by the issuer" and desk.row().look_at is None


@pytest.mark.parametrize("fault", ["busy", "off_before"])
def test_not_now_waits_and_is_sent_again(desk, fault):
    if fault == "busy":
        desk.say("fault", kind="busy", count=1)
    else:
        url = desk.connection.settings["base_url"]
        Connection.objects.update(settings={**desk.connection.settings, "base_url": "http://127.0.0.1:9"})
    desk.order()
    desk.work()
    assert desk.state() == ("OPEN", State.QUEUED)
    if fault != "busy":
        Connection.objects.update(settings={**desk.connection.settings, "base_url": url})
    desk.work(60)
    assert (desk.state(), desk.made()) == (("SENT", State.DONE), 1)


def test_wrong_keys_pay_nothing_and_lose_nothing(desk):
    good = Connection.objects.get().secrets
    connections.change(
        actor=ROBOT, connection_id=desk.connection.pk, settings=desk.connection.settings,
        secret_values={"secret_key" if desk.kind == "card" else "secret": "wrong"}, is_active=True,
    )  # fmt: skip
    desk.order()
    desk.work()
    assert desk.state() == ("OPEN", State.QUEUED)
    (probe,) = connections.test(actor=ROBOT, connection_id=desk.connection.pk)
    assert not probe.ok
    Connection.objects.update(secrets=good)
    (probe,) = connections.test(actor=ROBOT, connection_id=desk.connection.pk)
    assert probe.ok
    desk.work(60)
    assert desk.state() == ("SENT", State.DONE)


# The answer is lost


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("forgetful", [False, True])
def test_paid_and_the_answer_lost_is_found_again_and_never_paid_twice(desk, lost, forgetful):
    desk.say("behave", forgetful=forgetful)
    desk.say("fault", kind=lost, count=1)
    desk.order()
    desk.work()
    assert (desk.state(), desk.made(), desk.heard) == (("OPEN", State.UNKNOWN), 1, [])
    desk.work(10)
    assert (desk.state(), desk.made(), len(desk.heard)) == (("SENT", State.DONE), 1, 1)


@pytest.mark.parametrize("lost", ["hang_before", "error_before", "off"])
def test_not_paid_and_the_answer_lost_is_sent_again_when_that_is_proved(desk, lost):
    desk.say("behave", forgetful=True)
    desk.say("fault", kind=lost, count=1)
    desk.order()
    desk.work()
    for seconds in (10, 60, 400):
        desk.work(seconds)
        assert desk.state() == ("OPEN", State.UNKNOWN) and "does not know it yet" in desk.row().message.error
    desk.work(LATER + 600)
    assert (desk.state(), desk.made()) == (("SENT", State.DONE), 1)


def test_a_psp_that_lists_late_is_saved_by_its_idempotency_key(desk):
    desk.say("behave", late_lookups=2)
    desk.say("fault", kind="drop", count=1)
    desk.order()
    for seconds in (0, 600, 1300, 4000, 9000, 14_000, 20_000):
        desk.work(seconds)
    assert (desk.state(), desk.made()) == (("SENT", State.DONE), 1)


def test_a_refusal_of_the_second_sending_does_not_prove_that_the_first_paid_nothing(desk):
    """Found by the storm: paid, the answer lost, listed late, sent again, and then refused for another reason."""
    desk.say("behave", late_lookups=1)
    desk.say("fault", kind="drop", count=1)
    desk.order()
    desk.work()
    desk.say("storm", seed=1, shares={"reject": 1.0})
    desk.work(LATER + 600)
    assert (desk.state(), desk.made()) == (("SENT", State.DONE), 1)


def test_found_at_once_as_paid_is_told_in_order(desk):
    desk.say("fault", kind="drop", count=1)
    desk.order()
    desk.work()
    desk.say("settle")
    desk.work(10)
    assert desk.state() == ("PAID", State.DONE) and [said[1] for said in desk.heard] == ["SENT", "PAID"]


def test_a_psp_that_paid_twice_is_told_of_by_name(desk):
    desk.say("behave", forgetful=True)
    desk.say("fault", kind="drop", count=1)
    desk.order()
    desk.work()
    # The PSP's own repetition: the same request once more, behind our back.
    (first,) = desk.simulator.book.payouts.values()
    desk.simulator.book.pay("W-00000001", first)
    desk.work(10)
    row = desk.row()
    assert row.state == "SENT" and len(row.duplicates) == 1
    assert f"paid it 2 times: {row.psp_reference}, {row.duplicates[0]}" in row.error
    assert desk.heard == [("W-00000001", "SENT", row.psp_reference, row.error)]


def test_another_amount_under_our_reference_is_left_to_a_person(desk):
    desk.say("fault", kind="hang_before", count=1)
    desk.order()
    desk.work()
    desk.simulator.book.pay("x", replace(_payout(desk), amount=Decimal("49.00")))
    for seconds in (10, LATER + 600, 9000):
        desk.work(seconds)
        assert desk.state() == ("OPEN", State.UNKNOWN) and "over 49.00" in desk.row().message.error


def _payout(desk):
    return Payout(0, "W-00000001", Decimal("50.00"), "USD" if desk.kind == "card" else "USDT", NOW)


# Later: paid, returned, webhooks in any order


def test_money_that_comes_back_is_an_end(desk):
    desk.order()
    desk.work()
    desk.say("settle")
    desk.follow(61)
    desk.say("return", reference="W-00000001", reason="account closed")
    assert desk.follow(3600) == 0, "a paid one is asked about once a day"
    assert desk.follow(90_000) == 1
    assert desk.state() == ("RETURNED", State.DONE) and desk.row().look_at is None
    assert [said[1] for said in desk.heard] == ["SENT", "PAID", "RETURNED"] and desk.heard[-1][3] == "account closed"
    assert desk.follow(900_000) == 0


def test_a_psp_that_goes_back_changes_nothing(desk):
    desk.order()
    desk.work()
    desk.say("settle")
    desk.follow(61)
    (number,) = desk.simulator.book.payouts
    desk.simulator.book.payouts[number] = replace(desk.simulator.book.payouts[number], stage=Stage.PENDING)
    desk.follow(90_000)
    assert desk.state()[0] == "PAID" and [said[1] for said in desk.heard] == ["SENT", "PAID"]


def test_a_psp_that_does_not_answer_is_asked_again(desk):
    desk.order()
    desk.work()
    desk.say("settle")
    desk.say("fault", kind="error_before")
    desk.follow(61)
    assert desk.state()[0] == "SENT" and "HTTP 503" in desk.row().error
    desk.say("reset")
    desk.follow(400)
    assert desk.state()[0] == "PAID" and desk.row().error == ""


@committed
@pytest.mark.parametrize("order", ["forward", "backward", "shuffled"])
def test_webhooks_twice_late_and_in_any_order_only_make_us_look(kind, order, monkeypatch):
    monkeypatch.setattr(registry, "_paid", [])
    with running(kind) as simulator, clock.at(NOW):
        desk = Desk(kind, simulator)
        for number in range(1, 7):
            desk.order(number)
        desk.work()
        desk.say("settle")
        desk.say("return", reference="W-00000003")
        known = []

        def take(event):
            reference = event["data"]["reference"] if kind == "card" else event["foreign_id"]
            known.append(reference)
            with clock.at(NOW + timedelta(seconds=5)):
                payouts.hint(references=[reference])

        with listening(kind, take) as url:
            told = desk.say("deliver", url=url, duplicates=2, order=order, seed=7, hold=1)
            assert told == {"sent": 12, "refused": 0, "waiting": 1}
            assert desk.follow(6) == 6
            desk.say("deliver", url=url, again=True)
            assert desk.follow(7) == 5, "what came back is at its end"
        assert [desk.state(n)[0] for n in range(1, 7)] == ["PAID", "PAID", "RETURNED", "PAID", "PAID", "PAID"]


def test_signatures_of_webhooks_are_right_and_one_bit_more_is_wrong(desk):
    desk.say("payment", reference="D-00000001", amount="10.00", currency="USD")
    desk.order()
    desk.work()
    desk.say("settle")
    for event in list(desk.simulator.hooks._waiting):
        headers = {name.lower(): value for name, value in event.headers.items()}
        assert is_genuine(desk.kind, headers, event.body)
        assert not is_genuine(desk.kind, headers, event.body[:-1] + bytes([event.body[-1] ^ 1]))


def test_a_paused_connection_pays_nothing_and_a_person_tries_again(desk):
    desk.order()
    Connection.objects.update(is_active=False)
    desk.work()
    assert desk.state() == ("OPEN", State.QUEUED) and "paused" in desk.row().message.error
    Connection.objects.update(is_active=True)
    with clock.at(NOW + timedelta(seconds=1)):
        payouts.retry(actor=ROBOT, order_ids=[desk.row().pk])
    assert desk.work(1) == 1 and desk.state() == ("SENT", State.DONE)


# Workers that die and meet


@committed
@pytest.mark.parametrize("before", [True, False])
def test_a_worker_killed_around_the_call(kind, before, monkeypatch):
    monkeypatch.setattr(registry, "_paid", [])
    with running(kind) as simulator:
        with clock.at(NOW):
            desk = Desk(kind, simulator)
            desk.say("behave", forgetful=True)
            desk.order()
        read, write = os.pipe()

        def send_and_hang():
            order = Http.order

            def hang(self, *given, **named):
                if not before:
                    order(self, *given, **named)
                os.write(write, b"x")
                time.sleep(60)

            Http.order = hang
            with clock.at(NOW):
                outbox.send_due()

        worker = start_process(send_and_hang)
        os.read(read, 1)
        worker.kill()
        worker.join(10)
        os.close(read)
        assert desk.state() == ("OPEN", State.SENDING) and desk.made() == (0 if before else 1)
        assert desk.work(240) == 0
        for seconds in (360, 1000, 5000):
            desk.work(seconds)
        assert (desk.state(), desk.made()) == (("SENT", State.DONE), 1)


@committed
def test_many_workers_pay_each_order_once(kind, monkeypatch):
    monkeypatch.setattr(registry, "_paid", [])
    with running(kind) as simulator:
        with clock.at(NOW):
            desk = Desk(kind, simulator)
            desk.say("behave", forgetful=True)
            for number in range(24):
                desk.order(number)

        def one(number):
            with clock.at(NOW):
                return outbox.send_due()

        assert sum(at_once(4, one)) == 24
        assert [desk.made(number) for number in range(24)] == [1] * 24


def test_a_listener_that_fails_leaves_it_to_be_looked_up(desk, monkeypatch):
    monkeypatch.setattr(registry, "_paid", [lambda *said: 1 // 0])
    desk.order()
    desk.work()
    assert desk.state() == ("OPEN", State.UNKNOWN)
    monkeypatch.setattr(registry, "_paid", [])
    desk.work(10)
    assert (desk.state(), desk.made()) == (("SENT", State.DONE), 1)


# What PostgreSQL keeps


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("amount = 51", "BO086"), ("reference = 'W-00000002'", "BO086"), ("destination = '{}'", "BO086"),
        ("state = 'PAID'", "BO086"), ("state = 'SENT', psp_reference = 'x'", "BO086"),
        ("state = 'SENT', sent_at = now()", "23514"), ("key = 'x'", "BO086"),
    ],
)  # fmt: skip
def test_an_order_cannot_be_forged(card, change, code):
    card.order()
    with refused(code), database.cursor() as cursor:
        cursor.execute(f"UPDATE integrations_payoutorder SET {change}")


@pytest.mark.parametrize("change", ["state = 'OPEN'", "state = 'SENT'", "psp_reference = 'other'", "state = 'FAILED'"])
def test_a_state_never_goes_back(card, change):
    card.order()
    card.work()
    card.say("settle")
    card.follow(61)
    with refused("BO086"), database.cursor() as cursor:
        cursor.execute(f"UPDATE integrations_payoutorder SET {change}")


def test_an_end_is_an_end_and_a_reference_has_one_order(card):
    card.order()
    card.work()
    card.say("decline", reference="W-00000001")
    card.follow(61)
    with refused("BO086"), database.cursor() as cursor:
        cursor.execute("UPDATE integrations_payoutorder SET state = 'PAID'")
    row = card.row()
    with refused("23505"), transaction.atomic():
        PayoutOrder.objects.create(
            entity=row.entity, connection=row.connection, reference=row.reference, key="k", amount=1, currency="USD",
            message=Message.objects.create(kind="psp.payout", key="k", payload={}, created_at=NOW, due_at=NOW),
            asked_at=NOW, state_at=NOW,
        )  # fmt: skip


def test_verify_knows_a_payout_that_its_message_denies(card):
    card.order()
    card.work()
    Message.objects.update(state=State.REFUSED)
    assert [found.rule for found in verify.findings()] == ["a payout is as settled as its message"]
