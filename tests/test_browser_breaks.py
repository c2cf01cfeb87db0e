"""A break's life in the browser: found by a run, looked at, assigned, explained, resolved or written off by two."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from playwright.sync_api import expect

from ledger.models import Journal
from reconciliation.models import Break, Run
from reconciliation.services import runs
from tests.browser import cells, staff
from tests.builders import entity
from tests.worlds import World, bank_line, deal, deposit, fill, psp_line, world

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

REFERENCE = "D-7K3M9QPX"


def short_deposit() -> World:
    """A deposit of 1,000.00 of which the bank received 996.10."""
    w = world()
    w.put(w.server, deposit(7001, "1000.00", f"{REFERENCE} wire"))
    w.put(w.bank, bank_line("one", "996.10", remittance=f"{REFERENCE} thank you"))
    w.book()
    return w


def carry_out_what_waits() -> None:
    """The worker's part: there is none beside the tests."""
    for run in Run.objects.filter(state="QUEUED"):
        runs.carry_out(run_id=run.pk)


def start_run(who, kind: str) -> None:
    page = who.go("start-run")
    page.get_by_label("Reconciliation").select_option(kind)
    page.get_by_label("Business day").fill("2026-11-19")
    who.press("Start")
    expect(page.locator("progress")).to_be_visible()
    carry_out_what_waits()
    # The page asks by itself every second and shows the result when the run is done.
    expect(page.locator(".pill").first).to_have_text("done")


def test_a_break_is_found_assigned_explained_and_written_off_by_two_people(visit):
    short_deposit()
    here = entity("CY")
    fred, fiona = visit().sign_in(staff("fred", "FMK", here)), visit().sign_in(staff("fiona", "FAP", here))

    start_run(fred, "cash")
    page = fred.page
    page.get_by_role("row", name=re.compile(REFERENCE)).get_by_role("link").first.click()
    assert cells(page, "Amount") == ["≠ different", "Amount", "1,000.00 USD", "1,000.00 USD", "996.10 USD"]
    fred.sees("open", "PAY", "-3.90 USD")

    fred.press("Assign", "Assign")
    fred.press("Explain")
    page.get_by_label("Explanation").fill("The correspondent bank kept a fee.")
    fred.press("Explain")
    fred.sees("explained", "The correspondent bank kept a fee.", "Fred assigned Fred")

    fred.press("Ask to write off")
    page.get_by_label("Kind of reason").select_option("SMALL")
    page.get_by_label("Reason", exact=True).fill("Not worth a claim.")
    page.get_by_label("Files").set_input_files(
        [{"name": "advice.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7 advice of the bank"}]
    )
    fred.press("Ask for approval")
    fred.sees("waiting for approval", "another person has to decide", "pursuing it costs more", "advice.pdf")
    assert page.get_by_role("link", name="Approve").count() == 0
    assert cells(page, "expense.write_off")[-1] == "3.90 USD"
    assert not Journal.objects.filter(kind="WRITE_OFF").exists()

    fiona.go("requests").get_by_role("row", name=re.compile(REFERENCE)).get_by_role("link").first.click()
    fiona.sees("Fred asked: Not worth a claim.", "-3.90 USD", "written off")
    fiona.press("Approve", "Approve")
    fiona.sees("executed")

    fred.go("break", Break.objects.get().pk)
    fred.sees("written off")
    page.get_by_role("link", name=re.compile("journal")).last.click()
    assert cells(page, "expense.write_off")[3] == "3.90 USD"
    assert cells(page, "clearing.client_money")[4] == "3.90 USD"


def test_a_break_is_followed_down_to_the_message_and_resolved(visit):
    w = world()
    w.put(w.server, deal(9001, gateway="LP", external_id="X1"))
    w.put(w.lp, fill("e1", "X1", price=Decimal("1.09900")), fill("e2", "X2"))
    w.list_server(deal(9001, gateway="LP", external_id="X1"))
    w.book()
    dana = visit().sign_in(staff("dana", "DLR", entity("CY")))
    start_run(dana, "trades")
    page = dana.page

    dana.go("breaks")
    dana.sees("price", "fill without deal", "2 rows")
    page.get_by_role("row", name=re.compile("9001")).get_by_role("link").first.click()
    assert cells(page, "Price")[0] == "≠ different"
    assert cells(page, "Side")[0] == "= same"
    page.get_by_role("link", name="Fill e1").click()
    dana.sees("1.099")
    page.get_by_role("link", name="Raw message").click()
    expect(page.locator("pre").first).to_contain_text("1.09900")

    dana.go("break", Break.objects.get(klass="PRICE").pk)
    assert page.get_by_role("link", name="Ask to write off").count() == 0
    dana.press("Resolve")
    dana.press("Resolve")  # without a reason the browser does not send the form
    expect(page.get_by_label("Reason")).to_be_focused()
    page.get_by_label("Reason").fill("The provider has corrected it.")
    dana.press("Resolve")
    dana.sees("resolved", "The provider has corrected it.")
    dana.go("breaks")
    dana.sees("1 row")


def test_a_synonym_of_a_symbol_is_no_break_and_several_are_assigned_at_once(visit):
    w = world()
    w.put(w.server, *(deal(9000 + n, gateway="LP", external_id=f"X{n}", symbol="XAUUSD") for n in range(4)))
    w.put(w.lp, fill("e0", "X0", symbol="GOLD", quantity_units=Decimal(100)))
    w.list_server(*(deal(9000 + n, gateway="LP", external_id=f"X{n}", symbol="XAUUSD") for n in range(4)))
    w.book()
    here = entity("CY")
    dana = visit().sign_in(staff("dana", "DLR", here))
    start_run(dana, "trades")
    page = dana.page

    dana.go("breaks")
    dana.sees("3 rows")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.get_by_text("2 rows picked")).to_be_visible()
    dana.press("Assign", "Assign")
    dana.sees("2 breaks assigned.")
    page.get_by_label("Mine").check()
    expect(page.locator(".total")).to_have_text("2 rows")
    assert "mine=1" in page.url


def test_money_that_only_the_psp_has_says_which_side_is_empty(visit):
    w = world()
    w.put(w.psp, psp_line("p1", "250.00", reference=REFERENCE))
    w.book()
    pat = visit().sign_in(staff("pat", "PAY", entity("CY")))
    start_run(pat, "cash")

    pat.page.get_by_role("row", name=re.compile(REFERENCE)).get_by_role("link").first.click()
    assert cells(pat.page, "Amount") == [
        "", "Amount", "nothing on this side", "nothing on this side", "250.00 USD"
    ]  # fmt: skip
