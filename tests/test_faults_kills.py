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

from accounts.models import TradingAccount
from accounts.services import booking, clients
from accounts.services.clients import Login
from backoffice.kernel import clock, jobs
from integrations.models import BankLine, Connection, Deal, FeedState, FileImport, ImportState, RawMessage
from integrations.services import connections, imports
from integrations.simulators.mt5_webapi import Simulator
from ledger.models import Journal
from ledger.selectors.balances import balances
from reconciliation.models import Kind, Run, RunState
from reconciliation.services import runs
from tests import commands, mt5_world
from tests.attacks import findings, only_changed
from tests.builders import ROBOT
from tests.camt import balanced, entry, message
from tests.commands import Watch
from tests.worlds import World, deposit, psp_line, world

pytestmark = pytest.mark.django_db(transaction=True)
LINES = 4_000
PAYMENTS = 6_000
DEALS = 2_500
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


def client_balance(account: TradingAccount) -> Decimal:
    return -balances([account.balance_account_id])[account.balance_account_id]


def test_an_import(small: World, rng: random.Random, watch: Watch, tmp_path: Path) -> None:
    measured, path = tmp_path / "measured.xml", tmp_path / "day.xml"
    measured.write_bytes(statement(1))
    path.write_bytes(statement(2))
    span = commands.duration(watch, "import_file", "--source", "bank", str(measured))
    mine = BankLine.objects.filter(bank_reference__startswith="R2-")

    def look() -> None:
        assert mine.count() in (0, LINES), "a file is stored whole or not at all"

    commands.kill_often(watch, rng, span, "import_file", "--source", "bank", str(path), after=look)
    assert findings() == set()
    answer = commands.run("import_file", "--source", "bank", str(path))
    assert answer.code == 0 and answer["new"] + answer["duplicate"] == LINES
    assert (mine.count(), mine.aggregate(Sum("amount"))["amount__sum"]) == (LINES, Decimal("10.01") * LINES)
    assert RawMessage.objects.filter(external_id="day.xml").count() == 1
    with only_changed("integrations_fileimport", "audit_entry", "integrations_feedstate"):
        again = commands.run("import_file", "--source", "bank", str(path))
    assert commands.only(again.value, "new", "changed", "duplicate") == (0, 0, LINES)
    assert findings() == set()


def test_two_imports_of_one_file_at_the_same_moment(small: World, tmp_path: Path) -> None:
    path = tmp_path / "day.xml"
    path.write_bytes(statement(3))
    both = [commands.start("import_file", "--source", "bank", str(path)) for _ in range(2)]
    answers = [commands.end(one) for one in both]
    assert [answer["state"] for answer in answers] == ["stored", "stored"]
    assert sorted(answer["new"] for answer in answers) == [0, LINES]
    assert sorted(answer["duplicate"] for answer in answers) == [0, LINES]
    assert BankLine.objects.count() == LINES and RawMessage.objects.count() == 1
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


def test_a_booking_batch_and_a_reconciliation(small: World, rng: random.Random, watch: Watch, owner: Any) -> None:
    day_of_payments(small, PAYMENTS)
    order = ("reconcile", "cash", "--date", str(YESTERDAY))
    progress: list[int] = []

    def look() -> None:
        """What is booked stays booked, and is whole; the run that was left behind is taken over after its time."""
        progress.append(Journal.objects.count())
        assert findings() == set()
        if Run.objects.filter(state=RunState.RUNNING).exists():
            with pytest.raises(runs.AlreadyRunning, match="under way already"):
                runs.run_now(actor=ROBOT, entity_id=small.server.entity_id, kind=Kind.CASH, day=YESTERDAY)
        owner.execute("UPDATE reconciliation_run SET heartbeat_at = heartbeat_at - interval '16 minutes'")

    commands.kill_often(watch, rng, 1.5, *order, after=look)
    assert progress == sorted(progress)
    answer = commands.run(*order)
    assert (answer.code, answer["breaks"]) == (0, [])
    assert answer["compared"] == answer["matched"] > 0
    kinds = Counter(Journal.objects.values_list("kind", flat=True))
    assert kinds == {"DEAL": PAYMENTS, "PSP": PAYMENTS}
    assert -balances([small.account.balance_account_id])[small.account.balance_account_id] == PAYMENTS * Decimal(
        "10.01"
    )
    with only_changed("reconciliation_run", "audit_entry"):
        again = commands.run(*order)
    assert again.value == answer.value
    assert Run.objects.exclude(state=RunState.DONE).count() == 0
    assert commands.run("verify").value == {"clean": True, "findings": []}


# Pulling a trade server


def seconds(moment: datetime) -> int:
    """A wall time as the server counts it: as if it were UTC."""
    return int(moment.replace(tzinfo=UTC).timestamp())


@pytest.fixture
def server(small: World) -> Iterator[Simulator]:
    """A simulated MT5 server whose clock is the machine's, with deposits of one login, behind the connection `live`."""
    with mt5_world.running(load=False) as simulator:
        simulator.control.run("clock", {"time_zone": 120})
        simulator.control.run("load", mt5_world.WORLD)
        live = connections.add(
            actor=ROBOT,
            entity_id=small.server.entity_id,
            name="live",
            adapter="mt5_webapi",
            settings={
                "base_url": simulator.url,
                "login": mt5_world.MANAGER,
                "groups": "real\\*",
                "margin_minutes": "0",
            },
            secret_values={"password": mt5_world.PASSWORD},
        )
        logins = [Login(client_id=small.client.pk, connection_id=live.pk, login=mt5_world.LOGIN, currency="USD")]
        clients.open_trading_accounts(actor=ROBOT, logins=logins)
        yield simulator


def test_a_pull(server: Simulator, rng: random.Random, watch: Watch) -> None:
    noon = datetime.combine(YESTERDAY, time(12))
    mt5_world.add(server, *(mt5_world.deposit(seconds(noon) + n // 100, "2.50") for n in range(DEALS)))
    live = Connection.objects.get(name="live")
    mine = Deal.objects.filter(connection=live)

    def look() -> None:
        assert mine.count() in (0, DEALS), "an answer is stored whole or not at all"
        assert bool(FeedState.objects.get(connection=live).cursor) == mine.exists(), "the cursor moves with the deals"
        assert findings() == set()

    commands.kill_often(watch, rng, 3.0, "pull", "live", after=look)
    answer = commands.run("pull", "live")
    assert answer.code == 0 and mine.count() == DEALS
    assert set(mine.values_list("version", flat=True)) == {1}
    booked = booking.book_all(actor=ROBOT)
    assert (booked.journals, booked.unbooked) == (DEALS, 0)
    account = TradingAccount.objects.get(connection=live, login=mt5_world.LOGIN)
    assert client_balance(account) == DEALS * Decimal("2.50")
    # The window that is read again each time, and with it all deals.
    with only_changed("integrations_feedstate"):
        again = commands.run("pull", "live", "--since", str(YESTERDAY))
        assert booking.book_all(actor=ROBOT).journals == 0
    assert commands.only(again.value, "read", "new", "changed", "deleted") == (DEALS, 0, 0, 0)
    assert findings() == set()
