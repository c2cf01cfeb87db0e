"""When the feed is read, files come, books are closed and nights reconcile; and how the server misbehaves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from backoffice.demo.days import Days, mt5_moment, utc

Fault = Mapping[str, Any]
_DEALS = "/api/deal/get_batch"
# The live day on the MT5 server's wall: minute, what goes wrong, whether that reading fails. A failed one is made
# good by the next, which goes back to where the last good one ended.
_LIVE: tuple[tuple[int, tuple[Fault, ...], bool], ...] = (
    (5 * 60, ({"kind": "slow", "seconds": 1, "count": 1, "path": _DEALS},), False),
    (8 * 60, (), False),
    (9 * 60 + 30, ({"kind": "forbidden", "count": 1, "path": _DEALS},), False),
    (11 * 60, ({"kind": "drop", "count": 3, "path": _DEALS},), True),
    (12 * 60 + 30, ({"kind": "too_frequent", "count": 1, "path": _DEALS},), False),
    (14 * 60, ({"kind": "duplicate"},), False),
    (16 * 60, ({"kind": "truncated", "count": 3, "path": _DEALS},), True),
    (18 * 60, ({"kind": "plain_numbers"}, {"kind": "reorder"}), False),
    (20 * 60, (), False),
    (22 * 60, (), False),
    (23 * 60 + 55, (), False),
)
_HISTORY_MINUTES = (6 * 60, 12 * 60, 18 * 60, 23 * 60 + 55)


@dataclass(frozen=True, slots=True)
class Pull:
    """Read the trade server, with these faults in force."""

    faults: Sequence[Fault] = ()
    fails: bool = False


@dataclass(frozen=True, slots=True)
class FirstLoad:
    days: Sequence[date]


@dataclass(frozen=True, slots=True)
class Night:
    """Reconcile a day, shortly after it is over everywhere."""

    day: date


@dataclass(frozen=True, slots=True)
class CloseBooks:
    day: date


@dataclass(frozen=True, slots=True)
class BankFiles:
    """Both banks' statements of a day; `first_wrong` is the number of a bank that sends a wrong one first."""

    day: date
    first_wrong: int | None = None


@dataclass(frozen=True, slots=True)
class LpFile:
    day: date
    twice: bool = False


@dataclass(frozen=True, slots=True)
class Mt4File:
    broken: bool = False


@dataclass(frozen=True, slots=True)
class PspFile:
    day: date


@dataclass(frozen=True, slots=True)
class Morning:
    """The staff begins the day after the live one."""


@dataclass(frozen=True, slots=True)
class ClientMoney:
    """Client bank accounts are named where that is not done, and a day's client money is calculated and signed."""

    day: date


@dataclass(frozen=True, slots=True)
class Desk:
    """The payments desk works off what came by the morning after the live day."""


@dataclass(frozen=True, slots=True)
class YoungPayees:
    """Clients name new payees, some days before the live one."""


File = BankFiles | LpFile | Mt4File | PspFile
Work = CloseBooks | Morning | ClientMoney | Desk | YoungPayees
Entry = Pull | FirstLoad | Night | File | Work


def entries(days: Days, *, wrong_bank: int) -> Iterator[tuple[datetime, Entry]]:
    """Everything in the order of days; the caller sorts by moment."""
    yield utc(_after(days.bulk[-1]), 0, 10), FirstLoad(days.bulk)
    for day in days.nightly:
        for minute in _HISTORY_MINUTES:
            yield mt5_moment(day, minute), Pull()
        yield from _files(day, BankFiles(day), LpFile(day), Mt4File())
        yield utc(_after(day), 6), ClientMoney(day)
    yield utc(days.back(2), 10), YoungPayees()
    yield utc(days.live, 9, 30), CloseBooks(days.back(2))
    for minute, faults, fails in _LIVE:
        yield mt5_moment(days.live, minute), Pull(faults, fails)
    yield from _files(days.live, BankFiles(days.live, wrong_bank), LpFile(days.live, True), Mt4File(True))
    yield utc(_after(days.live), 6), ClientMoney(days.live)
    yield utc(_after(days.live), 7), Morning()
    yield utc(_after(days.live), 7, 20), Desk()
    yield utc(_after(days.live), 7, 40), Pull()


def _files(day: date, bank: BankFiles, lp: LpFile, mt4: Mt4File) -> Iterator[tuple[datetime, Entry]]:
    """The evening of a day, and its night. The provider's day ends at 17:00 in New York."""
    yield utc(day, 20, 30), bank
    yield utc(day, 22, 20), lp
    yield utc(day, 22, 30), mt4
    yield utc(day, 22, 40), PspFile(day)
    yield utc(_after(day), 0, 20), Pull()
    yield utc(_after(day), 0, 30), Night(day)


def _after(day: date) -> date:
    return day + timedelta(days=1)
