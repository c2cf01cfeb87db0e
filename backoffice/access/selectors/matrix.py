"""The matrix as it is shown: every row and cell with its letters, and what of it exists in this version."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet

from backoffice.access.models import Waiver
from backoffice.kernel import clock
from backoffice.organisation import pairs
from backoffice.organisation.duties import CODES, TITLES, Row
from backoffice.organisation.roles import ALSO, MATRIX


@dataclass(frozen=True, slots=True)
class Cell:
    """What one role may do with one object: its letters with their narrowing, and the permissions behind them."""

    role: str
    duties: tuple[tuple[str, str], ...]
    permissions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One object. `exists` is False where this version has nothing of it."""

    key: str
    title: str
    where: str
    cells: tuple[Cell, ...]
    exists: bool


def lines() -> list[Line]:
    return [_line(row) for row in MATRIX]


def _line(row: Row) -> Line:
    cells = tuple(
        Cell(code, tuple((duty.verb, duty.scope) for duty in row.cells[code]), row.permissions_of(code))
        for code in CODES
    )
    where = "whole house" if row.of_house else "own entities and desks"
    return Line(row.key, row.title, where, cells, any(cell.permissions for cell in cells))


def beside_the_matrix() -> list[tuple[str, str, tuple[str, ...]]]:
    """Permissions that a role has besides its letters."""
    return [(code, TITLES[code], ALSO[code]) for code in CODES if ALSO[code]]


def apart() -> list[tuple[pairs.Pair, list[str], bool]]:
    """Each forbidden pair, the roles it keeps apart, and whether a waiver of it can be asked for."""
    return [
        (known, [f"{c.role} + {c.other}" for c in pairs.conflicts() if c.pair == known.number], known.waiver)
        for known in pairs.PAIRS
    ]


def waivers_in_force() -> QuerySet[Waiver]:
    rows = Waiver.objects.filter(ended_at=None, until__gt=clock.now())
    return rows.select_related("user", "request").order_by("pair", "user_id")
