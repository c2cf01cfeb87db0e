"""What every reader of a PSP's file proves: a payout is what its lines add up to, and no line stands there twice.

A payout that stands in one file and its lines in another is proved when the second of the two comes
(services/imports: the same total by the same name, over what is stored and what came).
"""

from __future__ import annotations

from decimal import Decimal

from integrations.adapters.reading import shown
from integrations.records import ControlTotal, PspKind, PspLine, Unreadable

PAYOUTS_MAX = 10_000
# So many payouts that hold are listed one by one; those that do not are listed all.
_LISTED = 200
_ZERO = Decimal(0)


def name_of_total(payout_key: str, currency: str) -> str:
    return f"payout {payout_key}, {currency}: lines less what was paid out"


class PayoutSums:
    """Sums of net by payout and currency. Only those of which both the payout and its lines were seen prove anything:
    a payout made by hand has no lines that belong to it."""

    def __init__(self, *, filename: str = "the file") -> None:
        self._filename = filename
        self._nets: dict[tuple[str, str], Decimal] = {}
        self._paid: set[tuple[str, str]] = set()
        self._lines: set[tuple[str, str]] = set()

    def add(self, payout_key: str, currency: str, net: Decimal, *, is_payout: bool) -> None:
        if not payout_key:
            return
        key = (payout_key, currency)
        self._nets[key] = self._nets.get(key, _ZERO) + net
        (self._paid if is_payout else self._lines).add(key)
        if len(self._nets) > PAYOUTS_MAX:
            raise Unreadable(f"{self._filename}: more than {PAYOUTS_MAX:,} payouts. Ask for shorter periods.")

    def add_line(self, line: PspLine) -> None:
        self.add(line.payout_key, line.currency, line.net, is_payout=line.kind is PspKind.PAYOUT)

    def totals(self) -> list[ControlTotal]:
        """One total per payout: all that do not hold, and those that do up to a limit."""
        totals = [
            ControlTotal(name_of_total(*key), "0.00", shown(self._nets[key]))
            for key in self._nets
            if key in self._paid and key in self._lines
        ]
        wrong = [total for total in totals if not total.holds]
        right = [total for total in totals if total.holds]
        return totals if len(totals) <= _LISTED else [*wrong, *right[: max(0, _LISTED - len(wrong))]]


def stated_once(rows: int, repeated: int) -> ControlTotal:
    """Rows that a source numbers, each of which can stand there only once."""
    return ControlTotal("rows stated once", str(rows), str(rows - repeated))


def count_of(name: str, rows: int, wrong: int) -> ControlTotal:
    """A rule that each row must keep."""
    return ControlTotal(name, f"{rows} rows", f"{rows - wrong} rows")
