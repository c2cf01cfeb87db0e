"""A payout in one file and its lines in another: whichever comes second is held when the two do not agree."""

from __future__ import annotations

import io

import pytest

from integrations.models import Connection, FileImport, ImportState, PspLine
from integrations.services import imports
from tests import psp_files as files
from tests.attacks import findings
from tests.builders import ROBOT
from tests.worlds import connection

pytestmark = pytest.mark.django_db
TOTAL = "payout PO1, EUR: lines less what was paid out"


@pytest.fixture
def psp() -> Connection:
    return connection("checkout", "checkout")


def hand_in(source: Connection, text: str, name: str = "f.csv") -> FileImport:
    stream = io.BytesIO(text.encode())
    received = imports.receive(actor=ROBOT, connection_id=source.pk, stream=stream, filename=name)
    return imports.examine(actor=ROBOT, import_id=received.pk)


def bring(source: Connection, text: str) -> FileImport:
    return imports.import_file(actor=ROBOT, connection_id=source.pk, stream=io.BytesIO(text.encode()), filename="f.csv")


def total(found: FileImport, name: str = TOTAL) -> tuple[str, str] | None:
    return next(((t["expected"], t["found"]) for t in found.control_totals if t["name"] == name), None)


@pytest.mark.parametrize("lines_first", [True, False])
@pytest.mark.parametrize(("paid", "state", "found"), [("291", "STORED", "0.00"), ("290.99", "HELD", "0.01")])
def test_the_second_file_is_stored_or_held(
    psp: Connection, lines_first: bool, paid: str, state: str, found: str
) -> None:
    pair = (files.checkout_file(), files.checkout_payouts(paid))
    first, second = [bring(psp, one) for one in (pair if lines_first else reversed(pair))]
    assert (first.state, total(first)) == ("STORED", None)
    assert (second.state, total(second)) == (state, ("0.00", found))
    known = PspLine.objects.count()
    assert known == (4 if state == "STORED" else (3 if lines_first else 1))
    assert findings() == set()


def test_another_payout_proves_nothing_about_this_one(psp: Connection) -> None:
    bring(psp, files.checkout_file())
    other = bring(psp, files.checkout_payouts("5", payout="PO2"))
    assert (other.state, len(other.control_totals)) == ("STORED", 1)


def test_the_same_file_again_counts_once(psp: Connection) -> None:
    bring(psp, files.checkout_file())
    bring(psp, files.checkout_payouts())
    again = bring(psp, files.checkout_file())
    assert (again.state, again.new, again.duplicate, total(again)) == ("STORED", 0, 3, ("0.00", "0.00"))


def test_a_line_that_changes_is_held_against_the_payout(psp: Connection) -> None:
    bring(psp, files.checkout_file())
    bring(psp, files.checkout_payouts())
    given = {"Gross_In_Holding_Currency": "90", "Net_In_Holding_Currency": "87"}
    changed = bring(psp, files.checkout_file(**given))
    assert (changed.state, total(changed)) == ("HELD", ("0.00", "-10.00"))


def test_two_files_that_wait_for_confirmation_do_not_slip_past_each_other(psp: Connection) -> None:
    """Neither was stored when the other was looked at: the one that is confirmed second is held then."""
    first, second = hand_in(psp, files.checkout_file()), hand_in(psp, files.checkout_payouts("290.99"))
    assert [first.state, second.state] == [ImportState.PREVIEW, ImportState.PREVIEW]
    assert imports.confirm(actor=ROBOT, import_id=first.pk).state == ImportState.STORED
    held = imports.confirm(actor=ROBOT, import_id=second.pk)
    assert (held.state, held.balanced, total(held)) == (ImportState.HELD, False, ("0.00", "0.01"))
    held.refresh_from_db()
    assert held.state == ImportState.HELD
    assert PspLine.objects.count() == 3
    accepted = imports.accept_held(actor=ROBOT, import_id=held.pk, reason="the PSP rounds")
    assert accepted == {"new": 1, "duplicate": 0}


def test_another_connection_is_another_balance(psp: Connection) -> None:
    bring(psp, files.checkout_file())
    other = bring(connection("checkout", "checkout-2"), files.checkout_payouts("1"))
    assert (other.state, total(other)) == ("STORED", None)


def test_a_payout_whose_charges_came_a_month_before() -> None:
    """Stripe's exports are cut by day: the file with the payout alone would not add up, with what is stored it does."""
    source = connection("stripe", "stripe")
    rows = [files.STRIPE_HEADER, *(files.stripe_row(n) for n in range(3))]
    may = bring(source, "\n".join(rows[:3]) + "\n")
    assert (may.state, may.new) == ("STORED", 2)
    name = "payout po_1, EUR: lines less what was paid out"
    june = bring(source, "\n".join([rows[0], rows[3], files.stripe_payout("-291.00")]) + "\n")
    assert (june.state, total(june, name)) == ("STORED", ("0.00", "0.00"))


def test_without_the_earlier_file_the_payout_is_held() -> None:
    source = connection("stripe", "stripe")
    body = "\n".join([files.STRIPE_HEADER, files.stripe_row(1), files.stripe_payout("-291.00")]) + "\n"
    assert bring(source, body).state == "HELD"
