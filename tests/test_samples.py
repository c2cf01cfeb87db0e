"""Real files from outside through the real command: every figure their publishers' files hold, to the cent, in the
facts and in the books; a second import of each adds nothing."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db.models import Sum

from accounts.models import TradingAccount, Unbooked
from accounts.services import booking, clients
from accounts.services.clients import Login
from backoffice.kernel import clock
from backoffice.organisation.models import Currency
from integrations.models import BankLine, Connection, Deal, FileImport, ImportState, Instrument, PspLine, SymbolMapping
from integrations.records import PspKind
from ledger.models import Journal, LedgerAccount
from ledger.selectors.balances import balances
from ledger.services import chart
from tests import commands
from tests.attacks import execute, findings
from tests.builders import ROBOT
from tests.commands import Answer
from tests.files import sample
from tests.worlds import connection, world

pytestmark = pytest.mark.django_db
FACTS = ("integrations_deal", "integrations_pspline", "integrations_bankline", "ledger_journal", "ledger_line")


def bring(source: Connection, name: str) -> Answer:
    """Import a sample twice; the second time adds nothing to facts or books. The answer is the first one's."""
    path = str(sample(name))
    first = commands.here("import_file", "--source", source.name, path)
    book(source)
    before = rows()
    second = commands.here("import_file", "--source", source.name, path)
    book(source)
    assert rows() == before
    assert (second.code, second["state"]) == (first.code, first["state"])
    if first["state"] == "stored":
        assert commands.only(second.value, "new", "changed", "duplicate") == (0, 0, first["new"])
    assert findings() == set()
    return first


def book(source: Connection) -> None:
    booking.book_connection(actor=ROBOT, connection_id=source.pk)


def rows() -> list[int]:
    return [execute(f"SELECT count(*) FROM {table}")[0][0] for table in FACTS]


def balance(code: str, currency: str) -> Decimal:
    """A ledger account's balance, debit positive."""
    account = LedgerAccount.objects.get(code=code, currency_id=currency)
    return balances([account.pk])[account.pk]


def totals(answer: Answer) -> dict[str, tuple[str, str]]:
    return {total["name"]: (total["expected"], total["found"]) for total in answer["control_totals"]}


def nets(lines: object) -> Mapping[str, Decimal]:
    return dict(lines.order_by("currency").values_list("currency").annotate(Sum("net")))  # type: ignore[attr-defined]


# Adyen


@pytest.fixture
def psp() -> Connection:
    source = connection("adyen_settlement", "adyen")
    for code in ("USD", "CAD"):
        chart.open_house(actor=ROBOT, entity_id=source.entity_id, currency=code)
    return source


def test_adyen_batch_380(psp: Connection) -> None:
    answer = bring(psp, "psp/adyen_settlement_detail_report_batch_380.csv")
    assert (answer.code, answer["rows"], answer["new"], answer["rejected"]) == (0, 228, 228, [])
    assert answer["balanced"] is True
    assert totals(answer)["batch 380, USD: credits minus debits"] == ("0.00", "0.00")
    lines = PspLine.objects.filter(connection=psp)
    kinds = {kind: lines.filter(kind=kind) for kind in PspKind}
    assert (kinds[PspKind.PAYMENT].count(), kinds[PspKind.REFUND].count()) == (220, 6)
    assert nets(lines) == {"USD": Decimal("0.00")}
    assert kinds[PspKind.PAYOUT].get().net == Decimal("-55308.07")
    assert kinds[PspKind.FEE].get().net == Decimal("-38.10")
    assert lines.aggregate(Sum("fee"))["fee__sum"] == Decimal("389.63")
    # The same in the books: nothing left at the PSP, the payout on its way, both kinds of fees.
    assert balance("psp.adyen", "USD") == 0
    assert balance("clearing.payouts", "USD") == Decimal("55308.07")
    assert balance("expense.psp_fees", "USD") == Decimal("38.10") + Decimal("389.63")
    assert balance("clearing.client_money", "USD") == -Decimal("55308.07") - Decimal("427.73")


def test_adyen_batch_1128_per_currency(psp: Connection) -> None:
    answer = bring(psp, "psp/adyen_settlement_detail_report_batch_1128_two_currencies.csv")
    assert (answer.code, answer["rows"], answer["new"], answer["balanced"]) == (0, 15, 15, True)
    assert totals(answer) == {
        "batch 1128, USD: credits minus debits": ("0.00", "0.00"),
        "batch 1128, CAD: credits minus debits": ("0.00", "0.00"),
        "batch 1128, USD: payout TX53913667600XT stated once": ("1", "1"),
        "batch 1128, CAD: payout TX53913667600XT stated once": ("1", "1"),
    }
    assert nets(PspLine.objects.filter(connection=psp)) == {"CAD": Decimal(0), "USD": Decimal(0)}
    assert (balance("psp.adyen", "USD"), balance("psp.adyen", "CAD")) == (0, 0)
    paid = (balance("clearing.payouts", "USD"), balance("clearing.payouts", "CAD"))
    assert paid == (Decimal("59.75"), Decimal("9.54"))


def test_adyen_batch_238_has_no_payout(psp: Connection) -> None:
    answer = bring(psp, "psp/adyen_settlement_detail_report_batch_238.csv")
    assert (answer["rows"], answer["new"], answer["balanced"]) == (3, 3, True)
    assert not PspLine.objects.filter(kind=PspKind.PAYOUT).exists()


@pytest.mark.parametrize(
    ("name", "state"),
    [
        # The publisher's own test file debits a payout although the batch owes money.
        ("adyen_settlement_detail_report_chargeback.csv", "held"),
        ("adyen_payments_accounting_report.csv", "refused"),
    ],
)
def test_adyen_files_that_do_not_prove_themselves(psp: Connection, name: str, state: str) -> None:
    answer = bring(psp, f"psp/{name}")
    assert (answer.code, answer["state"], answer["new"]) == (1, state, 0)
    assert not PspLine.objects.exists()


# Other PSPs


def currency(*codes: str) -> None:
    """Currencies that the publishers made up, so that their files can be booked too."""
    for code in codes:
        Currency.objects.get_or_create(code=code, defaults={"name": code, "exponent": 2})


def psp_source(adapter: str, *codes: str) -> Connection:
    currency(*codes)
    source = connection(adapter, adapter)
    for code in codes:
        chart.open_house(actor=ROBOT, entity_id=source.entity_id, currency=code)
    return source


def test_stripe_rolling_reserve() -> None:
    """Holds and releases of a live account: the asset is what is held on each day, and nothing after the last."""
    source = psp_source("stripe", "TES")
    with clock.at(datetime(2023, 10, 12, 12, tzinfo=UTC)):
        answer = bring(source, "psp/stripe_balance_rolling_reserve_20231010.csv")
        assert (answer.code, answer["state"], answer["rows"], answer["new"]) == (0, "stored", 12, 12)
        assert totals(answer)["net is gross less fee"] == ("12 rows", "12 rows")
        # One hold of 25 % is in; it and four older ones are released tomorrow, and wait for it.
        assert balance("clearing.reserves", "TES") == Decimal("23.75")
        assert Unbooked.objects.filter(reason="NOT_YET", closed_at=None).count() == 5
    with clock.at(datetime(2023, 10, 13, 0, 1, tzinfo=UTC)):
        book(source)
    assert not Unbooked.objects.filter(closed_at=None).exists()
    # The four older holds are in no file of ours: their releases take more out than was put in.
    assert balance("clearing.reserves", "TES") == -Decimal("93.82")
    charged = PspLine.objects.filter(connection=source, kind=PspKind.PAYMENT)
    assert balance("psp.stripe", "TES") == Decimal("93.82") + sum(charged.values_list("net", flat=True))
    payout = PspLine.objects.filter(payout_key="po_1Nzr7YKh5QAlWt1CBKvGMVAL")
    assert nets(payout) == {"TES": Decimal("593.04")}
    assert findings() == set()


def test_stripe_dashboard_export() -> None:
    """Decimal comma; each of the five payouts is its charge less a hold of 25 %, and the holds are the asset."""
    source = psp_source("stripe", "POR")
    with clock.at(datetime(2023, 10, 5, 12, tzinfo=UTC)):
        answer = bring(source, "psp/stripe_dashboard_transactions_20231004.csv")
        assert (answer.code, answer["rows"], answer["new"], answer["balanced"]) == (0, 18, 18, True)
        paid = [pair for name, pair in totals(answer).items() if name.startswith("payout po_")]
        assert paid == [("0.00", "0.00")] * 5
        assert balance("clearing.payouts", "POR") == Decimal("291.06")
        assert balance("clearing.reserves", "POR") == Decimal("93.82")
        assert balance("psp.stripe", "POR") == 0
    with clock.at(datetime(2023, 10, 13, 12, tzinfo=UTC)):
        book(source)
    assert (balance("clearing.reserves", "POR"), balance("psp.stripe", "POR")) == (0, Decimal("93.82"))
    assert findings() == set()


def test_stripe_hand_edited_is_held_with_the_total_named() -> None:
    source = psp_source("stripe", "USD")
    answer = bring(source, "psp/stripe_settlement_report_hand_edited.csv")
    assert (answer.code, answer["state"], answer["balanced"], answer["new"]) == (1, "held", False, 0)
    assert totals(answer)["net is gross less fee"] == ("6 rows", "5 rows")
    assert not PspLine.objects.exists() and not Journal.objects.exists()


def test_paypal_settlement_report() -> None:
    source = psp_source("paypal_stl", "USD", "HKD", "BRL")
    answer = bring(source, "psp/paypal_STL-20260106.01.009.csv")
    assert (answer.code, answer["rows"], answer["new"], answer["balanced"]) == (0, 5, 5, True)
    said = totals(answer)
    assert said["section, USD: begin and lines are end"] == ("10017.49", "10017.49")
    assert said["section, HKD: begin and lines are end"] == ("431.33", "431.33")
    assert said["section, BRL: no footer, so credits less debits are zero"] == ("0.00", "0.00")
    # HKD fits by its second pair of balances only, and that is said.
    assert [w for w in answer["warnings"] if "332.89 to 431.33, does" in w]
    assert nets(PspLine.objects.all()) == {"BRL": 0, "HKD": Decimal("98.44"), "USD": Decimal("17.49")}
    # The exchange is two legs, each in the books of its currency.
    assert (balance("clearing.fx", "BRL"), balance("clearing.fx", "USD")) == (Decimal("13.56"), Decimal("-2.41"))
    assert balance("psp.paypal_stl", "BRL") == 0
    assert balance("psp.paypal_stl", "USD") == Decimal("17.49")


@pytest.mark.parametrize("first", ["payouts", "settlement_breakdown"])
def test_checkout_reports_prove_each_other_in_either_order(first: str) -> None:
    source = psp_source("checkout", "USD")
    names = sorted(("payouts", "settlement_breakdown"), key=lambda name: name != first)
    name = "payout 00000003K599, USD: lines less what was paid out"
    answers = [bring(source, f"psp/checkoutcom_{one}.csv") for one in names]
    assert [(one.code, one["balanced"]) for one in answers] == [(0, True), (0, True)]
    assert name not in totals(answers[0])
    assert totals(answers[1])[name] == ("0.00", "0.00")
    lines = PspLine.objects.filter(payout_key="00000003K599")
    assert nets(lines.exclude(kind=PspKind.PAYOUT)) == {"USD": Decimal("79.50")}
    assert (balance("psp.checkout", "USD"), balance("clearing.payouts", "USD")) == (0, Decimal("79.50"))
    assert balance("expense.psp_fees", "USD") == Decimal("5.50")


def test_adyen_payments_are_kept_and_not_booked() -> None:
    source = psp_source("adyen_payments", "EUR")
    answer = bring(source, "psp/adyen_payments_accounting_report.csv")
    assert (answer.code, answer["state"], answer["new"], answer["balanced"]) == (0, "stored", 1, None)
    line = PspLine.objects.get()
    assert (line.kind, line.provider_type, line.gross, line.net) == ("PAYMENT_STATE", "Settled", Decimal("2.85"), 0)
    assert not Journal.objects.exists() and not Unbooked.objects.exists()


# Bank statements


@pytest.fixture
def bank() -> Connection:
    source = connection("camt053", "bank")
    for code in ("EUR", "CHF", "SEK"):
        chart.open_house(actor=ROBOT, entity_id=source.entity_id, currency=code)
    return source


@pytest.mark.parametrize(
    ("name", "statements", "entries", "lines", "net"),
    [
        ("camt053_example_a", "2", 11, 11, None),
        ("camt053_small", "1", 2, 2, {"EUR": Decimal("-50.00")}),
        ("camt053_v02_multi_statement", "2", 2, 2, {"EUR": Decimal("1.85")}),
        ("camt053_v04_two_reversals", "1", 13, 32, {"CHF": Decimal("537.61")}),
    ],
)
def test_statements_that_balance(
    bank: Connection, name: str, statements: str, entries: int, lines: int, net: dict[str, Decimal] | None
) -> None:
    answer = bring(bank, f"bank/{name}.xml")
    assert (answer.code, answer["state"], answer["balanced"]) == (0, "stored", True)
    assert (answer["rows"], answer["new"], answer["facts"]["statements"]) == (entries, lines, statements)
    proofs = [pair for what, pair in totals(answer).items() if "opening plus entries is closing" in what]
    assert len(proofs) == int(statements)
    assert all(expected == found for expected, found in proofs)
    stored = dict(BankLine.objects.order_by("currency").values_list("currency").annotate(Sum("amount")))
    assert net is None or stored == net
    booked = LedgerAccount.objects.filter(code__startswith="bank.")
    assert sum(balances([a.pk for a in booked]).values()) == sum(stored.values())


@pytest.mark.parametrize(
    ("name", "expected", "found"),
    [
        ("camt053_v02_batch", "23038.20 EUR", "10264.06 EUR"),
        ("camt053_v08", "-27.00 SEK", "27.00 EUR"),
    ],
)
def test_statements_that_do_not_balance_are_held(bank: Connection, name: str, expected: str, found: str) -> None:
    answer = bring(bank, f"bank/{name}.xml")
    assert (answer.code, answer["state"], answer["balanced"], answer["new"]) == (1, "held", False, 0)
    assert (expected, found) in totals(answer).values()
    assert not BankLine.objects.exists() and not Journal.objects.exists()


def test_the_wrong_statement_is_refused(bank: Connection) -> None:
    answer = bring(bank, "bank/camt053_v02_wrong.xml")
    assert (answer.code, answer["state"], answer["new"]) == (1, "refused", 0)
    assert answer["error"].startswith("camt053_v02_wrong.xml: ")
    assert not BankLine.objects.exists()
    assert set(FileImport.objects.values_list("state", flat=True)) == {ImportState.REFUSED}


# MetaTrader 4

CLOSED = {
    500001: (Decimal("19389.62"), 31),
    500002: (Decimal("18997.36"), 39),
    500003: (Decimal("19303.64"), 67),
    500004: (Decimal("20282.65"), 59),
    500005: (Decimal("19857.14"), 19),
}
FLOATING = {7382657: Decimal("-134.09"), 7386472: Decimal("-97.04")}


def test_mt4_extract_comes_out_to_the_cent_in_the_books() -> None:
    w = world()
    source = connection("mt4_trades", "mt4")
    source.settings = {"utc_offset_minutes": "120"}
    source.save()
    clients.open_trading_accounts(
        actor=ROBOT,
        logins=[Login(client_id=w.client.pk, connection_id=source.pk, login=n, currency="USD") for n in CLOSED],
    )
    with sample("platforms/mt4_trades_extract.csv").open(encoding="utf-8", newline="") as stream:
        symbols = {row["SYMBOL"] for row in csv.DictReader(stream)} - {""}
    instrument = Instrument.objects.get(code="EURUSD")
    SymbolMapping.objects.bulk_create(
        SymbolMapping(connection=source, symbol=name, instrument=instrument, contract_size=Decimal(100000))
        for name in symbols
    )
    answer = bring(source, "platforms/mt4_trades_extract.csv")
    assert (answer.code, answer["rows"], answer["new"], answer["rejected"]) == (0, 283, 241, [])
    facts = answer["facts"]
    for login, (result, count) in CLOSED.items():
        assert (facts[f"closed_result:{login}"], facts[f"closed_trades:{login}"]) == (str(result), str(count))
    assert (facts["pending"], facts["floating"]) == ("42", "2")
    assert {ticket: Decimal(facts[f"floating:{ticket}"]) for ticket in FLOATING} == FLOATING
    booked = {
        account.login: -balances([account.balance_account_id])[account.balance_account_id]
        for account in TradingAccount.objects.filter(connection=source)
    }
    assert booked == {login: result for login, (result, _) in CLOSED.items()}
    # An open ticket's result changes with every tick: it is told, and is in no book.
    for deal in Deal.objects.filter(ticket__in=FLOATING):
        assert (deal.entry, deal.reason, deal.profit, deal.swap) == ("IN", "FLOATING", 0, 0)
        assert not Journal.objects.filter(reference=f"deal:{deal.pk}").exists()


def test_the_command_as_a_process_says_the_same(transactional_db: None) -> None:
    """Several files in one call: each has its own result, and the exit code says that not all were stored."""
    source = connection("camt053", "bank")
    names = ("camt053_small", "camt053_v08", "camt053_v02_wrong")
    paths = [str(sample(f"bank/{name}.xml")) for name in names]
    answer = commands.run("import_file", "--source", source.name, *paths)
    assert answer.code == 1
    assert [one["state"] for one in answer["files"]] == ["stored", "held", "refused"]
