"""What a check found wrong. Rooms yield these; `manage verify` prints them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that does not hold, for which row, and how far off it is."""

    rule: str
    subject: str
    detail: str
