"""Reservations: money a client has promised away, set aside in the books from the moment of asking.

    hold      wallet or balance -> reserved
    release   reserved -> where it came from
    use       reserved -> clearing.client_money (it is on its way out)

Reserved money of a wallet is used when it leaves; reserved money of a trading account by the server's own deal, which
brings our reference (accounts/services/booking). A reference is reserved once and ends once; a repeat with the same
content returns what is there. The floor of the accounts makes sure that nothing is promised twice.
"""

from __future__ import annotations

from django.db import transaction

from accounts.models import Reservation, ReservationState, TradingAccount, Wallet
from accounts.services.locked import locked_client
from accounts.services.wallets import KIND as LEAVES
from accounts.services.wallets import book, house_accounts
from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import DomainError
from backoffice.kernel.money import Money
from ledger.models import Kind, LedgerAccount
from ledger.selectors.balances import balances
from ledger.services import chart
from ledger.services.journal import Entry

KIND = "RESERVE"
CONTRA = "clearing.client_money"


class CannotReserve(DomainError):
    """There is not enough to set aside, or it is of another currency."""


class AlreadyReserved(DomainError):
    """The reference holds other money already, or its reservation has ended another way."""


@transaction.atomic
def hold(
    *,
    actor: Actor,
    reference: str,
    amount: Money,
    wallet_id: int | None = None,
    trading_account_id: int | None = None,
) -> Reservation:
    """Set money aside under a reference, from a wallet or from a trading account."""
    source = _source(wallet_id, trading_account_id)
    locked_client(source.client_id)
    known = Reservation.objects.filter(reference=reference).first()
    if known is not None:
        same = (known.wallet_id, known.trading_account_id, known.amount, known.currency_id)
        if same != (wallet_id, trading_account_id, amount.amount, amount.currency):
            raise AlreadyReserved(f"{reference} has other money reserved already.")
        return known
    if amount.currency != source.currency_id:
        raise CannotReserve(f"The money there is in {source.currency_id}, not in {amount.currency}.")
    own, reserved = _accounts(actor, source)
    if isinstance(source, TradingAccount) and -balances([own])[own] < amount.amount:
        raise CannotReserve("There is not enough money on the account.")
    posted = book(
        actor=actor,
        entity_id=source.entity_id,
        key=f"reserve:{reference}:hold",
        kind=KIND,
        description=f"{reference} reserved",
        entries=[Entry(own, amount.amount), Entry(reserved, -amount.amount)],
    )
    reservation = Reservation.objects.create(
        reference=reference,
        entity_id=source.entity_id,
        client_id=source.client_id,
        wallet_id=wallet_id,
        trading_account_id=trading_account_id,
        amount=amount.amount,
        currency_id=amount.currency,
        held_at=clock.now(),
        held_journal_id=posted.journal_id,
    )
    audit.record(actor=actor, action="money.reserved", target=reservation, data={"amount": amount})
    return reservation


@transaction.atomic
def release(*, actor: Actor, reference: str, reason: str) -> Reservation:
    """Give back what was set aside, to the cent. A repeat changes nothing."""
    reservation = locked(reference)
    if reservation.state == ReservationState.RELEASED:
        return reservation
    source = reservation.wallet or reservation.trading_account
    assert source is not None
    own, reserved = _accounts(actor, source)
    entries = [Entry(reserved, reservation.amount), Entry(own, -reservation.amount)]
    reservation.reason = reason[:200]
    return _end(actor, reservation, ReservationState.RELEASED, entries)


@transaction.atomic
def use(*, actor: Actor, reference: str) -> Reservation:
    """The money reserved on a wallet leaves: from now on it is on its way. A repeat changes nothing."""
    reservation = locked(reference)
    if reservation.state == ReservationState.USED:
        return reservation
    if reservation.wallet is None:
        raise AlreadyReserved(f"{reference} is taken by the trade server's deal, not here.")
    contra = house_accounts(reservation.entity_id, CONTRA)[reservation.currency_id]
    entries = [Entry(reservation.wallet.reserved_id, reservation.amount), Entry(contra, -reservation.amount)]
    return _end(actor, reservation, ReservationState.USED, entries)


def locked(reference: str) -> Reservation:
    """A reservation, locked behind its client. Raises AlreadyReserved when there is none."""
    found = Reservation.objects.filter(reference=reference).only("client_id").first()
    if found is None:
        raise AlreadyReserved(f"Nothing is reserved under {reference}.")
    locked_client(found.client_id)
    return (
        Reservation.objects.select_for_update(of=("self",)).select_related("wallet", "trading_account").get(pk=found.pk)
    )


# What leaves a wallet is on its way like a deal's money, and is matched with PSP and bank like it.
_ENDS = {ReservationState.RELEASED: (KIND, "release", "released"), ReservationState.USED: (LEAVES, "use", "on its way")}


def _end(actor: Actor, reservation: Reservation, state: ReservationState, entries: list[Entry]) -> Reservation:
    if reservation.state != ReservationState.HELD:
        raise AlreadyReserved(f"{reservation.reference} is {reservation.get_state_display()} already.")
    kind, step, word = _ENDS[state]
    posted = book(
        actor=actor,
        entity_id=reservation.entity_id,
        key=f"reserve:{reservation.reference}:{step}",
        kind=kind,
        description=f"{reservation.reference} {word}",
        entries=entries,
    )
    reservation.state = state
    reservation.ended_at, reservation.ended_journal_id = clock.now(), posted.journal_id
    reservation.save(update_fields=["state", "reason", "ended_at", "ended_journal"])
    audit.record(
        actor=actor,
        action=f"money.reservation_{state.value.lower()}",
        target=reservation,
        data={"reason": reservation.reason},
    )
    return reservation


def _source(wallet_id: int | None, trading_account_id: int | None) -> Wallet | TradingAccount:
    if wallet_id is not None:
        assert trading_account_id is None, "money is reserved in one place"
        return Wallet.objects.get(pk=wallet_id)
    assert trading_account_id is not None, "money is reserved somewhere"
    return TradingAccount.objects.select_related("connection").get(pk=trading_account_id)


def _accounts(actor: Actor, source: Wallet | TradingAccount) -> tuple[int, int]:
    """Where the money is and where it is set aside; the second is opened at a trading account's first reservation."""
    if isinstance(source, Wallet):
        return source.account_id, source.reserved_id
    if source.reserved_account_id is None:
        source.reserved_account = chart.open_account(
            actor=actor,
            entity_id=source.entity_id,
            code=f"client.reserved:{source.connection.name}:{source.login}",
            currency=source.currency_id,
            name=f"Reserved of login {source.login}",
            kind=Kind.LIABILITY,
            holder=f"login:{source.connection_id}:{source.login}",
        )
        source.save(update_fields=["reserved_account"])
    assert isinstance(source.reserved_account, LedgerAccount)
    return source.balance_account_id, source.reserved_account.pk
