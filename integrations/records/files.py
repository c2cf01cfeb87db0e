"""What an adapter makes of a file: records, what was rejected, and what the file proves of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from integrations.records.cash import BankLine, BankNotice, PspLine, Rate
from integrations.records.server import AccountState, Deal, Fill


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that could not be read: where, which field, why. The others are kept."""

    line: int
    field: str
    reason: str
    raw: str = ""


@dataclass(frozen=True, slots=True)
class ControlTotal:
    """One self-check of a file: what it says of itself, and what its rows say."""

    name: str
    expected: str
    found: str

    @property
    def holds(self) -> bool:
        return self.expected == self.found


Record = Deal | AccountState | Fill | PspLine | BankLine | BankNotice | Rate


@dataclass(frozen=True, slots=True)
class Parsed:
    """Everything an adapter read from one file.

    `lines` gives, for each record, the line (or entry) number it came from. `balanced` is None where the
    format has no self-check, False when a control total does not hold: such a file is held.
    """

    records: Sequence[Record]
    lines: Sequence[int]
    rejected: Sequence[Rejected] = ()
    control_totals: Sequence[ControlTotal] = ()
    warnings: Sequence[str] = ()
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def balanced(self) -> bool | None:
        if not self.control_totals:
            return None
        return all(total.holds for total in self.control_totals) and not self.rejected


class Unreadable(Exception):
    """The whole file is refused: it is not what the adapter reads, or it is hostile. Nothing of it is kept
    but its bytes. The message names the place and what to do."""
