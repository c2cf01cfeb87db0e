"""Servers that die: Valkey with work queued in it, PostgreSQL in the middle of posting, a worker in the middle of a
booking batch. Afterwards nothing is lost or there twice, `verify` is clean and a second run changes nothing."""

from __future__ import annotations

import io
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from datetime import time as clock_time
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.db import Error, connections, transaction

from accounts.services import booking
from backoffice.audit.services import sealing
from backoffice.kernel import jobs
from backoffice.organisation.models import User
from backoffice.outbox import services as outbox
from backoffice.outbox.models import Message, State
from integrations.models import BankLine, Deal, FileImport, ImportState
from integrations.services import imports
from ledger.models import Journal
from ledger.selectors.balances import balances
from ledger.services import journal
from ledger.services.journal import Draft, Entry
from reconciliation.models import Kind, Run, RunState
from reconciliation.services import runs
from tests import builders, commands, house
from tests.attacks import everything, findings, only_changed, start_process
from tests.builders import ROBOT, ledger_account
from tests.commands import Watch
from tests.house import House, until
from tests.test_faults_kills import LINES, YESTERDAY, statement
from tests.worlds import World, deposit, world

WAITING = 12_000
tickets = count(1)


@pytest.fixture(scope="module")
def own(django_db_blocker: Any) -> Iterator[House]:
    with django_db_blocker.unblock(), house.opened() as found:
        yield found


@pytest.fixture
def at(own: House, django_db_blocker: Any) -> Iterator[House]:
    """The house, with this process's connection on it, and no program running before or after."""
    with django_db_blocker.unblock():
        own.up()
        yield own
    own.still()


@pytest.fixture(scope="module")
def small(own: House, django_db_blocker: Any) -> World:
    with django_db_blocker.unblock():
        return world()


@pytest.fixture
def rng() -> random.Random:
    return commands.chance()


@pytest.fixture
def watch(at: House) -> Iterator[Watch]:
    found = Watch()
    yield found
    found.close()


def facts_to_book(small: World, number: int = WAITING) -> int:
    """Deposits of yesterday that wait to be booked; returns how many deals there are now."""
    noon = datetime.combine(YESTERDAY, clock_time(12))
    small.put(small.server, *(deposit(next(tickets), "1.25", server_time=noon) for _ in range(number)))
    return Deal.objects.count()


def sealed_findings() -> set[tuple[str, str]]:
    """What `manage verify` names. The sealer may not have run for a minute here, which would be named too."""
    sealing.seal()
    return findings()


def booked() -> int:
    return Journal.objects.filter(kind="DEAL").count()


def all_is_booked_once(at: House, small: World, deals: int) -> None:
    at.still()
    assert Deal.objects.count() == booked() == deals
    assert -balances([small.account.balance_account_id])[small.account.balance_account_id] == deals * Decimal("1.25")
    with only_changed():
        assert booking.book_all(actor=ROBOT).journals == 0
    assert sealed_findings() == set()


def is_writing(watch: Watch, statement: str) -> bool:
    """Whether a program is in a transaction that has written, at a statement like this."""
    found = watch.rows(
        "SELECT 1 FROM pg_stat_activity WHERE application_name = 'program' AND backend_xid IS NOT NULL"
        " AND state = 'active' AND query LIKE %s",
        [f"%{statement}%"],
    )
    return bool(found)


# Workers


def test_a_worker_process_killed_in_a_booking_batch_is_replaced_and_its_task_done(
    at: House, small: World, watch: Watch
) -> None:
    """Nobody sends a second wake-up: the task goes back to the queue because it was not acknowledged."""
    deals = facts_to_book(small)
    worker = at.start_worker()
    at.wake("accounts.book")
    until(lambda: is_writing(watch, "ledger_post"), "the worker posts")
    (process,) = house.children_of(worker.process.pid)
    os.kill(process, signal.SIGKILL)
    assert booked() < deals, "it was killed in the middle"
    until(lambda: booked() == deals, "the task is done by the next process")
    assert worker.alive and "WorkerLostError" in house.log_of(worker)
    all_is_booked_once(at, small, deals)


def test_a_whole_worker_killed_in_a_booking_batch_is_made_up_for_by_the_next(
    at: House, small: World, watch: Watch
) -> None:
    deals = facts_to_book(small)
    worker = at.start_worker()
    at.wake("accounts.book")
    until(lambda: is_writing(watch, "ledger_post"), "the worker posts")
    at.kill(worker)
    assert booked() < deals, "it was killed in the middle"
    at.start_worker(beat=True)
    until(lambda: booked() == deals, "the schedule brings the next booking pass")
    all_is_booked_once(at, small, deals)


# Valkey


@pytest.fixture
def mara(small: World) -> User:
    names = ("reporting.view_today", "reconciliation.view_run", "reconciliation.start_run", "reconciliation.view_break")
    return builders.user("mara", *names, entities=(small.bank.entity,))


def test_valkey_killed_with_work_queued_loses_no_work_and_pages_answer(
    at: House, small: World, mara: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "wake", lambda task, /, **arguments: at.wake(task, **arguments))
    deals = facts_to_book(small, 500)
    entity_id = small.bank.entity_id
    queued = runs.request(actor=ROBOT, entity_id=entity_id, kind=Kind.CASH, day=YESTERDAY)
    body = {"to": ["ops@example.com"], "subject": "Something waits", "body": "Look at the breaks."}
    with transaction.atomic():
        outbox.enqueue(kind="mail", key="valkey:1", payload=body)
    received = imports.receive(
        actor=ROBOT, connection_id=small.bank.pk, stream=io.BytesIO(statement(7, 50)), filename="seven.xml"
    )
    jobs.wake(imports.WAKE, import_id=received.pk)
    at.start_web()
    at.kill_valkey()

    cookie = house.signed_in(mara)
    assert at.page("/healthz")[0] == 200
    for path in ("/", "/breaks/", "/runs/"):
        assert at.page(path, cookie=cookie)[0] == 200, path
    begun = time.monotonic()
    code, _ = at.page("/runs/start/", cookie=cookie, body=f"kind=trades&entity={entity_id}&day={YESTERDAY}")
    assert code == 303, "what needs a worker is promised all the same"
    assert time.monotonic() - begun < 10
    assert set(Run.objects.filter(state=RunState.QUEUED).values_list("kind", flat=True)) == {"cash", "trades"}

    at.start_valkey()
    worker = at.start_worker(beat=True)
    # A few minutes later the sweeps of the schedule come by.
    at.statement("UPDATE reconciliation_run SET requested_at = requested_at - interval '5 minutes'")
    at.statement("UPDATE integrations_fileimport SET received_at = received_at - interval '5 minutes'")
    for task in ("reconciliation.sweep", "integrations.sweep", "outbox.send_due"):
        at.wake(task)
    until(lambda: Run.objects.filter(state=RunState.DONE).count() == 2, "both reconciliations are done")
    until(lambda: Message.objects.get(key="valkey:1").state == State.DONE, "the mail is sent")
    until(lambda: FileImport.objects.get(pk=received.pk).state == ImportState.PREVIEW, "the file is read")
    until(lambda: booked() == deals, "the facts are booked")
    assert Run.objects.get(pk=queued.pk).state == RunState.DONE
    mails = [path.read_text() for path in (at.state.folder / "mail").iterdir()]
    assert sum(text.count("Subject: Something waits") for text in mails) == 1
    assert worker.alive
    all_is_booked_once(at, small, deals)


def test_valkey_killed_under_a_working_worker(at: House, small: World, watch: Watch) -> None:
    """What the worker is at ends or is repeated; it finds the new Valkey by itself."""
    deals = facts_to_book(small)
    worker = at.start_worker()
    at.wake("accounts.book")
    until(lambda: is_writing(watch, "ledger_post"), "the worker posts")
    at.kill_valkey()
    until(lambda: "Connection to broker lost" in house.log_of(worker), "the worker notices")
    at.start_valkey()
    until(lambda: "Connected to" in house.log_of(worker).rpartition("broker lost")[2], "the worker is connected again")
    at.wake("accounts.book")
    until(lambda: booked() == deals, "the facts are booked")
    assert worker.alive
    all_is_booked_once(at, small, deals)


# PostgreSQL


def post_and_tell(entity_id: int, accounts: tuple[int, int], number: int, many: int, pipe: int) -> None:
    """Post one journal after the other and tell each key whose posting was confirmed."""
    connections.close_all()
    for step in range(many):
        key = f"{number}:{step}"
        try:
            journal.post(actor=ROBOT, entity_id=entity_id, draft=one_dollar(accounts, key))
        except Error:
            sys.exit(1)
        os.write(pipe, f"{key}\n".encode())


def one_dollar(accounts: tuple[int, int], key: str) -> Draft:
    entries = [Entry(accounts[0], Decimal(1)), Entry(accounts[1], Decimal(-1))]
    return Draft(f"crash:{key}", YESTERDAY, "TEST", "posted while the server crashes", entries)


@pytest.mark.parametrize("moment", [1, 2])
def test_what_was_confirmed_survives_a_crash_of_postgresql(
    at: House, small: World, rng: random.Random, moment: int
) -> None:
    here = small.bank.entity
    accounts = (ledger_account(here, f"crash{moment}:from").pk, ledger_account(here, f"crash{moment}:to").pk)
    many, processes = 5_000, 4
    read, write = os.pipe()
    posters = [start_process(post_and_tell, here.pk, accounts, f"{moment}-{n}", many, write) for n in range(processes)]
    os.close(write)
    confirmed = bytearray(os.read(read, 4096))
    time.sleep(rng.uniform(0.3, 1.2))
    at.crash_postgres()
    while chunk := os.read(read, 1 << 16):
        confirmed += chunk
    os.close(read)
    for poster in posters:
        poster.join(60)
    assert [poster.exitcode for poster in posters] == [1] * processes, "each was in the middle"
    at.start_postgres()
    keys = {f"crash:{key}" for key in confirmed.decode().split()}
    kept = set(Journal.objects.filter(key__startswith=f"crash:{moment}-").values_list("key", flat=True))
    commands.say(f"{len(keys)} postings confirmed, {len(kept)} kept")
    assert keys and keys <= kept
    assert len(kept - keys) <= processes, "at most the one that each had in its hands"
    assert sealed_findings() == set()
    for number in range(processes):
        drafts = [one_dollar(accounts, f"{moment}-{number}:{step}") for step in range(many)]
        with transaction.atomic():
            journal.post_many(actor=ROBOT, entity_id=here.pk, drafts=drafts)
    assert Journal.objects.filter(key__startswith=f"crash:{moment}-").count() == many * processes
    assert balances([accounts[0]])[accounts[0]] == many * processes
    assert sealed_findings() == set()


@pytest.mark.parametrize("command", ["import_file", "reconcile"])
def test_a_command_at_work_when_postgresql_crashes(
    at: House, small: World, watch: Watch, tmp_path: Path, command: str
) -> None:
    path = tmp_path / "nine.xml"
    path.write_bytes(statement(9))
    deals = facts_to_book(small) if command == "reconcile" else Deal.objects.count()
    arguments = {
        "import_file": ("--source", "bank", str(path)),
        "reconcile": ("cash", "--date", str(YESTERDAY)),
    }[command]
    before = {"bank": BankLine.objects.count(), "booked": booked()}
    process = commands.start(command, *arguments, application="victim")
    assert watch.arrives("victim", process)
    watch.writes("victim", process)
    at.crash_postgres()
    _, errors = process.communicate(timeout=commands.PATIENCE)
    assert process.returncode == 1
    assert errors.splitlines()[-1].startswith("CommandError: The database did not answer: "), errors
    at.start_postgres()
    assert sealed_findings() == set()
    assert BankLine.objects.count() == before["bank"]
    at.statement("UPDATE reconciliation_run SET heartbeat_at = heartbeat_at - interval '16 minutes'")
    answer = commands.run(command, *arguments)
    assert answer.code == 0
    if command == "import_file":
        assert answer["new"] == LINES
        assert commands.run(command, *arguments)["duplicate"] == LINES
        assert BankLine.objects.count() == before["bank"] + LINES
    else:
        all_is_booked_once(at, small, deals)
        then = everything()
        assert commands.run(command, *arguments).value == answer.value
        changed = {name for name, rows in everything().items() if rows != then[name]}
        # A break notes which run has seen it last; everything that the command tells of it is the same.
        assert changed - {"reconciliation_break"} == {"reconciliation_run", "audit_entry", "audit_change"}
    sealing.seal()
    assert commands.run("verify").value == {"clean": True, "findings": []}


def test_web_and_worker_outlive_a_crash_of_postgresql(at: House, small: World, watch: Watch, mara: User) -> None:
    """Nothing is restarted but the server: pages say so meanwhile, and the schedule goes on where it was."""
    deals = facts_to_book(small)
    cookie = house.signed_in(mara)
    at.start_web()
    worker = at.start_worker(beat=True)
    until(lambda: is_writing(watch, "ledger_post"), "the worker posts")
    at.crash_postgres()
    assert at.page("/healthz")[0] == 503
    code, text = at.page("/breaks/", cookie=cookie)
    assert code == 500 and "<h1>" in text and "OperationalError" not in text
    at.start_postgres()
    assert at.page("/healthz")[0] == 200
    assert at.page("/breaks/", cookie=cookie)[0] == 200
    until(lambda: booked() == deals, "the schedule books the rest")
    assert worker.alive
    all_is_booked_once(at, small, deals)
