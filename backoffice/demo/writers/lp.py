"""A liquidity provider's executions of a day: a plain CSV with a closing row."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from backoffice.demo.plan import LpFill

HEADER = "exec_id,order_ref,symbol,side,quantity,price,traded_at,commission,commission_currency,account"
_ACCOUNT = "BROKERCY-HEDGE"


def executions(fills: Sequence[LpFill]) -> bytes:
    """The file; its closing row says how many rows there are and the sum of their quantity."""
    lines = [HEADER]
    for fill in sorted(fills, key=lambda f: (f.at, f.exec_id)):
        traded = fill.at.isoformat(timespec="milliseconds")
        price, units = f"{fill.price:f}", f"{fill.units:f}"
        cells = (fill.exec_id, fill.order_ref, fill.symbol, fill.side, units, price, traded, f"{fill.commission:f}")
        lines.append(",".join((*cells, "USD", _ACCOUNT)))
    lines.append(f"TRAILER,{len(fills)},{sum((fill.units for fill in fills), Decimal(0)):f}")
    return ("\n".join(lines) + "\n").encode()
