"""The words of the permission matrix: verbs, roles, and what a row and its cells say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

VERBS = {
    "V": "view",
    "M": "make (ask for it)",
    "A": "approve what somebody else asked for",
    "A*": "approve above the high threshold",
    "X": "execute after approval",
    "D": "do directly, logged",
}
TITLES = {
    "DLR": "Dealing and risk",
    "FMK": "Finance maker",
    "FAP": "Finance approver",
    "PAY": "Payments",
    "CMP": "Compliance",
    "SUP": "Support",
    "IBM": "IB manager",
    "MGT": "Management",
    "SYS": "System administration",
    "AUD": "Auditor",
    # A small role of named persons; it adds to Compliance.
    "MLRO": "Money laundering reporting officer",
}
CODES = tuple(TITLES)


@dataclass(frozen=True, slots=True)
class Duty:
    """One thing a cell allows: a verb and, in words, what it is narrowed to."""

    verb: str
    scope: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.scope}".strip()


@dataclass(frozen=True)
class Row:
    """One object. `line` has a cell per role, in the order of CODES ("–": nothing). `permissions` hang on a duty as
    it is written in the cells. `about` marks what the system administrator must have no hand on. `of_house` rows
    belong to no legal entity; all others are seen and changed only in the entities and desks one works in."""

    key: str
    title: str
    line: str
    permissions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    about: str = ""
    of_house: bool = False

    @property
    def cells(self) -> dict[str, tuple[Duty, ...]]:
        found = [cell.strip() for cell in self.line.split("|")]
        assert len(found) == len(CODES), f"{self.key}: {len(found)} cells for {len(CODES)} roles"
        return {code: _duties(cell) for code, cell in zip(CODES, found, strict=True)}

    def permissions_of(self, role: str) -> tuple[str, ...]:
        return tuple(code for duty in self.cells[role] for code in self.permissions.get(str(duty), ()))


def _duties(cell: str) -> tuple[Duty, ...]:
    if cell == "–":
        return ()
    duties = tuple(Duty(*part.strip().split(" ", 1)) for part in cell.split("/"))
    assert all(duty.verb in VERBS for duty in duties), f"unknown verb in {cell!r}"
    return duties
