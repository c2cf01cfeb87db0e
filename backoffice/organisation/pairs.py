"""Duties that one person must not hold together, as data; which roles exclude each other follows from the matrix.

A pair has two sides, each some duties of roles.py or whole roles. Two different roles are in conflict when one has a
duty of one side and the other a duty of the other side: that is what the database is told (`manage load_roles`) and
what it refuses. What a single role holds on both sides is the matrix's own decision and kept apart by the request:
its maker, its approver and its executor are different people, and no waiver changes that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from backoffice.organisation.duties import CODES, Duty, Row
from backoffice.organisation.roles import ALSO, MATRIX

_DOING = ("M", "A", "A*", "X", "D")
_APPROVING = ("A", "A*")


@dataclass(frozen=True, slots=True)
class Side:
    """Duties as (row, verbs, scope; an empty scope means any), or whole roles."""

    text: str
    duties: tuple[tuple[str, tuple[str, ...], str], ...] = ()
    roles: tuple[str, ...] = ()

    def has(self, role: str, row: Row, duty: Duty) -> bool:
        return role in self.roles or any(
            row.key == key and duty.verb in verbs and scope in ("", duty.scope) for key, verbs, scope in self.duties
        )

    def permissions(self, role: str) -> frozenset[str]:
        """What the role holds on this side."""
        return frozenset(
            permission
            for row in MATRIX
            for duty in row.cells[role]
            if duty.verb != "V" and self.has(role, row, duty)
            for permission in row.permissions.get(str(duty), ())
        )

    def holders(self) -> frozenset[str]:
        """The roles on this side."""
        found = {role for row in MATRIX for role in CODES for duty in row.cells[role] if self.has(role, row, duty)}
        return frozenset(found.union(self.roles))


@dataclass(frozen=True, slots=True)
class Pair:
    """Two sides that exclude each other. A pair with `waiver` may be waived in writing for a small firm, for one
    person and a time; one with `by_role` False shows only when something is done (services/pairs.py)."""

    number: int
    one: Side
    other: Side
    waiver: bool = True
    by_role: bool = True

    def __str__(self) -> str:
        return f"pair {self.number}: {self.one.text} and {self.other.text}"


def _about(subject: tuple[str, ...]) -> tuple[tuple[str, tuple[str, ...], str], ...]:
    return tuple((row.key, _DOING, "") for row in MATRIX if row.about in subject)


PAIRS: tuple[Pair, ...] = (
    Pair(
        1,
        Side("editing a payee", (("payee", _DOING, ""),)),
        Side("approving or sending a withdrawal", (("withdrawal", _APPROVING, ""), ("payout", ("X",), ""))),
    ),
    Pair(2, Side("finance maker", roles=("FMK",)), Side("finance approver", roles=("FAP",))),
    Pair(3, Side("finance approver", roles=("FAP",)), Side("payments", roles=("PAY",))),
    Pair(
        4,
        Side("system administration", roles=("SYS",)),
        Side("any work on money or on a client's status", _about(("money", "status"))),
    ),
    Pair(
        5,
        Side("IB manager", roles=("IBM",)),
        Side("approving partner payouts", (("partner-payout", _APPROVING, ""),)),
    ),
    Pair(
        6,
        Side("dealing", roles=("DLR",)),
        Side("approving manual balance adjustments", (("adjustment", _APPROVING, ""),)),
    ),
    # The second person the two need is the approver; who administers either must not be one.
    Pair(
        7,
        Side("administering users or approval rules", (("users", ("M",), ""), ("policies", ("M",), ""))),
        Side("approving roles or approval rules", (("users", _APPROVING, ""), ("policies", _APPROVING, ""))),
    ),
    Pair(
        8,
        Side(
            "matching in a reconciliation",
            (("trade-recon", ("D",), ""), ("cash-recon", ("D",), "")),
        ),
        Side(
            "approving its write-offs",
            (("trade-recon", ("A",), "write-off"), ("cash-recon", ("A",), "write-off")),
        ),
    ),
    Pair(9, Side("setting an AML hold"), Side("releasing the same hold"), waiver=False, by_role=False),
    # An auditor who works is no auditor: there is no waiver of it.
    Pair(
        10,
        Side("auditor", roles=("AUD",)),
        Side("any other role", roles=tuple(code for code in CODES if code != "AUD")),
        waiver=False,
    ),
)


def pair(number: int) -> Pair:
    return next(known for known in PAIRS if known.number == number)


@dataclass(frozen=True, slots=True, order=True)
class Conflict:
    """Two roles that one pair keeps apart, in alphabetical order."""

    pair: int
    role: str
    other: str


@cache
def conflicts() -> tuple[Conflict, ...]:
    """Every two roles that exclude each other, with each pair that says so."""
    found = set()
    for known in PAIRS:
        for one in known.one.holders() if known.by_role else ():
            for other in known.other.holders():
                if one != other:
                    found.add(Conflict(known.number, *sorted((one, other))))
    return tuple(sorted(found))


def between(roles: Iterable[str]) -> list[Conflict]:
    """The conflicts among the roles of one person."""
    held = set(roles)
    return [conflict for conflict in conflicts() if {conflict.role, conflict.other} <= held]


def withheld(found: Iterable[Conflict]) -> frozenset[str]:
    """The permissions that neither role gives while they are in conflict: both sides of the pair, and what the roles
    may do besides the letters of the matrix. What only looks stays."""
    codes: set[str] = set()
    for conflict in found:
        known = pair(conflict.pair)
        for role in (conflict.role, conflict.other):
            codes |= known.one.permissions(role) | known.other.permissions(role)
            codes |= {code for code in ALSO[role] if not code.split(".")[1].startswith(("view_", "see_"))}
    return frozenset(codes)
