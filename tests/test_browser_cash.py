"""Start of the day at finance, in the browser: two files in, the day's cash compared, the payout proved."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from backoffice.approvals.services import requests
from backoffice.kernel.actor import Person
from integrations.models import BankLine, PspLine
from reconciliation.actions.rules import CHANGE_RULE, ChangeRule
from reconciliation.models import Break, CashMatch, Rule
from reconciliation.tables import ages_of
from tests.browser import Visitor, cells, staff, upload
from tests.builders import entity, person
from tests.camt import balance, details, entry, message, money, statement, tag, transaction
from tests.test_browser_breaks import start_run
from tests.test_integrations_adyen import HEADER, NO_GROSS, payout, row
from tests.worlds import World, deposit, world

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

USD = {"Gross_Currency": "USD", "Net_Currency": "USD"}
NO_FEES = {name: "" for name in NO_GROSS if name != "Gross_Credit_GC"}
ODD, LOST = "D-AAAA0005", "D-AAAA0006"


def paid(number: int, gross: str, fee: str, net: str) -> str:
    parts = NO_FEES | {"Commission_NC": fee}
    names = {"Psp_Reference": f"P{number}", "Merchant_Reference": f"D-AAAA000{number}"}
    return row(**USD, **names, **parts, Gross_Credit_GC=gross, Net_Credit_NC=net)


def taken(kind: str, number: int, net: str, **more: str) -> str:
    cells = USD | NO_GROSS | {"Psp_Reference": f"P{number}", "Net_Credit_NC": "", "Type": kind}
    return row(**(cells | more), Net_Debit_NC=net)


def settlement_report() -> str:
    """Ten rows: 10,000.00 captured - 250.00 fees - 500.00 - 300.00 - 120.00 - 25.00 = 8,805.00 paid out."""
    rows = [
        *(paid(n, "2000.00", "50.00", "1950.00") for n in range(1, 5)),
        paid(5, "1500.00", "35.00", "1465.00"),
        paid(6, "500.00", "15.00", "485.00"),
        taken("Refunded", 7, "300.00", Gross_Debit_GC="300.00", Merchant_Reference="W-AAAA0007"),
        taken(
            "Chargeback", 1, "145.00", Gross_Debit_GC="120.00", Commission_NC="25.00", Merchant_Reference="D-AAAA0001"
        ),
        taken("ReserveAdjustment", 9, "500.00", Merchant_Reference="", Gross_Currency=""),
        payout("8805.00", "USD", text="TX12345XT batch 7; BrokerEU"),
    ]
    return "\n".join([HEADER, *rows]) + "\n"


def bank_statement() -> str:
    """The payout and two wires of clients."""
    said = (("8805.00", "TX12345XT batch 7"), ("70.00", "D-AAAA0008 wire"), ("80.00", "D-AAAA0009 wire"))
    entries = [
        entry(
            amount, "CRDT", details(transaction(amount, "USD", tag("RmtInf", tag("Ustrd", text)))),
            Amt=money(amount, "USD"), AcctSvcrRef=tag("AcctSvcrRef", f"REF{n}"),
        )
        for n, (amount, text) in enumerate(said)
    ]  # fmt: skip
    proof = balance("OPBD", "0.00", "USD"), balance("CLBD", "8955.00", "USD")
    return message(statement(*proof, *entries, currency="USD"))


def day_at_the_server() -> World:
    """What clients were credited: half a dollar more than the PSP captured of one, and one was forgotten."""
    w = world()
    sums = {**{f"D-AAAA000{n}": "2000.00" for n in range(1, 5)}, ODD: "1500.50", "W-AAAA0007": "-300.00"}
    sums |= {"D-AAAA0008": "70.00", "D-AAAA0009": "80.00"}
    w.put(w.server, *(deposit(7000 + n, amount, f"{ref} x") for n, (ref, amount) in enumerate(sums.items())))
    return w


def tolerate_half_a_dollar(fred: Person, fiona: Person) -> Rule:
    """The next version of the rule of cash, by two people."""
    newest = Rule.objects.filter(kind="cash").latest("version")
    text = json.dumps({**newest.parameters, "amount_tolerance": {"USD": "0.50"}})
    payload = ChangeRule(entity("CY").pk, "cash", text, "rounding of the PSP")
    asked = requests.submit(actor=fred, action=CHANGE_RULE, payload=payload, reason="agreed with the PSP")
    requests.approve(actor=fiona, request_id=asked.pk, seen_hash=asked.payload_hash)
    return Rule.objects.get(kind="cash", version=newest.version + 1)


def hand_in(fred: Visitor, source: str, path: Path, new: int, known: int) -> None:
    upload(fred, source, path)
    fred.press("Confirm", "Store it")
    fred.sees("stored", f"New facts {new}", f"Known already {known}")


def test_two_files_are_handed_in_compared_and_the_payout_is_proved(visit, tmp_path: Path):
    w, here = day_at_the_server(), entity("CY")
    fred_, fiona_ = staff("fred", "FMK", here), staff("fiona", "FAP", here)
    rule = tolerate_half_a_dollar(person(fred_), person(fiona_))
    fred = visit().sign_in(fred_)
    page = fred.page
    report, bank = tmp_path / "settlement_batch_7.csv", tmp_path / "statement.xml"
    report.write_text(settlement_report())
    bank.write_text(bank_statement())

    hand_in(fred, "adyen", report, 10, 0)
    hand_in(fred, "bank", bank, 3, 0)
    hand_in(fred, "adyen", report, 0, 10)
    hand_in(fred, "bank", bank, 0, 3)
    assert (PspLine.objects.count(), BankLine.objects.count()) == (10, 3)
    w.book()

    start_run(fred, "cash")
    # Eight to the cent, and one by the tolerance; a chargeback is a break by what it is.
    fred.sees(
        "Compared 10", "Matched 9", "Differences 2", f"1 matched with a difference inside the tolerance of {rule}"
    )
    fred.go("matches")
    fred.sees("9 rows")
    to_the_cent = CashMatch.objects.filter(difference=0)
    assert (to_the_cent.count(), set(to_the_cent.values_list("person", flat=True))) == (8, {None})
    assert "-0.50 USD" in cells(page, ODD)
    page.get_by_role("row", name=re.compile(ODD)).get_by_role("link").first.click()
    fred.sees("1,500.50 USD", f"-0.50 USD inside the tolerance of {rule}")

    lost = Break.objects.get(klass="MISSING_INTERNAL")
    assert list(Break.objects.exclude(pk=lost.pk).values_list("klass", flat=True)) == ["CHARGEBACK"]
    fred.go("breaks")
    shown = cells(page, LOST)
    assert {"missing internal", "500.00 USD", "PAY desk", f"{ages_of([lost])[0]} bd", "open"} <= set(shown), shown
    page.get_by_role("row", name=re.compile(LOST)).get_by_role("link").first.click()
    fred.sees(LOST, "PAY", "nothing on this side", "500.00 USD")

    fred.go("settlements")
    page.get_by_role("row", name=re.compile("batch 7")).get_by_role("link").first.click()
    fred.sees("proves", "Captured 10,000.00 USD", "Fees 250.00 USD", "Reserves 500.00 USD", "Refunds 300.00 USD")
    fred.sees("Chargebacks 120.00 USD", "Chargeback fees 25.00 USD", "Bank receipt by the lines 8,805.00 USD")
    fred.sees("Paid out by the PSP 8,805.00 USD", "Bank receipt 8,805.00 USD", "Difference 0.00 USD")
    page.get_by_role("link", name="to read, and as PDF, XLSX and CSV").click()
    expect(page.locator("main")).to_contain_text("Settlement formula")
    with page.expect_download() as download:
        page.get_by_role("link", name="PDF").click()
    assert Path(download.value.path()).read_bytes().startswith(b"%PDF")
