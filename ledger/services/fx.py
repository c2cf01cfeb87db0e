"""Exchange between currencies: through the named clearing account, so that each currency sums to zero.

The clearing account then holds what was bought in one currency and sold in the other: the open position that
the exchange created, valued at whatever rate one likes later. No rate is ever applied to a line.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from backoffice.kernel.money import Money
from ledger.services.journal import Entry

CLEARING = "clearing.fx"


def exchange_entries(
    *, from_account_id: int, sold: Money, to_account_id: int, bought: Money, clearing: Mapping[str, int]
) -> list[Entry]:
    """Four lines that move `sold` off one account and `bought` onto another.

    Both are positive amounts as the holder of a liability account sees them: `from_account_id` gives `sold`,
    `to_account_id` receives `bought`. `clearing` maps a currency to the entity's exchange clearing account.
    """
    assert sold.currency != bought.currency, "an exchange needs two currencies"
    assert sold.amount > Decimal(0) and bought.amount > Decimal(0)
    return [
        Entry(from_account_id, sold.amount),
        Entry(clearing[sold.currency], -sold.amount),
        Entry(clearing[bought.currency], bought.amount),
        Entry(to_account_id, -bought.amount),
    ]
