"""Faults between the trade server's accounts and the ledger's."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from backoffice.demo.chance import Dice
from backoffice.demo.clients import ARCHIVE
from backoffice.demo.days import mt5_moment, utc
from backoffice.demo.faults.accounts import user_key
from backoffice.demo.faults.base import EARLY, LATE, LONG_PAST, Fault, amount_of
from backoffice.demo.plan import AddUser, MoveUser, OpenLogin
from backoffice.demo.scene import Scene, login_key


def balance(scene: Scene, dice: Dice) -> None:
    """A dealer corrects a balance with a date of weeks ago, which no reading and no listing will meet again."""
    login = scene.take_login(dice, "mt5-live")
    amount = amount_of(dice, login) * dice.one((1, -1))
    _weeks_ago(scene, dice, login.number, amount, action=5, comment="Adjustment as agreed")
    scene.balance_differs(login, amount, "a correction dated weeks back moved the server's balance")


def credit(scene: Scene, dice: Dice) -> None:
    login = scene.take_login(dice, "mt5-live")
    amount = amount_of(dice, login)
    _weeks_ago(scene, dice, login.number, amount, action=3, comment="Credit as agreed")
    key = login_key(login, scene.days.live)
    scene.plant("CREDIT", "CY", key, "a credit dated weeks back is at the server only", amount=amount)


def _weeks_ago(scene: Scene, dice: Dice, login: int, amount: Decimal, *, action: int, comment: str) -> None:
    then = mt5_moment(scene.days.back(dice.number(9, 14)), dice.number(600, 900))
    late = mt5_moment(scene.days.live, dice.number(*LATE))
    owner = next(x for x in scene.logins("mt5-live") if x.number == login)
    scene.operation(owner, amount, then, comment, action=action, shows_at=late)


def account_unknown(scene: Scene, dice: Dice) -> None:
    login = scene.late_login(dice, "CY")
    scene.act(mt5_moment(scene.days.live, dice.number(EARLY, LONG_PAST)), AddUser(login))
    key = login_key(login, scene.days.live)
    scene.plant("ACCOUNT_UNKNOWN", "CY", key, "opened at the server, not in the books", amount=Decimal(0))


def account_gone(scene: Scene, dice: Dice) -> None:
    """A login that only the books have, or one that was moved to a group which is not read. What may be done with it
    is asked for by number, so there it is missing only in the first case."""
    at = utc(scene.days.live, dice.number(9, 15), dice.number(0, 59))
    if dice.chance(50):
        login = scene.late_login(dice, "CY")
        scene.act(at, OpenLogin(login, login.currency))
        why = "opened in the books, never at the server"
        scene.plant("USER_MISSING", "CY", user_key(login), why)
    else:
        login = scene.take_login(dice, "mt5-live", quiet=True)
        scene.act(at, MoveUser(login, ARCHIVE))
        why = "moved to a group that is not read"
        scene.plant("GROUP_DRIFT", "CY", user_key(login), why)
    scene.plant("ACCOUNT_GONE", "CY", login_key(login, scene.days.live), why)


def account_currency(scene: Scene, dice: Dice) -> None:
    """A new login whose currency the books were told wrongly."""
    at = utc(scene.days.live, dice.number(9, 15), dice.number(0, 59))
    login = scene.late_login(dice, "CY", dice.one(("USD", "EUR", "GBP")))
    scene.act(at, AddUser(login))
    scene.act(at, OpenLogin(login, dice.one([c for c in ("USD", "EUR", "GBP") if c != login.currency])))
    key = login_key(login, scene.days.live)
    scene.plant("ACCOUNT_CURRENCY", "CY", key, "the books were told another currency")


FAULTS: Mapping[str, Fault] = {
    "BALANCE": balance,
    "CREDIT": credit,
    "ACCOUNT_UNKNOWN": account_unknown,
    "ACCOUNT_GONE": account_gone,
    "ACCOUNT_CURRENCY": account_currency,
}
