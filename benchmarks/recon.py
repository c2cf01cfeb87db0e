"""recon: a day of a million trades in books, server and LP, each class of difference planted in 0.5 % of them.

Ours reads the stored facts (wide rows, versions, listings), keeps every match and every break with its history.
Beside it: the same classification as two plain full joins over three narrow tables holding nothing else, storing
matches and breaks in plain tables; and in polars from memory, storing nothing.
"""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path

import polars as pl
from django.db import connection, transaction

from backoffice.kernel import clock
from benchmarks import broker, measure, place
from benchmarks.ledger_batch import backend
from integrations.models import Instrument, ServerListing, SymbolMapping
from reconciliation.models import Break, Kind, Rule, Run, RunState, TradeMatch
from reconciliation.services import matching

ROUNDS = 3
HERE = Path(__file__).resolve().parent
CLASSES = (
    "MISSING_IN_BOOKS", "MISSING_AT_SERVER", "MISSING_AT_LP", "FILL_WITHOUT_DEAL", "SIDE", "SYMBOL", "VOLUME",
    "PRICE", "LATE", "EDITED", "DUPLICATE",
)  # fmt: skip


def run(*, small: bool) -> measure.Table:
    trades = 20_000 if small else 1_000_000
    planted = dict.fromkeys(CLASSES, trades // 200)
    sides = _plant(trades)
    found: dict[str, dict[str, int]] = {}

    def ours() -> float:
        return _fresh_run(found)

    def joins() -> float:
        return _reference(found)

    def polars() -> float:
        return measure.seconds(lambda: found.__setitem__("polars", _in_polars(*sides)))

    rounds = 1 if small else ROUNDS
    with measure.peak(backend()) as memory:
        times = measure.in_turns([ours, joins, polars], rounds=rounds)
    for name, counts in found.items():
        assert counts == planted, f"{name} found {counts}, planted were {planted}"
    mine, plain, memory_only = map(measure.median, times)
    with measure.peak(backend()) as again_memory:
        again = _again(found)
    assert found["again"] == planted
    table = measure.Table(("trades", "ours", "two full joins", "times the joins", "aim", "polars", "times polars",
                           "the same run again", "peak memory"))  # fmt: skip
    table.add(
        f"{trades:,} x 3",
        f"{mine:.2f} s",
        f"{plain:.2f} s",
        *measure.against(mine, plain, 1.2, most=True),
        f"{memory_only:.2f} s",
        f"{mine / memory_only:.1f}",
        f"{again:.2f} s",
        memory,
    )
    table.notes.append(f"All three found the {sum(planted.values()):,} planted differences and no other;"
                       f" the second run added none (peak {again_memory}).")  # fmt: skip
    return table


def _plant(trades: int) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    server, lp = broker.connection("mt5_webapi", "mt5"), broker.connection("lp_fills", "lp")
    for code, suffix in (("EURUSD", ".x"), ("GBPUSD", ".x")):
        instrument = Instrument.objects.create(
            code=code, name=code, base=code[:3], quote_id="USD", contract_size=100_000, digits=5
        )
        for source, symbol in ((server, code), (lp, code + suffix)):
            SymbolMapping.objects.create(connection=source, symbol=symbol, instrument=instrument, contract_size=100_000)
    listing = ServerListing.objects.create(
        entity_id=server.entity_id,
        connection=server,
        business_date=broker.DAY,
        taken_at=clock.now() - timedelta(hours=1),
        rows=trades,
    )
    statements = (HERE / "recon_plant.sql").read_text()
    for name, value in {"trades": trades, "entity": server.entity_id, "server": server.pk, "lp": lp.pk,
                        "listing": listing.pk, "day": f"'{broker.DAY}'"}.items():  # fmt: skip
        statements = statements.replace(f":{name}:", str(value))
    place.as_owner(*statements.split(";\n"), "VACUUM ANALYZE")
    return _frame("bench_books"), _frame("bench_server"), _frame("bench_lp")


def _frame(table: str) -> pl.DataFrame:
    data = io.BytesIO()
    with connection.cursor() as cursor:
        cursor.cursor.copy_expert(f"COPY {table} TO STDOUT (FORMAT csv, HEADER)", data)
    return pl.read_csv(data.getvalue(), try_parse_dates=True, schema_overrides={"order_ref": pl.String})


def _fresh_run(found: dict[str, dict[str, int]]) -> float:
    """As the first run of the day: nothing matched, no break known."""
    place.as_owner(
        "ALTER TABLE reconciliation_breakevent DISABLE TRIGGER USER",
        "DELETE FROM reconciliation_breakevent",
        "ALTER TABLE reconciliation_breakevent ENABLE TRIGGER USER",
        "DELETE FROM reconciliation_break",
        "TRUNCATE reconciliation_tradematch",
        "VACUUM ANALYZE reconciliation_break",
        "VACUUM ANALYZE reconciliation_breakevent",
    )
    taken = _run(found, "ours")
    assert Break.objects.count() == sum(found["ours"].values())
    assert TradeMatch.objects.exclude(deal_id=None).count() > 0
    return taken


def _again(found: dict[str, dict[str, int]]) -> float:
    return _run(found, "again")


def _run(found: dict[str, dict[str, int]], name: str) -> float:
    item = Run.objects.create(
        entity=broker.entity(),
        kind=Kind.TRADES,
        business_date=broker.DAY,
        rule=Rule.objects.filter(kind=Kind.TRADES).order_by("-version")[0],
        state=RunState.DONE,
        requested_by="bench",
        requested_at=clock.now(),
    )

    def match() -> None:
        with transaction.atomic():
            found[name] = matching.match(run=item, cutoff=clock.now(), now=clock.now()).by_class

    return measure.seconds(match)


def _reference(found: dict[str, dict[str, int]]) -> float:
    place.as_owner("TRUNCATE bench_match, bench_break")
    statement = (HERE / "recon_joins.sql").read_text()

    def match() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)

    taken = measure.seconds(match)
    with connection.cursor() as cursor:
        cursor.execute("SELECT class, count(*) FROM bench_break GROUP BY class")
        found["two full joins"] = dict(cursor.fetchall())
    return taken


def _in_polars(books: pl.DataFrame, server: pl.DataFrame, lp: pl.DataFrame) -> dict[str, int]:
    twice = lp.group_by("order_ref").len().filter(pl.col("len") > 1).select("order_ref", twice=pl.lit(value=True))
    once = lp.unique("order_ref", keep="any").join(twice, on="order_ref", how="left")
    both = books.join(server, on="ticket", how="full", suffix="_s", coalesce=True)
    all_three = both.join(once, left_on="order_ref_s", right_on="order_ref", how="full", suffix="_l", coalesce=False)
    late = pl.duration(seconds=60)
    differs = _any_differs("side", "symbol", "volume", "price", "traded_at")
    named = all_three.select(
        pl.when(pl.col("side").is_null() & pl.col("side_s").is_null()).then(pl.lit("FILL_WITHOUT_DEAL"))
        .when(pl.col("side_s").is_null()).then(pl.lit("MISSING_AT_SERVER"))
        .when(pl.col("side").is_null()).then(pl.lit("MISSING_IN_BOOKS"))
        .when(differs).then(pl.lit("EDITED"))
        .when(pl.col("side_l").is_null()).then(pl.lit("MISSING_AT_LP"))
        .when(pl.col("twice")).then(pl.lit("DUPLICATE"))
        .when(pl.col("side_l") != pl.col("side_s")).then(pl.lit("SIDE"))
        .when(pl.col("symbol_l") != pl.col("symbol_s")).then(pl.lit("SYMBOL"))
        .when(pl.col("volume_l") != pl.col("volume_s")).then(pl.lit("VOLUME"))
        .when((pl.col("price_l") - pl.col("price_s")).abs() > pl.col("price_s") * 0.001).then(pl.lit("PRICE"))
        .when((pl.col("traded_at_l") - pl.col("traded_at_s")).abs() > late).then(pl.lit("LATE"))
        .alias("class")
    )  # fmt: skip
    counts = named.drop_nulls().group_by("class").len()
    return dict(zip(counts["class"].to_list(), counts["len"].to_list(), strict=True))


def _any_differs(*columns: str) -> pl.Expr:
    return pl.any_horizontal(*(pl.col(name) != pl.col(f"{name}_s") for name in columns))
