"""Client money: the worked example to the cent, what counts, two signatures, and what was signed stands."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse

from accounts.services import wallets
from backoffice.approvals.services import requests
from backoffice.audit.models import Entry
from backoffice.kernel import clock
from backoffice.kernel.errors import Stale
from backoffice.kernel.money import Money
from ledger.models import LedgerAccount
from reconciliation.actions.client_money import SEGREGATED, TOP_UP, AskSegregated, AskTopUp
from reconciliation.models import ClientMoneyRun, Part, SegregatedAccount, TopUp
from reconciliation.services import client_money
from reconciliation.services.client_money import NotNow
from tests import desk
from tests.attacks import execute, findings, refused
from tests.builders import ROBOT, user
from tests.five_clients import LATER, Desk, five_clients
from tests.worlds import DAY, bank_line

pytestmark = pytest.mark.django_db


@pytest.fixture
def at_noon_after() -> Any:
    with clock.at(clock.now().replace(year=LATER.year, month=LATER.month, day=LATER.day, hour=12, minute=0)):
        yield


@pytest.fixture
def example(at_noon_after: None) -> Desk:
    return five_clients()


def of_clients(run: ClientMoneyRun) -> dict[str, Decimal]:
    return {row.client.number: row.requirement for row in run.of_clients.select_related("client") if row.client}


def test_the_worked_example(example: Desk) -> None:
    run = example.run()
    assert (run.requirement, run.resource, run.difference) == (Decimal(15700), Decimal(14425), Decimal(-1275))
    assert of_clients(run) == {"C-1": 7500, "B": 5200, "C": 0, "D": 1100, "E": 1900}
    assert {line.what: line.amount for line in run.lines.filter(client__number="D")} == {
        "Wallet USD": 800,
        "Withdrawal W-00000001": 300,
    }
    outside = {row.what: row.counted for row in run.resources.all()}
    assert [what for what, counted in outside.items() if counted] == [
        "First Bank · bank.CLIENT-EUR",
        "First Bank · bank.CLIENT-USD",
    ]
    assert any("Below nought" in note for note in run.notes)
    assert findings() == set()


def test_on_the_page_in_the_pdf_and_in_the_csv(example: Desk, client: Browser) -> None:
    run = client_money.sign(
        actor=example.fiona, run_id=example.run().pk, seen_hash=ClientMoneyRun.objects.get().content_hash
    )
    reader = user("audra", "reconciliation.view_clientmoneyrun", "organisation.export_rows", entities=(run.entity,))
    client.force_login(reader)
    page = client.get(reverse("client-money-run", args=[run.pk])).content.decode()
    text = page.replace("\u202f", ",").replace("\u00a0", " ")
    for figure in ("15,700.00", "14,425.00", "1,275.00"):
        assert figure in text, figure
    answer = client.get(reverse("client-money-report", args=[run.pk]), {"file": "csv"})
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    flat = ["|".join(row) for row in rows]
    for wanted in ("Requirement|15700.00|USD", "Resource|14425.00|USD", "Shortfall|1275.00|USD"):
        assert any(line.startswith(wanted) for line in flat), (wanted, flat[:20])
    assert any("Fred" in line for line in flat) and any("Fiona" in line for line in flat)
    assert client.get(reverse("client-money-report", args=[run.pk]), {"file": "pdf"}).content.startswith(b"%PDF")
    taken = Entry.objects.filter(action="report.downloaded", actor_id=reader.pk)
    assert [row.data["file"].rpartition(".")[2] for row in taken.order_by("pk")] == ["csv", "pdf"]


def test_the_second_person_signs_and_then_it_stands(example: Desk) -> None:
    run = example.run()
    with pytest.raises(NotNow, match="Another person"):
        client_money.sign(actor=example.fred, run_id=run.pk, seen_hash=run.content_hash)
    newer = example.run()
    with pytest.raises(Stale):
        client_money.sign(actor=example.fiona, run_id=run.pk, seen_hash=run.content_hash)
    signed = client_money.sign(actor=example.fiona, run_id=newer.pk, seen_hash=newer.content_hash)
    assert (signed.prepared_name, signed.signed_name) == (example.fred.label, example.fiona.label)
    with pytest.raises(NotNow, match="already"):
        client_money.sign(actor=example.pat, run_id=newer.pk, seen_hash=newer.content_hash)
    for change in (
        "requirement = 1, difference = resource - 1",
        "signed_by_id = NULL, signed_at = NULL",
        "as_of = as_of - 1",
    ):
        with refused("BO131"):
            execute(f"UPDATE reconciliation_clientmoneyrun SET {change} WHERE id = {newer.pk}")
    with refused("BO132"):
        execute(
            "INSERT INTO reconciliation_clientmoneyline (run_id, part, what, amount, currency_id, converted, source)"
            f" VALUES ({newer.pk}, 'WALLET', 'x', 1, 'USD', 1, '')"
        )
    with refused("42501"):
        execute("DELETE FROM reconciliation_clientmoneyline")


def test_a_part_added_before_the_signature_is_noticed(example: Desk) -> None:
    run = example.run()
    execute(
        "INSERT INTO reconciliation_clientmoneyline (run_id, part, what, amount, currency_id, converted, source)"
        f" VALUES ({run.pk}, 'WALLET', 'x', 1, 'USD', 1, '')"
    )
    with pytest.raises(NotNow, match="not what was calculated"):
        client_money.sign(actor=example.fiona, run_id=run.pk, seen_hash=run.content_hash)


def test_a_top_up_is_asked_for_agreed_to_and_sent_by_three(example: Desk) -> None:
    desk.policy(action=TOP_UP, execute_permission="reconciliation.execute_top_up")
    run = example.run()
    to = SegregatedAccount.objects.get(account__currency="USD")
    payload = AskTopUp(run.pk, to.pk, Decimal("1275.00"), "USD")
    asked = requests.submit(actor=example.fred, action=TOP_UP, payload=payload, reason="shortfall")
    requests.approve(actor=example.fiona, request_id=asked.pk, seen_hash=asked.payload_hash)
    assert not TopUp.objects.exists()
    requests.execute(actor=example.pat, request_id=asked.pk, seen_hash=asked.payload_hash)
    second = example.run()
    assert (second.difference, second.resource) == (Decimal(0), Decimal(15700))
    assert any("not on a bank line yet" in note for note in second.notes)
    # The bank shows it, and it counts once.
    reference = TopUp.objects.get().reference
    line = bank_line("topup", "1275", remittance=f"own money {reference}", account="CLIENT-USD")
    example.w.put(example.w.bank, line)
    example.w.book()
    third = example.run()
    assert third.difference == 0
    assert not third.resources.filter(source__startswith="top-up").exists()


def test_nobody_but_two_people_say_what_holds_client_money(example: Desk) -> None:
    with refused("BO133"):
        execute(
            "INSERT INTO reconciliation_clientmoneyrule (regime, valid_from, rate_source, rate_days, counts, note)"
            " VALUES ('HOUSE', '2020-01-01', '', 7, '{\"ACCOUNT\": false}', ''); SET CONSTRAINTS ALL IMMEDIATE"
        )
    psp = LedgerAccount.objects.create(
        entity=example.w.client.entity, code="psp.x", currency_id="USD", name="x", kind="ASSET", exponent=2,
        opened_at=clock.now(),
    )  # fmt: skip
    with pytest.raises(Exception, match="no bank account"):
        example.agreed(SEGREGATED, AskSegregated(psp.pk, "x", DAY))


def test_the_day_must_be_over_and_a_rate_must_be_there(example: Desk) -> None:
    with pytest.raises(NotNow, match="not over"):
        client_money.run(actor=example.fred, entity_id=example.w.client.entity_id, day=LATER)
    with pytest.raises(Exception, match="There is no"):
        client_money.run(actor=example.fred, entity_id=example.w.client.entity_id, day=DAY + timedelta(days=-40))


def test_what_was_calculated_can_be_calculated_again(example: Desk) -> None:
    run = example.run()
    with clock.at(clock.now() + timedelta(hours=1)):
        wallet = wallets.open_wallet(actor=ROBOT, client_id=example.w.client.pk, currency="USD")
        wallets.move(
            actor=ROBOT, wallet=wallet, amount=Money(Decimal(5), "USD"), contra="clearing.client_money",
            key="late", description="late", day=DAY,
        )  # fmt: skip
        again = client_money.calculate(entity=run.entity, day=DAY, cutoff=run.cutoff_at, rule=run.rule)
        assert again.content_hash() == run.content_hash
        now = client_money.calculate(entity=run.entity, day=DAY, cutoff=clock.now(), rule=run.rule)
    assert now.requirement == run.requirement + 5
    assert Part.WALLET in {row.part for row in now.owed}
