"""What clients trade: positions with their exits, priced from the market and computed as a trade server does.

Profit is (close - open) x contract x lots x direction in the symbol's profit currency, converted by the deal's
own price where the account's currency is in the symbol, else at the market; rounded once, half away from zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from backoffice.demo.chance import Dice
from backoffice.demo.clients import Login
from backoffice.demo.days import is_open
from backoffice.demo.instruments import Symbol
from backoffice.demo.market import Market
from backoffice.kernel.money import quantise

_FIRST_MINUTE, _LAST_MINUTE = 10, 1400
_PER_LOT_AND_SIDE = Decimal("3.50")  # USD
_TRIPLE_NIGHT = 2  # Wednesday
Moment = Callable[[date, int, int], datetime]


@dataclass(slots=True)
class Exit:
    """A close of a position or of a part of it. Money in the account's currency."""

    at: datetime
    lots: Decimal
    price: Decimal
    profit: Decimal
    swap: Decimal
    commission: Decimal
    reason: str


@dataclass(slots=True)
class Position:
    """A position from its opening on; it stays open where its exits do not add up to it."""

    login: Login
    symbol: Symbol
    side: int
    lots: Decimal
    at: datetime
    price: Decimal
    commission: Decimal
    exits: list[Exit] = field(default_factory=list)

    @property
    def open_lots(self) -> Decimal:
        return self.lots - sum((x.lots for x in self.exits), Decimal(0))


class Trader:
    """Makes positions on one server. `days` are its business days, the last one perhaps only begun."""

    def __init__(
        self,
        dice: Dice,
        market: Market,
        *,
        symbols: Sequence[Symbol],
        moment: Moment,
        days: Sequence[date],
        ends: datetime,
    ) -> None:
        self._dice = dice
        self._market = market
        self._symbols = [(symbol, symbol.instrument.popularity) for symbol in symbols]
        self._moment = moment
        self._days = days
        self._ends = ends

    def positions(self, login: Login, *, since: date, equity: Decimal) -> list[Position]:
        """All positions of a login from a day on, sized by what it has (dollars)."""
        found = []
        for index, day in enumerate(self._days):
            count = (login.activity + self._dice.number(0, 9)) // 10 if day > since else 0
            for _ in range(count):
                minute = self._dice.number(_FIRST_MINUTE, _LAST_MINUTE - 5)
                at = self._moment(day, minute, self._dice.number(0, 59))
                if at < self._ends:
                    found.append(self._position(login, index, minute, at, equity))
        return found

    def open(self, login: Login, at: datetime, *, lots: Decimal, symbol: Symbol | None = None) -> Position:
        """One position of a given size."""
        chosen = symbol or self._dice.weighted(self._symbols)
        side = 1 if self._dice.chance(52) else -1
        return Position(login, chosen, side, lots, at, self._price(chosen, side, at), self._commission(login, lots, at))

    def close(self, position: Position, at: datetime, lots: Decimal, reason: str = "") -> Exit:
        """Close a position, or a part of it, at the market."""
        price = self._price(position.symbol, -position.side, at)
        result = (price - position.price) * position.symbol.contract * lots * position.side
        done = Exit(
            at=at,
            lots=lots,
            price=price,
            profit=self._in_account(result, position, at, price),
            swap=self._swap(position, at, lots, price),
            commission=self._commission(position.login, lots, at),
            reason=reason or self._dice.weighted((("CLIENT", 5), ("SL", 2), ("TP", 2), ("EXPERT", 1))),
        )
        position.exits.append(done)
        return done

    def floating(self, position: Position, at: datetime) -> Decimal:
        """What the open part is worth at the market, in the account's currency."""
        price = self._price(position.symbol, -position.side, at)
        result = (price - position.price) * position.symbol.contract * position.open_lots * position.side
        return self._in_account(result, position, at, price)

    def _position(self, login: Login, index: int, minute: int, at: datetime, equity: Decimal) -> Position:
        symbol = self._dice.weighted(self._symbols)
        position = self.open(login, at, lots=self._size(login, symbol, at, equity), symbol=symbol)
        closes = self._closing(index, minute)
        if closes is None:
            return position
        day, minute = closes
        at = self._moment(day, minute, self._dice.number(0, 59))
        if at >= self._ends or at <= position.at:
            return position
        part = (position.lots * self._dice.number(3, 7) / 10).quantize(Decimal("0.01"))
        if day == self._days[index] and self._dice.chance(12) and 0 < part < position.lots:
            self.close(position, position.at + (at - position.at) // 2, part)
        self.close(position, at, position.open_lots)
        return position

    def _closing(self, index: int, minute: int) -> tuple[date, int] | None:
        """When a position opened at a minute of a day ends: mostly the same day, else within the next three."""
        held = self._dice.weighted(((self._dice.number(3, 240), 66), (self._dice.number(240, 700), 16), (0, 18)))
        if held and minute + held < _LAST_MINUTE:
            return self._days[index], minute + held
        later = index + self._dice.number(1, 3)
        return (self._days[later], self._dice.number(_FIRST_MINUTE, 1_300)) if later < len(self._days) else None

    def _size(self, login: Login, symbol: Symbol, at: datetime, equity: Decimal) -> Decimal:
        """Lots for a position of two to seven times what the login has; the reckless take forty times that."""
        price = symbol.instrument.price(self._market.mid(symbol.instrument, at))
        one_lot = self._market.convert(price * symbol.contract, symbol.instrument.quote, "USD", at)
        wanted = equity * self._dice.number(20, 70) / 10 * (40 if login.reckless else 1)
        return min(max((wanted / one_lot).quantize(Decimal("0.01")), Decimal("0.01")), Decimal(50))

    def _price(self, symbol: Symbol, side: int, at: datetime) -> Decimal:
        """The ask for a buyer, the bid for a seller, a few points to either side of the walk's step."""
        instrument = symbol.instrument
        points = self._market.mid(instrument, at) + self._dice.number(-instrument.spread, instrument.spread)
        return instrument.price(points + side * (instrument.spread // 2))

    def _in_account(self, result: Decimal, position: Position, at: datetime, price: Decimal) -> Decimal:
        """A result in the symbol's profit currency as the account gets it."""
        login, instrument = position.login, position.symbol.instrument
        if login.currency == instrument.base:
            result = result / price
        else:
            result = self._market.convert(result, instrument.quote, login.currency, at)
        return quantise(result, login.exponent) + 0

    def _swap(self, position: Position, at: datetime, lots: Decimal, price: Decimal) -> Decimal:
        nights = _nights(position.at, at)
        instrument = position.symbol.instrument
        tenths = instrument.swap_long if position.side > 0 else instrument.swap_short
        points = Decimal(tenths).scaleb(-1 - instrument.digits) * position.symbol.contract * lots * nights
        return self._in_account(points, position, at, price)

    def _commission(self, login: Login, lots: Decimal, at: datetime) -> Decimal:
        if not login.with_commission:
            return Decimal(0)
        return -quantise(self._market.convert(_PER_LOT_AND_SIDE * lots, "USD", login.currency, at), login.exponent)


def _nights(opened: datetime, closed: datetime) -> int:
    """Nights a position is charged for: each business night once, Wednesday's three times (the value date)."""
    day, last = (opened + timedelta(hours=3)).date(), (closed + timedelta(hours=3)).date()
    nights = 0
    while day < last:
        nights += 3 if day.weekday() == _TRIPLE_NIGHT else is_open(day)
        day += timedelta(days=1)
    return nights
