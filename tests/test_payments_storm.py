"""Withdrawals through everything that can fail at once: a trade server and two PSPs that time out before and after they
acted, answer nonsense, forget and hang up; webhooks twice, late and in the wrong order; workers killed at random.

None is paid twice, none is lost, and at the end ledger, server and PSP say the same of every reference, or an open
break says why not. The seed is printed; BACKOFFICE_STORM_SEED repeats a run as far as the machine lets it, and
BACKOFFICE_STORM_PAYOUTS=10000 makes it the size of a bad week."""

from __future__ import annotations

import logging
import os
import random
import signal
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection as database

from accounts.models import Reservation
from accounts.services import booking
from backoffice.kernel import clock, jobs
from backoffice.outbox import services as outbox
from backoffice.outbox.models import Message, State
from integrations.models import ImportState, PayoutOrder, ServerOperation
from integrations.services import feeds, payouts
from integrations.simulators.psp.book import Payout as AtPsp
from integrations.simulators.psp.book import Stage
from payments.models import MoneyRequest, Payout, RequestState
from payments.selectors import lists
from payments.services import confirming, sending, withdrawals
from reconciliation.models import OPEN_STATES, Break, Kind
from reconciliation.services import runs
from tests.attacks import findings, start_process
from tests.builders import ROBOT
from tests.psp_world import NOW
from tests.storm_world import Broker, open_broker, outside

pytestmark = pytest.mark.django_db(transaction=True)
D = Decimal

WITHDRAWALS = int(os.environ.get("BACKOFFICE_STORM_PAYOUTS", "120"))
SEED = int(os.environ.get("BACKOFFICE_STORM_SEED", "0")) or random.randrange(1, 2**31)
PER_CUSTOMER = 15
DESKS = 2
WORKERS = 2
PSP_SHARES = {
    "error_before": 0.06, "error_after": 0.10, "drop": 0.10, "truncated": 0.05, "off": 0.04, "busy": 0.04,
    "reject": 0.03, "hang_after": 0.01, "hang_before": 0.005,
}  # fmt: skip
SERVER_SHARES = {
    "error_before": 0.06, "error_after": 0.10, "drop": 0.10, "truncated": 0.05, "off": 0.04, "too_frequent": 0.03,
    "retcode": 0.03, "forget_balance": 0.02, "book_twice": 0.02, "hang_after": 0.01, "hang_before": 0.005,
}  # fmt: skip
REFUSAL = "10019 Not enough money"
# More than what a lost order may take, so that every round can settle what the last one left.
ROUND = timedelta(minutes=15)
ROUNDS = 80
# When nobody waits for anything any more; of what is still missing then, the cash run says so.
AFTER = timedelta(days=7)
E = RequestState
OF_STAGE = {Stage.PENDING: E.DONE, Stage.PAID: E.DONE, Stage.RETURNED: E.RETURNED, Stage.DECLINED: E.FAILED}


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """Redis is down all the time: nobody is woken, the schedule's jobs alone find the work."""
    monkeypatch.setattr(jobs, "wake", lambda *given, **named: None)
    monkeypatch.setattr(logging.getLogger("backoffice.outbox.services"), "disabled", True)


# People, and the jobs of the schedule, each as a process of its own


def enter(broker: Broker, count: int, part: int, seed: int) -> None:
    """Everybody's part, by the services that the pages call. A few are taken back or refused."""
    people, chance = broker.people, random.Random(seed)
    with clock.at(broker.world.moment):
        for number in range(count):
            if number % len(broker.customers) % DESKS != part:
                continue
            request = broker.enter(number, D(chance.randrange(100, 100_000)) / 100)
            drawn = chance.random()
            if drawn < 0.02:
                withdrawals.take_back(actor=people["fred"], request_id=request.pk)
                continue
            approved = broker.approve(request)
            if drawn < 0.04:
                withdrawals.reject(actor=people["pat"], request_id=request.pk, code="PAPERS", note="expired")
                continue
            gateway = broker.gateway_of(approved)
            sending.send(actor=people["pat"], request_id=approved.pk, way="PSP", connection_id=gateway.pk)


def send(moment: datetime) -> None:
    with clock.at(moment):
        while outbox.send_due():
            pass


def read(server: int, moment: datetime) -> None:
    """What the server did, what PSPs said, what was booked of it."""
    with clock.at(moment):
        feeds.pull(actor=ROBOT, connection_id=server)
        booking.book_all(actor=ROBOT)
        confirming.confirm_all()
        confirming.read_events()
        while payouts.follow_due():
            pass


@dataclass
class Storm:
    """One run: the broker, chance, and what was counted."""

    broker: Broker
    chance: random.Random
    hooks: str
    killed: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def moment(self) -> datetime:
        return self.broker.world.moment

    def go_on(self, span: timedelta) -> None:
        self.broker.world.moment += span

    def enter_all(self, count: int) -> None:
        """Two desks at once, each with customers of its own."""
        desks = [start_process(enter, self.broker, count, part, self.chance.randrange(2**31)) for part in range(DESKS)]
        for desk in desks:
            desk.join()
            assert desk.exitcode == 0, "a desk could not enter its withdrawals"

    def let_loose(self) -> None:
        """From now on things go wrong. The card PSP forgets its idempotency keys; the other one lists late."""
        world = self.broker.world
        world.psps["card"].control.run("behave", {"forgetful": True})
        world.psps["crypto"].control.run("behave", {"late_lookups": 1})
        for psp in world.psps.values():
            psp.control.run("storm", {"seed": SEED, "shares": PSP_SHARES, "seconds": 30})
        named = {"seed": SEED, "seconds": 30, "path": "/api/trade/balance", "retcode": REFUSAL}
        world.server.control.run("storm", {"shares": SERVER_SHARES, **named})

    def calm(self) -> None:
        for one in (self.broker.world.server, *self.broker.world.psps.values()):
            one.control.run("reset", {})

    def work(self, *, deadly: bool = True) -> None:
        """A quarter of an hour: workers and readers at once, killed at random and started again as a supervisor does,
        until each kind has come to its end once; then everything outside has come to rest."""
        server, moment = self.broker.server.pk, self.moment
        jobs_now: list[tuple[Any, tuple[Any, ...]]] = [(send, (moment,))] * WORKERS + [(read, (server, moment))]
        running = [(start_process(work, *given), work, given) for work, given in jobs_now]
        while running:
            chosen = self.chance.choice(running)
            process, work, given = chosen
            # The first one soon and surely: a fast machine is done before chance strikes.
            surely = self.killed == 0
            process.join(self.chance.uniform(0.05, 0.4 if surely else 1.5))
            if process.is_alive() and deadly and (surely or self.chance.random() < 0.5):
                process.kill()
                process.join(10)
                self.killed += 1
                running.remove(chosen)
                running.append((start_process(work, *given), work, given))
            elif not process.is_alive():
                assert process.exitcode in (0, -signal.SIGKILL), f"{work.__name__} ended with {process.exitcode}"
                running.remove(chosen)
        assert self.broker.world.wait_until_idle()
        self.go_on(ROUND)

    def outcomes(self, share: float) -> None:
        """What becomes of payouts that are under way: most arrive, some are declined, some come back."""
        for psp in self.broker.world.psps.values():
            for number in psp.book.pending():
                if self.chance.random() > share:
                    continue
                drawn = self.chance.random()
                reference = psp.book.payouts[number].reference
                if drawn < 0.05:
                    psp.control.run("decline", {"reference": reference})
                    continue
                psp.control.run("settle", {"reference": reference})
                if drawn > 0.96:
                    psp.control.run("return", {"reference": reference})

    def tell(self, hold: int = 0) -> None:
        """Webhooks over HTTP, each twice, in any order; some later."""
        self.counts["webhooks"] += self.broker.deliver(
            self.hooks, duplicates=2, order="shuffled", seed=self.chance.randrange(2**31), hold=hold
        )

    def import_all(self) -> None:
        """The settlement reports of all days so far, again and again."""
        day = NOW.date()
        with clock.at(self.moment):
            while day <= self.moment.date():
                for stored in self.broker.import_reports(day):
                    assert stored.state == ImportState.STORED, stored.error
                day += timedelta(days=1)

    def is_over(self) -> bool:
        return not Message.objects.exclude(state__in=[State.DONE, State.REFUSED]).exists()


def say(capsys, text: str) -> None:
    with capsys.disabled():
        sys.stdout.write(text)
        sys.stdout.flush()


@pytest.mark.slow
def test_none_is_paid_twice_and_none_is_lost(capsys, live_server):
    say(capsys, f"\n{WITHDRAWALS} withdrawals, seed {SEED}")
    began = time.monotonic()
    with outside(NOW) as world:
        with clock.at(NOW):
            storm = Storm(open_broker(world, max(3, WITHDRAWALS // PER_CUSTOMER)), random.Random(SEED), live_server.url)
        say(capsys, f", {time.monotonic() - began:.0f} s to open")
        storm.enter_all(WITHDRAWALS)
        say(capsys, f", {time.monotonic() - began:.0f} s entered")
        storm.let_loose()
        for number in range(ROUNDS):
            storm.work()
            storm.outcomes(0.5)
            if number == 2:
                # A report in the middle of it: lines may be booked before an answer that was lost is known.
                storm.outcomes(1)
                storm.import_all()
            storm.tell(hold=5)
            if storm.is_over():
                break
        say(capsys, f", {number + 1} rounds, {storm.killed} killed, {time.monotonic() - began:.0f} s")
        storm.calm()
        storm.outcomes(0.97)
        storm.tell()
        storm.import_all()
        storm.import_all()
        storm.work(deadly=False)
        storm.go_on(AFTER)
        storm.work(deadly=False)
        with clock.at(storm.moment):
            states = compare(storm)
    say(capsys, f": {dict(states)}, {dict(storm.counts)}, {time.monotonic() - began:.0f} s ")
    assert storm.killed > 0 and storm.counts["webhooks"] > 0


# What is compared at the end


def compare(storm: Storm) -> Counter[str]:
    """Every withdrawal against what server and PSPs have in their own books, and against ours."""
    at_psp = paid_outside(storm)
    at_server = debited_outside(storm)
    twice = {reference for reference, deals in at_server.items() if len(deals) > 1}
    # One that answered as if nothing were is found by the cash run; one that was looked up is known at once.
    assert {row.reference for row in ServerOperation.objects.all() if row.duplicates} <= twice
    states: Counter[str] = Counter()
    ours = {row.reference: row for row in MoneyRequest.objects.select_related("source_account")}
    assert set(at_psp) | set(at_server) <= set(ours), "nobody ordered that"
    for reference, row in ours.items():
        made = at_psp.get(reference)
        assert row.state == expected(row, made), (reference, row.state, made, at_server.get(reference))
        debits = sum(at_server.get(reference, []), D(0))
        if row.source_account_id is None or row.state in (E.WITHDRAWN, E.REJECTED):
            assert debits == 0
        elif reference not in twice:
            assert debits in (0, -row.amount) and (debits != 0 or (row.state == E.FAILED and made is None))
        states[row.state] += 1
    assert len(ours) == WITHDRAWALS
    compare_books(ours, twice)
    compare_rest(storm, twice)
    return states


def paid_outside(storm: Storm) -> dict[str, AtPsp]:
    found: dict[str, AtPsp] = {}
    for psp in storm.broker.world.psps.values():
        for payout in psp.book.snapshot()[1]:
            assert payout.reference not in found, f"{payout.reference} was paid twice"
            found[payout.reference] = payout
    return found


def debited_outside(storm: Storm) -> dict[str, list[Decimal]]:
    """The server's own deals by reference."""
    found: dict[str, list[Decimal]] = defaultdict(list)
    logins = [one.account.login for one in storm.broker.customers]
    for deal in storm.broker.world.deals(logins):
        if deal["Comment"] != "opening":
            found[deal["Comment"][:10]].append(D(deal["Profit"]))
    return found


def expected(row: MoneyRequest, made: AtPsp | None) -> str:
    """By what is outside alone: paid is done, came back is returned, and without a payment it did not happen."""
    if made is not None:
        assert (made.amount, made.currency) == (row.amount, row.currency_id)
        return OF_STAGE[made.stage]
    if not hasattr(row, "payout"):
        assert row.state in (E.WITHDRAWN, E.REJECTED)
        return row.state
    assert "refused" in row.payout.error, "it ends without a payment only because somebody refused"
    return E.FAILED


_BOOKS = r"""
SELECT substring(j.description FROM '\yW-[0-9A-Z]{8}\y'),
       coalesce(sum(l.amount) FILTER (WHERE a.code LIKE 'client%%' OR a.code LIKE 'wallet%%'), 0),
       coalesce(sum(l.amount) FILTER (WHERE a.code LIKE '%%reserved%%'), 0),
       coalesce(sum(l.amount) FILTER (WHERE a.code = 'clearing.client_money'), 0)
  FROM ledger_journal j JOIN ledger_line l ON l.journal_id = j.id AND l.entity_id = j.entity_id
  JOIN ledger_ledgeraccount a ON a.id = l.account_id
 WHERE j.description ~ '\yW-[0-9A-Z]{8}\y' GROUP BY 1
"""


def compare_books(ours: dict[str, MoneyRequest], twice: set[str]) -> None:
    """In the ledger the client is short by what was paid and by nothing else; nothing stays reserved or on its way."""
    with database.cursor() as cursor:
        cursor.execute(_BOOKS)
        books = {reference: tuple(sums) for reference, *sums in cursor.fetchall()}
    for reference, row in ours.items():
        paid = row.amount if row.state == E.DONE else D(0)
        more = row.amount if reference in twice else D(0)
        assert books[reference] == (paid + more, D(0), -more), (reference, row.state, books[reference])
    assert not Reservation.objects.filter(state="HELD").exists()


def compare_rest(storm: Storm, twice: set[str]) -> None:
    """Nothing waits, every rule holds, and what is not equal is an open break that says why."""
    assert not Message.objects.exclude(state__in=[State.DONE, State.REFUSED]).exists()
    assert not Payout.objects.filter(state__in=["READY", "SENDING", "UNKNOWN"]).exists()
    assert not PayoutOrder.objects.exclude(duplicates=[]).exists()
    assert not lists.doubtful().exists()
    assert findings() == set()
    here = storm.broker.server.entity_id
    for kind in (Kind.BALANCES, Kind.CASH):
        run = runs.run_now(actor=ROBOT, entity_id=here, kind=kind, day=storm.moment.date())
        assert run.state == "DONE" and run.compared > 0, run.error
    open_ones = {row.key: row.klass for row in Break.objects.filter(state__in=OPEN_STATES)}
    assert open_ones.keys() == {f"ref:{reference}" for reference in twice}, open_ones
    # One that came back besides has two lines of the PSP as well, which is what is looked at first.
    assert set(open_ones.values()) <= {"DUPLICATE_CREDIT", "DUPLICATE_PSP"}
