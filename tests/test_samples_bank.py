"""Bank files from outside that are not XML, through the real command; camt files stand in tests/test_samples.py."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db.models import Sum

from integrations.models import BankLine, BankNotice
from ledger.models import LedgerAccount
from ledger.selectors.balances import balances
from ledger.services import chart
from tests.builders import ROBOT
from tests.files import sample
from tests.test_samples import bring, totals
from tests.worlds import connection

pytestmark = pytest.mark.django_db

# What each file holds: its reader, statements or accounts, lines, sum, and how often opening plus entries is closing.
FILES: list[Any] = [
    ("mt940_danskebank_dk.sta", "mt940", {"statements": "15"}, 89, "DKK", "1372452.77", 15),
    ("mt940_danskebank_se.sta", "mt940", {"statements": "12"}, 103, "SEK", "10528395.60", 12),
    ("bai2_nwb.bai2", "bai2", {"accounts": "1", "integrity": "checked"}, 5, "GBP", "-26.76", 1),
    ("bai2_sample1.txt", "bai2", {"accounts": "2", "integrity": "checked"}, 17, "CAD", "0.00", 0),
]


@pytest.mark.parametrize(("name", "adapter", "facts", "lines", "currency", "net", "proofs"), FILES)
def test_a_bank_file_proves_itself_and_is_booked(
    name: str, adapter: str, facts: dict[str, str], lines: int, currency: str, net: str, proofs: int
) -> None:
    source = connection(adapter, f"bank-{adapter}")
    chart.open_house(actor=ROBOT, entity_id=source.entity_id, currency=currency)
    answer = bring(source, f"bank/{name}")
    assert (answer.code, answer["state"], answer["balanced"]) == (0, "stored", True)
    assert (answer["rows"], answer["new"], answer["rejected"]) == (lines, lines, [])
    assert facts.items() <= answer["facts"].items()
    assert all(expected == found for expected, found in totals(answer).values())
    assert sum("opening plus entries is closing" in what for what in totals(answer)) == proofs
    assert BankLine.objects.filter(currency=currency).aggregate(Sum("amount"))["amount__sum"] == Decimal(net)
    assert not BankNotice.objects.exists()
    booked = LedgerAccount.objects.filter(code__startswith="bank.")
    assert sum(balances([account.pk for account in booked]).values()) == Decimal(net)


def test_every_bank_file_is_tried_somewhere() -> None:
    known = {file[0] for file in FILES}
    assert {path.name for path in sample("bank").iterdir() if path.suffix != ".xml"} == known
