"""The sealer: numbers without a gap, whatever order transactions commit in; one chain, whatever crashes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection, connections, transaction

from backoffice.audit import heads, merkle, signing, streams
from backoffice.audit import services as audit
from backoffice.audit.models import Batch, Cursor, Entry, Seal
from backoffice.audit.selectors import chain
from backoffice.audit.services import sealing
from backoffice.kernel import clock
from tests.builders import ROBOT

ENTRIES = "audit.entries"


@pytest.fixture(autouse=True)
def outside(settings: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Heads of their own, and one stream alone: the others have rows from the making of the database."""
    settings.SEAL_HEADS = tmp_path / "heads"  # type: ignore[attr-defined]
    monkeypatch.setattr(streams, "_streams", {ENTRIES: streams.stream(ENTRIES)})
    return tmp_path / "heads"


def write(number: int = 1, action: str = "test.done") -> list[int]:
    with transaction.atomic():
        return [audit.record(actor=ROBOT, action=action, data={"n": n}).pk for n in range(number)]


def positions() -> Iterator[tuple[int, int]]:
    """(position, entry) of everything sealed."""
    for batch in Batch.objects.filter(stream=ENTRIES).order_by("first"):
        yield from enumerate(batch.keys, batch.first)


@pytest.mark.django_db
def test_rows_get_positions_without_a_gap_and_are_sealed_once():
    first = write(3)
    assert sealing.seal() == 3
    second = write(4)
    assert sealing.seal(most=2) == 4
    assert sealing.seal() == 0

    assert list(positions()) == list(enumerate([*first, *second], 1))
    assert list(Seal.objects.order_by("number").values_list("number", flat=True)) == [1, 2, 3]
    report = chain.check()
    assert (report.findings, report.rows[ENTRIES], report.seals, report.waiting) == ([], 7, 3, 0)


@pytest.mark.django_db
def test_the_heads_outside_are_those_of_the_database():
    write()
    sealing.seal()
    write()
    sealing.seal()

    (target,) = heads.targets()
    assert [head.head for head in target.read()] == list(Seal.objects.order_by("number").values_list("head", flat=True))
    last = target.last()
    assert last is not None and last.number == 2
    assert signing.signed_by(last.statement, last.signature, last.key)
    assert json.loads(last.statement)["previous"] == Seal.objects.get(number=1).head


@pytest.mark.django_db(transaction=True)
def test_a_row_that_commits_late_is_sealed_later_and_none_is_lost():
    open_, let_go = threading.Event(), threading.Event()
    late: list[int] = []

    def slow() -> None:
        try:
            with transaction.atomic():
                late.append(audit.record(actor=ROBOT, action="test.slow").pk)
                open_.set()
                assert let_go.wait(30)
        finally:
            connections.close_all()

    writer = threading.Thread(target=slow)
    writer.start()
    assert open_.wait(30)
    fast = write(2)
    assert sealing.seal() == 2
    assert chain.check().findings == []
    let_go.set()
    writer.join(30)

    assert late[0] < fast[0]
    assert sealing.seal() == 1
    assert list(positions()) == list(enumerate([*fast, *late], 1))
    assert Batch.objects.get(first=3).late == 1
    report = chain.check()
    assert (report.findings, report.rows[ENTRIES]) == ([], 3)


@pytest.mark.django_db
def test_ids_of_rolled_back_transactions_are_gaps_until_they_have_settled():
    write()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        write(2)
        _ = 1 / 0
    write()
    sealing.seal()
    assert Cursor.objects.get(stream=ENTRIES).gaps != "{}"
    for minutes in (11, 22):
        with clock.at(clock.now() + timedelta(minutes=minutes)), connection.cursor() as cursor:
            # As another transaction would see it: this one is not among those that were running.
            cursor.execute("UPDATE audit_cursor SET aging_mark = least(aging_mark, 1)")
            sealing.seal()
    assert Cursor.objects.get(stream=ENTRIES).gaps == "{}"
    assert chain.check().findings == []


@pytest.mark.django_db
def test_a_crash_between_commit_and_file_neither_loses_nor_forks(monkeypatch: pytest.MonkeyPatch):
    write()
    sealing.seal()
    (target,) = heads.targets()

    def full(self: heads.FileTarget, rows: object) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(heads.FileTarget, "append", full)
        write()
        with pytest.raises(OSError, match="No space"):
            sealing.seal()
    assert [head.number for head in target.read()] == [1]
    assert Seal.objects.count() == 2
    write()
    sealing.seal()
    assert [head.number for head in target.read()] == [1, 2, 3]
    assert chain.check().findings == []


@pytest.mark.django_db
def test_a_line_cut_short_by_a_crash_is_read_over(outside: Path):
    write()
    sealing.seal()
    (file,) = outside.glob("*.jsonl")
    whole = file.read_bytes()
    file.write_bytes(whole + whole[:60])
    write()
    sealing.seal()
    assert [head.number for head in heads.FileTarget().read()] == [1, 2]
    assert chain.check().findings == []


@pytest.mark.django_db
def test_two_publishers_write_each_head_once(outside: Path):
    write()
    sealing.seal()
    (row,) = Seal.objects.all()
    again = heads.Head(row.number, row.head, row.statement, row.signature, row.key)
    heads.FileTarget().append([again])
    assert [head.number for head in heads.FileTarget().read()] == [1]


@pytest.mark.django_db(transaction=True)
def test_only_one_sealer_works_at_a_time():
    write(3)
    with transaction.atomic():
        assert sealing._pass(signing.private_key(), [], 10) == (3, False)
        other: list[int] = []

        def second() -> None:
            try:
                other.append(sealing.seal())
            finally:
                connections.close_all()

        thread = threading.Thread(target=second)
        thread.start()
        thread.join(30)
        assert other == [0]
    sealing.publish()
    assert chain.check().findings == []


@pytest.mark.django_db
def test_without_a_key_nothing_is_sealed_and_it_says_what_to_do(settings):
    settings.SEAL_KEY = ""
    write()
    with pytest.raises(signing.NoSealKey, match="manage audit key"):
        sealing.seal()
    settings.SEAL_KEY = "c2hvcnQ="
    with pytest.raises(signing.NoSealKey, match="5 bytes"):
        sealing.seal()
    assert not Seal.objects.exists()


@pytest.mark.django_db
def test_the_key_may_come_from_a_file_and_may_change(settings, tmp_path: Path):
    write()
    sealing.seal()
    former = settings.SEAL_KEY
    private, _ = signing.new_key()
    path = tmp_path / "key"
    path.write_text(private + "\n")
    settings.SEAL_KEY, settings.SEAL_KEY_FILE = "", str(path)
    write()
    sealing.seal()
    assert {f.subject for f in chain.check().findings} == {"head 1 in target 1", "seal 1"}
    settings.SEAL_PUBLIC_KEYS = [signing.public_text(_private(former))]
    assert chain.check().findings == []


def _private(text: str):
    import base64

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(text))


@pytest.mark.django_db
def test_a_stream_that_says_more_keeps_its_old_rows(monkeypatch: pytest.MonkeyPatch):
    first = write(2)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT nextval('audit_entry_id_seq')")
    write()
    sealing.seal()
    more = streams.ENTRIES.replace("'id', id,", "'id', id, 'more', 1,")
    monkeypatch.setitem(streams._streams, ENTRIES, streams.Stream(ENTRIES, True, {1: streams.ENTRIES, 2: more}))
    write(2)
    sealing.seal()
    assert list(Batch.objects.filter(stream=ENTRIES).order_by("first").values_list("form", flat=True)) == [1, 2]
    report = chain.check()
    assert (report.findings, report.rows[ENTRIES]) == ([], 5)
    monkeypatch.setitem(streams._streams, ENTRIES, streams.Stream(ENTRIES, True, {1: streams.ENTRIES}))
    assert [f.detail for f in chain.check().findings] == ["nobody has registered its form 2"]
    assert first


def test_the_tree_is_that_of_the_rfc():
    """RFC 6962 2.1 by its recursive definition, for every size up to 40; and each proof leads to the root."""

    def mth(leaves: list[bytes]) -> bytes:
        if len(leaves) == 1:
            return leaves[0]
        split = 1
        while split * 2 < len(leaves):
            split *= 2
        return merkle.sha256(b"\x01" + mth(leaves[:split]) + mth(leaves[split:])).digest()

    from backoffice.audit.standalone.verify_export import root_from

    for size in range(1, 41):
        contents = [str(n).encode() for n in range(size)]
        leaves = [merkle.leaf(content) for content in contents]
        tree = merkle.levels(leaves)
        assert tree[-1][0] == mth(leaves)
        for index in range(size):
            path = merkle.path(tree, index)
            assert root_from(contents[index], index, size, path) == tree[-1][0]
            assert root_from(b"other", index, size, path) != tree[-1][0]
            assert root_from(contents[index], index + size, size, path) is None


@pytest.mark.django_db
def test_when_the_sealer_stands_still_it_is_named():
    write()
    sealing.seal()
    write()
    assert chain.check().findings == []
    with clock.at(clock.now() + timedelta(minutes=2)):
        (finding,) = chain.check().findings
    assert (finding.rule, finding.subject) == (chain.BEHIND, "1 rows")
    assert Entry.objects.count() == 2
