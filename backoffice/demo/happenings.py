"""An ordinary month: deposits, positions, withdrawals, credits and charges of every login."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

from backoffice.demo.chance import Dice
from backoffice.demo.clients import Login
from backoffice.demo.days import shifted, utc
from backoffice.demo.plan import ZERO, Mt4Row, MtDeal
from backoffice.demo.scene import Scene
from backoffice.demo.trading import Exit, Position

_HEDGED = 35  # of a hundred positions on MT5
_SIZES = ((200, 8), (250, 10), (500, 22), (1000, 24), (2000, 12), (2500, 8), (5000, 10), (10_000, 5), (25_000, 1))
_WORTH = {"USD": 1, "EUR": 1, "GBP": 1, "JPY": 150}
_CREDIT_ACTIONS = (3, 20)
_MT4_CREDIT = 7
# MT5 action, comment, percent of the deposit, how often of a thousand logins.
_EXTRAS = (
    (3, "Welcome credit", 10, 40),
    (6, "Loyalty bonus", 2, 25),
    (4, "Inactivity fee", -1, 30),
    (12, "Interest on free funds", 1, 15),
    (5, "Correction requote", 1, 12),
    (15, "Dividend adjustment", -1, 12),
)


def happen(scene: Scene) -> None:
    """Let every login live its month."""
    for server in ("mt5-live", "mt4-uk"):
        dice = Dice(scene.seed, f"month/{server}")
        for login in scene.logins(server):
            _live(scene, dice, login)
    _regulars(scene, Dice(scene.seed, "regulars"))
    _charges(scene, Dice(scene.seed, "charges"))


def _live(scene: Scene, dice: Dice, login: Login) -> None:
    first = dice.weighted(((0, 30), (1, 20), (2, 12), (3, 8), (dice.number(4, 12), 30)))
    day = scene.days.all[first]
    size = _size(dice, login)
    before = len(scene.plan.deals), len(scene.plan.mt4)
    deposit(scene, dice, login, size, day)
    for _ in range(dice.weighted(((0, 35), (1, 35), (2, 20), (3, 10)))):
        later = dice.number(first + 1, len(scene.days.all) - 1)
        deposit(scene, dice, login, _size(dice, login), scene.days.all[later])
    worth = size / _WORTH[login.currency]
    if login.server == "mt5-live":
        _trade_mt5(scene, dice, login, day, worth)
        _extras(scene, dice, login, size, first)
        moves = _settle(scene, login, scene.plan.deals[before[0] :])
    else:
        _trade_mt4(scene, dice, login, day, worth)
        _extras(scene, dice, login, size, first)
        rows = [row for row in scene.plan.mt4[before[1] :] if row.command != _MT4_CREDIT]
        moves = [(row.closed, _total(row)) for row in rows if row.closed is not None]
    if dice.chance(38):
        _withdraw(scene, dice, login, sorted(moves))


def _size(dice: Dice, login: Login) -> Decimal:
    """A deposit: a round sum, now and then one with cents."""
    amount = Decimal(dice.weighted(_SIZES) * _WORTH[login.currency])
    if login.exponent and dice.chance(15):
        amount += dice.cents(-9_999, 9_999)
    return amount


def deposit(scene: Scene, dice: Dice, login: Login, amount: Decimal, day: date) -> None:
    """Money in: by card through the PSP (not in the UK), or by wire."""
    reference = scene.reference("D")
    at = utc(day, dice.number(7, 18), dice.number(0, 59)) + timedelta(seconds=dice.number(0, 59))
    if login.entity == "CY" and dice.chance(72):
        scene.operation(login, amount, at, f"{reference} card")
        scene.settled(reference, login.currency, amount, shifted(day, dice.number(1, 2)), login.exponent)
    else:
        scene.operation(login, amount, at, f"{reference} wire")
        scene.wire(login, amount, day, reference)


def _withdraw(scene: Scene, dice: Dice, login: Login, moves: list[tuple[datetime, Decimal]]) -> None:
    """Money out, at most a part of what stays on the account from then on."""
    day = dice.one(scene.days.all[8:])
    at = utc(day, dice.number(7, 18), dice.number(0, 59))
    balance = sum((amount for when, amount in moves if when <= at), ZERO)
    least = balance
    for _, amount in (move for move in moves if move[0] > at):
        balance += amount
        least = min(least, balance)
    tens = least * dice.number(20, 60) / 1000 // _WORTH[login.currency]
    if tens < 3:
        return
    amount = -10 * tens * _WORTH[login.currency]
    reference = scene.reference("W")
    if login.entity == "CY" and dice.chance(45):
        scene.operation(login, amount, at, f"{reference} card")
        scene.psp("PaidOut", reference, login.currency, amount, shifted(day, 1))
    else:
        scene.operation(login, amount, at, f"{reference} bank")
        scene.wire(login, amount, shifted(day, dice.number(0, 1)), reference)


def _extras(scene: Scene, dice: Dice, login: Login, size: Decimal, first: int) -> None:
    """Credits, bonuses, charges and the like; MT4 knows credits only."""
    for action, comment, percent, often in _EXTRAS:
        if dice.number(1, 1000) <= often and (login.server == "mt5-live" or action == 3):
            day = dice.one(scene.days.all[first + 1 :])
            amount = (size * percent / 100).quantize(Decimal(1).scaleb(-login.exponent))
            scene.operation(login, amount, utc(day, dice.number(9, 16), dice.number(0, 59)), comment, action=action)


def _trade_mt5(scene: Scene, dice: Dice, login: Login, day: date, worth: Decimal) -> None:
    for position in scene.mt5.positions(login, since=day, equity=worth):
        hedged = dice.chance(_HEDGED)
        opened = scene.opening(position)
        deals = [opened, *(scene.closing(position, opened, done) for done in position.exits)]
        if hedged:
            for deal in deals:
                scene.hedge(dice, deal, position.symbol.instrument, position.symbol.contract)
        if position.open_lots:
            scene.plan.floating[login.number] = scene.plan.floating.get(login.number, ZERO) + scene.mt5.floating(
                position, scene.ends
            )


def _settle(scene: Scene, login: Login, deals: list[MtDeal]) -> list[tuple[datetime, Decimal]]:
    """The moves of a login's balance; where one leaves less than nothing, it was a stop-out and is made good."""
    balance = ZERO
    moves: list[tuple[datetime, Decimal]] = []
    for deal in sorted(deals, key=lambda d: d.at):
        if deal.action in _CREDIT_ACTIONS:
            continue
        balance += deal.amount
        moves.append((deal.at, deal.amount))
        if balance < 0 and deal.entry == 1:
            deal.reason, deal.comment = 5, "[so 48.2%/50.0%]"
            made_good = deal.at + timedelta(seconds=1)
            scene.operation(login, -balance, made_good, "so compensation", action=19)
            moves.append((made_good, -balance))
            balance = ZERO
    return moves


def _trade_mt4(scene: Scene, dice: Dice, login: Login, day: date, worth: Decimal) -> None:
    for position in scene.mt4.positions(login, since=day, equity=worth):
        ticket, comment, left, since = scene.mt4_ticket(), "", position.lots, position.at
        for done in position.exits:
            row = mt4_trade(position, ticket, left, since=since, comment=comment)
            mt4_close(row, position, done)
            scene.plan.mt4.append(row)
            left, since = left - done.lots, done.at
            if left:
                row.lots = done.lots
                ticket, comment, before = scene.mt4_ticket(), f"from #{ticket}", row
                before.comment = f"to #{ticket}"
        if left:
            scene.plan.mt4.append(mt4_trade(position, ticket, left, since=since, comment=comment))
        if dice.chance(12):
            _pending(scene, dice, login, position)


def mt4_trade(position: Position, ticket: int, lots: Decimal, *, since: datetime, comment: str = "") -> Mt4Row:
    """The row of an open trade, there since it was opened, or since the part before it was closed."""
    return Mt4Row(
        ticket=ticket,
        login=position.login.number,
        command=0 if position.side > 0 else 1,
        opened=position.at,
        shows_at=since,
        symbol=position.symbol,
        symbol_name=position.symbol.name,
        lots=lots,
        open_lots=lots,
        open_price=position.price,
        open_comment=comment,
    )


def mt4_close(row: Mt4Row, position: Position, done: Exit) -> None:
    """What MT4 writes into the row when the trade closes."""
    row.closed, row.close_price, row.profit, row.swap = done.at, done.price, done.profit, done.swap
    # MT4 keeps one commission per ticket, for both sides.
    row.commission = 2 * done.commission
    row.comment = {"SL": "[sl]", "TP": "[tp]"}.get(done.reason, row.open_comment)


def _pending(scene: Scene, dice: Dice, login: Login, near: Position) -> None:
    """A limit order that is cancelled hours later, or waits for ever."""
    row = Mt4Row(
        ticket=scene.mt4_ticket(),
        login=login.number,
        command=2 if near.side > 0 else 3,
        opened=near.at,
        symbol=near.symbol,
        symbol_name=near.symbol.name,
        lots=near.lots,
        open_lots=near.lots,
        open_price=near.price,
    )
    if dice.chance(60):
        row.cancelled = near.at + timedelta(hours=dice.number(1, 5))
    scene.plan.mt4.append(row)


def _total(row: Mt4Row) -> Decimal:
    return row.profit + row.swap + row.commission


def _regulars(scene: Scene, dice: Dice) -> None:
    """A large card deposit in each of three currencies on each of the last days, so that every batch pays out."""
    for currency in ("USD", "EUR", "GBP"):
        login = dice.one([x for x in scene.logins("mt5-live") if x.currency == currency and not x.reckless])
        for back in range(7):
            day, reference = scene.days.back(back), scene.reference("D")
            amount = Decimal(dice.number(60, 240) * 100)
            scene.operation(login, amount, utc(day, dice.number(7, 18), dice.number(0, 59)), f"{reference} card")
            scene.settled(reference, currency, amount, shifted(day, 1), 2)


def _charges(scene: Scene, dice: Dice) -> None:
    """What banks and the PSP take every week."""
    for day in scene.days.all:
        if day.weekday() == 4:
            for bank, currency in (("bank-cy", "EUR"), ("bank-uk", "GBP")):
                amount = -dice.cents(1_500, 6_900)
                scene.bank_line(bank, day, currency, amount, "Account fees of the week", code=("ACMT", "MDOP", "CHRG"))
        if day.weekday() == 0:
            row = scene.psp("Fee", "", "EUR", -dice.cents(900, 2_900), day)
            row.psp_reference, row.modification = "", f"Transaction Fees {day:%B %d %Y}"
