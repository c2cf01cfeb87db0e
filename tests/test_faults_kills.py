"""The real commands, killed with SIGKILL at random moments: what was half done is gone, what was done stays, and the
same command again brings it to the end. Nothing is booked twice, nothing is lost."""

from __future__ import annotations

import io
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.db.models import Sum

from backoffice.kernel import clock, jobs
from integrations.models import BankLine, FileImport, ImportState, RawMessage
from integrations.services import imports
from ledger.models import Journal
from ledger.selectors.balances import balances
from reconciliation.models import Run, RunState
from tests import commands
from tests.attacks import findings, only_changed
from tests.builders import ROBOT
from tests.commands import Watch
from tests.camt import balanced, entry, message
from tests.worlds import World, deposit, psp_line, world

pytestmark = pytest.mark.django_db(transaction=True)
KILLS = 5
LINES = 6_000
PAYMENTS = 8_000
DEALS = 6_000
# The processes have the machine's clock.
YESTERDAY = clock.today() - timedelta(days=1)


@pytest.fixture
def rng() -> random.Random:
    return commands.chance()


@pytest.fixture
def watch(transactional_db: None) -> Iterator[Watch]:
    found = Watch()
    yield found
    found.close()


@pytest.fixture
def small() -> World:
    return world()


def statement(number: int, lines: int = LINES) -> bytes:
    """A bank statement in US dollars that proves itself; every line names a deposit of its own."""
    entries = (
        entry(
            "10.01",
            "CRDT",
            f"<AddtlNtryInf>Deposit D-{number}{place:07}</AddtlNtryInf>",
            Amt="<Amt Ccy='USD'>10.01</Amt>",
            AcctSvcrRef=f"<AcctSvcrRef>R{number}-{place}</AcctSvcrRef>",
        )
        for place in range(lines)
    )
    opening, closing = Decimal(0), Decimal("10.01") * lines
    text = message(balanced(str(opening), str(closing), *entries))
    return text.replace('Ccy="EUR"', 'Ccy="USD"').replace("<Ccy>EUR</Ccy>", "<Ccy>USD</Ccy>").encode()


def test_an_import(small: World, rng: random.Random, watch: Watch, tmp_path: Path) -> None:
    measured, path = tmp_path / "measured.xml", tmp_path / "day.xml"
    measured.write_bytes(statement(1))
    path.write_bytes(statement(2))
    span = commands.duration(watch, "import_file", "--source", "bank", str(measured))
    mine = BankLine.objects.filter(bank_reference__startswith="R2-")

    def look() -> None:
        assert mine.count() in (0, LINES), "a file is stored whole or not at all"

    commands.kill_often(watch, rng, KILLS, span, "import_file", "--source", "bank", str(path), after=look)
    assert findings() == set()
    answer = commands.run("import_file", "--source", "bank", str(path))
    assert answer.code == 0 and answer["new"] + answer["duplicate"] == LINES
    assert (mine.count(), mine.aggregate(Sum("amount"))["amount__sum"]) == (LINES, Decimal("10.01") * LINES)
    assert RawMessage.objects.filter(external_id="day.xml").count() == 1
    with only_changed("integrations_fileimport", "audit_entry", "integrations_feedstate"):
        again = commands.run("import_file", "--source", "bank", str(path))
    assert commands.only(again.value, "new", "changed", "duplicate") == (0, 0, LINES)
    assert findings() == set()


def test_a_received_file_whose_reader_died_is_read_by_the_sweep(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between keeping the bytes and reading them, or its wake-up lost with the broker."""
    received = imports.receive(
        actor=ROBOT, connection_id=small.bank.pk, stream=io.BytesIO(statement(1, 10)), filename="day.xml"
    )
    woken: list[int] = []

    def wake(task: str, /, import_id: int) -> None:
        assert task in current_app.tasks
        woken.append(import_id)
        current_app.tasks[task].apply(kwargs={"import_id": import_id})

    monkeypatch.setattr(jobs, "wake", wake)
    assert (imports.sweep(), woken) == (0, [])
    with clock.at(clock.now() + imports.NOT_READ_AFTER + timedelta(seconds=1)):
        assert (imports.sweep(), woken) == (1, [received.pk])
        assert (imports.sweep(), woken) == (0, [received.pk])
    assert FileImport.objects.get().state == ImportState.PREVIEW
    assert imports.confirm(actor=ROBOT, import_id=received.pk).new == 10


# Booking and reconciliation: `manage reconcile` books what waits and then compares


def day_of_payments(small: World, count: int) -> None:
    """As many deposits as asked for, each at the server, at the PSP and in the books-to-be, all of yesterday."""
    noon = datetime.combine(YESTERDAY, time(12))
    numbers = range(1, count + 1)
    small.put(
        small.server, *(deposit(n, "10.01", f"D-{n:08}", server_time=noon + timedelta(milliseconds=n)) for n in numbers)
    )
    moment = noon.replace(tzinfo=UTC)
    small.put(
        small.psp, *(psp_line(f"P{n}", "10.01", fee="0.20", reference=f"D-{n:08}", booked_at=moment) for n in numbers)
    )


def sixteen_minutes_pass(owner: Any) -> None:
    owner.execute("UPDATE reconciliation_run SET heartbeat_at = heartbeat_at - interval '16 minutes'")


def test_a_booking_batch_and_a_reconciliation(small: World, rng: random.Random, watch: Watch, owner: Any) -> None:
    day_of_payments(small, PAYMENTS)
    order = ("reconcile", "cash", "--date", str(YESTERDAY))
    progress: list[int] = []

    def look() -> None:
        """What is booked stays booked, and is whole; the run that was left behind is taken over after its time."""
        import time as t
        t0=t.time()
        progress.append(Journal.objects.count())
        assert findings() == set()
        t1=t.time()
        refusal = commands.run(*order)
        print("FIND", t1-t0, "RUN", t.time()-t1, progress)
        if Run.objects.filter(state=RunState.RUNNING).exists():
            assert refusal.code == 1 and "under way already" in refusal["error"]
        sixteen_minutes_pass(owner)

    span = 2.5
    commands.kill_often(watch, rng, KILLS, span, *order, after=look)
    assert progress == sorted(progress)
    answer = commands.run(*order)
    assert (answer.code, answer["breaks"]) == (0, [])
    assert answer["compared"] == answer["matched"] > 0
    kinds = Counter(Journal.objects.values_list("kind", flat=True))
    assert kinds == {"DEAL": PAYMENTS, "PSP": PAYMENTS}
    assert -balances([small.account.balance_account_id])[small.account.balance_account_id] == PAYMENTS * Decimal("10.01")
    with only_changed("reconciliation_run", "audit_entry"):
        again = commands.run(*order)
    assert again.value == answer.value
    assert Run.objects.exclude(state=RunState.DONE).count() == 0
    assert commands.run("verify").value == {"clean": True, "findings": []}
