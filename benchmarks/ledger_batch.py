"""ledger-batch: two-line journals, thousands per call, every rule on.

Beside it: COPY of the same rows into equal tables (keys, indexes, partitions; no triggers, no balances), and
django-hordak's bulk path.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from django.db import connection, transaction

from backoffice.kernel import bulk, clock
from benchmarks import broker, measure, place
from benchmarks.hordak import Hordak
from ledger.services import journal
from ledger.services.journal import Draft, Entry

ROUNDS = 9


def run(*, small: bool) -> measure.Table:
    accounts, _ = broker.accounts(10_000)
    _equal_tables()
    table = measure.Table(
        ("journals per call", "ours", "COPY, equal tables", "of COPY", "aim", "hordak bulk", "times hordak", "aim ",
         "peak memory")
    )  # fmt: skip
    with Hordak() as hordak:
        for size in (100,) if small else (1_000, 10_000):
            # Made before the clock starts: neither side has to be handed its input.
            ours = iter([_drafts(accounts, size) for _ in range(ROUNDS)])
            theirs = iter([_rows(_drafts(accounts, size)) for _ in range(ROUNDS)])
            contenders = [
                partial(_timed, _post, ours),
                partial(_timed, _copy, theirs),
                partial(hordak.order, "bulk", size),
            ]
            _post(_drafts(accounts, size))  # connections and plans
            with measure.peak(backend()) as memory:
                taken = measure.in_turns(contenders, rounds=ROUNDS)
            mine, copied, bulked = (size / measure.median(times) for times in taken)
            table.add(
                f"{size:,}",
                f"{mine:,.0f}/s",
                f"{copied:,.0f}/s",
                *measure.against(mine, copied, 0.333),
                f"{bulked:,.0f}/s",
                *measure.against(mine, bulked, 4),
                memory,
            )
    return table


def _timed(work: Callable[[Any], None], inputs: Iterator[Any]) -> float:
    rows = next(inputs)
    return measure.seconds(lambda: work(rows))


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def _equal_tables() -> None:
    month = broker.DAY.replace(day=1)
    place.as_owner(
        "CREATE TABLE bench_journal (LIKE ledger_journal INCLUDING ALL)",
        "CREATE TABLE bench_line (LIKE ledger_line INCLUDING ALL) PARTITION BY RANGE (business_date)",
        f"CREATE TABLE bench_line_month PARTITION OF bench_line FOR VALUES FROM ('{month}') TO ('2026-12-01')",
        "GRANT ALL ON bench_journal, bench_line TO PUBLIC",
        "VACUUM ANALYZE",
    )


def _drafts(accounts: list[int], size: int) -> list[Draft]:
    first = random.randint(1, 1 << 50)
    drafts = []
    for number in range(first, first + size):
        one, other = random.sample(accounts, 2)
        amount = Decimal(random.randint(1, 100_000)) / 100
        drafts.append(
            Draft(
                key=f"deal:{number}:1",
                business_date=broker.DAY,
                kind="DEAL",
                description="Deal 123 EURUSD",
                entries=(Entry(one, amount), Entry(other, -amount)),
                reference=f"deal:{number}",
            )
        )
    return drafts


def _post(drafts: Sequence[Draft]) -> None:
    with transaction.atomic():
        journal.post_many(actor=broker.ROBOT, entity_id=broker.entity().pk, drafts=drafts)


def _rows(drafts: Sequence[Draft]) -> tuple[list[tuple[bulk.Value, ...]], list[tuple[bulk.Value, ...]]]:
    """The same journals as they end up in the tables, ids and hashes known beforehand."""
    first, now, entity = random.randint(1, 1 << 50), clock.now(), broker.entity().pk
    journals: list[tuple[bulk.Value, ...]] = []
    lines: list[tuple[bulk.Value, ...]] = []
    for number, draft in enumerate(drafts, first):
        journals.append((entity, number, draft.key, draft.fingerprint(), draft.business_date, draft.kind,
                         draft.description, draft.reference, "bench", now, 2))  # fmt: skip
        lines.extend(
            (entity, draft.business_date, number, place, entry.account_id, "USD", entry.amount, number, entry.amount)
            for place, entry in enumerate(draft.entries, 1)
        )
    return journals, lines


def _copy(rows: tuple[list[tuple[bulk.Value, ...]], list[tuple[bulk.Value, ...]]]) -> None:
    with transaction.atomic():
        bulk.copy_rows(
            "bench_journal",
            ("entity_id", "id", "key", "input_hash", "business_date", "kind", "description", "reference", "actor",
             "posted_at", "line_count"),
            rows[0],
        )  # fmt: skip
        bulk.copy_rows(
            "bench_line",
            ("entity_id", "business_date", "journal_id", "line_no", "account_id", "currency", "amount", "account_seq",
             "balance_after"),
            rows[1],
        )  # fmt: skip
