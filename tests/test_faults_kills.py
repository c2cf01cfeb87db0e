"""The real commands, killed with SIGKILL at random moments: what was half done is gone, what was done stays, and the
same command again brings it to the end. Nothing is booked twice, nothing is lost."""

from __future__ import annotations

import io
import random
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from django.db.models import Sum

from accounts.models import Unbooked
from accounts.services import booking, clients
from accounts.services.clients import Login
from integrations.models import BankLine, Connection, Deal, FeedState, FileImport, ImportState, PspLine, RawMessage
from integrations.services import connections
from ledger.models import Journal
from ledger.selectors.balances import balances
from reconciliation.models import Break, Run, RunState
from tests import commands, mt5_world
from tests.attacks import findings, only_changed
from tests.builders import ROBOT
from tests.commands import Watch
from tests.camt import balanced, entry, message
from tests.mt5_world import running
from tests.worlds import DAY, World, world

pytestmark = pytest.mark.django_db(transaction=True)
KILLS = 5
LINES = 6_000
DEALS = 6_000


@pytest.fixture
def rng() -> random.Random:
    return commands.chance()


@pytest.fixture
def watch(transactional_db: None) -> Iterator[Watch]:
    found = Watch()
    yield found
    found.close()


@pytest.fixture
def small() -> World:
    return world()


def statement(number: int, lines: int = LINES) -> bytes:
    """A bank statement in US dollars that proves itself; every line names a deposit of its own."""
    entries = (
        entry(
            "10.01",
            "CRDT",
            f"<AddtlNtryInf>Deposit D-{number}{place:07}</AddtlNtryInf>",
            Amt="<Amt Ccy='USD'>10.01</Amt>",
            AcctSvcrRef=f"<AcctSvcrRef>R{number}-{place}</AcctSvcrRef>",
        )
        for place in range(lines)
    )
    opening, closing = Decimal(0), Decimal("10.01") * lines
    text = message(balanced(str(opening), str(closing), *entries))
    return text.replace('Ccy="EUR"', 'Ccy="USD"').replace("<Ccy>EUR</Ccy>", "<Ccy>USD</Ccy>").encode()


def test_an_import(small: World, rng: random.Random, watch: Watch, tmp_path: Path) -> None:
    measured, path = tmp_path / "measured.xml", tmp_path / "day.xml"
    measured.write_bytes(statement(1))
    path.write_bytes(statement(2))
    span = commands.duration(watch, "import_file", "--source", "bank", str(measured))
    deaths = commands.kill_often(watch, rng, KILLS, span, "import_file", "--source", "bank", str(path))
    assert deaths, "it was always faster"
    mine = BankLine.objects.filter(bank_reference__startswith="R2-")
    assert mine.count() in (0, LINES), "a file is stored whole or not at all"
    assert findings() == set()
    answer = commands.run("import_file", "--source", "bank", str(path))
    assert answer.code == 0 and answer["new"] + answer["duplicate"] == LINES
    assert (mine.count(), mine.aggregate(Sum("amount"))["amount__sum"]) == (LINES, Decimal("10.01") * LINES)
    assert RawMessage.objects.filter(external_id="day.xml").count() == 1
    with only_changed("integrations_fileimport", "audit_entry", "integrations_feedstate"):
        again = commands.run("import_file", "--source", "bank", str(path))
    assert commands.only(again.value, "new", "changed", "duplicate") == (0, 0, LINES)
    assert commands.run("verify").value == {"clean": True, "findings": []}
