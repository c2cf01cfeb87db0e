"""What has to be looked at before a day or a month is closed. Rooms above register their checks when they start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from backoffice.approvals.registry import Level


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the list: how it stands, in words, and the address where it is worked on."""

    level: Level
    label: str
    detail: str
    url: str = ""


# Called with the entity's id and the day that would be closed (of a month: its last).
Check = Callable[[int, date], list[Finding]]
_day: list[Check] = []
_period: list[Check] = []


def on_day(check: Check) -> None:
    """Have `check` asked before a day is closed, and with it a month."""
    if check not in _day:
        _day.append(check)


def on_period(check: Check) -> None:
    """Have `check` asked before a month is closed."""
    if check not in _period:
        _period.append(check)


def of_day(entity_id: int, day: date) -> list[Finding]:
    return [row for check in _day for row in check(entity_id, day)]


def of_period(entity_id: int, last_day: date) -> list[Finding]:
    return [row for check in _period for row in check(entity_id, last_day)]
