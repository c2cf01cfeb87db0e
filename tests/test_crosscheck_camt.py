"""Our reader of camt files beside a second library: the same lines, to the cent, or a difference that is explained.

The explanations are in docs/crosscheck-camt.md; the table there and the one here say the same.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
from django.conf import settings

from integrations.adapters.camt053 import READER
from integrations.records import BankLine, Unreadable
from tests.camt import beside, details, entry, refs, statement, tag, transaction
from tests.files import parse, sample

library: Any = pytest.importorskip("bankstatementparser", reason="the second library is installed for tests only")

# File, what ours makes of it, lines, and how many texts, bank references and counterparties are read differently.
FILES = {
    "example_a": ("balances", 11, (9, 11, 0)),
    "small": ("balances", 2, (0, 2, 0)),
    "v02_batch": ("held", 3, (0, 2, 0)),
    "v02_multi_statement": ("balances", 2, (0, 0, 1)),
    "v02_wrong": ("refused", 0, (0, 0, 0)),
    "v04_two_reversals": ("balances", 32, (9, 0, 2)),
    "v08": ("held", 1, (0, 1, 1)),
}


@dataclass(frozen=True)
class Line:
    account: str
    amount: Decimal
    currency: str
    booked: str


def ours(body: bytes) -> tuple[str, list[BankLine]]:
    try:
        parsed = parse(READER, body)
    except Unreadable:
        return "refused", []
    state = {True: "balances", False: "held", None: "no proof"}[parsed.balanced]
    return state, [cast(BankLine, record) for record in parsed.records]


def theirs(path: Path, parser: str = "CamtParser") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = getattr(library, parser)(str(path)).parse().to_dict("records")
    return rows


def bare(line: BankLine) -> Line:
    return Line(line.account, line.amount, line.currency, str(line.booking_date))


def row(found: dict[str, Any]) -> Line:
    return Line(found["AccountId"], found["Amount"], found["Currency"], str(found["BookgDt"])[:10])


@pytest.mark.parametrize("name", FILES)
def test_every_sample_gives_the_same_money(name: str) -> None:
    path = sample(f"bank/camt053_{name}.xml")
    state, lines = ours(path.read_bytes())
    others = theirs(path)
    assert (state, len(lines)) == FILES[name][:2]
    assert Counter(map(bare, lines)) == Counter(map(row, others))


@pytest.mark.parametrize("name", FILES)
def test_every_sample_gives_the_same_end_to_end_ids(name: str) -> None:
    """Theirs keeps what a bank writes where the payer gave none; ours does not take it for an id."""
    path = sample(f"bank/camt053_{name}.xml")
    _, lines = ours(path.read_bytes())
    given = [str(found.get("EndToEndId") or "") for found in theirs(path)]
    placeholders = ("nan", "NOTPROVIDED", "NONREF")
    assert Counter(line.end_to_end_id for line in lines) == Counter("" if i in placeholders else i for i in given)


@pytest.mark.parametrize("name", FILES)
def test_the_texts_differ_where_the_document_says(name: str) -> None:
    path = sample(f"bank/camt053_{name}.xml")
    differing = [0, 0, 0]
    for line, found in zip(ours(path.read_bytes())[1], theirs(path), strict=True):
        said = {key: "" if str(value) == "nan" else str(value or "") for key, value in found.items()}
        other = said["Debtor"] if line.amount > 0 else said["Creditor"]
        pairs = ((line.remittance, said["Reference"]), (line.bank_reference, said.get("AcctSvcrRef", "")))
        for number, (mine, its) in enumerate((*pairs, (line.counterparty, other))):
            differing[number] += mine != its
            # Where a text or a reference differs, it is because the second library has none.
            assert number == 2 or mine == its or not its
    assert tuple(differing) == FILES[name][2]


def test_every_camt_sample_is_in_the_table_and_in_the_document() -> None:
    folder = sample("bank")
    assert {path.stem.removeprefix("camt053_") for path in folder.glob("camt*.xml")} == set(FILES)
    text = (Path(settings.BASE) / "docs" / "crosscheck-camt.md").read_text()
    for name, (state, count, _) in FILES.items():
        assert f"| {name} | {state} | {count} |" in text


BATCH = details(
    transaction("70.00", "EUR", refs(AcctSvcrRef="T1", EndToEndId="D-AAAAAAAA")),
    transaction("29.00", "EUR", refs(AcctSvcrRef="T2", EndToEndId="D-BBBBBBBB")),
)


@pytest.mark.parametrize(("kind", "parser"), [("052", "Camt052Parser"), ("054", "Camt054Parser")])
def test_messages_beside_the_statement_give_the_same_sum(kind: str, parser: str, tmp_path: Path) -> None:
    path = tmp_path / "beside.xml"
    path.write_text(beside(kind, statement(entry("99.00", "CRDT", BATCH), entry("5.00", "DBIT"))))
    _, lines = ours(path.read_bytes())
    assert sum(line.amount for line in lines) == sum(found["Amount"] for found in theirs(path, parser)) == Decimal(94)


def test_where_details_do_not_sum_ours_keeps_the_entry(tmp_path: Path) -> None:
    """A returned debit of 50.00 with 3.00 charges, booked as 53.00: the account lost 53.00."""
    charges = tag("Chrgs", tag("TtlChrgsAndTaxAmt", "3.00", Ccy="EUR"))
    path = tmp_path / "charges.xml"
    path.write_text(beside("054", statement(entry("53.00", "DBIT", details(transaction("50.00", "EUR", charges))))))
    (line,) = ours(path.read_bytes())[1]
    assert line.amount == Decimal("-53.00")
    assert sum(found["Amount"] for found in theirs(path, "Camt054Parser")) == Decimal("-53.00")
