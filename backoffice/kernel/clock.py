"""The one clock. Services take `at` or ask here; nobody else reads the system's time.

All moments are aware and in UTC. Tests and the demo set the time with `at(...)`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime

_override: ContextVar[datetime | None] = ContextVar("clock_override", default=None)


def now() -> datetime:
    """The current moment in UTC."""
    fixed = _override.get()
    return fixed if fixed is not None else datetime.now(UTC)


def today() -> date:
    """The current UTC date. Business days belong to an entity or a server: see organisation.calendars."""
    return now().date()


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """Run a block as if it were `moment` (aware, UTC)."""
    assert moment.utcoffset() is not None, "a moment needs a time zone"
    token = _override.set(moment.astimezone(UTC))
    try:
        yield
    finally:
        _override.reset(token)
