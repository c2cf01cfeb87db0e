"""ingest: deals, already parsed, stored as facts so that they may come twice; then the same again.

Beside it: COPY straight into an equal table (a repeat is an error), and the ORM's `bulk_create` into one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction

from backoffice.kernel import bulk, clock
from benchmarks import broker, measure, place
from benchmarks.ledger_batch import backend
from integrations.models import Connection, Deal
from integrations.models.columns import DEAL, digest
from integrations.records import Deal as Parsed
from integrations.records import DealKind, Entry, Side
from integrations.services import clocks
from integrations.services.facts import store_records
from integrations.services.store import BATCH, lock_feed

ROUNDS = 5
_FIRST = datetime(2026, 11, 19)  # noqa: DTZ001 - the clock of a trade server, which has no zone
_COMMON = ("entity_id", "connection_id", "version", "content_hash", "raw_id", "raw_line", "received_at")


def run(*, small: bool) -> measure.Table:
    size = 2_000 if small else 100_000
    source = broker.connection("mt5_webapi", "mt5")
    place.as_owner(
        "CREATE TABLE bench_copy (LIKE integrations_deal INCLUDING ALL)",
        "CREATE TABLE bench_orm (LIKE integrations_deal INCLUDING ALL)",
        "GRANT ALL ON bench_copy, bench_orm TO PUBLIC",
        "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO PUBLIC",
        "VACUUM ANALYZE",
    )
    batches = iter([_parsed(size, number) for number in range(3 * ROUNDS + 1)])
    _store(source, next(batches)[: size // 10])
    stored: list[list[Parsed]] = []

    def ours() -> float:
        stored.append(next(batches))
        return measure.seconds(lambda: _store(source, stored[-1]))

    contenders = [
        ours,
        lambda: measure.seconds(lambda: _copy(source, next(batches))),
        lambda: measure.seconds(lambda: _bulk_create(source, next(batches))),
    ]
    with measure.peak(backend()) as memory:
        taken = measure.in_turns(contenders, rounds=ROUNDS)
        again = [measure.seconds(lambda deals=deals: _store(source, deals)) for deals in stored]
    rows = Deal.objects.count()
    assert rows == ROUNDS * size + size // 10, f"{rows} facts: a replay wrote something"
    mine, copied, created = (size / measure.median(times) for times in taken)
    table = measure.Table(("deals", "ours", "COPY", "of COPY", "aim", "bulk_create", "times bulk_create",
                           "the same again", "peak memory"))  # fmt: skip
    table.add(
        f"{size:,}",
        f"{mine:,.0f}/s",
        f"{copied:,.0f}/s",
        *measure.against(mine, copied, 0.75),
        f"{created:,.0f}/s",
        f"{mine / created:.1f}",
        f"{size / measure.median(again):,.0f}/s, writes nothing",
        memory,
    )
    return table


def _parsed(size: int, number: int) -> list[Parsed]:
    first = 1 + number * size
    deal = Parsed(
        ticket=0,
        login=0,
        kind=DealKind.TRADE,
        entry=Entry.OUT,
        side=Side.BUY,
        symbol="EURUSD",
        volume_lots=Decimal("1.00"),
        contract_size=Decimal(100_000),
        price=Decimal("1.08500"),
        server_time=_FIRST,
        utc_offset_minutes=0,
        comment="[sp 1.08400]",
    )
    return [
        replace(
            deal,
            ticket=ticket,
            login=100_000 + ticket % 5_000,
            position_id=ticket // 2,
            order_id=ticket,
            profit=Decimal(ticket % 20_011 - 10_000) / 100,
            server_time=_FIRST + timedelta(milliseconds=ticket % 86_400_000),
        )
        for ticket in range(first, first + size)
    ]


def _store(source: Connection, deals: list[Parsed]) -> None:
    for start in range(0, len(deals), BATCH):
        with transaction.atomic():
            lock_feed(source)
            located = ((deal, 1, line) for line, deal in enumerate(deals[start : start + BATCH], 1))
            store_records(connection=source, located=located, received_at=clock.now())


def _rows(source: Connection, deals: list[Parsed], *, content_hash: bytes) -> Iterator[tuple[bulk.Value, ...]]:
    wall, now = clocks.clock_of(source), clock.now()  # asked before COPY has the connection to itself
    return (
        (source.entity_id, source.pk, 1, content_hash, 1, line, now, *DEAL.said_of(deal),
         str(deal.server_time.date()), str(wall.to_utc(deal.server_time)))
        for line, deal in enumerate(deals, 1)
    )  # fmt: skip


def _copy(source: Connection, deals: list[Parsed]) -> None:
    """COPY need not hash what it stores: the digest is worked out once and repeated."""
    some = digest(DEAL.said_of(deals[0]))
    for start in range(0, len(deals), BATCH):
        with transaction.atomic():
            rows = _rows(source, deals[start : start + BATCH], content_hash=some)
            bulk.copy_rows("bench_copy", (*_COMMON, *DEAL.columns), rows)


def _bulk_create(source: Connection, deals: list[Parsed]) -> None:
    wall, now, some = clocks.clock_of(source), clock.now(), b"\x00" * 32
    table, Deal._meta.db_table = Deal._meta.db_table, "bench_orm"
    try:
        Deal.objects.bulk_create(
            (
                Deal(
                    entity_id=source.entity_id, connection_id=source.pk, version=1, content_hash=some, raw_id=1,
                    raw_line=line, received_at=now, ticket=d.ticket, login=d.login, kind=d.kind, entry=d.entry,
                    side=d.side, symbol=d.symbol, volume_lots=d.volume_lots, contract_size=d.contract_size,
                    price=d.price, profit=d.profit, swap=d.swap, commission=d.commission, fee=d.fee,
                    position_id=d.position_id, order_id=d.order_id, external_id=d.external_id, gateway=d.gateway,
                    reason=d.reason, comment=d.comment, modify_flags=d.modify_flags, deleted=d.deleted,
                    server_time=wall.to_utc(d.server_time), business_date=d.server_time.date(),
                    dealt_at=wall.to_utc(d.server_time),
                )
                for line, d in enumerate(deals, 1)
            ),
            batch_size=1_000,
        )  # fmt: skip
    finally:
        Deal._meta.db_table = table
