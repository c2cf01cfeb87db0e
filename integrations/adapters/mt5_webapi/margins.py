"""What open positions tie up and what a group trades under: IMTAccount and IMTConGroup, read for a look ahead.

Nothing is booked from these figures. A record that does not say what is needed is left out, and whoever looks is told
that it is not known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from integrations.records import GroupTerms, Margin

_FIGURE = re.compile(r"-?\d{1,15}(\.\d{1,20})?")
_PLACES = Decimal("1e-8")
_IN_MONEY = 1  # IMTConGroup::EnStopOutMode: 0 percent, 1 money


def margin(record: Any) -> Margin | None:
    """Equity and margin of one login (IMTAccount), with the leverage the server worked it out with."""
    login, leverage = _figure(record, "Login"), _figure(record, "MarginLeverage")
    equity, tied = _figure(record, "Equity"), _figure(record, "Margin")
    if login is None or equity is None or tied is None or tied < 0:
        return None
    return Margin(login=int(login), equity=equity, margin=tied, leverage=max(int(leverage or 0), 0))


def group_terms(record: Any) -> GroupTerms | None:
    """Currency and stop-out of one group (IMTConGroup)."""
    stop_out, mode = _figure(record, "MarginStopOut"), _figure(record, "MarginSOMode")
    if stop_out is None or stop_out < 0:
        return None
    return GroupTerms(
        name=str(record.get("Group", "")),
        currency=str(record.get("Currency", "")).strip(),
        stop_out=stop_out,
        in_money=mode == _IN_MONEY,
    )


def _figure(record: Any, name: str) -> Decimal | None:
    value = record.get(name) if isinstance(record, Mapping) else None
    if not isinstance(value, str) or not _FIGURE.fullmatch(value):
        return None
    return Decimal(value).quantize(_PLACES)
