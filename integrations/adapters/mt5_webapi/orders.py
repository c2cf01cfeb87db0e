"""What trade/balance takes and answers: an amount as it is written, and the ticket of the deal it made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any


def amount_text(amount: Decimal) -> str:
    """An amount as trade/balance takes it: plain digits, no trailing zeros beyond two places."""
    text = format(amount, "f")
    whole, _, places = text.partition(".")
    return f"{whole}.{places.rstrip('0').ljust(2, '0')}"


def ticket_of(answer: Any) -> int | None:
    """The ticket in the answer of trade/balance, however the build spells the field; None when there is none."""
    if not isinstance(answer, Mapping):
        return None
    said = {str(name).lower(): str(value) for name, value in answer.items()}.get("ticket", "")
    return int(said) if re.fullmatch(r"[1-9][0-9]{0,18}", said) else None
