"""Bank lines that are payouts of PSPs: what proves it, what does not, and what follows in books and ladder."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction

from accounts.models import PayoutProof, PayoutReceipt
from accounts.selectors import verify
from accounts.services.booking.plan import plan_bank
from integrations import registry
from integrations.models import BankLine, PspLine
from integrations.records import PAYOUT_TOKEN, PAYOUT_TOKEN_SQL, PspKind
from payments.selectors import receipts
from payments.services.deposits import is_unallocated
from reconciliation.models import Break, CashAllocation, Kind
from tests.files import parse_sample
from tests.test_reconciliation_classes import run
from tests.worlds import DAY, World, bank_line, psp_line, world
from tests.worlds import connection as source

pytestmark = pytest.mark.django_db
D = Decimal
CKO = "00000003K599"


def payout(key: str = "out", amount: str = "79.50", **changes):
    values = {"kind": PspKind.PAYOUT, "bank_reference": CKO, "payout_key": CKO, "psp_reference": "", **changes}
    return psp_line(key, f"-{amount}", **values)


def sent_by(w: World, **given: str) -> None:
    w.psp.settings = {**w.psp.settings, **given}
    w.psp.save()


def where(key: str) -> str:
    """The house account on which a bank line waits for its other side."""
    line = BankLine.objects.filter(line_key=key).latest("version")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a.code FROM ledger_journal j"
            "  JOIN ledger_line l ON l.journal_id = j.id AND l.entity_id = j.entity_id"
            "  JOIN ledger_ledgeraccount a ON a.id = l.account_id"
            " WHERE j.entity_id = %s AND j.reference = %s AND a.code NOT LIKE 'bank.%%' ORDER BY j.id DESC LIMIT 1",
            [line.entity_id, f"bank:{line.pk}"],
        )
        return str(cursor.fetchone()[0])


def proofs() -> list[tuple[str, str]]:
    return list(PayoutReceipt.objects.order_by("id").values_list("token", "proof"))


def test_a_line_that_carries_the_reference_of_a_payout_is_that_payout():
    w = world()
    w.put(w.psp, payout())
    w.put(w.bank, bank_line("b1", "79.50", remittance=f"CHECKOUT LTD PAYOUT {CKO} 0702"))
    w.book()

    assert where("b1") == "clearing.payouts"
    assert proofs() == [(CKO, PayoutProof.REFERENCE)]
    assert not is_unallocated(BankLine.objects.get()) and not receipts.unallocated().exists()


def test_the_cash_run_holds_payout_and_line_together_and_names_no_break():
    w = world()
    w.put(w.psp, psp_line("pay", "79.50", reference="D-AAAAAAA1"), payout())
    w.put(w.bank, bank_line("b1", "79.50", remittance=f"payout {CKO}"))
    w.book()
    run(w, Kind.CASH)

    found = set(CashAllocation.objects.filter(match__rung="GROUP").values_list("fact_kind", "amount"))
    assert found == {("psp", D("79.50")), ("bank", D("79.50"))}
    assert not Break.objects.filter(klass__in=["UNIDENTIFIED", "PAYOUT_MISSING", "PAYOUT_UNKNOWN"]).exists()


@pytest.mark.parametrize(
    ("line", "paid"),
    [
        (bank_line("b1", "79.49", remittance=f"payout {CKO}"), payout()),
        (bank_line("b1", "79.50", remittance=f"payout {CKO}"), payout(currency="EUR")),
        (bank_line("b1", "79.50", remittance=f"payout X{CKO}"), payout()),
        (bank_line("b1", "79.50", remittance=f"payout {CKO}9"), payout()),
        (bank_line("b1", "79.50", remittance="payout 1234567"), payout(bank_reference="1234567", payout_key="")),
        (bank_line("b1", "79.50", remittance="STRIPE PAYOUT", counterparty="STRIPE"), payout()),
        (bank_line("b1", "-79.50", remittance=f"payout {CKO}"), payout()),
        (bank_line("b1", "79.50", remittance=f"payout {CKO}"), payout(kind=PspKind.PAYMENT)),
    ],
    ids=["amount", "currency", "longer before", "longer behind", "short", "a name nobody set", "debit", "no payout"],
)
def test_what_only_looks_like_one_stays_unallocated(line, paid):
    w = world()
    w.put(w.psp, paid)
    w.put(w.bank, line)
    w.book()

    assert (where("b1"), proofs()) == ("clearing.unallocated", [])


def test_our_own_reference_says_more():
    w = world()
    w.put(w.psp, payout())
    w.put(w.bank, bank_line("b1", "79.50", remittance=f"D-AAAAAAA1 {CKO}"))
    w.book()

    assert (where("b1"), proofs()) == ("clearing.client_money", [])


@pytest.mark.parametrize(
    ("given", "sender", "proved"),
    [
        ({"payout_names": "Stripe Payments Europe; Other"}, {"counterparty": "STRIPE  PAYMENTS europe"}, True),
        ({"payout_names": "Stripe Payments Europe"}, {"counterparty": "Stripe Payments Europe Client"}, False),
        ({"payout_names": "Stripe Payments Europe"}, {"counterparty": ""}, False),
        ({"payout_names": " ; "}, {"counterparty": ""}, False),
        ({"payout_accounts": "IE29 AIBK 9311 5212 3456 78"}, {"counterparty_account": "ie29aibk93115212345678"}, True),
        ({"payout_accounts": "IE29AIBK93115212345678"}, {"counterparty_account": "IE29AIBK93115212345679"}, False),
        (
            {"payout_accounts": "IE29AIBK93115212345678", "payout_names": "Stripe"},
            {"counterparty": "Stripe", "counterparty_account": "CY17002001280000001200527601"},
            False,
        ),
    ],
    ids=["name", "longer name", "no name", "no name set", "account", "other account", "right name, wrong account"],
)
def test_the_sender_proves_a_payout_where_the_connection_names_it(given, sender, proved):
    w = world()
    sent_by(w, **given)
    w.put(w.psp, payout())
    w.put(w.bank, bank_line("b1", "79.50", remittance="settlement of the week", **sender))
    w.book()

    assert where("b1") == ("clearing.payouts" if proved else "clearing.unallocated")
    assert proofs() == ([(CKO, PayoutProof.SENDER)] if proved else [])


@pytest.mark.parametrize(("days", "proved"), [(-2, False), (-1, True), (0, True), (10, True), (11, False)])
def test_a_sender_counts_within_the_window(days, proved):
    w = world()
    sent_by(w, payout_names="Stripe")
    w.put(w.psp, payout())
    w.put(w.bank, bank_line("b1", "79.50", counterparty="Stripe", booking_date=DAY + timedelta(days=days)))
    w.book()

    assert len(proofs()) == proved


def test_two_payouts_that_fit_prove_nothing():
    w = world()
    sent_by(w, payout_names="Stripe")
    w.put(w.psp, payout("one"), payout("two", bank_reference="00000003K600", payout_key=""))
    w.put(w.bank, bank_line("b1", "79.50", counterparty="Stripe"))
    w.book()

    assert (where("b1"), proofs()) == ("clearing.unallocated", [])


def test_two_lines_for_one_payout_prove_nothing():
    w = world()
    w.put(w.psp, payout())
    w.put(w.bank, *(bank_line(key, "79.50", remittance=f"payout {CKO}") for key in ("b1", "b2")))
    w.book()

    assert ({where("b1"), where("b2")}, proofs()) == ({"clearing.unallocated"}, [])


def test_a_payout_that_has_its_line_takes_no_other():
    w = world()
    sent_by(w, payout_names="Stripe")
    w.put(w.psp, payout(), payout("adyen", "500.00", bank_reference="TX12345XT batch 7", payout_key="batch 7"))
    w.put(
        w.bank,
        bank_line("b1", "79.50", remittance=f"payout {CKO}"),
        bank_line("a1", "500.00", remittance="TX12345XT batch 7"),
    )
    w.book()
    w.put(
        w.bank,
        bank_line("b2", "79.50", remittance=f"payout {CKO}"),
        bank_line("b3", "79.50", counterparty="Stripe"),
        bank_line("a2", "500.00", counterparty="Stripe"),
    )
    w.book()

    assert {key: where(key) for key in ("b1", "a1", "b2", "b3", "a2")} == {
        "b1": "clearing.payouts",
        "a1": "clearing.payouts",
        "b2": "clearing.unallocated",
        "b3": "clearing.unallocated",
        "a2": "clearing.unallocated",
    }


def test_a_payout_of_another_entity_proves_nothing():
    w = world()
    w.put(source("adyen_settlement", "psp of another", "UK"), payout())
    w.put(w.bank, bank_line("b1", "79.50", remittance=f"payout {CKO}"))
    w.book()

    assert (where("b1"), proofs()) == ("clearing.unallocated", [])


def test_a_line_that_was_changed_at_the_bank_is_proved_anew():
    w = world()
    w.put(w.psp, payout())
    w.put(w.bank, bank_line("b1", "79.50", remittance=f"payout {CKO}"))
    w.book()
    w.put(w.bank, bank_line("b1", "79.50", remittance=f"payout {CKO}, corrected"))
    w.book()

    assert BankLine.objects.count() == 2 and len(proofs()) == 2
    assert where("b1") == "clearing.payouts"


def test_an_unclear_line_is_no_booking_but_a_hint_for_the_person_who_looks():
    w = world()
    w.put(w.psp, payout())
    w.put(w.bank, bank_line("b1", "79.50", remittance="MISC CREDIT", counterparty="NOBODY WE KNOW"))
    w.book()
    run(w, Kind.CASH)

    assert where("b1") == "clearing.unallocated"
    assert f"as much as payout {CKO}" in Break.objects.get(klass="UNIDENTIFIED").summary


def test_booked_twice_is_proved_once():
    w = world()
    w.put(w.psp, payout())
    w.put(w.bank, bank_line("b1", "79.50", remittance=f"payout {CKO}"))
    for _ in range(3):
        w.book()

    assert len(proofs()) == 1


def test_what_is_written_down_and_does_not_hold_is_found():
    w = world()
    w.put(w.psp, payout(), payout("other", "10.00", bank_reference="00000003K600"))
    w.put(w.bank, bank_line("b1", "79.50", remittance=f"payout {CKO}"))
    w.book()
    assert [f for f in verify.findings() if "payout" in f.rule] == []
    receipt = PayoutReceipt.objects.get()
    other = PspLine.objects.get(line_key="other")
    PayoutReceipt.objects.create(
        entity=receipt.entity, bank_line_id=receipt.bank_line_id + 1, psp_line_id=other.pk, token="x", currency="USD",
        proof=PayoutProof.SENDER, at=receipt.at,
    )  # fmt: skip

    assert [f.subject for f in verify.findings() if "payout" in f.rule] == [f"bank line {receipt.bank_line_id + 1}"]


def test_what_was_proved_is_for_ever():
    w = world()
    w.put(w.psp, payout())
    w.put(w.bank, bank_line("b1", "79.50", remittance=f"payout {CKO}"))
    w.book()

    for statement in ("DELETE FROM accounts_payoutreceipt", "UPDATE accounts_payoutreceipt SET token = 'x'"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


@pytest.mark.parametrize(
    ("said", "token"),
    [
        ("TX635094301XT batch 380, MERCHANT", "TX635094301XT"),
        ("STRIPE po_1NzrXyLkdIwHu7ixAbCdEfGh PAYOUT", "po_1NzrXyLkdIwHu7ixAbCdEfGh"),
        ("xTX635094301XT", ""),
        ("TX12XT", ""),
        ("po_short", ""),
        ("depo_1NzrXyLkdIwHu7ixAbCdEfGh", ""),
    ],
)
def test_the_form_of_a_token_is_one_in_python_and_in_the_database(said, token):
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(substring(%s FROM %s), '')", [said, PAYOUT_TOKEN_SQL])
        in_database = cursor.fetchone()[0]
    found = PAYOUT_TOKEN.search(said)
    planned = plan_bank(amount=D(1), remittance=said, end_to_end_id="", counterparty="", is_charge=False)

    assert (found[0] if found else "", in_database) == (token, token)
    assert ("clearing.payouts" in planned.lines) is bool(token)


def test_who_pays_out_can_be_set_where_a_psp_pays_out_to_a_bank():
    for name in ("adyen_settlement", "stripe", "paypal_stl", "checkout"):
        assert {"payout_names", "payout_accounts"} <= {setting.name for setting in registry.settings_of(name)}, name
    assert not [s for s in registry.settings_of("camt053") if s.name.startswith("payout")]


@pytest.mark.parametrize(
    ("adapter", "files"),
    [
        ("checkout", ["checkoutcom_payouts.csv", "checkoutcom_settlement_breakdown.csv"]),
        ("adyen_settlement", ["adyen_settlement_detail_report_batch_380.csv"]),
    ],
)
def test_the_payouts_of_real_reports_are_found_in_remittances(adapter, files):
    """The reference each report gives a payout is long enough, and proves the bank's line that carries it."""
    w = world()
    reader = registry.READERS[adapter]
    read = [line for name in files for line in parse_sample(reader, f"psp/{name}").records]
    usd = [r for r in read if r.kind is PspKind.PAYOUT and r.currency in ("USD", "EUR") and r.net < 0]
    assert usd
    w.put(source(adapter, f"real {adapter}"), *usd)
    for n, line in enumerate(usd):
        reference = line.bank_reference or line.payout_key
        day = PspLine.objects.get(line_key=line.line_key).business_date
        w.put(
            w.bank,
            bank_line(f"b{n}", str(-line.net), currency=line.currency, booking_date=day + timedelta(days=1),
                      value_date=date(2026, 1, 1), remittance=f"PAYOUT {reference} OF THE DAY"),
        )  # fmt: skip
    w.book()

    assert {where(f"b{n}") for n in range(len(usd))} == {"clearing.payouts"}
