"""sealing: writers of entries with and without the sealer beside them, and verifying a million rows.

Beside the verification: SHA-256 of exactly the bytes that are sealed, row by row, already in memory, on one core.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, connections, transaction

from backoffice.audit import services as audit
from backoffice.audit import streams
from backoffice.audit.models import Entry
from backoffice.audit.selectors import chain
from backoffice.audit.services import sealing
from backoffice.audit.signing import new_key
from benchmarks import broker, measure

SECONDS, ROUNDS, WRITERS, EVERY = 15.0, 4, 2, 3.0
ENTRIES = "audit.entries"


def run(*, small: bool) -> measure.Table:
    # A key and heads of this run's own.
    settings.SEAL_KEY, _ = new_key()
    with tempfile.TemporaryDirectory() as folder:
        settings.SEAL_HEADS = Path(folder)
        table = measure.Table(("what", "ours", "beside it", "of it", "aim"))
        _writing(table, small=small)
        _verifying(table, 5_000 if small else 1_000_000)
    return table


def _writing(table: measure.Table, *, small: bool) -> None:
    seconds = 2.0 if small else SECONDS
    sealing.seal()
    rates: dict[bool, list[float]] = {False: [], True: []}
    for turn in range(2 if small else 2 * ROUNDS):
        beside = turn % 4 in (1, 2)  # without, with, with, without: what the machine does hits both alike
        rates[beside].append(_round(seconds, beside=beside))
        left = Entry.objects.count() - _sealed()
        assert not beside or left == 0, f"the sealer left {left} rows behind"
        sealing.seal()
    alone, along = measure.median(rates[False]), measure.median(rates[True])
    table.add(
        f"{WRITERS} writers, a transaction per entry",
        f"{along:,.0f}/s with the sealer",
        f"{alone:,.0f}/s without",
        *measure.against(along, alone, 0.9),
    )


def _round(seconds: float, *, beside: bool) -> float:
    """Entries per second of all writers together."""
    connections.close_all()
    context = multiprocessing.get_context("fork")
    ready, over = context.Barrier(WRITERS + 1 + beside), context.Event()
    written = context.Array("i", WRITERS)
    work = [context.Process(target=_write, args=(n, written, ready, over)) for n in range(WRITERS)]
    if beside:
        work.append(context.Process(target=_seal, args=(ready, over)))
    for process in work:
        process.start()
    ready.wait()
    start = time.perf_counter()
    time.sleep(seconds)
    over.set()
    taken = time.perf_counter() - start
    for process in work:
        process.join()
        assert process.exitcode == 0, "a process failed"
    return sum(written) / taken


def _write(number: int, written: Any, ready: Any, over: Any) -> None:
    connection.ensure_connection()
    ready.wait()
    while not over.is_set():
        with transaction.atomic():
            audit.record(
                actor=broker.ROBOT, action="bench.done", target=f"accounts.client:{number}",
                data={"reason": "CLIENT_REQUEST", "before": "ACTIVE", "after": "SUSPENDED"},
            )  # fmt: skip
        written[number] += 1


def _seal(ready: Any, over: Any) -> None:
    connection.ensure_connection()
    ready.wait()
    while not over.wait(EVERY):
        sealing.seal()
    sealing.seal()


def _sealed() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(sum(count), 0) FROM audit_batch WHERE stream = %s", [ENTRIES])
        return int(cursor.fetchone()[0])


def _verifying(table: measure.Table, number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO audit_entry (at, actor_kind, actor_label, action, target, data, request_id, ip, actor_id)
               SELECT now(), 'PERSON', 'Mara Maker', 'client.suspended', 'accounts.client:' || n,
                      jsonb_build_object('reason', 'CLIENT_REQUEST', 'before', 'ACTIVE', 'after', 'SUSPENDED'),
                      md5(n::text), '10.0.0.1', 1
                 FROM generate_series(1, %s) n""",
            [number],
        )
    taken = measure.seconds(sealing.seal)
    table.add(
        f"seal {number:,} rows", f"{number / taken:,.0f}/s", "1,000/s", *measure.against(number / taken, 1_000, 1)
    )
    with measure.peak() as memory:
        chain.check()
    leaves = _leaves()
    contenders = [partial(_check, number), partial(_plain, leaves)]
    mine, plain = (measure.median(times) for times in measure.in_turns(contenders, rounds=3))
    size = sum(map(len, leaves)) / 1e6
    table.add(
        f"verify {len(leaves):,} rows ({size:,.0f} MB)",
        f"{len(leaves) / mine:,.0f}/s",
        f"{len(leaves) / plain:,.0f}/s plain SHA-256",
        f"{plain / mine:.2f}",
        "",
    )
    table.notes.append(f"Peak memory of the verifying process: {memory}.")


def _check(number: int) -> float:
    start = time.perf_counter()
    report = chain.check()
    taken = time.perf_counter() - start
    assert not report.findings, report.findings[:3]
    assert report.rows[ENTRIES] >= number
    return taken


def _plain(leaves: list[bytes]) -> float:
    return measure.seconds(lambda: [sha256(leaf).digest() for leaf in leaves])


def _leaves() -> list[bytes]:
    stream = streams.stream(ENTRIES)
    assert stream is not None
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT s.leaf FROM ({stream.sql}) s")
        return [leaf.encode() for (leaf,) in cursor]
