"""ledger-single: one journal per transaction from 1, 4 and 8 processes; then all of them onto one hot account.

Beside it: django-hordak's `transfer_to`, and pgbench's TPC-B-like transaction (a C client, prepared statements,
one row in each of three tables updated and one inserted).
"""

from __future__ import annotations

import os
import random
import re
import subprocess
from decimal import Decimal
from uuid import uuid4

from benchmarks import broker, measure, parallel, place
from benchmarks.hordak import Hordak
from ledger.services import journal
from ledger.services.journal import Draft, Entry

ROUNDS = 5
PGBENCH = f"{place.PREFIX}pgbench"


def run(*, small: bool) -> measure.Table:
    count = 60 if small else 6_000
    spread, hot = broker.accounts(10_000)
    entity = broker.entity().pk
    place.as_owner("VACUUM ANALYZE")
    table = measure.Table(
        ("processes", "ours", "hordak", "times hordak", "aim", "pgbench TPC-B", "of TPC-B", "ours, one hot account",
         "of spread", "aim ")
    )  # fmt: skip

    def once(*, onto_hot: bool) -> None:
        one, other = random.sample(spread, 2)
        amount = Decimal(random.randint(1, 100_000)) / 100
        key = f"deal:{uuid4()}:1"
        entries = (Entry(one, amount), Entry(hot[0] if onto_hot else other, -amount))
        journal.post(
            actor=broker.ROBOT,
            entity_id=entity,
            draft=Draft(
                key=key,
                business_date=broker.DAY,
                kind="DEAL",
                description="Deal 123 EURUSD",
                entries=entries,
                reference=key,
            ),
        )

    _prepare_pgbench(small=small)
    try:
        with Hordak() as hordak:
            for processes in (1, 4, 8):
                each = count // processes
                contenders = [
                    lambda n=processes, e=each: parallel.longest(lambda: once(onto_hot=False), processes=n, count=e),
                    lambda n=processes, e=each: parallel.longest(lambda: once(onto_hot=True), processes=n, count=e),
                    lambda n=processes, e=each: hordak.order("single", n, e, "spread"),
                ]
                taken = measure.in_turns(contenders, rounds=1 if small else ROUNDS)
                ours, onto, theirs = (each * processes / measure.median(times) for times in taken)
                tpcb = _pgbench(processes, each)
                aim = measure.against(ours, theirs, 3)
                table.add(
                    processes,
                    f"{ours:,.0f}/s",
                    f"{theirs:,.0f}/s",
                    aim[0],
                    aim[1] if processes == 8 else "",
                    f"{tpcb:,.0f}/s",
                    f"{ours / tpcb:.2f}",
                    f"{onto:,.0f}/s",
                    *measure.against(onto, ours, 0.7),
                )
    finally:
        place.drop(PGBENCH)
    return table


def _prepare_pgbench(*, small: bool) -> None:
    place.drop(PGBENCH)
    place.create(PGBENCH)
    _call("-i", "-q", "-s", "1" if small else "50")


def _pgbench(processes: int, each: int) -> float:
    said = _call("-n", "-M", "prepared", "-c", str(processes), "-j", "2" if processes > 1 else "1", "-t", str(each))
    return float(re.findall(r"tps = ([\d.]+)", said)[0])


def _call(*arguments: str) -> str:
    address = place.named(os.environ["DATABASE_OWNER_URL"], PGBENCH)
    done = subprocess.run(["pgbench", *arguments, address], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"pgbench: {done.stderr[-500:]}")
    return done.stdout
