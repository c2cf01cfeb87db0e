"""Faults between books, trade server and liquidity provider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from backoffice.demo.chance import Dice
from backoffice.demo.days import mt4_moment, mt5_moment
from backoffice.demo.faults.base import (
    EARLY,
    LONG_PAST,
    Fault,
    amount_of,
    hedged_today,
    just_before,
    long_ago,
    position,
    small,
)
from backoffice.demo.happenings import mt4_trade
from backoffice.demo.instruments import INSTRUMENTS, UNKNOWN_SYMBOL
from backoffice.demo.plan import AddUser, DeleteDeal, EditDeal, Mt4Row, MtDeal
from backoffice.demo.scene import Scene, login_key
from backoffice.kernel.money import quantise


def missing_in_books(scene: Scene, dice: Dice) -> None:
    """A dealer books a deal by hand with a time that the feed has passed; sometimes a close with its result."""
    login = scene.take_login(dice, "mt5-live")
    at, late = long_ago(scene, dice)
    opened = position(scene, dice, login, at)
    deal = scene.opening(opened, shows_at=late)
    scene.plant("MISSING_IN_BOOKS", "CY", deal, "back-dated by a dealer after the feed had passed")
    difference = deal.amount
    if dice.chance(50):
        done = scene.mt5.close(opened, at + timedelta(minutes=4), opened.lots, "CLIENT")
        closed = scene.closing(opened, deal, done)
        scene.plant("MISSING_IN_BOOKS", "CY", closed, "back-dated by a dealer after the feed had passed")
        difference += closed.amount
    scene.balance_differs(login, difference, "the back-dated deals moved the server's balance")


def missing_at_server(scene: Scene, dice: Dice) -> None:
    """A deal is deleted at the server long after it was read; where it was hedged, its fill is alone then."""
    login = scene.take_login(dice, "mt5-live")
    at, late = long_ago(scene, dice)
    opened = position(scene, dice, login, at)
    deal = scene.opening(opened)
    scene.act(late, DeleteDeal(deal))
    scene.plant("MISSING_AT_SERVER", "CY", deal, "deleted at the server after it was read")
    scene.balance_differs(login, -deal.amount, "the deleted deal's commission came back at the server")
    if dice.chance(40):
        deal.external, deal.gateway = f"LPDEL{scene.order()}", "LP"
        scene.touched.add(deal.external)
        fill = scene.fill(dice, deal, opened.symbol.instrument, opened.lots * opened.symbol.contract)
        scene.plan.fills.append(fill)
        scene.plant("FILL_WITHOUT_DEAL", "CY", fill_key(fill.exec_id), "its deal was deleted at the server")


def missing_at_lp(scene: Scene, dice: Dice) -> None:
    deal, fill = hedged_today(scene, dice)
    scene.plan.fills.remove(fill)
    scene.plant("MISSING_AT_LP", "CY", deal, "the provider's file lacks the fill")


def fill_without_deal(scene: Scene, dice: Dice) -> None:
    """The provider filled an order that no client gave: the trace of a double click at the bridge."""
    _, like = hedged_today(scene, dice)
    alone = replace(like, exec_id=f"EXA{scene.order()}", order_ref=f"LPX{scene.order()}")
    scene.plan.fills.append(alone)
    scene.plant("FILL_WITHOUT_DEAL", "CY", fill_key(alone.exec_id), "an order that no deal belongs to")


def side(scene: Scene, dice: Dice) -> None:
    deal, fill = hedged_today(scene, dice)
    fill.side = "S" if fill.side == "B" else "B"
    scene.plant("SIDE", "CY", deal, "the provider dealt the other way")


def symbol(scene: Scene, dice: Dice) -> None:
    deal, fill = hedged_today(scene, dice)
    others = [item.lp_symbol for item in INSTRUMENTS if item.lp_symbol != fill.symbol]
    fill.symbol = dice.one([dice.one(others), "NEWSYM.x"])
    scene.plant("SYMBOL", "CY", deal, "the provider filled another instrument")


def volume(scene: Scene, dice: Dice) -> None:
    """Another quantity, or two parts that do not add up."""
    deal, fill = hedged_today(scene, dice)
    if dice.chance(50):
        fill.units = fill.units * dice.number(2, 4)
    else:
        part = replace(fill, exec_id=f"EXP{scene.order()}", units=fill.units * dice.number(2, 8) / 10)
        fill.units = fill.units / 10
        scene.plan.fills.append(part)
    scene.plant("VOLUME", "CY", deal, "the provider's quantity is not the deal's")


def price(scene: Scene, dice: Dice) -> None:
    """A price off by 0.1 to 0.6 %, where the rule allows 0.05 %."""
    deal, fill = hedged_today(scene, dice)
    digits = -int(deal.price.as_tuple().exponent)
    off = quantise(deal.price * dice.number(10, 60) / 10_000, digits)
    fill.price = deal.price + off if dice.chance(60) else deal.price - off
    scene.plant("PRICE", "CY", deal, "the provider's price is off by more than the mark-up")


def duplicate(scene: Scene, dice: Dice) -> None:
    """The provider reports an order twice (under a new number or the same), or the server dealt it twice."""
    deal, fill = hedged_today(scene, dice)
    variant = dice.number(1, 3)
    if variant == 3:
        again = replace(deal, at=deal.at + timedelta(seconds=1), shows_at=deal.shows_at + timedelta(seconds=1))
        again.order = again.position = scene.order()
        # A second opening: nothing is closed by it, and it costs what the first one did.
        again.entry, again.profit, again.swap = 0, Decimal(0), Decimal(0)
        scene.plan.deals.append(again)
        scene.plant("DUPLICATE", "CY", again, "the server dealt the same order twice")
    else:
        exec_id = fill.exec_id if variant == 1 else f"EXD{scene.order()}"
        scene.plan.fills.append(replace(fill, exec_id=exec_id, at=fill.at + timedelta(seconds=2)))
    scene.plant("DUPLICATE", "CY", deal, "the same order appears twice")


def late(scene: Scene, dice: Dice) -> None:
    deal, fill = hedged_today(scene, dice)
    fill.at = deal.at + timedelta(seconds=dice.number(90, 600))
    scene.plant("LATE", "CY", deal, "the fill is minutes behind the deal")


def edited(scene: Scene, dice: Dice) -> None:
    """A deal is changed after the fact: while the feed still overlaps it, and another when it does no more."""
    if all(planted.klass != "EDITED" for planted in scene.plan.planted):
        _edited(scene, dice, seen=True)
        _edited(scene, dice, seen=False)
    else:
        _edited(scene, dice, seen=dice.chance(50))


def _edited(scene: Scene, dice: Dice, *, seen: bool) -> None:
    login = scene.take_login(dice, "mt5-live")
    at, then = just_before(scene, dice) if seen else long_ago(scene, dice)
    opened = position(scene, dice, login, at)
    deal = scene.opening(opened)
    if seen and dice.chance(35):
        scene.act(then, DeleteDeal(deal))
        scene.plant("EDITED", "CY", deal, "deleted at the server while the feed still overlapped it")
        return
    if dice.chance(35):
        fields, difference = {"Price": str(deal.price + quantise(deal.price / 1000, 5))}, Decimal(0)
    else:
        difference = -amount_of(dice, login)
        fields = {"Commission": str(deal.commission + difference)}
    scene.act(then, EditDeal(deal, fields))
    scene.plant("EDITED", "CY", deal, f"edited at the server {'within' if seen else 'after'} the feed's overlap")
    if not seen:
        scene.balance_differs(login, difference, "the late edit moved the server's balance")


def unknown_login(scene: Scene, dice: Dice) -> None:
    """A login opened at the server and nowhere else, with money on it; on MT4 only its row is there to see."""
    entity = dice.one(("CY", "CY", "UK"))
    login = scene.late_login(dice, entity)
    amount = Decimal(dice.number(2, 40) * 100)
    if entity == "UK":
        at = mt4_moment(scene.days.live, dice.number(540, 900))
        row = scene.operation(login, amount, at, "Initial transfer")
        scene.plant("UNKNOWN_LOGIN", "UK", row, "money on a login that the books do not know")
        return
    at = mt5_moment(scene.days.live, dice.number(EARLY, LONG_PAST))
    scene.act(at - timedelta(minutes=1), AddUser(login))
    deal = scene.operation(login, amount, at, "Initial transfer")
    scene.plant("UNKNOWN_LOGIN", "CY", deal, "money on a login that the books do not know")
    total = amount
    if dice.chance(50):
        traded = scene.opening(position(scene, dice, login, at + timedelta(minutes=7)))
        scene.plant("UNKNOWN_LOGIN", "CY", traded, "a trade on a login that the books do not know")
        total += traded.amount
    scene.plant("ACCOUNT_UNKNOWN", "CY", login_key(login, scene.days.live), "the server has a login more", amount=total)


def unknown_symbol(scene: Scene, dice: Dice) -> None:
    """A deal in a symbol nobody has mapped. Its result is on the server and not in the books."""
    if dice.chance(30):
        _unknown_symbol_mt4(scene, dice)
        return
    login = scene.take_login(dice, "mt5-live")
    at = mt5_moment(scene.days.live, dice.number(EARLY, LONG_PAST))
    opened = position(scene, dice, login, at)
    deal = scene.opening(opened)
    deals = [deal]
    if dice.chance(60):
        done = scene.mt5.close(opened, at + timedelta(minutes=dice.number(5, 90)), opened.lots, "CLIENT")
        deals.append(scene.closing(opened, deal, done))
    for one in deals:
        one.symbol = UNKNOWN_SYMBOL
        scene.plant("UNKNOWN_SYMBOL", "CY", one, "a symbol that stands for nothing we know")
    difference = sum((one.amount for one in deals), Decimal(0))
    scene.balance_differs(login, difference, "deals in an unknown symbol are not booked")


def _unknown_symbol_mt4(scene: Scene, dice: Dice) -> None:
    login = scene.take_login(dice, "mt4-uk")
    at = mt4_moment(scene.days.live, dice.number(300, 1_100))
    opened = scene.mt4.open(login, at, lots=small(dice))
    row = mt4_trade(opened, scene.mt4_ticket(), opened.lots, since=at)
    row.symbol_name = UNKNOWN_SYMBOL
    scene.plan.mt4.append(row)
    scene.plant("UNKNOWN_SYMBOL", "UK", row, "an open trade in a symbol that stands for nothing we know")


def bad_deal(scene: Scene, dice: Dice) -> None:
    """A deal of a kind this version does not know: a cancelled buy (action 13), an entry of an old build (255)."""
    if dice.chance(25):
        login = scene.take_login(dice, "mt4-uk")
        at = mt4_moment(scene.days.live, dice.number(300, 1_100))
        row = Mt4Row(scene.mt4_ticket(), login.number, 9, at, at, comment="internal")
        scene.plan.mt4.append(row)
        scene.plant("BAD_DEAL", "UK", row, "a command of the server's that nobody knows")
        return
    login = scene.take_login(dice, "mt5-live")
    at = mt5_moment(scene.days.live, dice.number(EARLY, LONG_PAST))
    deal: MtDeal = scene.opening(position(scene, dice, login, at))
    if dice.chance(50):
        deal.action = 13
    else:
        deal.entry = 255
    if dice.chance(50):
        deal.profit = -amount_of(dice, login)
    scene.plant("BAD_DEAL", "CY", deal, "a deal action or entry that nobody knows")
    scene.balance_differs(login, deal.amount, "a deal of an unknown kind is not booked")


def fill_key(exec_id: str) -> str:
    return f"fill:{{lp-prime}}:{exec_id}"


FAULTS: Mapping[str, Fault] = {
    "MISSING_IN_BOOKS": missing_in_books,
    "MISSING_AT_SERVER": missing_at_server,
    "MISSING_AT_LP": missing_at_lp,
    "FILL_WITHOUT_DEAL": fill_without_deal,
    "SIDE": side,
    "SYMBOL": symbol,
    "VOLUME": volume,
    "PRICE": price,
    "DUPLICATE": duplicate,
    "LATE": late,
    "EDITED": edited,
    "UNKNOWN_LOGIN": unknown_login,
    "UNKNOWN_SYMBOL": unknown_symbol,
    "BAD_DEAL": bad_deal,
}
