"""Who does something: a person at a screen, or a named job. There is no anonymous third."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Person:
    """A member of staff. `request_id` groups everything one page request did; `ip` is where it came from.

    `verified_at` is the moment of the last second factor of this session; None: there was none.
    """

    user_id: int
    name: str
    request_id: str = ""
    ip: str | None = None
    verified_at: datetime | None = None

    @property
    def label(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class System:
    """A job or command, by its name ("booking", "manage reconcile")."""

    name: str
    request_id: str = ""

    @property
    def label(self) -> str:
        return f"system: {self.name}"


Actor = Person | System
