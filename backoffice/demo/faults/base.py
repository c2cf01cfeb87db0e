"""What the faults share: their form, moments of the live day, and positions made for them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from backoffice.demo.chance import Dice
from backoffice.demo.clients import Login
from backoffice.demo.days import mt5_moment
from backoffice.demo.plan import LpFill, MtDeal
from backoffice.demo.scene import Scene
from backoffice.demo.trading import Position

Fault = Callable[[Scene, Dice], None]

# Minutes of the live day on the MT5 server's wall. The feed is read at READ and again after CHANGED; what was
# dealt just before READ is within the overlap then, what was dealt before LONG_PAST is not when it is LATE.
READ = (8 * 60, 14 * 60)
CHANGED = 12
LONG_PAST = 13 * 60
LATE = (20 * 60 + 10, 20 * 60 + 50)
# Nothing goes wrong before the night of the day before has been reconciled.
EARLY = 4 * 60


def just_before(scene: Scene, dice: Dice) -> tuple[datetime, datetime]:
    """A moment that is read at once, and one soon after: what is changed then, the next reading sees."""
    read = dice.one(READ)
    before = mt5_moment(scene.days.live, read - dice.number(1, 9), dice.number(0, 59))
    return before, mt5_moment(scene.days.live, read + dice.number(2, CHANGED), dice.number(0, 59))


def long_ago(scene: Scene, dice: Dice) -> tuple[datetime, datetime]:
    """A moment that is read and done with, and a late one in which nobody looks at it any more."""
    before = mt5_moment(scene.days.live, dice.number(EARLY, LONG_PAST), dice.number(0, 59))
    return before, mt5_moment(scene.days.live, dice.number(*LATE), dice.number(0, 59))


def small(dice: Dice) -> Decimal:
    return Decimal(dice.number(5, 120)).scaleb(-2)


def position(scene: Scene, dice: Dice, login: Login, at: datetime) -> Position:
    """A small position at a moment."""
    return scene.mt5.open(login, at, lots=small(dice))


def amount_of(dice: Dice, login: Login) -> Decimal:
    """A difference of money, never zero."""
    return dice.cents(500, 9_900, login.exponent) if login.exponent else Decimal(dice.number(500, 9_900))


def hedged_today(scene: Scene, dice: Dice) -> tuple[MtDeal, LpFill]:
    """A deal of the live day with its one fill, not part of another fault yet; it leaves the pool."""
    first, last = mt5_moment(scene.days.live, 30), mt5_moment(scene.days.live, 22 * 60)
    return _hedged(scene, dice, first, last)


def hedged_on(scene: Scene, dice: Dice, back: int) -> tuple[MtDeal, LpFill]:
    """The same of a business day before the live one."""
    day = scene.days.back(back)
    return _hedged(scene, dice, mt5_moment(day, 30), mt5_moment(day, 22 * 60))


def _hedged(scene: Scene, dice: Dice, first: datetime, last: datetime) -> tuple[MtDeal, LpFill]:
    by_order: dict[str, list[LpFill]] = {}
    for fill in scene.plan.fills:
        by_order.setdefault(fill.order_ref, []).append(fill)
    free = [
        deal
        for deal in scene.plan.deals
        if deal.external and first <= deal.at <= last and deal.external not in scene.touched
    ]
    deal = dice.one([deal for deal in free if len(by_order.get(deal.external, ())) == 1])
    scene.touched.add(deal.external)
    return deal, by_order[deal.external][0]
