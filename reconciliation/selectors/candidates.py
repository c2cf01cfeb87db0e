"""Lines that no match has taken, or not all of: what a person may put together by hand, found by amount, day and text.

Bounded: one entity, one currency, a span of days, and at most so many lines of each side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.db import connection

from accounts.services.booking.plan import REFERENCE
from integrations.records import PAYOUT_TOKEN_SQL

MOST = 40
OURS, THEIRS = ("deal", "journal"), ("psp", "bank")
_STATEMENT = (Path(__file__).resolve().parent.parent / "sql" / "candidates.sql").read_text()
# In PostgreSQL's dialect. What comes from or goes to the outside is a deposit or a withdrawal.
_PATTERNS = {
    "pattern": REFERENCE.pattern.replace(r"\b", r"\y").replace("DWTACFXP", "DW"),
    "payout_pattern": PAYOUT_TOKEN_SQL,
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for. `amount` without its sign; `text` anywhere in what the line says, in any case; days from
    `day` - `around` to `day` + `around`."""

    entity_id: int
    currency: str
    day: date
    around: int = 7
    amount: Decimal | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One line. `free` is what is left of its `whole`, in `currency`, signed for us: a deposit is positive on every
    side."""

    kind: str
    fact_id: int
    day: date
    whole: Decimal
    free: Decimal
    currency: str
    said: str
    superseded: bool

    @property
    def name(self) -> str:
        """How forms name it."""
        return f"{self.kind}:{self.fact_id}"


def found(wanted: Wanted, kinds: Sequence[str]) -> list[Candidate]:
    """Lines of these kinds of facts that are not superseded and of which something is left."""
    span = timedelta(days=wanted.around)
    return _rows(
        entity=wanted.entity_id,
        kinds=list(kinds),
        currency=wanted.currency,
        since=wanted.day - span,
        until=wanted.day + span,
        amount=None if wanted.amount is None else abs(wanted.amount),
        text=wanted.text.strip().lower(),
        ids=None,
        most=MOST,
    )


def picked(entity_id: int, facts: Mapping[str, Sequence[int]]) -> list[Candidate]:
    """These facts of the entity, by kind, whatever is left of them and however old they are."""
    rows: list[Candidate] = []
    for kind, ids in facts.items():
        rows += _rows(
            entity=entity_id, kinds=[kind], ids=list(ids), most=len(ids), currency="", amount=None, text="",
            since=date.min, until=date.max,
        )  # fmt: skip
    return rows


def _rows(**values: Any) -> list[Candidate]:
    with connection.cursor() as cursor:
        cursor.execute(_STATEMENT, {**values, **_PATTERNS})
        return [Candidate(*row) for row in cursor.fetchall()]
