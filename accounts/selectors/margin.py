"""What another leverage or group would do to a login's open positions, from the server's newest readings.

Margin level is equity / margin x 100. For the same positions margin is inversely proportional to leverage, in the
calculation modes of currencies and contracts that use leverage at all (MetaTrader 5: Forex, CFD Leverage); what another
group asks is not known here. Nothing of this is more than a look ahead: prices move on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal

from accounts.models import TradingAccount
from backoffice.approvals.registry import Level
from backoffice.kernel import clock
from integrations.models import ServerGroup, ServerMargin

# Readings come every ten minutes; older than this, they say nothing about now.
FRESH = timedelta(hours=1)
_FULL = Decimal(100)  # percent: below it, no new position can be opened
_TENTH = Decimal("0.1")
STEPS = (500, 400, 200, 100, 50, 30, 20, 10, 5, 2, 1)


@dataclass(frozen=True, slots=True)
class Expected:
    """A margin level in percent and how bad it is, in short and with what one has to know beside it; `percent` is None
    where there is none, or it is not known."""

    level: Level
    short: str
    detail: str = ""
    percent: Decimal | None = None

    @property
    def words(self) -> str:
        return f"{self.short}: {self.detail}" if self.detail else self.short


@dataclass(frozen=True, slots=True)
class Reading:
    """What the server last said: the login's margin and its group's stop-out; `why` says what is not known."""

    margin: ServerMargin | None
    group: ServerGroup | None
    why: str = ""


def reading_of(account: TradingAccount, group: str) -> Reading:
    """The newest readings of a login, and of the group it is in or would be in."""
    margin = ServerMargin.objects.filter(connection=account.connection_id, login=account.login).first()
    terms = ServerGroup.objects.filter(connection=account.connection_id, name=group).first()
    if margin is None:
        why = f"{account.connection.name} has not told this login's margin"
    elif clock.now() - margin.read_at > FRESH:
        why = f"the newest reading is of {margin.read_at:%Y-%m-%d %H:%M} UTC"
    else:
        why = ""
    return Reading(margin, terms, why)


def now(account: TradingAccount) -> Expected:
    """The margin level as it was last read."""
    reading = reading_of(account, account.group)
    return _judge(reading, None if reading.margin is None else reading.margin.leverage)


def after(account: TradingAccount, *, group: str, leverage: int) -> Expected:
    """The margin level to expect with another group or leverage."""
    reading = reading_of(account, group)
    if reading.why or reading.margin is None:
        return _unknown(reading.why)
    if reading.margin.margin and group != account.group:
        return _unknown(f"group {group} may ask another margin for the same positions")
    return _judge(reading, leverage)


def ladder(account: TradingAccount, most: int | None) -> Sequence[tuple[int, Expected]]:
    """What to expect at the usual steps of leverage up to `most`, in the login's own group."""
    reading = reading_of(account, account.group)
    steps = sorted({*STEPS, *filter(None, [account.leverage])}, reverse=True)
    return [(step, _judge(reading, step)) for step in steps if most is None or step <= most]


def _judge(reading: Reading, leverage: int | None) -> Expected:
    if reading.why or reading.margin is None:
        return _unknown(reading.why)
    found = reading.margin
    if not found.margin:
        return Expected(Level.GREEN, "no open positions tie up margin")
    if not found.leverage or not leverage:
        return _unknown("the server has not told the leverage this margin was worked out with")
    tied = found.margin * found.leverage / leverage
    percent = found.equity * 100 / tied
    figure = f"{percent.quantize(_TENTH, ROUND_HALF_UP):,} %"
    if reading.group is None:
        return Expected(Level.AMBER, figure, "the server has not told the group's stop-out", percent)
    amount = f"{reading.group.stop_out.normalize():f}"
    if reading.group.in_money:
        out, at = found.equity - tied < reading.group.stop_out, f"stop-out at a free margin of {amount}"
    else:
        out, at = percent < reading.group.stop_out, f"stop-out at {amount} %"
    if out:
        return Expected(Level.RED, f"{figure}, below stop-out", f"{at}; the server would close positions", percent)
    if percent < _FULL:
        return Expected(Level.AMBER, f"{figure}, below 100 %", at, percent)
    return Expected(Level.GREEN, figure, at, percent)


def _unknown(why: str) -> Expected:
    return Expected(Level.AMBER, "not known", why)
