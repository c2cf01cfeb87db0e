"""cash: a month of a million lines of a PSP, a million movements in the ledger and 50,000 lines of a bank, 0.5 % of
them wrong, through the rungs of the cash ladder, with matches, breaks and suggestions stored.

Beside it, in the same run: polars joining the same texts, amounts and days from memory into the same classes and
storing nothing. Both have to find what was planted, by class and by reference, and nothing else.
"""

from __future__ import annotations

import io
from collections import Counter
from datetime import timedelta
from pathlib import Path

import polars as pl
from django.db import connection, transaction

from accounts.services import clients
from accounts.services.clients import Login
from backoffice.kernel import clock
from benchmarks import broker, measure, place
from benchmarks.ledger_batch import backend
from ledger.models import LedgerAccount
from ledger.services import chart
from reconciliation.models import Break, CashAllocation, CashMatch, Kind, Rule, Run, RunState
from reconciliation.services import matching

ROUNDS = 3
HERE = Path(__file__).resolve().parent
REFERENCE = r"\b([DWTACFXP]-[0-9A-Z]{8})\b"
PAYOUT = r"\b(TX\w{4,}XT)\b"
Found = set[tuple[str, str]]


def run(*, small: bool, lines: int | None = None) -> measure.Table:
    lines = lines or (20_000 if small else 1_000_000)
    frames, planted = _plant(lines)
    found: dict[str, Found] = {}
    with measure.peak(backend()) as memory:
        times = measure.in_turns(
            [lambda: _fresh_run(found), lambda: measure.seconds(lambda: found.update(polars=_in_polars(frames)))],
            rounds=1 if small else ROUNDS,
        )
    stored = CashMatch.objects.count()
    allocated = CashAllocation.objects.count()
    with measure.peak(backend()) as again_memory:
        again = _run(found)
    assert CashMatch.objects.count() == stored, "the second run matched something again"
    for name, these in found.items():
        assert these == planted, f"{name}: {_differences(these, planted)}"
    mine, theirs = map(measure.median, times)
    table = measure.Table(("PSP lines, movements, bank lines", "ours", "polars", "times polars", "the same run again",
                           "matches and parts stored", "peak memory"))  # fmt: skip
    table.add(
        ", ".join(f"{frames[name].height:,}" for name in ("psp", "ledger", "bank")),
        f"{mine:.1f} s",
        f"{theirs:.2f} s",
        f"{mine / theirs:.1f}",
        f"{again:.1f} s",
        f"{stored:,} and {allocated:,}",
        memory,
    )
    classes = ", ".join(f"{klass} {number:,}" for klass, number in sorted(Counter(k for k, _ in planted).items()))
    table.notes.append(
        f"Both found the {len(planted):,} planted differences, each in its class and under its reference, and no other:"
        f" {classes}. The second run stored nothing new (peak {again_memory})."
    )
    return table


def _differences(these: Found, planted: Found) -> str:
    return f"not found {sorted(planted - these)[:9]}, found and not planted {sorted(these - planted)[:9]}"


def _plant(lines: int) -> tuple[dict[str, pl.DataFrame], Found]:
    here = broker.entity()
    server = broker.connection("mt5_webapi", "mt5")
    psp, bank = broker.connection("adyen_settlement", "psp"), broker.connection("camt053", "bank")
    chart.open_house(actor=broker.ROBOT, entity_id=here.pk, currency="USD")
    client = clients.open_client(actor=broker.ROBOT, entity_id=here.pk, number="V-1", name="One of many", country="CY")
    logins = [Login(client.pk, server.pk, 100_000 + n, "USD") for n in range(1000)]
    clients.open_trading_accounts(actor=broker.ROBOT, logins=logins)
    _agree_on_fees(here.code)
    clearing = LedgerAccount.objects.get(entity=here, code="clearing.client_money", currency="USD")
    statements = (HERE / "cash_plant.sql").read_text()
    values = {
        "payments": lines * 96 // 100, "wires": lines // 100, "transfers": lines * 15 // 1000, "entity": here.pk,
        "server": server.pk, "psp": psp.pk, "bank": bank.pk, "clearing": clearing.pk, "day": f"'{broker.DAY}'",
    }  # fmt: skip
    for name, value in values.items():
        statements = statements.replace(f":{name}:", str(value))
    tables = ("ledger_journal", "ledger_line")
    place.as_owner(
        *(f"SELECT ledger_open_month('{broker.DAY - timedelta(days=back)}')" for back in (0, 30, 60)),
        *(f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in tables),
        *statements.split(";\n"),
        *(f"ALTER TABLE {table} ENABLE TRIGGER USER" for table in tables),
        "VACUUM ANALYZE",
    )
    frames = {
        "psp": _frame("SELECT kind, ref AS said, line_key, currency, (gross * 100)::bigint AS gross,"
                      " (fee * 100)::bigint AS fee, bank_reference, day FROM bench_line"),
        "ledger": _frame("SELECT kind, said, (amount * 100)::bigint AS amount, day FROM bench_posted"
                         " WHERE kind <> 'PSP'"),
        "server": _frame("SELECT comment AS said, (profit * 100)::bigint AS amount, business_date AS day"
                         " FROM integrations_deal"),
        "bank": _frame("SELECT line_key, end_to_end_id || ' ' || remittance AS said, (amount * 100)::bigint AS amount,"
                       " day FROM bench_bank"),
    }  # fmt: skip
    sources = {"psp": psp.pk, "bank": bank.pk}
    frames = {
        name: frame.with_columns(source=pl.lit(f"{name}:{sources.get(name, 0)}:")) for name, frame in frames.items()
    }
    return frames, _pairs("SELECT class, key FROM bench_planted")


def _agree_on_fees(code: str) -> None:
    """A version of the rule that knows the PSP's schedule: 2 % of the gross."""
    before = Rule.objects.filter(kind=Kind.CASH).order_by("-version")[0]
    Rule.objects.create(
        kind=Kind.CASH, version=before.version + 1, parameters={**before.parameters, "fee_rate": {code: "0.02"}},
        note="bench", made_at=clock.now(), made_by="bench",
    )  # fmt: skip


def _frame(query: str) -> pl.DataFrame:
    data = io.BytesIO()
    with connection.cursor() as cursor:
        cursor.cursor.copy_expert(f"COPY ({query}) TO STDOUT (FORMAT csv, HEADER)", data)
    return pl.read_csv(data.getvalue(), try_parse_dates=True).with_columns(pl.col(pl.String).fill_null(""))


def _pairs(query: str, *values: list[str]) -> Found:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return set(cursor.fetchall())


_KEPT = ("cashallocation", "cashmatch", "suggestion", "breakevent", "break")


def _fresh_run(found: dict[str, Found]) -> float:
    """As the first run over these lines: nothing matched, no break known."""
    tables = [f"reconciliation_{name}" for name in _KEPT]
    place.as_owner(
        *(f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in tables),
        f"TRUNCATE {', '.join(tables)}",
        *(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}" for table, trigger in _triggers(tables)),
        *(f"VACUUM ANALYZE {table}" for table in tables),
    )
    return _run(found)


def _triggers(tables: list[str]) -> Found:
    return _pairs("SELECT tgrelid::regclass::text, tgname FROM pg_trigger"
                  " WHERE NOT tgisinternal AND tgrelid::regclass::text = ANY (%s)", tables)  # fmt: skip


def _run(found: dict[str, Found]) -> float:
    item = Run.objects.create(
        entity=broker.entity(),
        kind=Kind.CASH,
        business_date=broker.DAY,
        rule=Rule.objects.filter(kind=Kind.CASH).order_by("-version")[0],
        state=RunState.DONE,
        requested_by="bench",
        requested_at=clock.now(),
    )

    def match() -> None:
        with transaction.atomic():
            matching.match(run=item, cutoff=clock.now(), now=clock.now())

    taken = measure.seconds(match)
    found["ours"] = set(Break.objects.filter(seen_by=item, closed_at=None).values_list("klass", "key"))
    return taken


def _in_polars(frames: dict[str, pl.DataFrame]) -> Found:
    """The same classes as the SQL's, for the shapes that are planted here."""
    named = {name: _named(frame) for name, frame in frames.items()}
    today = pl.lit(broker.DAY)
    inside = (
        named["ledger"]
        .group_by("ref")
        .agg(
            books=pl.col("amount").filter(pl.col("day") <= today).sum(),
            booked=pl.col("amount").filter(pl.col("day") <= today).len() > 0,
            by_wallet=((pl.col("kind") == "WALLET") & (pl.col("day") <= today)).any(),
            next=(pl.col("day") > today).any(),
        )
    )
    server = (
        named["server"]
        .filter(pl.col("day") <= today)
        .group_by("ref")
        .agg(operated=pl.col("amount").sum(), operations=pl.len())
    )
    payments = named["psp"].filter(pl.col("kind") == "PAYMENT")
    psp = payments.group_by("ref").agg(gross=pl.col("gross").sum(), lines=pl.len(), currency=pl.col("currency").first())
    wires = named["bank"].filter(pl.col("ref").is_not_null(), pl.col("payout").is_null())
    bank = wires.group_by("ref").agg(wired=pl.col("amount").sum())
    whole = inside
    for other in (server, psp, bank):
        whole = whole.join(other, on="ref", how="full", coalesce=True)
    whole = whole.filter(pl.col("ref").is_not_null()).with_columns(
        outside=pl.col("gross").fill_null(0) + pl.col("wired").fill_null(0),
        ours=pl.coalesce("operated", pl.when(pl.col("booked")).then("books")),
        arrived=pl.col("gross").is_not_null() | pl.col("wired").is_not_null(),
    )
    classes = whole.select(
        key="ref:" + pl.col("ref"),
        klass=pl.when(pl.col("ref").str.starts_with("T")).then(None)
        .when((pl.col("lines") > 1) & (pl.col("gross") != pl.col("ours").fill_null(0))).then(pl.lit("DUPLICATE_PSP"))
        .when((pl.col("operations") > 1) & (pl.col("operated") != pl.col("outside"))).then(pl.lit("DUPLICATE_CREDIT"))
        .when(pl.col("ours").is_null() & pl.col("next").fill_null(value=False)).then(pl.lit("TIMING"))
        .when(pl.col("ours").is_null()).then(pl.lit("MISSING_INTERNAL"))
        .when(pl.col("operated").is_null() & ~pl.col("by_wallet")).then(pl.lit("MISSING_SERVER_OP"))
        .when(~pl.col("arrived")).then(pl.lit("MISSING_EXTERNAL"))
        .when(pl.col("currency") != "USD").then(pl.lit("CURRENCY"))
        .when((pl.col("operated") != pl.col("books")) & ~pl.col("by_wallet")).then(pl.lit("AMOUNT"))
        .when((pl.col("outside") * pl.col("ours")) < 0).then(pl.lit("DIRECTION"))
        .when(pl.col("outside") != pl.col("ours")).then(pl.lit("AMOUNT")),
    )  # fmt: skip
    agreed = (payments["gross"] * 0.02).round(0)
    fees = payments.filter((payments["fee"] - agreed).abs() > 1).select(
        key=pl.col("source") + pl.col("line_key"), klass=pl.lit("FEE")
    )
    payouts = named["psp"].filter(pl.col("kind") == "PAYOUT").select("payout", paid=-pl.col("gross"))
    arrived = named["bank"].filter(pl.col("payout").is_not_null()).group_by("payout").agg(pl.col("amount").sum())
    groups = payouts.join(arrived, on="payout", how="full", coalesce=True).select(
        key="payout:" + pl.col("payout") + ":USD",
        klass=pl.when(pl.col("paid").is_null()).then(pl.lit("PAYOUT_UNKNOWN"))
        .when(pl.col("amount").is_null()).then(pl.lit("PAYOUT_MISSING"))
        .when(pl.col("paid") != pl.col("amount")).then(pl.lit("PAYOUT_AMOUNT")),
    )  # fmt: skip
    unclear = (
        named["bank"]
        .filter(pl.col("ref").is_null(), pl.col("payout").is_null())
        .select(key=pl.col("source") + pl.col("line_key"), klass=pl.lit("UNIDENTIFIED"))
    )
    return {(klass, key) for key, klass in pl.concat([classes, fees, groups, unclear]).drop_nulls().iter_rows()}


def _named(frame: pl.DataFrame) -> pl.DataFrame:
    """With the reference and the payout that its text says."""
    where = "bank_reference" if "bank_reference" in frame.columns else "said"
    return frame.with_columns(ref=pl.col("said").str.extract(REFERENCE), payout=pl.col(where).str.extract(PAYOUT))
