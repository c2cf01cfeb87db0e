"""The settlement of a payout: the formula on its page, in the list's file and in its report."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest
from django.urls import reverse

from backoffice.audit.models import Entry
from integrations.models import PspLine
from integrations.records import PspKind
from reconciliation.models import Kind
from reconciliation.selectors.settlement import settlements_of
from tests import builders
from tests.test_reconciliation_classes import run
from tests.worlds import bank_line, psp_line, world

pytestmark = pytest.mark.django_db


def settled(w) -> None:
    """The settlement of the domain's own example: 8,805.00 reach the bank."""
    batch = {"payout_key": "batch 7 USD"}
    w.put(
        w.psp,
        psp_line("pay", "10000.00", fee="250.00", reference="D-AAAAAAA1", **batch),
        psp_line("hold", "-500.00", kind=PspKind.RESERVE, **batch),
        psp_line("refund", "-300.00", kind=PspKind.REFUND, reference="W-AAAAAAA2", **batch),
        psp_line("back", "-120.00", fee="25.00", kind=PspKind.CHARGEBACK, reference="D-AAAAAAA1", **batch),
        psp_line("out", "-8805.00", kind=PspKind.PAYOUT, bank_reference="TX12345XT", **batch),
    )
    w.put(w.bank, bank_line("b1", "8805.00", remittance="TX12345XT batch 7"))
    w.book()
    run(w, Kind.CASH)


def test_the_settlement_formula_gives_the_bank_receipt_on_the_page_and_in_the_file(client):
    settled(world())
    names = ("integrations.view_pspline", "reconciliation.view_break", "organisation.export_rows")
    client.force_login(builders.user("fred", *names, entities=(builders.entity("CY"),)))
    payout = PspLine.objects.get(kind="PAYOUT")
    page = client.get(reverse("settlement", args=[payout.pk])).content.decode()
    amounts = ["10,000.00", "250.00", "500.00", "300.00", "120.00", "25.00", "8,805.00"]
    places = [page.index(amount, page.index("Captured")) for amount in amounts]
    assert places == sorted(places) and "proves" in page
    answer = client.get(reverse("settlements") + "?export=csv")
    head, row = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()[:2]
    assert "Bank receipt" in head and row.count("8805.00") == 3
    for amount in ("10000.00", "250.00", "500.00", "300.00", "120.00", "25.00"):
        assert amount in row


def test_the_settlement_of_one_payout_is_handed_out_as_a_report_and_that_is_noted(client):
    settled(world())
    here = (builders.entity("CY"),)
    names = ("integrations.view_pspline", "organisation.export_rows")
    client.force_login(builders.user("fred", *names, entities=here))
    payout = PspLine.objects.get(kind="PAYOUT")
    place = reverse("settlement-report", args=[payout.pk])
    assert place in client.get(reverse("settlement", args=[payout.pk])).content.decode()
    page = client.get(place).content.decode()
    assert "?file=pdf" in page and page.index("10,000.00") < page.index("8,805.00", page.index("Captured"))
    text = client.get(place, {"file": "csv"}).content.decode("utf-8-sig")
    rows = ["|".join(row) for row in csv.reader(io.StringIO(text))]
    for wanted in ("|Captured|10000.00|USD", "=|Bank receipt by the lines|8805.00|USD", "Bank receipt|8805.00|USD"):
        assert any(wanted in row for row in rows), (wanted, rows)
    assert any(row.startswith("chargeback|") and "|-120.00|USD|25.00|USD|-145.00|USD" in row for row in rows), rows
    assert any("CY17002001280000001200527600" in row and "8805.00" in row for row in rows), rows
    assert client.get(place, {"file": "pdf"}).content.startswith(b"%PDF")
    assert client.get(place, {"file": "xlsx"}).content.startswith(b"PK")
    assert client.get(place, {"file": "exe"}).status_code == 404
    taken = Entry.objects.filter(action="report.downloaded", target=f"integrations.pspline:{payout.pk}").order_by("pk")
    assert [row.data["file"].rpartition(".")[2] for row in taken] == ["csv", "pdf", "xlsx"]
    client.force_login(builders.user("rita", names[0], entities=here))
    assert "?file=" not in client.get(place).content.decode()
    assert client.get(place, {"file": "csv"}).status_code == 403 and taken.count() == 3


def test_a_settlement_whose_lines_do_not_add_up_says_so():
    w = world()
    settled(w)
    w.put(w.psp, psp_line("late", "-1.00", kind=PspKind.ADJUSTMENT, payout_key="batch 7 USD"))
    (found_,) = settlements_of(PspLine.objects.filter(kind="PAYOUT")).values()
    assert (found_.expected, found_.paid, found_.received) == (Decimal(8804), Decimal(8805), Decimal(8805))
    assert not found_.proves
