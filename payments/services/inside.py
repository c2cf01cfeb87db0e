"""Money that stays in the house: transfers, adjustments, credit and bonus, fees, conversions.

Nothing moves without a second person. Asking sets the money aside; the last approval carries the request out:

    from a wallet    reserved -> target, or reserved -> clearing when the server has credited the target
    from a login     the server is debited first; its own deal takes what was reserved
    onto a login     the server is credited; its own deal books it
    neither          an adjustment, credit, bonus or fee: one operation at the server, or one journal on the wallet

What a server refuses is given back; where it refuses the second half of a transfer, the money goes to the client's
wallet, where it can be seen and used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import transaction

from accounts.models import TradingAccount, Wallet, What
from accounts.services import reserves, restrictions, wallets
from accounts.services.locked import locked_client
from backoffice.kernel.actor import Actor, System
from backoffice.kernel.errors import DomainError
from backoffice.kernel.money import Money
from integrations.records import DealKind
from integrations.services import operations
from ledger.services import fx
from payments.models import MoneyRequest, RequestKind, RequestState
from payments.services import machine

OUT, IN, ONLY = "out", "in", "only"
_ROBOT = System("payments.inside")
CLEARING = "clearing.client_money"
# What an adjustment is, where it is booked in a wallet's case, and how a trade server calls it.
SORTS: dict[str, tuple[RequestKind, str, DealKind]] = {
    "CORRECTION": (RequestKind.ADJUSTMENT, "expense.client_corrections", DealKind.CORRECTION),
    "CREDIT": (RequestKind.CREDIT, "", DealKind.CREDIT),
    "BONUS": (RequestKind.CREDIT, "expense.bonus", DealKind.BONUS),
    "FEE": (RequestKind.FEE, "income.fees", DealKind.CHARGE),
}


class NotPossible(DomainError):
    """What is asked for does not fit together: entities, currencies, sides or signs."""


@dataclass(frozen=True, slots=True)
class Sides:
    """Where money comes from and goes to, by the ids of wallets and trading accounts."""

    source_wallet: int | None = None
    source_account: int | None = None
    target_wallet: int | None = None
    target_account: int | None = None


@transaction.atomic
def start_transfer(*, actor: Actor, client_id: int, sides: Sides, amount: Money) -> MoneyRequest:
    """Ask to move money between two places of one client or of two; it is set aside at once."""
    source, target = _source(sides), _target(sides)
    if source is None or target is None or source == target:
        raise NotPossible("A transfer goes from one wallet or account to another.")
    if amount.amount <= 0:
        raise NotPossible("The amount of a transfer is more than nought.")
    if source.client_id != client_id or target.entity_id != source.entity_id:
        raise NotPossible(
            "Both sides of a transfer belong to one legal entity, and the money to the client who gives it."
        )
    if {source.currency_id, target.currency_id} != {amount.currency}:
        raise NotPossible("Both sides of a transfer are in one currency. Convert the money in the wallet first.")
    clients = restrictions.require_all_may(client_ids={source.client_id, target.client_id}, what=What.TRANSFER)
    request = machine.start(
        actor=actor, kind=RequestKind.TRANSFER, client=clients[client_id], amount=amount, **_columns(sides)
    )
    reserves.hold(
        actor=actor,
        reference=request.reference,
        amount=amount,
        wallet_id=sides.source_wallet,
        trading_account_id=sides.source_account,
    )
    return request


@transaction.atomic
def start_adjustment(*, actor: Actor, client_id: int, sides: Sides, amount: Money, sort: str) -> MoneyRequest:
    """Ask to correct a balance, to give or take credit or bonus, or to take a fee. The target is where it is booked;
    the amount is signed for the client, and a fee is asked for as what is taken, positive. What keeps a client from
    moving money does not keep the house from putting a balance right."""
    kind, contra, _ = SORTS[sort]
    target = _target(sides)
    if target is None or target.client_id != client_id or _source(sides) is not None:
        raise NotPossible("Choose the wallet or account of this client that it is booked on.")
    if target.currency_id != amount.currency:
        raise NotPossible(f"It is in {target.currency_id}, not in {amount.currency}.")
    if isinstance(target, Wallet) and not contra:
        raise NotPossible("Credit is given on a trading account; a wallet has none.")
    if kind == RequestKind.FEE and amount.amount <= 0:
        raise NotPossible("A fee is what is taken, as a positive amount. Give one back as a correction.")
    client = locked_client(client_id)
    if sort == "BONUS":
        restrictions.require_may(client_id=client_id, what=What.BONUS)
    return machine.start(actor=actor, kind=kind, client=client, amount=amount, reason=sort, **_columns(sides))


@transaction.atomic
def start_conversion(
    *, actor: Actor, client_id: int, sides: Sides, amount: Money, bought: Money, rate: Decimal, rate_source: str
) -> MoneyRequest:
    """Ask to turn money of one wallet into another currency on another wallet of the client, at a rate (bought for one
    unit of what is sold) that was agreed when it was asked for."""
    source, target = _source(sides), _target(sides)
    if not isinstance(source, Wallet) or not isinstance(target, Wallet):
        raise NotPossible("A conversion goes from one wallet to another.")
    if {source.client_id, target.client_id} != {client_id} or amount.amount <= 0 or bought.amount <= 0:
        raise NotPossible("Both wallets belong to this client, and both amounts are more than nought.")
    if (source.currency_id, target.currency_id) != (amount.currency, bought.currency) or source == target:
        raise NotPossible("The wallets are in the two currencies of the conversion.")
    clients = restrictions.require_all_may(client_ids=[client_id], what=What.TRANSFER)
    request = machine.start(
        actor=actor,
        kind=RequestKind.CONVERSION,
        client=clients[client_id],
        amount=amount,
        source_wallet=source,
        target_wallet=target,
        amount_to=bought.amount,
        currency_to_id=bought.currency,
        rate=rate,
        rate_source=rate_source,
    )
    reserves.hold(actor=actor, reference=request.reference, amount=amount, wallet_id=source.pk)
    return request


@transaction.atomic
def carry_out(*, actor: Actor, request_id: int) -> MoneyRequest:
    """Do what was approved. Runs behind four eyes."""
    request = machine.locked(request_id=request_id)
    if request.kind not in {RequestKind.TRANSFER, RequestKind.CONVERSION}:
        return _adjust(actor, request)
    restrictions.require_all_may(client_ids=_clients(request), what=What.TRANSFER)
    if request.kind == RequestKind.CONVERSION:
        return _convert(actor, request)
    if request.source_account is not None:
        _operate(actor, request, OUT)
        return machine.move(actor=actor, request=request, to=RequestState.AT_SERVER)
    if request.target_account is not None:
        _operate(actor, request, IN)
        return machine.move(actor=actor, request=request, to=RequestState.AT_SERVER)
    reserves.use(actor=actor, reference=request.reference)
    return _onto_wallet(actor, request, request.target_wallet)


@transaction.atomic
def give_up(*, actor: Actor, request_id: int, to: RequestState, text: str) -> MoneyRequest:
    """The request ends before anything was done: what was set aside is given back."""
    request = machine.locked(request_id=request_id)
    _release(actor, request, text)
    return machine.move(actor=actor, request=request, to=to, text=text)


def on_operated(key: str, state: str, ticket: int | None, error: str) -> None:
    """A trade server has booked or refused one of our operations; told by integrations in its transaction."""
    reference, _, part = key.partition(":")
    if part not in {OUT, IN, ONLY}:
        return
    request = machine.locked_by_reference(reference=reference)
    if request is None or request.state != RequestState.AT_SERVER:
        return
    if state == "DONE":
        machine.note(actor=_ROBOT, request=request, data={"operation": key, "ticket": ticket})
        _done_at_server(request, part)
    else:
        _refused_at_server(request, part, error)


def _done_at_server(request: MoneyRequest, part: str) -> None:
    if part == OUT and request.target_account is not None:
        _operate(_ROBOT, request, IN)
    elif part == OUT:
        _onto_wallet(_ROBOT, request, request.target_wallet)
    else:
        if request.source_wallet is not None:
            reserves.use(actor=_ROBOT, reference=request.reference)
        machine.move(actor=_ROBOT, request=request, to=RequestState.DONE)


def _refused_at_server(request: MoneyRequest, part: str, error: str) -> None:
    said = f"The trade server refused: {error}"
    if part == IN and request.source_account is not None:
        # The source is debited already: the money belongs to whom it was meant for, and must be somewhere.
        assert request.target_account is not None
        owner, currency = request.target_account.client_id, request.currency_id
        wallet = wallets.open_wallet(actor=_ROBOT, client_id=owner, currency=currency)
        _book_onto(_ROBOT, request, wallet)
        machine.move(
            actor=_ROBOT, request=request, to=RequestState.FAILED, text=f"{said} The money is in the wallet instead."
        )
        return
    _release(_ROBOT, request, said)
    machine.move(actor=_ROBOT, request=request, to=RequestState.FAILED, text=said, data={"refused": error})


def _adjust(actor: Actor, request: MoneyRequest) -> MoneyRequest:
    if request.target_account is not None:
        _operate(actor, request, ONLY)
        return machine.move(actor=actor, request=request, to=RequestState.AT_SERVER)
    assert request.target_wallet is not None
    posted = wallets.move(
        actor=actor,
        wallet=request.target_wallet,
        amount=Money(_signed(request), request.currency_id),
        contra=SORTS[request.reason][1],
        key=f"money:{request.reference}",
        description=f"{request.reference} {request.reason.lower()}",
    )
    return machine.move(actor=actor, request=request, to=RequestState.DONE, data={"journal": posted.journal_id})


def _convert(actor: Actor, request: MoneyRequest) -> MoneyRequest:
    source, target = request.source_wallet, request.target_wallet
    assert source is not None and target is not None
    assert request.amount_to is not None and request.currency_to_id is not None
    reserves.release(actor=actor, reference=request.reference, reason="converted")
    posted = wallets.book(
        actor=actor,
        entity_id=request.entity_id,
        key=f"money:{request.reference}",
        description=f"{request.reference} {request.currency_id} to {request.currency_to_id} at {request.rate}",
        entries=fx.exchange_entries(
            from_account_id=source.account_id,
            sold=Money(request.amount, request.currency_id),
            to_account_id=target.account_id,
            bought=Money(request.amount_to, request.currency_to_id),
            clearing=wallets.house_accounts(request.entity_id, fx.CLEARING),
        ),
    )
    return machine.move(actor=actor, request=request, to=RequestState.DONE, data={"journal": posted.journal_id})


def _onto_wallet(actor: Actor, request: MoneyRequest, wallet: Wallet | None) -> MoneyRequest:
    assert wallet is not None
    journal_id = _book_onto(actor, request, wallet)
    return machine.move(actor=actor, request=request, to=RequestState.DONE, data={"journal": journal_id})


def _book_onto(actor: Actor, request: MoneyRequest, wallet: Wallet) -> int:
    return wallets.move(
        actor=actor,
        wallet=wallet,
        amount=Money(request.amount, request.currency_id),
        contra=CLEARING,
        key=f"money:{request.reference}",
        description=f"{request.reference} to the wallet",
    ).journal_id


def _signed(request: MoneyRequest) -> Decimal:
    """The amount of an adjustment as the client has it."""
    return -request.amount if request.kind == RequestKind.FEE else request.amount


def _operate(actor: Actor, request: MoneyRequest, part: str) -> None:
    """Promise the server's half: the debit of the source, the credit of the target, or the one operation there is."""
    account = request.source_account if part == OUT else request.target_account
    assert account is not None
    operations.operate(
        actor=actor,
        connection_id=account.connection_id,
        login=account.login,
        kind=SORTS[request.reason][2] if part == ONLY else DealKind.BALANCE,
        amount={OUT: -request.amount, IN: request.amount, ONLY: _signed(request)}[part],
        reference=request.reference,
        text=RequestKind(request.kind).label,
        key=f"{request.reference}:{part}",
    )


def _release(actor: Actor, request: MoneyRequest, text: str) -> None:
    if request.source_wallet_id is not None or request.source_account_id is not None:
        reserves.release(actor=actor, reference=request.reference, reason=text)


def _columns(sides: Sides) -> dict[str, Any]:
    return {
        "source_wallet_id": sides.source_wallet,
        "source_account_id": sides.source_account,
        "target_wallet_id": sides.target_wallet,
        "target_account_id": sides.target_account,
    }


def _source(sides: Sides) -> Wallet | TradingAccount | None:
    return _place(sides.source_wallet, sides.source_account)


def _target(sides: Sides) -> Wallet | TradingAccount | None:
    return _place(sides.target_wallet, sides.target_account)


def _place(wallet_id: int | None, account_id: int | None) -> Wallet | TradingAccount | None:
    if wallet_id is not None and account_id is not None:
        raise NotPossible("Choose a wallet or an account, not both.")
    if wallet_id is not None:
        return Wallet.objects.get(pk=wallet_id)
    return TradingAccount.objects.get(pk=account_id) if account_id is not None else None


def _clients(request: MoneyRequest) -> Sequence[int]:
    places = (request.source_wallet, request.source_account, request.target_wallet, request.target_account)
    return sorted({place.client_id for place in places if place is not None} | {request.client_id})
