"""An extract of MT4's report table `mt4_trades` as it stands at a moment, all columns of the vendor's."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from backoffice.demo.days import mt4_wall
from backoffice.demo.market import Market
from backoffice.demo.plan import ZERO, Mt4Row
from backoffice.kernel.money import quantise

COLUMNS = (
    "TICKET", "LOGIN", "SYMBOL", "DIGITS", "CMD", "VOLUME", "OPEN_TIME", "OPEN_PRICE", "SL", "TP", "CLOSE_TIME",
    "EXPIRATION", "REASON", "CONV_RATE1", "CONV_RATE2", "COMMISSION", "COMMISSION_AGENT", "SWAPS", "CLOSE_PRICE",
    "PROFIT", "TAXES", "COMMENT", "INTERNAL_ID", "MARGIN_RATE", "TIMESTAMP", "MODIFY_TIME",
)  # fmt: skip
NEVER = "1970-01-01 00:00:00"
_TRADES = (0, 1)
# A row of the extract that broke off in the middle, as a cancelled order nobody will miss.
BROKEN_OFF = "89999990,700101,EURUSD,5,4,10,2026-01-"


def extract(rows: Iterable[Mt4Row], at: datetime, market: Market, *, broken: bool = False) -> bytes:
    """Every row that is there at `at`, by ticket."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS, restval="0", lineterminator="\n")
    writer.writeheader()
    for row in sorted(rows, key=lambda r: r.ticket):
        if (row.shows_at or row.opened) <= at:
            writer.writerow(_cells(row, at, market))
    if broken:
        out.write(BROKEN_OFF + "\n")
    return out.getvalue().encode()


def _cells(row: Mt4Row, at: datetime, market: Market) -> dict[str, str]:
    ended = row.cancelled or row.closed
    is_over = ended is not None and ended <= at
    changed = ended if ended is not None and is_over else (row.shows_at or row.opened)
    cells = {
        "TICKET": str(row.ticket),
        "LOGIN": str(row.login),
        "SYMBOL": row.symbol_name,
        "DIGITS": str(row.symbol.instrument.digits if row.symbol else 0),
        "CMD": str(row.command),
        "VOLUME": f"{(row.lots if is_over else row.open_lots) * 100:.0f}" if row.symbol else "1",
        "OPEN_TIME": _wall(row.opened),
        "OPEN_PRICE": f"{row.open_price:f}",
        "CLOSE_TIME": _wall(ended) if ended is not None and is_over else NEVER,
        "EXPIRATION": NEVER,
        "REASON": "0",
        "COMMENT": row.comment if is_over else row.open_comment,
        "TIMESTAMP": str(int(changed.timestamp())),
        # The table's writer has a clock of its own, some seconds off.
        "MODIFY_TIME": _wall(changed + timedelta(seconds=row.ticket % 19 - 9)),
    }
    if row.cancelled is not None and is_over:
        cells["COMMENT"] = "cancelled"
    if is_over:
        return cells | _money(row.profit, row.swap, row.commission, row.close_price)
    if row.command in _TRADES and row.symbol is not None:
        price = row.symbol.instrument.price(market.mid(row.symbol.instrument, at))
        return cells | _money(_floating(row, price, at, market), ZERO, ZERO, price)
    return cells | _money(ZERO, ZERO, ZERO, row.open_price)


def _money(profit: Decimal, swap: Decimal, commission: Decimal, price: Decimal) -> dict[str, str]:
    return {
        "PROFIT": f"{profit:f}",
        "SWAPS": f"{swap:f}",
        "COMMISSION": f"{commission:f}",
        "CLOSE_PRICE": f"{price:f}",
    }


def _floating(row: Mt4Row, price: Decimal, at: datetime, market: Market) -> Decimal:
    assert row.symbol is not None, "only trades float"
    side = 1 if row.command == 0 else -1
    result = (price - row.open_price) * row.symbol.contract * row.open_lots * side
    return quantise(market.convert(result, row.symbol.instrument.quote, "USD", at), 2)


def _wall(moment: datetime) -> str:
    return f"{mt4_wall(moment.astimezone(UTC)):%Y-%m-%d %H:%M:%S}"
