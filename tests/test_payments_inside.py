"""Money inside the house: set aside when asked for, moved when two have agreed, given back when somebody refuses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Client, Reason, Reservation, ReservationState, RestrictionKind, TradingAccount, Wallet
from accounts.services import clients, restrictions, wallets
from accounts.services.clients import Login
from accounts.services.restrictions import Restricted
from backoffice.approvals.models import Request as Approval
from backoffice.approvals.services import requests
from backoffice.approvals.services.refusals import SameEyes
from backoffice.kernel.actor import Person
from backoffice.kernel.errors import DomainError, NotPermitted
from backoffice.kernel.money import Money
from integrations import registry
from integrations.models import ServerOperation
from integrations.records import Deal, DealKind
from ledger.models import LedgerAccount
from ledger.selectors.balances import balances
from ledger.services.journal import BelowFloor
from payments.actions.inside import ADJUST, CONVERT, TRANSFER, Adjustment, Conversion, Transfer
from payments.models import MoneyRequest, RequestState
from payments.services.inside import NotPossible
from tests.attacks import findings
from tests.builders import ROBOT, person, user
from tests.worlds import World, deposit, world

pytestmark = pytest.mark.django_db
ASK = ("payments.ask_transfer", "payments.ask_adjustment", "payments.view_moneyrequest")
DECIDE = ("payments.approve_transfer", "payments.approve_adjustment", "payments.view_moneyrequest")


@dataclass
class Desk:
    """One broker, one client with a wallet of 1,000 and a login of 1,000, who asks and who agrees."""

    w: World
    wallet: Wallet
    fred: Person
    fiona: Person

    def ask(self, action: str, payload: Any, who: Person | None = None) -> Approval:
        return requests.submit(actor=who or self.fred, action=action, payload=payload, reason="the client asked")

    def agree(self, approval: Approval) -> MoneyRequest:
        requests.approve(actor=self.fiona, request_id=approval.pk, seen_hash=approval.payload_hash)
        return MoneyRequest.objects.get(approval=approval)

    def done(self, action: str, payload: Any) -> MoneyRequest:
        return self.agree(self.ask(action, payload))

    def server(self, request: MoneyRequest, part: str, state: str = "DONE", ticket: int = 0) -> None:
        """What integrations tells when the server has answered; the deal it makes comes with the next feed."""
        registry.operated(f"{request.reference}:{part}", state, ticket or None, "" if state == "DONE" else "no money")
        request.refresh_from_db()

    def deal(
        self, ticket: int, amount: str, comment: str, kind: DealKind = DealKind.BALANCE, login: int = 1001
    ) -> None:
        made: Deal = replace(deposit(ticket, amount, comment), kind=kind, login=login)
        self.w.put(self.w.server, made)
        self.w.book()


@pytest.fixture
def desk() -> Desk:
    w = world()
    here = (w.client.entity,)
    wallet = put_in(wallets.open_wallet(actor=ROBOT, client_id=w.client.pk, currency="USD"), "1000")
    w.put(w.server, deposit(1, "1000"))
    w.book()
    fred, fiona = user("fred", *ASK, entities=here), user("fiona", *DECIDE, entities=here)
    return Desk(w, wallet, person(fred), person(fiona))


def put_in(wallet: Wallet, amount: str) -> Wallet:
    wallets.move(
        actor=ROBOT,
        wallet=wallet,
        amount=Money(Decimal(amount), wallet.currency_id),
        contra="clearing.client_money",
        key=f"in:{wallet.pk}",
        description="opening",
    )
    return wallet


def another(w: World, number: str = "C-2") -> Client:
    return clients.open_client(actor=ROBOT, entity_id=w.client.entity_id, number=number, name="Bob", country="CY")


def second_login(w: World) -> TradingAccount:
    login = Login(client_id=w.client.pk, connection_id=w.server.pk, login=1002, currency="USD")
    return clients.open_trading_accounts(actor=ROBOT, logins=[login])[0]


def transfer(desk: Desk, amount: str = "400", **places: int) -> Transfer:
    sides = {"source_wallet": None, "source_account": None, "target_wallet": None, "target_account": None, **places}
    return Transfer(client_id=desk.w.client.pk, amount=Decimal(amount), currency="USD", **sides)


def adjustment(desk: Desk, sort: str, amount: str, **places: int) -> Adjustment:
    sides = {"target_wallet": None, "target_account": None, **places}
    return Adjustment(client_id=desk.w.client.pk, sort=sort, amount=Decimal(amount), currency="USD", **sides)


def shown(*accounts: LedgerAccount | None) -> list[Decimal]:
    ids = [account.pk for account in accounts if account is not None]
    found = balances(ids)
    return [-found[pk] for pk in ids]


def clearing(desk: Desk) -> Decimal:
    account = LedgerAccount.objects.get(code="clearing.client_money", currency="USD", entity=desk.w.client.entity)
    return balances([account.pk])[account.pk]


def test_between_wallets_of_two_clients(desk: Desk) -> None:
    other = wallets.open_wallet(actor=ROBOT, client_id=another(desk.w).pk, currency="USD")
    before = clearing(desk)
    approval = desk.ask(TRANSFER, transfer(desk, source_wallet=desk.wallet.pk, target_wallet=other.pk))
    assert shown(desk.wallet.account, desk.wallet.reserved, other.account) == [600, 400, 0]
    assert MoneyRequest.objects.get().state == RequestState.IN_REVIEW
    assert desk.agree(approval).state == RequestState.DONE
    assert shown(desk.wallet.account, desk.wallet.reserved, other.account) == [600, 0, 400]
    assert clearing(desk) == before
    assert findings() == set()


def test_nobody_agrees_to_their_own_and_nobody_without_the_right(desk: Desk) -> None:
    both = person(user("mara", *ASK, *DECIDE, entities=(desk.w.client.entity,)))
    other = wallets.open_wallet(actor=ROBOT, client_id=another(desk.w).pk, currency="USD")
    payload = transfer(desk, source_wallet=desk.wallet.pk, target_wallet=other.pk)
    approval = desk.ask(TRANSFER, payload, who=both)
    with pytest.raises(SameEyes):
        requests.approve(actor=both, request_id=approval.pk, seen_hash=approval.payload_hash)
    with pytest.raises(NotPermitted):
        requests.approve(actor=desk.fred, request_id=approval.pk, seen_hash=approval.payload_hash)
    with pytest.raises(NotPermitted):
        desk.ask(TRANSFER, payload, who=desk.fiona)
    assert shown(other.account) == [0]


@pytest.mark.parametrize("end", ["reject", "withdraw", "return"])
def test_what_is_not_agreed_to_is_given_back(desk: Desk, end: str) -> None:
    payload = transfer(desk, source_wallet=desk.wallet.pk, target_account=desk.w.account.pk)
    approval = desk.ask(TRANSFER, payload)
    seen: dict[str, Any] = {"request_id": approval.pk, "seen_hash": approval.payload_hash, "reason": "no"}
    if end == "reject":
        requests.reject(actor=desk.fiona, **seen)
    elif end == "return":
        requests.return_for_change(actor=desk.fiona, **seen)
    else:
        requests.withdraw(actor=desk.fred, request_id=approval.pk)
    request = MoneyRequest.objects.get()
    assert request.state == (RequestState.REJECTED if end == "reject" else RequestState.WITHDRAWN)
    assert shown(desk.wallet.account, desk.wallet.reserved) == [1000, 0]
    assert not ServerOperation.objects.exists()
    assert findings() == set()


def test_onto_a_login_the_server_first(desk: Desk) -> None:
    request = desk.done(TRANSFER, transfer(desk, source_wallet=desk.wallet.pk, target_account=desk.w.account.pk))
    assert request.state == RequestState.AT_SERVER
    assert ServerOperation.objects.get().amount == 400
    assert shown(desk.wallet.account, desk.wallet.reserved) == [600, 400]
    desk.server(request, "in", ticket=2)
    assert request.state == RequestState.DONE
    desk.deal(2, "400", f"{request.reference} transfer")
    assert shown(desk.wallet.account, desk.wallet.reserved, desk.w.account.balance_account) == [600, 0, 1400]
    assert findings() == set()


def test_what_the_server_refuses_is_given_back(desk: Desk) -> None:
    request = desk.done(TRANSFER, transfer(desk, source_wallet=desk.wallet.pk, target_account=desk.w.account.pk))
    desk.server(request, "in", "REFUSED")
    assert request.state == RequestState.FAILED
    assert shown(desk.wallet.account, desk.wallet.reserved) == [1000, 0]
    assert request.events.get(after=RequestState.FAILED).data == {"refused": "no money"}


def test_off_a_login_onto_the_wallet(desk: Desk) -> None:
    request = desk.done(TRANSFER, transfer(desk, source_account=desk.w.account.pk, target_wallet=desk.wallet.pk))
    account = TradingAccount.objects.get(pk=desk.w.account.pk)
    assert shown(account.balance_account, account.reserved_account) == [600, 400]
    desk.server(request, "out", ticket=2)
    assert request.state == RequestState.DONE
    assert shown(desk.wallet.account) == [1400]
    desk.deal(2, "-400", f"{request.reference} transfer")
    assert shown(account.balance_account, account.reserved_account) == [600, 0]
    assert Reservation.objects.get().state == ReservationState.USED
    assert findings() == set()


def test_between_two_logins_and_what_the_second_refuses_is_in_the_wallet(desk: Desk) -> None:
    second = second_login(desk.w)
    for number, ends in enumerate(("DONE", "REFUSED"), 1):
        request = desk.done(TRANSFER, transfer(desk, source_account=desk.w.account.pk, target_account=second.pk))
        desk.server(request, "out", ticket=10 * number)
        assert request.state == RequestState.AT_SERVER
        desk.server(request, "in", ends, ticket=10 * number + 1)
        desk.deal(10 * number, "-400", f"{request.reference} transfer")
        if ends == "DONE":
            assert request.state == RequestState.DONE
            desk.deal(11, "400", f"{request.reference} transfer", login=1002)
    assert request.state == RequestState.FAILED
    assert shown(desk.w.account.balance_account, second.balance_account, desk.wallet.account) == [200, 400, 1400]
    assert findings() == set()


@pytest.mark.parametrize(
    ("sort", "amount", "kind", "signed"),
    [
        ("CORRECTION", "-12.50", DealKind.CORRECTION, "-12.50"),
        ("CREDIT", "100", DealKind.CREDIT, "100"),
        ("BONUS", "50", DealKind.BONUS, "50"),
        ("FEE", "10", DealKind.CHARGE, "-10"),
    ],
)
def test_an_adjustment_on_a_login_is_one_operation(
    desk: Desk, sort: str, amount: str, kind: DealKind, signed: str
) -> None:
    request = desk.done(ADJUST, adjustment(desk, sort, amount, target_account=desk.w.account.pk))
    operation = ServerOperation.objects.get()
    assert (operation.kind, operation.amount, operation.reference) == (kind, Decimal(signed), request.reference)
    desk.server(request, "only", ticket=2)
    assert request.state == RequestState.DONE
    desk.deal(2, signed, request.reference, kind)
    assert findings() == set()


@pytest.mark.parametrize(
    ("sort", "amount", "left"), [("CORRECTION", "5", "1005"), ("BONUS", "5", "1005"), ("FEE", "5", "995")]
)
def test_an_adjustment_on_a_wallet_is_one_journal(desk: Desk, sort: str, amount: str, left: str) -> None:
    request = desk.done(ADJUST, adjustment(desk, sort, amount, target_wallet=desk.wallet.pk))
    assert request.state == RequestState.DONE
    assert shown(desk.wallet.account) == [Decimal(left)]
    assert findings() == set()


def test_a_conversion_goes_through_the_clearing_of_both_currencies(desk: Desk) -> None:
    euros = wallets.open_wallet(actor=ROBOT, client_id=desk.w.client.pk, currency="EUR")
    payload = Conversion(
        client_id=desk.w.client.pk,
        source_wallet=desk.wallet.pk,
        target_wallet=euros.pk,
        amount=Decimal(108),
        currency="USD",
        amount_to=Decimal("100.00"),
        currency_to="EUR",
        rate=Decimal("0.925926"),
        rate_source="agreed",
    )
    assert desk.done(CONVERT, payload).state == RequestState.DONE
    assert shown(desk.wallet.account, euros.account) == [892, 100]
    assert findings() == set()


def test_what_does_not_fit_together_is_refused_when_it_is_asked_for(desk: Desk) -> None:
    euros = wallets.open_wallet(actor=ROBOT, client_id=desk.w.client.pk, currency="EUR")
    foreign = wallets.open_wallet(actor=ROBOT, client_id=another(desk.w).pk, currency="USD")
    wallet = desk.wallet.pk
    for action, payload in [
        (TRANSFER, transfer(desk, source_wallet=wallet, target_wallet=wallet)),
        (TRANSFER, transfer(desk, source_wallet=wallet, target_wallet=euros.pk)),
        (TRANSFER, transfer(desk, source_wallet=foreign.pk, target_wallet=wallet)),
        (TRANSFER, transfer(desk, "-1", source_wallet=wallet, target_account=desk.w.account.pk)),
        (TRANSFER, transfer(desk, source_wallet=wallet)),
        (ADJUST, adjustment(desk, "CREDIT", "5", target_wallet=wallet)),
        (ADJUST, adjustment(desk, "FEE", "-5", target_wallet=wallet)),
        (ADJUST, adjustment(desk, "BONUS", "5", target_wallet=foreign.pk)),
    ]:
        with pytest.raises(NotPossible):
            desk.ask(action, payload)
    with pytest.raises(BelowFloor):
        desk.ask(TRANSFER, transfer(desk, "1000.01", source_wallet=wallet, target_account=desk.w.account.pk))
    with pytest.raises(DomainError, match="decimal"):
        desk.ask(ADJUST, adjustment(desk, "BONUS", "5.001", target_wallet=wallet))
    assert not MoneyRequest.objects.exists()
    assert shown(desk.wallet.account, desk.wallet.reserved) == [1000, 0]


def test_a_restriction_set_while_it_waits_binds(desk: Desk) -> None:
    payload = transfer(desk, source_wallet=desk.wallet.pk, target_account=desk.w.account.pk)
    approval = desk.ask(TRANSFER, payload)
    restrictions.restrict(
        actor=ROBOT, client_id=desk.w.client.pk, kind=RestrictionKind.NO_TRANSFER, reason=Reason.POLICY
    )
    with pytest.raises(Restricted):
        desk.agree(approval)
    assert MoneyRequest.objects.get().state == RequestState.IN_REVIEW
