"""Facts become journals: once per version, on the right accounts, and what cannot be booked is kept and named."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from accounts.models import Unbooked
from accounts.services import clients
from accounts.services.clients import Login
from backoffice.audit.models import Entry
from integrations.models import Deal, SymbolMapping
from integrations.records import DealKind, PspKind
from ledger.models import Journal, LedgerAccount
from ledger.selectors import verify
from ledger.selectors.balances import balances
from tests.builders import ROBOT
from tests.worlds import bank_line, deal, deposit, fill, psp_line, world

pytestmark = pytest.mark.django_db


def balance(code: str, currency: str = "USD") -> Decimal:
    """A balance as people read it."""
    account = LedgerAccount.objects.get(code=code, currency_id=currency)
    return balances([account.pk])[account.pk] * account.sign


def client_balance(w) -> Decimal:
    return -balances([w.account.balance_account_id])[w.account.balance_account_id]


def test_a_trade_is_split_into_result_swap_commission_and_fee():
    w = world()
    w.put(
        w.server,
        deal(1, profit=Decimal("120.00"), swap=Decimal("-4.20"), commission=Decimal("-3.50"), fee=Decimal("-1.00")),
    )
    done = w.book()
    assert (done.journals, done.unbooked) == (1, 0)
    assert client_balance(w) == Decimal("111.30")
    assert balance("income.bbook") == Decimal("-120.00")
    assert balance("income.swap") == Decimal("4.20")
    assert balance("income.commission") == Decimal("3.50")
    assert balance("income.fees") == Decimal("1.00")
    assert list(verify.findings()) == []


def test_a_hedged_trade_is_not_b_book_result():
    w = world()
    w.put(w.server, deal(1, profit=Decimal("10.00"), gateway="LP", external_id="X1"))
    w.book()
    assert balance("income.abook") == Decimal("-10.00")


@pytest.mark.parametrize(
    ("kind", "contra", "on_credit"),
    [
        (DealKind.BALANCE, "clearing.client_money", False),
        (DealKind.CREDIT, "credit.granted", True),
        (DealKind.CHARGE, "income.fees", False),
        (DealKind.CORRECTION, "expense.client_corrections", False),
        (DealKind.BONUS, "expense.bonus", False),
        (DealKind.COMMISSION, "income.commission", False),
        (DealKind.AGENT, "expense.partners", False),
        (DealKind.INTEREST, "expense.client_interest", False),
        (DealKind.DIVIDEND, "expense.client_interest", False),
        (DealKind.TAX, "tax.payable", False),
        (DealKind.SO_COMPENSATION, "expense.negative_balance", False),
        (DealKind.SO_COMPENSATION_CREDIT, "credit.granted", True),
    ],
)
def test_each_kind_of_balance_operation_has_its_own_counterpart(kind, contra, on_credit):
    w = world()
    w.put(w.server, replace(deposit(1, "25.00"), kind=kind))
    w.book()
    credit = -balances([w.account.credit_account_id])[w.account.credit_account_id]
    assert (client_balance(w), credit) == ((0, 25) if on_credit else (25, 0))
    account = LedgerAccount.objects.get(code=contra, currency_id="USD")
    assert balances([account.pk])[account.pk] == Decimal("25.00")


def test_booking_again_changes_nothing_and_an_entry_deal_without_money_has_no_journal():
    w = world()
    w.put(w.server, deal(1), deposit(2, "100.00"))
    assert w.book().no_effect == 1
    assert Journal.objects.count() == 1
    assert w.book().facts == 0
    assert w.put(w.server, deal(1), deposit(2, "100.00")).same == 2
    assert w.book().facts == 0
    assert Journal.objects.count() == 1


def test_a_changed_deal_is_reversed_and_booked_anew_and_a_deleted_one_only_reversed():
    w = world()
    first = deal(1, profit=Decimal("50.00"))
    w.put(w.server, first)
    w.book()
    w.put(w.server, replace(first, profit=Decimal("40.00"), modify_flags=2))
    done = w.book()
    assert (done.reversals, done.journals) == (1, 1)
    assert client_balance(w) == Decimal("40.00")
    w.put(w.server, replace(first, profit=Decimal("40.00"), modify_flags=2, deleted=True))
    w.book()
    assert client_balance(w) == 0
    assert Deal.objects.filter(ticket=1).count() == 3
    assert list(verify.findings()) == []


def test_back_to_the_first_content_is_a_third_version():
    w = world()
    a, b = deal(1, profit=Decimal("50.00")), deal(1, profit=Decimal("40.00"))
    for version in (a, b, a):
        assert w.put(w.server, version).same == 0
    w.book()
    assert client_balance(w) == Decimal("50.00")
    assert list(Deal.objects.order_by("version").values_list("version", "profit")) == [(1, 50), (2, 40), (3, 50)]


def test_an_unknown_login_or_symbol_keeps_the_fact_and_is_booked_once_it_is_known():
    w = world()
    w.put(w.server, deposit(1, "10.00", login=777), deal(2, symbol="NEW", profit=Decimal("5.00")), deposit(3, "1.00"))
    assert w.book().unbooked == 2
    assert client_balance(w) == Decimal("1.00")
    assert set(Unbooked.objects.values_list("reason", flat=True)) == {"UNKNOWN_LOGIN", "UNKNOWN_SYMBOL"}
    clients.open_trading_accounts(
        actor=ROBOT, logins=[Login(client_id=w.client.pk, connection_id=w.server.pk, login=777, currency="USD")]
    )
    mapping = SymbolMapping.objects.get(connection=w.server, symbol="EURUSD")
    SymbolMapping.objects.create(
        connection=w.server, symbol="NEW", instrument=mapping.instrument, contract_size=mapping.contract_size
    )
    w.book()
    assert client_balance(w) == Decimal("6.00")
    assert not Unbooked.objects.filter(closed_at=None).exists()
    assert list(verify.findings()) == []


def test_what_fails_again_as_before_writes_nothing():
    w = world()
    w.put(w.server, deal(1, login=999, profit=Decimal("5.00")))
    w.book()
    noted = Unbooked.objects.get()
    entries = Entry.objects.count()

    w.book()

    assert Entry.objects.count() == entries
    assert Unbooked.objects.get().since == noted.since


def test_an_unbooked_fact_that_changed_is_no_longer_waited_for():
    w = world()
    w.put(w.server, deposit(1, "10.00", login=777))
    w.book()
    w.put(w.server, deposit(1, "12.00", login=777, modify_flags=1))
    w.book()
    clients.open_trading_accounts(
        actor=ROBOT, logins=[Login(client_id=w.client.pk, connection_id=w.server.pk, login=777, currency="USD")]
    )
    w.book()
    assert balance("client.balance:mt5:777") == Decimal("12.00")


def test_psp_payment_payout_and_bank_line_empty_the_clearing_accounts():
    w = world()
    w.put(w.server, deposit(1, "100.00", "D-AAAAAAAA card"))
    w.put(
        w.psp,
        psp_line("p1", "100.00", fee="2.50", reference="D-AAAAAAAA"),
        psp_line("p2", "-97.50", kind=PspKind.PAYOUT, bank_reference="TX12345XT"),
    )
    w.put(w.bank, bank_line("b1", "97.50", remittance="ADYEN TX12345XT batch 1, SHOP"))
    assert w.book().unbooked == 0
    assert client_balance(w) == Decimal("100.00")
    assert balance("clearing.client_money") == 0
    assert balance("clearing.payouts") == 0
    assert balance("psp.adyen") == 0
    assert balance("bank.CY17002001280000001200527600") == Decimal("97.50")
    assert balance("expense.psp_fees") == Decimal("2.50")


def test_a_currency_the_entity_does_not_work_in_is_kept_and_named():
    w = world()
    w.put(w.bank, bank_line("b1", "5.00", currency="SEK"), bank_line("b2", "5.00", currency="XQZ"))
    w.put(w.psp, psp_line("p1", "1.005"))
    assert w.book().unbooked == 3
    assert sorted(Unbooked.objects.values_list("reason", flat=True)) == [
        "BAD_AMOUNT",
        "UNKNOWN_CURRENCY",
        "UNKNOWN_CURRENCY",
    ]


def test_lp_commission_is_owed_to_the_lp():
    w = world()
    w.put(w.lp, fill("e1", "X1", commission=Decimal("-2.50"), commission_currency="USD"), fill("e2", "X2"))
    done = w.book()
    assert (done.journals, done.no_effect) == (1, 1)
    assert balance("lp.payable") == Decimal("2.50")
