"""The simulated server's clock: a zone, daylight periods, and a "now" that can be set.

Deals carry wall time written as if it were UTC seconds, like a real server's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from integrations.simulators.mt5_webapi.errors import BadRequest


class ServerClock:
    """Reads and keeps its settings through `get` and `put` (text by name), so that they survive a restart."""

    def __init__(
        self,
        *,
        get: Callable[[str], str],
        put: Callable[[str, str], None],
        real_now: Callable[[], datetime],
    ) -> None:
        self._get = get
        self._put = put
        self._real_now = real_now

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Change what is named: time_zone (minutes without daylight saving), daylight (pairs of UTC moments, ISO),
        now (UTC moment, ISO, or null for the real time) and, beside now, running (go on from there; default no);
        queries_in_utc (take `from` and `to` of queries as UTC, as some servers may)."""
        if "time_zone" in settings:
            self._put("time_zone", str(int(settings["time_zone"])))
        if "daylight" in settings:
            periods = [[_moment(start).isoformat(), _moment(end).isoformat()] for start, end in settings["daylight"]]
            self._put("daylight", json.dumps(periods))
        if "queries_in_utc" in settings:
            self._put("queries_in_utc", "1" if settings["queries_in_utc"] else "")
        if "now" in settings:
            self._put("frozen", "")
            self._put("shift", "")
            if settings["now"] is not None:
                now = _moment(settings["now"])
                if settings.get("running"):
                    self._put("shift", str((now - self._real_now()).total_seconds()))
                else:
                    self._put("frozen", now.isoformat())

    def utc_now(self) -> datetime:
        if frozen := self._get("frozen"):
            return datetime.fromisoformat(frozen)
        return self._real_now() + timedelta(seconds=float(self._get("shift") or 0))

    @property
    def time_zone(self) -> int:
        return int(self._get("time_zone") or 0)

    @property
    def has_daylight(self) -> bool:
        return bool(self._periods())

    def in_daylight(self, moment: datetime) -> bool:
        return any(start <= moment < end for start, end in self._periods())

    def wall_milliseconds(self) -> int:
        """The wall clock now, as milliseconds since 1970 counted as if it were UTC."""
        now = self.utc_now()
        return int((now + timedelta(minutes=self._offset(now))).timestamp() * 1000)

    def query_shift(self) -> int:
        """Seconds to add to `from` and `to` of a query to have wall time."""
        return 60 * self._offset(self.utc_now()) if self._get("queries_in_utc") else 0

    def _offset(self, moment: datetime) -> int:
        return self.time_zone + (60 if self.in_daylight(moment) else 0)

    def _periods(self) -> list[tuple[datetime, datetime]]:
        pairs = json.loads(self._get("daylight") or "[]")
        return [(datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, end in pairs]


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.utcoffset() is None:
        raise BadRequest(f"{text!r} needs a zone: write 2026-03-29T01:00:00Z.")
    return moment
