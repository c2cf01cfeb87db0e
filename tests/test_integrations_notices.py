"""Notices beside bank lines: never booked, and what a batched entry of the statement is made of."""

from __future__ import annotations

import io
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from backoffice.kernel import clock
from integrations.models import BankLine, BankNotice, FileImport
from integrations.services import imports
from ledger.models import Journal
from tests.attacks import execute, findings
from tests.builders import ROBOT
from tests.camt import balanced, beside, details, entry, message, refs, statement, tag, transaction
from tests.worlds import DAY, World, bank_line, bank_notice, world

pytestmark = pytest.mark.django_db


@pytest.fixture
def small() -> World:
    return world()


def parts(w: World, cutoff: Any = None) -> list[tuple[Any, ...]]:
    """Amount, end-to-end id and remittance of each part, and whether a notice told it."""
    return execute(
        "SELECT amount, end_to_end_id, remittance, notice_id IS NOT NULL FROM integrations_bank_parts(%s, %s, %s, %s)"
        " ORDER BY line_id, notice_id",
        [w.bank.entity_id, DAY - timedelta(days=30), DAY + timedelta(days=30), cutoff or clock.now()],
    )


TWO = (
    bank_notice("n1", "70", entry="100", end_to_end_id="D-AAAAAAAA"),
    bank_notice("n2", "30", entry="100", end_to_end_id="D-BBBBBBBB"),
)
SPLIT = [(Decimal(70), "D-AAAAAAAA", "", True), (Decimal(30), "D-BBBBBBBB", "", True)]
WHOLE = [(Decimal(100), "", "", False)]


def batch(key: str = "b1", **changes: Any) -> Any:
    return bank_line(key, "100", **{"bank_reference": "BATCH1", **changes})


def test_a_notice_is_never_booked(small: World) -> None:
    small.put(small.bank, *TWO)
    assert small.book().journals == 0
    assert not Journal.objects.exists()
    assert findings() == set()


@pytest.mark.parametrize("line_first", [True, False])
def test_the_parts_of_a_batched_entry_in_whatever_order_they_come(small: World, line_first: bool) -> None:
    for facts in ((batch(),), TWO) if line_first else (TWO, (batch(),)):
        small.put(small.bank, *facts)
    assert parts(small) == SPLIT
    assert small.book().journals == 1


def test_without_a_notice_every_line_stands_as_it_is(small: World) -> None:
    small.put(small.bank, batch(), bank_line("b2", "5", remittance="rent"))
    assert parts(small) == [*WHOLE, (Decimal(5), "", "rent", False)]


@pytest.mark.parametrize(
    "changes",
    [
        {"bank_reference": "OTHER"},
        {"account": "CY00"},
        {"currency": "EUR"},
        {"booking_date": DAY - timedelta(days=6)},
        # The statement has said it itself.
        {"end_to_end_id": "W-CCCCCCCC"},
        {"details": {"part": "1 of 2"}},
    ],
)
def test_a_notice_of_something_else_changes_nothing(small: World, changes: dict[str, Any]) -> None:
    small.put(small.bank, *TWO, batch(**changes))
    ((amount, _, _, told),) = parts(small)
    assert (amount, told) == (Decimal(100), False)


def test_parts_that_do_not_sum_to_the_line_are_not_given(small: World) -> None:
    small.put(small.bank, batch(), TWO[0])
    assert parts(small) == WHOLE
    small.put(small.bank, bank_notice("n3", "31", entry="100"))
    assert parts(small) == WHOLE


def test_two_lines_alike_leave_open_which_is_meant(small: World) -> None:
    small.put(small.bank, *TWO, batch(), batch("b2"))
    assert parts(small) == [*WHOLE, *WHOLE]


def test_a_notification_goes_before_a_report_and_the_newest_before_the_others(small: World) -> None:
    report = bank_notice("r1", "100", message="052", statement_id="R1", end_to_end_id="D-CCCCCCCC")
    small.put(small.bank, batch(), *TWO)
    small.put(small.bank, report)
    assert parts(small) == SPLIT
    again = [bank_notice(f"a{n}", "50", entry="100", statement_id="N2", end_to_end_id=f"D-DDDDDDD{n}") for n in (1, 2)]
    small.put(small.bank, *again)
    assert [row[1] for row in parts(small)] == ["D-DDDDDDD1", "D-DDDDDDD2"]


def test_what_came_after_the_cut_off_is_not_known_yet(small: World) -> None:
    now = clock.now()
    with clock.at(now - timedelta(hours=2)):
        small.put(small.bank, batch())
    small.put(small.bank, *TWO)
    assert parts(small, now - timedelta(hours=1)) == WHOLE
    assert parts(small) == SPLIT


def test_a_newer_version_of_a_notice_counts_alone(small: World) -> None:
    small.put(small.bank, batch(), *TWO)
    small.put(small.bank, bank_notice("n1", "70", entry="100", end_to_end_id="D-EEEEEEEE"))
    assert {row[1] for row in parts(small)} == {"D-EEEEEEEE", "D-BBBBBBBB"}
    assert findings() == set()


# Through files


def bring(w: World, text: str, name: str) -> FileImport:
    return imports.import_file(actor=ROBOT, connection_id=w.bank.pk, stream=io.BytesIO(text.encode()), filename=name)


def test_a_statement_and_the_notification_of_its_batch(small: World) -> None:
    """The batch total stands in the camt.053, its payments only in the camt.054, as Swiss banks send them."""
    inside = details(
        transaction("70.00", "EUR", refs(EndToEndId="D-AAAAAAAA")),
        transaction("30.00", "EUR", refs(EndToEndId="D-BBBBBBBB")),
    )
    whole = bring(small, message(balanced("0", "100", entry())), "053.xml")
    told = bring(small, beside("054", statement(entry("100.00", "CRDT", inside), number="N1")), "054.xml")
    again = bring(small, beside("054", statement(entry("100.00", "CRDT", inside), number="N1")), "054.xml")
    assert [(i.state, i.new, i.duplicate) for i in (whole, told, again)] == [
        ("STORED", 1, 0),
        ("STORED", 2, 0),
        ("STORED", 0, 2),
    ]
    assert (BankLine.objects.count(), BankNotice.objects.count()) == (1, 2)
    assert [row[:2] for row in parts(small)] == [(Decimal(70), "D-AAAAAAAA"), (Decimal(30), "D-BBBBBBBB")]
    assert imports.preview(told, limit=5)[1]


# The schema's verdict


SCHEMA = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" elementFormDefault="qualified"
  targetNamespace="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">
  <xs:element name="Document"><xs:complexType><xs:sequence>
    <xs:element name="BkToCstmrStmt"><xs:complexType><xs:sequence>
      <xs:element name="GrpHdr"/><xs:element name="{name}" maxOccurs="unbounded"/>
    </xs:sequence></xs:complexType></xs:element>
  </xs:sequence></xs:complexType></xs:element>
</xs:schema>"""


@pytest.fixture
def pack(tmp_path: Path, settings: Any) -> Path:
    settings.SCHEMAS = str(tmp_path)
    folder = tmp_path / "payments"
    folder.mkdir()
    return folder / "camt.053.001.08.xsd"


TEXT = message(balanced("0", "100", entry()))


def test_a_valid_message_says_so(small: World, pack: Path) -> None:
    pack.write_text(SCHEMA.format(name="Stmt"))
    found = bring(small, TEXT, "day.xml")
    assert (found.state, found.facts["schema"]) == ("STORED", "camt.053.001.08.xsd: valid")


def test_a_message_that_is_not_valid_is_told_and_stored_all_the_same(small: World, pack: Path) -> None:
    pack.write_text(SCHEMA.format(name="Other"))
    found = bring(small, TEXT, "day.xml")
    assert (found.state, found.balanced, found.new) == ("STORED", True, 1)
    assert found.facts["schema"] == "camt.053.001.08.xsd: not valid"
    (told,) = [warning for warning in found.warnings if warning.startswith("Schema: ")]
    assert "Stmt" in told and "{" not in told


def test_only_the_first_twenty_messages_are_kept(small: World, pack: Path) -> None:
    pack.write_text(SCHEMA.format(name="Stmt").replace('name="Stmt"', 'name="Stmt" type="xs:decimal"'))
    many = "".join(tag("Splmtry", "x") for _ in range(50))
    found = bring(small, TEXT.replace("</Stmt>", f"{many}</Stmt>"), "day.xml")
    assert found.state == "STORED"
    assert 1 <= len([warning for warning in found.warnings if warning.startswith("Schema: ")]) <= 20


def test_a_schema_that_is_missing_or_broken_blocks_nothing(small: World, pack: Path) -> None:
    assert bring(small, TEXT, "one.xml").facts["schema"].startswith("not tried: no camt.053.001.08.xsd")
    pack.write_text("<no schema")
    assert bring(small, TEXT, "two.xml").facts["schema"].startswith("not tried: camt.053.001.08.xsd cannot be read")


def test_without_a_pack_nothing_is_said(small: World, settings: Any) -> None:
    settings.SCHEMAS = ""
    assert "schema" not in bring(small, TEXT, "day.xml").facts
