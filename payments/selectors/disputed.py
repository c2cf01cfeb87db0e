"""What is known about disputes of a client's payments: told by whoever keeps the cases, asked by the checks.

disputed.register(open_cases=..., charged_back=...)      # when the app starts
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

# Sentences about open cases of a client, by client id; without personal data.
OpenCases = Callable[[int], Sequence[str]]
# How much of each deposit (by the id of its request) was charged back, in the deposit's currency, positive.
ChargedBack = Callable[[Sequence[int]], Mapping[int, Decimal]]

_open_cases: list[OpenCases] = []
_charged_back: list[ChargedBack] = []


def register(*, open_cases: OpenCases | None = None, charged_back: ChargedBack | None = None) -> None:
    """Have these asked, too."""
    if open_cases is not None and open_cases not in _open_cases:
        _open_cases.append(open_cases)
    if charged_back is not None and charged_back not in _charged_back:
        _charged_back.append(charged_back)


def cases_of(client_id: int) -> list[str]:
    """Open disputes and fraud notices of a client, each in a sentence."""
    return [sentence for ask in _open_cases for sentence in ask(client_id)]


def charged_back(request_ids: Sequence[int]) -> dict[int, Decimal]:
    """How much of each deposit is gone, by request id; deposits without a dispute are absent."""
    found: dict[int, Decimal] = {}
    for ask in _charged_back:
        for request_id, amount in ask(request_ids).items():
            found[request_id] = found.get(request_id, Decimal(0)) + amount
    return found
