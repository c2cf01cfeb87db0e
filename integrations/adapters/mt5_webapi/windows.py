"""Asking for all deals of a span of server time, however much that is.

`deal/get_batch` takes a group mask and a window, and documents no limit of rows. So the span is asked for in slices, a
slice is halved when its answer is too large, too slow, only a part, or has so many rows that a silent cap could hide
behind it, and slices grow back when answers are small. A single second that is still too much, and a server that does
not know `get_batch`, are read login by login with `deal/get_page`, 100 deals at a time.

Two spans hold nothing and are not worth a call per hour: the years before a server's first deal (slices grow up to a
week until something is found), and what lies after its own now (asked for together with the last slice before it).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from integrations.adapters.failures import BadAnswer, TookTooLong, TooMuch
from integrations.adapters.mt5_webapi.client import Client
from integrations.adapters.mt5_webapi.failures import UnknownCall

# The server's own limit of deal/get_page.
PAGE = 100
# How far slices grow while nothing at all has been found.
LONGEST_SLICE = 7 * 24 * 3600
# More rows than this in one answer are asked for again in halves.
TRUSTED_ROWS = 10_000
# A server that is slow so often in a row is not slow because of the size of the slice.
SLOW_ANSWERS = 4
# A list that changes while it is paged through is read again, this often.
_PAGE_ATTEMPTS = 3


class DealReader:
    """Reads deals of the groups of one connection. `from` and `to` are server seconds, both inclusive."""

    def __init__(self, client: Client, groups: str, *, slice_seconds: int, trusted_rows: int = TRUSTED_ROWS) -> None:
        assert slice_seconds > 0
        self._client = client
        self._groups = groups
        self._slice = slice_seconds
        self._trusted_rows = trusted_rows
        self._has_batch = True
        self._slow = 0

    def read(self, start: int, end: int, *, now: int) -> Iterator[Any]:
        """Every deal record with start <= Time <= end, as decoded; the order is the server's. Raises ServerError.

        `now` is the server's clock: later deals are not expected, though they are asked for.
        """
        position, width, longest = start, self._slice, max(self._slice, LONGEST_SLICE)
        future_is_empty = True
        while position <= end:
            if not self._has_batch:
                yield from self._by_login(position, end)
                return
            last = min(position + width - 1, end)
            reaches_out = future_is_empty and now <= last < end
            try:
                items = self._batch(position, end if reaches_out else last)
            except UnknownCall:
                self._has_batch = False
                continue
            if items is None and reaches_out:
                future_is_empty = False
                continue
            if items is None and last > position:
                width = (last - position + 1) // 2
                continue
            yield from items if items is not None else self._by_login(position, last)
            position = (end if reaches_out else last) + 1
            if items is None or items:
                longest = self._slice
            if items is not None and len(items) * 4 < self._trusted_rows:
                width *= 2
            width = min(width, longest)

    def of_login(self, login: int, start: int, end: int) -> list[Any]:
        """Every deal record of one login with start <= Time <= end, counted before and after. Raises ServerError."""
        return self._pages({"login": str(login), "from": str(start), "to": str(end)})

    def _batch(self, start: int, end: int) -> list[Any] | None:
        """One slice; None when it is too much for one answer."""
        params = {"group": self._groups, "from": str(start), "to": str(end)}
        try:
            items = _list("/api/deal/get_batch", self._client.call("/api/deal/get_batch", params))
        except TooMuch:
            return None
        except TookTooLong:
            self._slow += 1
            if self._slow > SLOW_ANSWERS:
                raise
            return None
        self._slow = 0
        return items if len(items) < self._trusted_rows else None

    def _by_login(self, start: int, end: int) -> Iterator[Any]:
        for login in _list("/api/user/logins", self._client.call("/api/user/logins", {"group": self._groups})):
            yield from self._pages({"login": str(login), "from": str(start), "to": str(end)})

    def _pages(self, params: dict[str, str]) -> list[Any]:
        """All deals of one login. Pages are by offset, so a deal that leaves the list meanwhile hides another one:
        the pages are believed only when as many different deals came as the server counts before and after."""
        for _ in range(_PAGE_ATTEMPTS):
            before = self._total(params)
            found: dict[str, Any] = {}
            for offset in range(0, before, PAGE):
                page = {**params, "offset": str(offset), "total": str(PAGE)}
                for item in _list("/api/deal/get_page", self._client.call("/api/deal/get_page", page)):
                    key = str(item.get("Deal")) if isinstance(item, dict) else f"unreadable {offset} {len(found)}"
                    found[key] = item
            if len(found) == before == self._total(params):
                return list(found.values())
        raise BadAnswer(
            f"/api/deal/get_page: the deals of login {params['login']} changed while they were read, "
            f"{_PAGE_ATTEMPTS} times."
        )

    def _total(self, params: dict[str, str]) -> int:
        answer = self._client.call("/api/deal/get_total", params)
        total = answer.get("total") if isinstance(answer, dict) else answer
        if answer is None:
            return 0
        if not isinstance(total, str) or not total.isdecimal():
            raise BadAnswer(f"/api/deal/get_total: {str(total)[:40]!r} is not a count.")
        return int(total)


def _list(path: str, answer: Any) -> list[Any]:
    """An answer that is a list; nothing is an empty one, anything else is a broken answer and not “no deals”."""
    if answer is None:
        return []
    if not isinstance(answer, list):
        raise BadAnswer(f"{path}: the answer is not a list.")
    return answer
