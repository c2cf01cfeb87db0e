"""Faults in what the trade server lets a login do, against what we want of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from backoffice.demo.chance import Dice
from backoffice.demo.clients import CLOSE_ONLY, Login
from backoffice.demo.days import utc
from backoffice.demo.faults.base import Fault
from backoffice.demo.plan import EditUser, MoveUser, OpenLogin
from backoffice.demo.scene import Scene, login_key

# Bits of MT5's EnUsersRights; the second one is inverted.
_ENABLED, _TRADE_DISABLED = 0x1, 0x4
_TECHNICAL, _LEFT_OUT = 0x10000, 0x20000


def rights(scene: Scene, dice: Dice) -> None:
    """A manager at the server locks a login out, or stops its trading, and tells nobody."""
    login = scene.take_login(dice, "mt5-live")
    locks_out = dice.chance(50)
    act = EditUser(login, clear=_ENABLED) if locks_out else EditUser(login, set=_TRADE_DISABLED)
    scene.act(_some_time(scene, dice), act)
    why = "locked out at the server by hand" if locks_out else "trading stopped at the server by hand"
    scene.plant("RIGHTS_DRIFT", "CY", user_key(login), why)


def group(scene: Scene, dice: Dice) -> None:
    """A manager moves a login to close-only at the server."""
    login = scene.take_login(dice, "mt5-live")
    scene.act(_some_time(scene, dice), MoveUser(login, CLOSE_ONLY[login.currency]))
    scene.plant("GROUP_DRIFT", "CY", user_key(login), "moved to close-only at the server by hand")


def leverage(scene: Scene, dice: Dice) -> None:
    login = scene.take_login(dice, "mt5-live")
    other = dice.one([ratio for ratio in (10, 20, 50, 400) if ratio != login.leverage])
    scene.act(_some_time(scene, dice), EditUser(login, fields={"Leverage": str(other)}))
    scene.plant("LEVERAGE_DRIFT", "CY", user_key(login), "another leverage at the server")


def technical(scene: Scene, dice: Dice) -> None:
    """A manager marks a client's login as technical: the server leaves it out of its reports."""
    login = scene.take_login(dice, "mt5-live")
    scene.act(_some_time(scene, dice), EditUser(login, set=_TECHNICAL | _LEFT_OUT))
    scene.plant("TECHNICAL_DRIFT", "CY", user_key(login), "marked as technical at the server by hand")


def missing(scene: Scene, dice: Dice) -> None:
    """A login that was opened in the books, and the order to the server was forgotten."""
    login = scene.late_login(dice, "CY")
    scene.act(_some_time(scene, dice), OpenLogin(login, login.currency))
    scene.plant("ACCOUNT_GONE", "CY", login_key(login, scene.days.live), "opened in the books, never at the server")
    scene.plant("USER_MISSING", "CY", user_key(login), "opened in the books, never at the server")


def user_key(login: Login) -> str:
    """The key of a break about what a server lets a login do: it has no day, a drift is one as long as it lasts."""
    return f"login:{{{login.server}}}:{login.number}"


def _some_time(scene: Scene, dice: Dice) -> datetime:
    return utc(scene.days.live, dice.number(9, 15), dice.number(0, 59))


FAULTS: Mapping[str, Fault] = {
    "RIGHTS_DRIFT": rights,
    "GROUP_DRIFT": group,
    "LEVERAGE_DRIFT": leverage,
    "TECHNICAL_DRIFT": technical,
    "USER_MISSING": missing,
}
