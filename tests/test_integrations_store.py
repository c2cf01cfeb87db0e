"""Facts and raw messages under attack: versions, repeats, imports at the same moment, workers killed half-way."""

from __future__ import annotations

import io
import itertools
import os
import signal
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backoffice.kernel import clock
from integrations import records
from integrations.models import Deal, FileImport, Fill, ImportState, RawMessage, Superseded
from integrations.models.columns import TABLES
from integrations.models.raw import INLINE_MAX
from integrations.records import AccountState, BankLine, BankNotice, DealKind, Entry, PspKind, PspLine, Side
from integrations.selectors import verify
from integrations.services import clocks, facts, imports, raws
from integrations.services.store import BATCH, Stored, lock_feed
from tests.attacks import at_once, execute, only_changed, start_process
from tests.builders import ROBOT
from tests.worlds import World, bank_line, deal, fill, psp_line, world

pytestmark = pytest.mark.django_db
committed = pytest.mark.django_db(transaction=True)
tickets = itertools.count(1)
quick = settings(max_examples=40, deadline=None)


@pytest.fixture
def small() -> World:
    return world()


# Versions


def test_a_b_a_keeps_all_three(small: World) -> None:
    first, second = deal(1, profit=Decimal(5)), deal(1, profit=Decimal(6))
    assert [small.put(small.server, fact) for fact in (first, first, second, first)] == [
        Stored(new=1),
        Stored(same=1),
        Stored(changed=1),
        Stored(changed=1),
    ]
    versions = Deal.objects.filter(ticket=1).order_by("version")
    assert [(v.version, v.profit) for v in versions] == [(1, 5), (2, 6), (3, 5)]
    assert set(Superseded.objects.values_list("fact_id", flat=True)) == {v.pk for v in versions[:2]}
    assert list(verify.findings()) == []


def test_a_b_a_of_raw_messages_keeps_all_three(small: World) -> None:
    def keep(body: str) -> int:
        with transaction.atomic():
            lock_feed(small.server)
            kept = raws.keep_records(
                connection=small.server, bodies={"deal:1": body}, received_at=clock.now(), origin="test"
            )
        return kept["deal:1"]

    ids = [keep(body) for body in ("A", "A", "B", "B", "A", "A")]
    assert (ids[0], ids[2], ids[4]) == (ids[1], ids[3], ids[5])
    messages = RawMessage.objects.filter(external_id="deal:1").order_by("version")
    expected = [(ids[0], 1, b"A"), (ids[2], 2, b"B"), (ids[4], 3, b"A")]
    assert [(m.id, m.version, bytes(m.body)) for m in messages] == expected


@pytest.mark.parametrize("size", [1, INLINE_MAX, INLINE_MAX + 1, 3 * 1024 * 1024 + 1])
def test_files_of_any_size_come_back_as_they_came(small: World, size: int) -> None:
    bodies = [bytes([65 + number]) * size for number in (0, 0, 1, 0)]
    kept = []
    for body in bodies:
        with transaction.atomic():
            lock_feed(small.lp)
            kept.append(
                raws.keep_file(
                    connection=small.lp, stream=io.BytesIO(body), filename="f", received_at=clock.now(), origin="t"
                )
            )
    assert [(raw.version, new) for raw, new in kept] == [(1, True), (1, False), (2, True), (3, True)]
    for (raw, _), body in zip(kept, bodies, strict=True):
        assert b"".join(raws.chunks_of(RawMessage.objects.get(id=raw.id))) == body
    assert list(verify.findings()) == []


def test_a_replay_adds_nothing(small: World) -> None:
    for source, fact in (
        (small.server, deal(7)),
        (small.lp, fill("e7", "7")),
        (small.psp, psp_line("p7", "10")),
        (small.bank, bank_line("b7", "10")),
    ):
        assert small.put(source, fact) == Stored(new=1)
        with only_changed():
            assert small.put(source, fact) == Stored(same=1)
    small.snapshot(1001, "10")
    with only_changed():
        small.snapshot(1001, "10")


@quick
@given(st.lists(st.lists(st.sampled_from("ABC"), max_size=4), max_size=6))
def check_versions(small: World, deliveries: Sequence[Sequence[str]]) -> None:
    ticket = next(tickets)
    expected: list[str] = []
    counted = Stored()
    for delivery in deliveries:
        counted += small.put(small.server, *(deal(ticket, comment=content) for content in delivery))
        for content in delivery:
            if expected[-1:] != [content]:
                expected.append(content)
    stored = Deal.objects.filter(ticket=ticket).order_by("version")
    assert [(v.version, v.comment) for v in stored] == list(enumerate(expected, 1))
    assert (counted.new, counted.changed) == (min(len(expected), 1), max(len(expected) - 1, 0))
    assert counted.same == sum(map(len, deliveries)) - len(expected)
    old = Superseded.objects.filter(fact_kind="deal", fact_id__in=[v.pk for v in stored])
    assert old.count() == max(len(expected) - 1, 0)


def test_any_sequence_of_versions_is_numbered_without_a_gap_and_ends_with_the_latest(small: World) -> None:
    check_versions(small)
    assert list(verify.findings()) == []


# Awkward content

AWKWARD = (
    "",
    "\\",
    "\\N",
    "\\.",
    "tab\there",
    "line\nline\r\nline",
    "'\"{},`$$",
    "NULL",
    "\x00nul\x00",
    "half a pair: \ud83d",
    "Zoë 漢字 😀 e\u0301 \u202eabc\u2028\u0085",
    "\x01\x1f\x7f",
    " blanks ",
    "x" * 5000,
)
NUMBERS = tuple(
    map(Decimal, ("0", "-0", "-0.00", "0.10", "1E+3", "-1E-20", "123456789012345678.123456789012345678", "9" * 60))
)
WALLS = (
    datetime(1970, 1, 1),
    datetime(2025, 12, 31, 23, 59, 59, 999999),
    datetime(2026, 1, 1),
    datetime(2026, 3, 29, 3, 30),  # skipped in Athens
    datetime(2026, 10, 25, 3, 30),  # happens twice
    datetime(2024, 2, 29, 12, 0, 0, 1),
    datetime(2199, 12, 31, 23, 59),
)
texts = st.one_of(st.sampled_from(AWKWARD), st.text(max_size=30))
numbers = st.one_of(st.sampled_from(NUMBERS), st.decimals(allow_nan=False, allow_infinity=False, places=8))
walls = st.one_of(st.sampled_from(WALLS), st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)))
moments = walls.map(lambda wall: wall.replace(tzinfo=UTC))
days = walls.map(datetime.date)
whole = st.integers(-(2**63), 2**63 - 1)
BANK_ENTRY: dict[str, Any] = {
    "line_key": texts, "account": texts, "statement_id": texts, "amount": numbers, "currency": texts,
    "booking_date": days, "value_date": days, "bank_reference": texts, "end_to_end_id": texts, "remittance": texts,
    "counterparty": texts, "counterparty_account": texts, "is_reversal": st.booleans(), "bank_code": texts,
    "details": st.dictionaries(texts, texts, max_size=3),
}  # fmt: skip
KINDS: dict[str, st.SearchStrategy[records.Record]] = {
    "deal": st.builds(
        records.Deal,
        ticket=whole, login=whole, kind=st.sampled_from(DealKind), server_time=walls,
        utc_offset_minutes=st.just(0), entry=st.sampled_from(Entry), side=st.sampled_from(Side), symbol=texts,
        volume_lots=numbers, contract_size=numbers, price=numbers, profit=numbers, swap=numbers, commission=numbers,
        fee=numbers, position_id=whole, order_id=whole, external_id=texts, gateway=texts, reason=texts,
        comment=texts, modify_flags=st.integers(0, 2**31 - 1), deleted=st.booleans(),
    ),
    "fill": st.builds(
        records.Fill,
        exec_id=texts, order_ref=texts, symbol=texts, side=st.sampled_from(Side), quantity_units=numbers,
        price=numbers, traded_at=moments, trade_date=days, commission=numbers, commission_currency=texts,
        account=texts,
    ),
    "psp": st.builds(
        PspLine,
        line_key=texts, kind=st.sampled_from(PspKind), provider_type=texts, psp_reference=texts,
        merchant_reference=texts, modification_reference=texts, gross=numbers, fee=numbers, net=numbers,
        currency=texts, gross_original=numbers, currency_original=texts, exchange_rate=texts, payout_key=texts,
        bank_reference=texts, booked_at=moments, booked_zone=texts, method=texts, available_on=st.none() | days,
    ),
    "bank": st.builds(BankLine, **BANK_ENTRY),
    "notice": st.builds(
        BankNotice, **BANK_ENTRY,
        message=st.sampled_from(["052", "054", "942", "BAI2"]), entry_key=texts, entry_reference=texts,
        entry_amount=numbers,
    ),
    "snapshot": st.builds(
        AccountState,
        login=whole, server_time=walls, utc_offset_minutes=st.just(0), currency=texts, balance=numbers,
        credit=numbers, equity=numbers, group=texts, leverage=st.integers(0, 2**31 - 1), name=texts,
    ),
}  # fmt: skip


def keep(small: World, fact: records.Record) -> Stored:
    with transaction.atomic():
        lock_feed(small.server)
        return facts.store_records(connection=small.server, located=[(fact, 1, 0)], received_at=clock.now())


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.kind)
def test_the_hash_of_awkward_content_is_what_postgresql_computes(small: World, table: Any) -> None:
    """And what is stored is found again: the same record a second time adds nothing."""
    moment = datetime(2025, 1, 1, tzinfo=UTC)
    clocks.set_rule(connection=small.server, rule="Europe/Athens", first=moment, last=datetime(2027, 1, 1, tzinfo=UTC))

    @quick
    @given(KINDS[table.kind])
    def check(fact: records.Record) -> None:
        keep(small, fact)
        assert keep(small, fact) == Stored(same=1)

    check()
    rows = execute(f"SELECT count(*), count(*) FILTER (WHERE content_hash = {table.hash_sql()}) FROM {table.table}")
    assert rows[0][0] == rows[0][1] > 10


@example("\x00")
@example("one\x1ftwo")
@example("half \ud83d, \udc80")
@given(texts)
@quick
def check_text(small: World, text: str) -> None:
    ticket = next(tickets)
    small.put(small.server, deal(ticket, comment=text, symbol=text))
    kept = "".join("\ufffd" if c in "\x00\x1f" or "\ud800" <= c <= "\udfff" else c for c in text)
    assert Deal.objects.filter(ticket=ticket).values_list("comment", "symbol").get() == (kept, kept)


def test_text_comes_back_as_it_came_but_for_what_postgresql_cannot_hold(small: World) -> None:
    check_text(small)


# Imports at the same moment, and imports that are killed

HEADER = "exec_id,order_ref,symbol,side,quantity,price,traded_at,commission,commission_currency,account\n"


def lp_file(rows: int, *, first: int = 0, account: str = "M1") -> bytes:
    lines = [f"E{n},O{n},EURUSD,B,1000,1.08,2026-11-19T09:30:00Z,0,USD,{account}\n" for n in range(first, first + rows)]
    return (HEADER + "".join(lines) + f"TRAILER,{rows},{rows * 1000}\n").encode()


def bring(small: World, body: bytes, filename: str = "fills.csv") -> FileImport:
    return imports.import_file(actor=ROBOT, connection_id=small.lp.pk, stream=io.BytesIO(body), filename=filename)


@committed
def test_one_file_imported_by_many_at_once_is_stored_once(small: World) -> None:
    body = lp_file(300)
    results = at_once(6, lambda number: bring(small, body, f"fills{number % 2}.csv"))
    assert all(isinstance(result, FileImport) for result in results), results
    assert Counter((r.state, r.new, r.duplicate) for r in results) == {
        (ImportState.STORED, 300, 0): 1,
        (ImportState.STORED, 0, 300): 5,
    }
    assert Fill.objects.count() == 300
    assert set(Fill.objects.values_list("version", flat=True)) == {1}
    assert RawMessage.objects.count() == 2
    assert list(verify.findings()) == []


@committed
def test_overlapping_files_at_once_are_stored_once_each_row(small: World) -> None:
    files = [lp_file(200, first=100 * number) for number in range(4)]
    results = at_once(8, lambda number: bring(small, files[number % 4], f"{number % 4}.csv"))
    assert sum(result.new for result in results) == 500, results
    assert (Fill.objects.count(), sum(result.changed for result in results)) == (500, 0)
    assert list(verify.findings()) == []


def test_an_import_that_fails_in_the_middle_stores_nothing(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "BATCH", 100)
    calls: list[int] = []
    real = facts.store

    def third_time_unlucky(**arguments: Any) -> Stored:
        calls.append(len(arguments["rows"]))
        if len(calls) == 3:
            raise MemoryError
        return real(**arguments)

    monkeypatch.setattr(facts, "store", third_time_unlucky)
    body = lp_file(300)
    with pytest.raises(MemoryError):
        bring(small, body)
    assert (calls, Fill.objects.count()) == ([100, 100, 100], 0)
    assert FileImport.objects.get().state == ImportState.PREVIEW
    assert bring(small, body).new == 300
    assert imports.confirm(actor=ROBOT, import_id=FileImport.objects.earliest("pk").pk).duplicate == 300
    assert list(verify.findings()) == []


@committed
@pytest.mark.parametrize("stage", ["receiving", "storing"])
def test_a_process_killed_with_a_large_file_in_its_hands_leaves_nothing_half_done(small: World, stage: str) -> None:
    """Killed where two chunks, or 20,000 rows, are written and not committed."""
    rows = 2_000 if stage == "receiving" else BATCH + 500
    body = lp_file(rows, account="M" * 600 if stage == "receiving" else "M1")
    assert len(body) > 1024 * 1024
    read, write = os.pipe()

    def hang(*_: Any, **__: Any) -> None:
        os.write(write, b"x")
        time.sleep(60)

    def import_and_hang() -> None:
        if stage == "receiving":
            imports.audit.record = hang  # type: ignore[assignment]
        else:
            real = facts.store
            facts.store = lambda **arguments: (real(**arguments), hang())[0]  # type: ignore[assignment,return-value]
        bring(small, body)

    worker = start_process(import_and_hang)
    os.close(write)
    assert os.read(read, 1) == b"x", "the process ended before it came that far"
    os.kill(worker.pid, signal.SIGKILL)
    worker.join(10)
    os.close(read)
    left = (FileImport.objects.count(), RawMessage.objects.count(), Fill.objects.count())
    assert left == ((0, 0, 0) if stage == "receiving" else (1, 1, 0))
    repeated = bring(small, body)
    assert (repeated.state, repeated.new, repeated.duplicate) == (ImportState.STORED, rows, 0)
    assert (Fill.objects.count(), RawMessage.objects.count()) == (rows, 1)
    assert list(verify.findings()) == []
