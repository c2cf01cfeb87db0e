"""What is traded in the demo, and what each source calls it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Instrument:
    """One instrument. `points` is its first price in points; `spread` is in points too.

    `popularity` is how often it is chosen; swaps are tenths of a point per lot and night, for long and short.
    """

    code: str
    name: str
    base: str
    quote: str
    contract: int
    digits: int
    points: int
    spread: int
    popularity: int
    swap_long: int
    swap_short: int
    lp_symbol: str

    def price(self, points: int) -> Decimal:
        return Decimal(points).scaleb(-self.digits)


@dataclass(frozen=True, slots=True)
class Symbol:
    """A server's name for an instrument, and how many units one lot of it has there."""

    name: str
    instrument: Instrument
    contract: int


INSTRUMENTS: tuple[Instrument, ...] = (
    Instrument("EURUSD", "Euro / US dollar", "EUR", "USD", 100_000, 5, 108_500, 12, 30, -65, 12, "EURUSD.x"),
    Instrument("GBPUSD", "Sterling / US dollar", "GBP", "USD", 100_000, 5, 126_400, 16, 15, -41, -19, "GBPUSD.x"),
    Instrument("USDJPY", "US dollar / Yen", "USD", "JPY", 100_000, 3, 150_250, 14, 14, 40, -142, "USDJPY.x"),
    Instrument("USDCHF", "US dollar / Swiss franc", "USD", "CHF", 100_000, 5, 88_300, 18, 4, 21, -88, "USDCHF.x"),
    Instrument("AUDUSD", "Australian / US dollar", "AUD", "USD", 100_000, 5, 65_700, 14, 6, -33, 4, "AUDUSD.x"),
    Instrument("EURGBP", "Euro / Sterling", "EUR", "GBP", 100_000, 5, 85_830, 15, 5, -46, 9, "EURGBP.x"),
    Instrument("EURJPY", "Euro / Yen", "EUR", "JPY", 100_000, 3, 163_020, 20, 5, 18, -120, "EURJPY.x"),
    Instrument("GBPJPY", "Sterling / Yen", "GBP", "JPY", 100_000, 3, 189_920, 28, 5, 34, -195, "GBPJPY.x"),
    Instrument("XAUUSD", "Gold", "XAU", "USD", 100, 2, 235_020, 35, 14, -224, 91, "GOLD.x"),
    Instrument("XAGUSD", "Silver", "XAG", "USD", 5_000, 3, 27_850, 30, 3, -26, 7, "SILVER.x"),
    Instrument("DE40", "Germany 40", "DE40", "EUR", 1, 1, 182_505, 14, 6, -310, -60, "GER40.x"),
    Instrument("US500", "US 500", "US500", "USD", 10, 1, 52_100, 6, 5, -92, -22, "SPX500.x"),
    Instrument("UK100", "UK 100", "UK100", "GBP", 1, 1, 82_540, 12, 3, -140, -35, "UK100.x"),
    Instrument("BTCUSD", "Bitcoin", "BTC", "USD", 1, 2, 6_432_100, 2_400, 4, -17800, -8900, "BTCUSD.x"),
)  # fmt: skip
BY_CODE: Mapping[str, Instrument] = {item.code: item for item in INSTRUMENTS}

# The same gold under a second name, with a tenth of the contract.
MINI_GOLD = Symbol("XAUUSD.m", BY_CODE["XAUUSD"], 10)
MT5_SYMBOLS: tuple[Symbol, ...] = (*(Symbol(i.code, i, i.contract) for i in INSTRUMENTS), MINI_GOLD)
_ON_MT4 = ("EURUSD", "GBPUSD", "USDJPY", "EURGBP", "GBPJPY", "XAUUSD", "UK100", "DE40")
MT4_SYMBOLS: tuple[Symbol, ...] = tuple(Symbol(code, BY_CODE[code], BY_CODE[code].contract) for code in _ON_MT4)
# Listed on the MT5 server, but nobody has told the back office what it is.
UNKNOWN_SYMBOL = "NATGAS"
