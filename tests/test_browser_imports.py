"""Start of the day at finance, in the browser: files are handed in, looked at, confirmed, held or partly rejected."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from integrations.models import BankLine, PspLine
from reconciliation.models import Break, Kind
from reconciliation.services import runs
from tests.browser import cells, staff, upload
from tests.builders import ROBOT, entity
from tests.camt import balanced, entry, message
from tests.test_integrations_adyen import HEADER, payout, row
from tests.test_integrations_lp import FIRST as EXECUTION
from tests.test_integrations_lp import HEADER as FILLS
from tests.worlds import DAY, deposit, world

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

USD = {"Gross_Currency": "USD", "Net_Currency": "USD"}


def test_a_settlement_report_is_looked_at_confirmed_and_compared(visit, tmp_path: Path):
    w = world()
    w.put(w.server, *(deposit(7000 + n, "100.00", f"D-AAAA000{n} card") for n in range(1, 4)))
    payments = [row(Psp_Reference=f"P{n}", Merchant_Reference=f"D-AAAA000{n}", **USD) for n in range(1, 5)]
    report = tmp_path / "settlement_batch_7.csv"
    report.write_text("\n".join([HEADER, *payments, payout("392.00", "USD")]) + "\n")
    fred = visit().sign_in(staff("fred", "FMK", entity("CY")))

    upload(fred, "adyen", report)
    fred.sees("waiting to be confirmed", "This is a preview", "Rows 5", "Rejected 0")
    fred.sees("First rows", "D-AAAA0004", "MerchantPayout")
    assert fred.page.get_by_text("does not hold").count() == 0
    assert fred.page.get_by_text("holds", exact=True).count() > 0
    assert PspLine.objects.count() == 0

    fred.press("Confirm", "Store it")
    fred.sees("stored", "New facts 5")
    upload(fred, "adyen", report)
    fred.press("Confirm", "Store it")
    fred.sees("New facts 0", "Known already 5")
    assert PspLine.objects.count() == 5

    w.book()
    runs.run_now(actor=ROBOT, entity_id=w.server.entity_id, kind=Kind.CASH, day=DAY)
    assert [item.klass for item in Break.objects.all()] == ["MISSING_INTERNAL"]
    fred.go("breaks")
    fred.sees("1 row", "missing internal", "D-AAAA0004", "100.00 USD", "PAY desk")


def test_a_file_that_does_not_prove_itself_is_held(visit, tmp_path: Path):
    w = world()
    statement = tmp_path / "statement.xml"
    statement.write_text(message(balanced("0", "7.50", entry("5.00"))))
    here = entity("CY")
    fred, fiona = visit().sign_in(staff("fred", "FMK", here)), visit().sign_in(staff("fiona", "FAP", here))

    upload(fred, "bank", statement)
    fred.sees("held: does not prove itself", "Nothing of it is stored until another person agrees")
    assert fred.page.get_by_role("link", name="Confirm").count() == 0
    assert "does not hold" in cells(fred.page, "opening plus entries is closing")[-1]

    fred.press("Ask to accept it")
    fred.page.get_by_label("Kind of reason").select_option("CONFIRMED")
    fred.page.get_by_label("Reason", exact=True).fill("The bank confirmed the closing balance by telephone.")
    fred.press("Ask for approval")
    assert BankLine.objects.count() == 0
    fiona.go("requests").get_by_role("row", name="statement.xml").get_by_role("link").first.click()
    fiona.press("Approve", "Approve")
    fiona.sees("executed")
    assert BankLine.objects.get(connection=w.bank).amount == 5


def test_rejected_rows_are_shown_with_their_line_and_taken_away_as_a_file(visit, tmp_path: Path):
    w = world()
    w.lp.settings = {"profile": json.dumps({"trailer": None})}
    w.lp.save()
    executions = tmp_path / "executions.csv"
    executions.write_text(
        "\n".join([FILLS, EXECUTION, EXECUTION.replace("E1", "E2").replace("100000", "a lot")]) + "\n"
    )
    fred = visit().sign_in(staff("fred", "FMK", entity("CY")))

    upload(fred, "lp", executions)
    fred.sees("Rejected 1", "a lot")
    fred.press("Confirm", "Store it")
    fred.sees("stored", "New facts 1")
    fred.press("Rejected rows")
    fred.sees("1 row", "a lot")
    with fred.page.expect_download() as download:
        fred.page.get_by_role("link", name="CSV").click()
    with Path(download.value.path()).open(encoding="utf-8-sig", newline="") as file:
        (rejected,) = csv.DictReader(file)
    assert rejected["Line"] == "3"
    assert "a lot" in rejected["As it came"]


def test_what_is_no_statement_is_refused_in_a_sentence(visit, tmp_path: Path):
    world()
    other = tmp_path / "holiday.xml"
    other.write_bytes(b"\x89PNG\r\n\x1a\n")
    fred = visit().sign_in(staff("fred", "FMK", entity("CY")))

    upload(fred, "bank", other)

    fred.sees("This file was refused:")
    expect(fred.page.get_by_role("link", name="Confirm")).to_have_count(0)
