"""Payouts through two PSPs that fail in every way at once, with workers killed at random moments: none is paid twice
and none is lost. The seed is printed; BACKOFFICE_STORM_SEED repeats a run as far as the machine lets it, and
BACKOFFICE_STORM_PAYOUTS=10000 makes it the size of a bad week."""

from __future__ import annotations

import os
import random
import sys
import time
from collections import Counter
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from backoffice.audit.models import Entry
from backoffice.kernel import clock, jobs
from backoffice.outbox import services as outbox
from backoffice.outbox.models import Message, State
from integrations import registry
from integrations.models import PayoutOrder
from integrations.selectors import verify
from integrations.services import payouts
from integrations.simulators.psp.book import Stage
from tests.attacks import start_process
from tests.psp_world import NOW, Desk, listening, running

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

PAYOUTS = int(os.environ.get("BACKOFFICE_STORM_PAYOUTS", "200"))
SEED = int(os.environ.get("BACKOFFICE_STORM_SEED", "0")) or random.randrange(1, 2**31)
WORKERS = 3
SHARES = {
    "error_before": 0.06, "error_after": 0.10, "drop": 0.10, "truncated": 0.05, "off": 0.04, "busy": 0.04,
    "reject": 0.03, "hang_after": 0.01, "hang_before": 0.005,
}  # fmt: skip
# More than outbox.LOST_AFTER and than what a lost order may take: every round can settle what the last one left.
ROUND = timedelta(minutes=15)
ROUNDS = 60
END = {
    Stage.PENDING: "SENT", Stage.PAID: "PAID", Stage.DECLINED: "FAILED", Stage.RETURNED: "RETURNED",
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_wake_ups(monkeypatch):
    """Redis is down all the time: the sweeper alone finds the work. Listeners are other rooms' and have tests there."""
    monkeypatch.setattr(jobs, "wake", lambda *given, **named: None)
    monkeypatch.setattr(registry, "_paid", [])


def order_all(desks, chance):
    """Half of it to cards, a quarter of that as refunds of earlier payments, half to addresses."""
    card, crypto = desks
    with clock.at(NOW), transaction.atomic():
        for number in range(PAYOUTS):
            amount = f"{chance.randrange(100, 100_000) / Decimal(100):.2f}"
            if number % 2:
                crypto.order(number, amount)
            elif number % 8:
                card.order(number, amount)
            else:
                paid = card.say("payment", reference=f"D-{number:08d}", amount="1000.00", currency="USD")["number"]
                card.order(number, amount, original=f"pay_{paid:06d}", destination={})


def work_until_empty(moment):
    with clock.at(moment):
        while outbox.send_due():
            pass


def round_of_work(moment, desks, chance):
    """Workers at once, some of them killed at a random moment, one soon and surely in the first round: a fast machine
    is done before chance strikes. Then everything at the PSPs has come to rest."""
    workers = [start_process(work_until_empty, moment) for _ in range(WORKERS)]
    killed = 0
    while any(worker.is_alive() for worker in workers):
        chosen = chance.choice(workers)
        surely = moment == NOW and not killed
        chosen.join(chance.uniform(0.05, 0.4 if surely else 1.5))
        if chosen.is_alive() and (surely or chance.random() < 0.6):
            chosen.kill()
            chosen.join(10)
            killed += 1
        elif not chosen.is_alive():
            workers.remove(chosen)
        if not workers:
            break
    for desk in desks:
        assert desk.simulator.wait_until_idle()
    return killed


def settle(desks, chance):
    """Most arrive, some are declined on the way, some come back later."""
    for desk in desks:
        _, made = desk.simulator.book.snapshot()
        for payout in made:
            drawn = chance.random()
            if drawn < 0.05:
                desk.say("decline", reference=payout.reference)
                continue
            desk.say("settle", reference=payout.reference)
            if drawn > 0.97:
                desk.say("return", reference=payout.reference)


def hear(desks, moment):
    """Webhooks twice and in the wrong order; each only makes us look."""
    for desk in desks:

        def take(event, kind=desk.kind):
            reference = event["data"]["reference"] if kind == "card" else event["foreign_id"]
            with clock.at(moment):
                payouts.hint(references=[reference])

        with listening(desk.kind, take) as url:
            told = desk.say("deliver", url=url, duplicates=2, order="shuffled", seed=SEED)
            assert told["refused"] == 0
    # What a PSP does not list at the first look is found at the next.
    for later in range(3):
        with clock.at(moment + later * timedelta(days=1)):
            while payouts.follow_due():
                pass


def say(capsys, text):
    with capsys.disabled():
        sys.stdout.write(text)
        sys.stdout.flush()


@pytest.mark.parametrize("behaviour", [{"late_lookups": 1}, {"forgetful": True}], ids=["late", "forgetful"])
def test_none_is_paid_twice_and_none_is_lost(behaviour, capsys):
    """Once with PSPs that list late and honour their keys, once with PSPs that list at once and forget their keys."""
    say(capsys, f"\n{PAYOUTS} payouts, seed {SEED}")
    chance = random.Random(SEED)
    began = time.monotonic()
    with running("card") as cards, running("crypto") as coins, clock.at(NOW):
        desks = (Desk("card", cards), Desk("crypto", coins))
        order_all(desks, chance)
        for desk in desks:
            desk.say("behave", **behaviour)
            desk.say("storm", seed=SEED, shares=SHARES, seconds=30)
        killed, moment = 0, NOW
        for _ in range(ROUNDS):
            killed += round_of_work(moment, desks, chance)
            if not Message.objects.exclude(state__in=[State.DONE, State.REFUSED]).exists():
                break
            moment += ROUND
        for desk in desks:
            desk.say("reset")
        settle(desks, chance)
        moment += ROUND
        hear(desks, moment)
        states = compare(desks)
    say(capsys, f": {killed} workers killed, {dict(states)}, {time.monotonic() - began:.0f} s ")
    assert killed > 0


def compare(desks):
    """What we say of each order against what the PSP has."""
    states = Counter()
    for desk in desks:
        _, made = desk.simulator.book.snapshot()
        times = Counter(payout.reference for payout in made)
        assert {reference: count for reference, count in times.items() if count > 1} == {}, "paid twice"
        at_psp = {payout.reference: payout for payout in made}
        ours = {row.reference: row for row in PayoutOrder.objects.filter(connection=desk.connection)}
        assert set(at_psp) <= set(ours), "nobody ordered that"
        for reference, row in ours.items():
            payout = at_psp.get(reference)
            # Without a payout there, the only end is a refusal; with one, its state is ours.
            assert row.state == (END[payout.stage] if payout else "FAILED"), (reference, row.state, payout, row.error)
            assert row.duplicates == [] and (payout is None or payout.amount == row.amount)
            states[row.state] += 1
    assert sum(states.values()) == PAYOUTS
    assert not Message.objects.exclude(state__in=[State.DONE, State.REFUSED]).exists()
    told = Counter(Entry.objects.filter(action="payout.sent").values_list("target", flat=True))
    assert max(told.values()) == 1, "each step is told once"
    assert list(verify.findings()) == []
    return states
