"""Breaks from before the live day: some lie open, some have settled by themselves.

The nights of the last history days find them; each is gone again with the run that sees its other side.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from backoffice.demo.chance import Dice
from backoffice.demo.days import mt5_moment, utc
from backoffice.demo.faults.base import hedged_on, position, small
from backoffice.demo.faults.cash import WINDOW, stray
from backoffice.demo.faults.trades import fill_key
from backoffice.demo.plan import FetchDeal
from backoffice.demo.scene import Scene
from backoffice.kernel.money import quantise


def happen(scene: Scene) -> None:
    dice = Dice(scene.seed, "older")
    _open_still(scene, dice)
    _short_deposit(scene, dice)
    _late_file(scene, dice)
    _wire_before_credit(scene, dice)
    _late_settlement(scene, dice)
    _fetched(scene, dice)


def _open_still(scene: Scene, dice: Dice) -> None:
    back = dice.number(2, 5)
    deal, fill = hedged_on(scene, dice, back)
    scene.plan.fills.remove(fill)
    scene.plant("MISSING_AT_LP", "CY", deal, "never filled", opens=scene.days.back(back))
    back = dice.number(1, 5)
    deal, fill = hedged_on(scene, dice, back)
    fill.price = deal.price + quantise(deal.price / 400, 5)
    scene.plant("PRICE", "CY", deal, "a bad price some days ago", opens=scene.days.back(back))
    back = dice.number(1, 5)
    _, like = hedged_on(scene, dice, back)
    alone = replace(like, exec_id=f"EXO{scene.order()}", order_ref=f"LPO{scene.order()}")
    scene.plan.fills.append(alone)
    why = "a fill of some days ago that belongs to nobody"
    scene.plant("FILL_WITHOUT_DEAL", "CY", fill_key(alone.exec_id), why, opens=scene.days.back(back))
    for entity in ("CY", "UK"):
        back = dice.number(1, 5)
        row = stray(scene, dice, entity, scene.days.back(back))
        scene.plant("UNIDENTIFIED", entity, row, "nobody has asked the bank yet", opens=scene.days.back(back))


def _short_deposit(scene: Scene, dice: Dice) -> None:
    """A deposit that came a little short: the one finance asks to write off."""
    login = scene.take_login(dice, "mt5-live", currency="EUR")
    reference, short = scene.reference("D"), small(dice) + 3
    credited = dice.number(5, 20) * 100 + small(dice)
    scene.operation(login, credited, utc(scene.days.back(4), 11, dice.number(0, 59)), f"{reference} wire")
    scene.wire(login, credited - short, scene.days.back(3), reference)
    why = "a correspondent bank took its charge"
    scene.plant("AMOUNT", "CY", f"ref:{reference}", why, opens=scene.days.back(3), amount=-short)


def _late_file(scene: Scene, dice: Dice) -> None:
    """The provider's file of a day lacks some fills, and brings them a day later."""
    for _ in range(dice.number(1, 2)):
        deal, fill = hedged_on(scene, dice, 3)
        fill.file_day = scene.days.back(2)
        first, then = scene.days.back(3), scene.days.back(2)
        scene.plant("MISSING_AT_LP", "CY", deal, "its fill came a day later", opens=first, resolves=then)


def _wire_before_credit(scene: Scene, dice: Dice) -> None:
    """A wire arrives, and the client is credited on the next business day only."""
    login = scene.take_login(dice, "mt5-live")
    reference = scene.reference("D")
    amount = Decimal(dice.number(4, 40) * 50 * (150 if login.currency == "JPY" else 1))
    scene.wire(login, amount, scene.days.back(4), reference)
    scene.operation(login, amount, utc(scene.days.back(3), 9, dice.number(0, 59)), f"{reference} wire")
    first, then = scene.days.back(4), scene.days.back(3)
    scene.plant("MISSING_INTERNAL", "CY", f"ref:{reference}", "credited a day later", opens=first, resolves=then)


def _late_settlement(scene: Scene, dice: Dice) -> None:
    """A card payment that the PSP settles a day after its window has passed."""
    login = scene.take_login(dice, "mt5-live", currency="USD")
    reference, amount = scene.reference("D"), dice.cents(10_000, 90_000)
    scene.operation(login, amount, utc(scene.days.back(4 + WINDOW), 10, dice.number(0, 59)), f"{reference} card")
    scene.settled(reference, "USD", amount, scene.days.back(3), 2)
    first, then = scene.days.back(4), scene.days.back(3)
    scene.plant("MISSING_EXTERNAL", "CY", f"ref:{reference}", "settled a day late", opens=first, resolves=then)


def _fetched(scene: Scene, dice: Dice) -> None:
    """A back-dated deal that dealing fetches from the server the next morning."""
    login = scene.take_login(dice, "mt5-live")
    day, then = scene.days.back(2), scene.days.back(1)
    at = mt5_moment(day, dice.number(5 * 60, 9 * 60))
    opened = position(scene, dice, login, at)
    late = mt5_moment(day, 21 * 60, dice.number(0, 59))
    deal = scene.opening(opened, shows_at=late)
    done = scene.mt5.close(opened, at + timedelta(minutes=dice.number(2, 40)), opened.lots, "CLIENT")
    closed = scene.closing(opened, deal, done)
    for one in (deal, closed):
        scene.act(utc(then, 8, 10), FetchDeal(one))
        why = "fetched from the server the next morning"
        scene.plant("MISSING_IN_BOOKS", "CY", one, why, opens=day, resolves=then)
    difference = deal.amount + closed.amount
    if difference:
        key = f"login:{{mt5-live}}:{login.number}:{day}"
        scene.plant("BALANCE", "CY", key, "the deals were not booked yet", opens=day, resolves=then, amount=difference)
