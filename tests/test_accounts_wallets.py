"""Wallets and reservations: nothing is promised twice, everything ends once, and the books always say what is where."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from accounts.models import Reservation, ReservationState, TradingAccount, Wallet
from accounts.services import reserves, wallets
from accounts.services.reserves import AlreadyReserved, CannotReserve
from backoffice.kernel.money import Money
from integrations.records import Deal, DealKind
from ledger.models import Balance, LedgerAccount
from ledger.selectors.balances import balances
from ledger.services.journal import BelowFloor
from reconciliation.models import Break, Kind
from reconciliation.services import runs
from tests.attacks import at_once, execute, findings, refused
from tests.builders import ROBOT
from tests.worlds import DAY, World, deposit, world

pytestmark = pytest.mark.django_db
FIRST, SECOND = "W-00000001", "W-00000002"


@pytest.fixture
def w() -> World:
    return world()


def wallet_with(w: World, amount: str) -> Wallet:
    wallet = wallets.open_wallet(actor=ROBOT, client_id=w.client.pk, currency="USD")
    money = Money(Decimal(amount), "USD")
    wallets.move(
        actor=ROBOT, wallet=wallet, amount=money, contra="clearing.client_money", key="in", description="D-00000001"
    )
    return wallet


def shown(*accounts: LedgerAccount | None) -> list[Decimal]:
    ids = [account.pk for account in accounts if account is not None]
    found = balances(ids)
    return [-found[pk] for pk in ids]


def usd(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


def debit(ticket: int, amount: str, reference: str, **more: Any) -> Deal:
    return deposit(ticket, f"-{amount}", f"{reference} out", **more)


def account_with(w: World, amount: str) -> TradingAccount:
    w.put(w.server, deposit(1, amount))
    w.book()
    return w.account


def test_a_wallet_shows_booked_reserved_and_available(w: World) -> None:
    wallet = wallet_with(w, "1000")
    reserves.hold(actor=ROBOT, reference=FIRST, amount=usd("400"), wallet_id=wallet.pk)
    assert shown(wallet.account, wallet.reserved) == [600, 400]
    reserves.use(actor=ROBOT, reference=FIRST)
    reserves.use(actor=ROBOT, reference=FIRST)
    assert shown(wallet.account, wallet.reserved) == [600, 0]
    assert findings() == set()


def test_a_reservation_given_back_is_given_back_to_the_cent_and_once(w: World) -> None:
    wallet = wallet_with(w, "1000.01")
    for _ in range(2):
        reserves.hold(actor=ROBOT, reference=FIRST, amount=usd("1000.01"), wallet_id=wallet.pk)
    for _ in range(2):
        reserves.release(actor=ROBOT, reference=FIRST, reason="payee mismatch")
    assert shown(wallet.account, wallet.reserved) == [Decimal("1000.01"), 0]
    with pytest.raises(AlreadyReserved, match="released"):
        reserves.use(actor=ROBOT, reference=FIRST)


def test_a_reference_holds_one_amount(w: World) -> None:
    wallet = wallet_with(w, "1000")
    reserves.hold(actor=ROBOT, reference=FIRST, amount=usd("1"), wallet_id=wallet.pk)
    with pytest.raises(AlreadyReserved):
        reserves.hold(actor=ROBOT, reference=FIRST, amount=usd("2"), wallet_id=wallet.pk)
    with pytest.raises(CannotReserve, match="USD"):
        reserves.hold(actor=ROBOT, reference=SECOND, amount=Money(Decimal(1), "EUR"), wallet_id=wallet.pk)
    with pytest.raises(BelowFloor), transaction.atomic():
        reserves.hold(actor=ROBOT, reference=SECOND, amount=usd("999.01"), wallet_id=wallet.pk)


@pytest.mark.django_db(transaction=True)
def test_many_at_once_promise_no_more_than_there_is(w: World) -> None:
    wallet = wallet_with(w, "1000")
    results = at_once(
        12, lambda i: reserves.hold(actor=ROBOT, reference=f"W-0000010{i:X}", amount=usd("300"), wallet_id=wallet.pk)
    )
    assert sum(isinstance(result, Reservation) for result in results) == 3
    assert shown(wallet.account, wallet.reserved) == [100, 900]
    assert findings() == set()


def test_the_servers_deal_takes_what_was_reserved_on_a_trading_account(w: World) -> None:
    account = account_with(w, "1000")
    reserves.hold(actor=ROBOT, reference=FIRST, amount=usd("400"), trading_account_id=account.pk)
    account.refresh_from_db()
    assert shown(account.balance_account, account.reserved_account) == [600, 400]
    with pytest.raises(CannotReserve, match="not enough"):
        reserves.hold(actor=ROBOT, reference=SECOND, amount=usd("600.01"), trading_account_id=account.pk)
    w.put(w.server, debit(2, "400", FIRST))
    w.book()
    assert shown(account.balance_account, account.reserved_account) == [600, 0]
    assert Reservation.objects.get().state == ReservationState.USED
    assert findings() == set()
    with pytest.raises(AlreadyReserved):
        reserves.release(actor=ROBOT, reference=FIRST, reason="late")


@pytest.mark.parametrize(
    "deal",
    [
        debit(2, "399.99", FIRST),
        debit(2, "400", SECOND),
        deposit(2, "400", f"{FIRST} in"),
        Deal(
            ticket=2, login=1001, kind=DealKind.CORRECTION, profit=Decimal(-400), comment=FIRST,
            server_time=deposit(2, "1").server_time, utc_offset_minutes=0,
        ),
    ],
)  # fmt: skip
def test_a_deal_that_is_not_the_reserved_one_leaves_the_reservation_alone(w: World, deal: Deal) -> None:
    account = account_with(w, "1000")
    reserves.hold(actor=ROBOT, reference=FIRST, amount=usd("400"), trading_account_id=account.pk)
    w.put(w.server, deal)
    w.book()
    account.refresh_from_db()
    assert shown(account.balance_account, account.reserved_account) == [600 + deal.amount, 400]
    assert Reservation.objects.get().state == ReservationState.HELD
    assert findings() == set()


def test_an_edited_or_deleted_deal_gives_the_reservation_back_and_takes_it_again(w: World) -> None:
    account = account_with(w, "1000")
    reserves.hold(actor=ROBOT, reference=FIRST, amount=usd("400"), trading_account_id=account.pk)
    edits: list[tuple[dict[str, Any], int, int]] = [
        ({}, 600, 0),
        ({"modify_flags": 1}, 600, 0),
        ({"deleted": True}, 600, 400),
        ({"deleted": False}, 600, 0),
    ]
    for edit, left, held in edits:
        w.put(w.server, debit(2, "400", FIRST, **edit))
        w.book()
        account.refresh_from_db()
        assert shown(account.balance_account, account.reserved_account) == [left, held], edit
        assert findings() == set()


def test_two_deals_with_one_reference_take_it_once(w: World) -> None:
    account = account_with(w, "1000")
    reserves.hold(actor=ROBOT, reference=FIRST, amount=usd("400"), trading_account_id=account.pk)
    w.put(w.server, debit(2, "400", FIRST), debit(3, "400", FIRST))
    w.book()
    account.refresh_from_db()
    assert shown(account.balance_account, account.reserved_account) == [200, 0]


def test_what_is_reserved_is_still_the_servers_balance(w: World) -> None:
    account = account_with(w, "1000")
    reserves.hold(actor=ROBOT, reference=FIRST, amount=usd("400"), trading_account_id=account.pk)
    w.snapshot(1001, "1000")
    runs.run_now(actor=ROBOT, entity_id=account.entity_id, kind=Kind.BALANCES, day=DAY)
    assert not Break.objects.exists()


def test_postgresql_refuses_to_bend_a_reservation(w: World) -> None:
    wallet = wallet_with(w, "1000")
    reserves.hold(actor=ROBOT, reference=FIRST, amount=usd("400"), wallet_id=wallet.pk)
    journal = Reservation.objects.get().held_journal_id
    for change in [
        "amount = 1",
        "reference = 'W-00000009'",
        f"state = 'USED', ended_at = now(), ended_journal_id = {journal}",
        f"state = 'RELEASED', ended_at = now(), ended_journal_id = {journal}",
    ]:
        with refused("BO081"):
            execute(f"UPDATE accounts_reservation SET {change}")
    with refused("BO080"):
        execute("UPDATE accounts_wallet SET currency_id = 'EUR'")
    reserves.release(actor=ROBOT, reference=FIRST, reason="x")
    with refused("BO081"):
        execute("UPDATE accounts_reservation SET state = 'HELD', ended_at = NULL, ended_journal_id = NULL")
    assert Balance.objects.get(account=wallet.reserved).amount == 0
