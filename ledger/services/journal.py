"""Posting: the one door through which money moves in the books.

A posting names its accounts and signed amounts (debit positive, credit negative); entity, currency and
decimal places are checked against the accounts by the database, and so is everything else that must hold
(ledger/docs.md lists the rules). The idempotency key comes first: a repeat with the same content returns the
first journal, with other content it is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

from django.db import DatabaseError, connection, transaction

from backoffice.kernel import bulk, clock, locking
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import DomainError
from ledger.models import Journal, Line

# More lines than this in one call are cut by the caller: a statement's memory should stay bounded.
LINES_PER_CALL_MAX = 200_000
LINES_PER_JOURNAL_MAX = 10_000


class PostingRefused(DomainError):
    """The database refused a posting; nothing of the call was booked."""


class Unbalanced(PostingRefused):
    """The lines do not sum to zero in each currency."""


class DayClosed(PostingRefused):
    """The business day is closed."""


class BelowFloor(PostingRefused):
    """An account would go below the lowest balance it may have."""


class KeyReused(PostingRefused):
    """The idempotency key already names a posting with other content."""


class AlreadyReversed(PostingRefused):
    """The journal was reversed before, under another key."""


_REFUSALS: dict[str, type[PostingRefused]] = {
    "BO011": Unbalanced,
    "BO012": PostingRefused,
    "BO013": DayClosed,
    "BO014": PostingRefused,
    "BO015": PostingRefused,
    "BO018": PostingRefused,
    "BO019": KeyReused,
}
_CONSTRAINTS: dict[str, tuple[type[PostingRefused], str]] = {
    "ledger_balance_floor": (BelowFloor, "There is not enough money on the account for this posting."),
    "ledger_journal_reversed_once": (AlreadyReversed, "This journal has been reversed already."),
}


_POST_ONE = "SELECT id, posted FROM ledger_post_one(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
_POST = "SELECT ids, posted FROM ledger_post(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line to be: an account and a signed amount in its currency, debit positive."""

    account_id: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Draft:
    """A journal to be. `reference` is where it comes from ("deal:17:v2"); `key` makes it happen once."""

    key: str
    business_date: date
    kind: str
    description: str
    entries: Sequence[Entry]
    reference: str = ""
    reverses_id: int | None = None

    def fingerprint(self) -> bytes:
        """SHA-256 over everything that decides what is booked. Amounts count by value: 1.0 equals 1.00.

        The lengths keep two drafts apart whose texts differ only in where one ends and the next begins.
        """
        texts = (self.key, self.kind, self.description, self.reference)
        lengths = f"{len(self.key)} {len(self.kind)} {len(self.description)}"
        lines = [f"{entry.account_id}:{_digits(entry.amount)}" for entry in self.entries]
        parts = (*texts, lengths, str(self.business_date), str(self.reverses_id), *lines)
        return hashlib.sha256("\x1f".join(parts).encode()).digest()


@dataclass(frozen=True, slots=True)
class Posted:
    """A journal in the books; `created` is False when an earlier call had posted it."""

    journal_id: int
    created: bool


@dataclass(slots=True)
class _Arrays:
    """The arguments of ledger_post as array literals in the making."""

    keys: list[str] = field(default_factory=list)
    hashes: list[str] = field(default_factory=list)
    dates: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    descriptions: list[str] = field(default_factory=list)
    references: list[str] = field(default_factory=list)
    counts: list[str] = field(default_factory=list)
    reverses: list[str] = field(default_factory=list)
    ords: list[str] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    accounts: list[str] = field(default_factory=list)
    amounts: list[str] = field(default_factory=list)

    def add(self, draft: Draft) -> None:
        self.keys.append(draft.key)
        self.hashes.append("\\x" + draft.fingerprint().hex())
        self.dates.append(str(draft.business_date))
        self.kinds.append(draft.kind)
        self.descriptions.append(draft.description)
        self.references.append(draft.reference)
        self.counts.append(str(len(draft.entries)))
        self.reverses.append("NULL" if draft.reverses_id is None else str(draft.reverses_id))
        position = str(len(self.keys))
        for number, entry in enumerate(draft.entries, 1):
            self.ords.append(position)
            self.numbers.append(str(number))
            self.accounts.append(str(entry.account_id))
            self.amounts.append(str(entry.amount))

    def parameters(self) -> list[str]:
        texts = (self.keys, self.hashes, self.dates, self.kinds, self.descriptions, self.references)
        plain = (self.counts, self.reverses, self.ords, self.numbers, self.accounts, self.amounts)
        return [bulk.array(t) for t in texts] + ["{" + ",".join(p) + "}" for p in plain]


def post(*, actor: Actor, entity_id: int, draft: Draft) -> Posted:
    """Post one journal. Raises a PostingRefused that says which rule it would break."""
    _check_size(draft)
    _open_months({draft.business_date})
    row = _call(
        _POST_ONE,
        [
            entity_id,
            clock.now(),
            actor.label,
            draft.key,
            "\\x" + draft.fingerprint().hex(),
            draft.business_date,
            draft.kind,
            draft.description,
            draft.reference,
            draft.reverses_id,
            "{" + ",".join(str(entry.account_id) for entry in draft.entries) + "}",
            "{" + ",".join(str(entry.amount) for entry in draft.entries) + "}",
        ],
    )
    return Posted(*row)


def post_many(*, actor: Actor, entity_id: int, drafts: Sequence[Draft]) -> list[Posted]:
    """Post journals of one entity, all or none, and return them in the order given.

    One call of one database function, whatever their number; twenty thousand journals take well under a
    second (docs/benchmarks.md). Drafts with the same key must be the same and count once.
    """
    locking.require_transaction()
    if not drafts:
        return []
    unique = _unique(drafts)
    arrays = _Arrays()
    for draft in unique.values():
        arrays.add(draft)
    assert len(arrays.accounts) <= LINES_PER_CALL_MAX, "cut the batch"
    _open_months({draft.business_date for draft in unique.values()})
    parameters = [entity_id, clock.now(), actor.label, *arrays.parameters()]
    ids, posted = _call(_POST, parameters)
    result = {key: Posted(id_, new) for key, id_, new in zip(unique, ids, posted, strict=True)}
    return [result[draft.key] for draft in drafts]


def reverse(*, actor: Actor, entity_id: int, journal_id: int, key: str, business_date: date, why: str) -> Posted:
    """Post the exact opposite of a journal. A journal is reversed at most once; it is never changed."""
    original = Journal.objects.get(entity_id=entity_id, id=journal_id)
    draft = reversal(original, key=key, business_date=business_date, why=why)
    return post(actor=actor, entity_id=entity_id, draft=draft)


def reversal(original: Journal, *, key: str, business_date: date, why: str) -> Draft:
    """The draft that undoes a journal, for callers that post it in a batch with others."""
    lines = Line.objects.filter(
        entity_id=original.entity_id, business_date=original.business_date, journal_id=original.id
    ).order_by("line_no")
    return Draft(
        key=key,
        business_date=business_date,
        kind=original.kind,
        description=why,
        reference=original.reference,
        entries=[Entry(line.account_id, -line.amount) for line in lines],
        reverses_id=original.id,
    )


def refusal(error: DatabaseError) -> PostingRefused | None:
    """The refusal a database error stands for, or None when it is a real error (a lost connection)."""
    cause = error.__cause__
    code = getattr(cause, "pgcode", None) or ""
    diagnosis = getattr(cause, "diag", None)
    constraint = getattr(diagnosis, "constraint_name", None) or ""
    if constraint in _CONSTRAINTS:
        kind, text = _CONSTRAINTS[constraint]
        return kind(text)
    message = (getattr(diagnosis, "message_primary", None) or str(error)).strip()
    if code in _REFUSALS:
        return _REFUSALS[code](f"The posting was refused: {message}.")
    if code[:2] in {"22", "23"}:
        return PostingRefused(f"The posting was refused: {message}.")
    return None


def _call(statement: str, parameters: Sequence[Any]) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        try:
            cursor.execute(statement, parameters)
        except DatabaseError as error:
            raise refusal(error) or error from error
        row: tuple[Any, ...] = cursor.fetchone()
    return row


def _digits(amount: Decimal) -> str:
    """All digits of an amount without trailing zeros; `normalize` would round to 28 of them."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _check_size(draft: Draft) -> None:
    if not 2 <= len(draft.entries) <= LINES_PER_JOURNAL_MAX:
        raise PostingRefused(f"The posting {draft.key} has {len(draft.entries)} lines; a journal has at least two.")


def _unique(drafts: Sequence[Draft]) -> dict[str, Draft]:
    unique: dict[str, Draft] = {}
    for draft in drafts:
        _check_size(draft)
        known = unique.setdefault(draft.key, draft)
        if known is not draft and known.fingerprint() != draft.fingerprint():
            raise KeyReused(f"The key {draft.key} stands for two different postings in one batch.")
    return unique


_months_open: set[tuple[str, int, int]] = set()


def _open_months(days: Iterable[date]) -> None:
    """Make the partitions a batch needs, before it takes any lock. Remembered per process and database."""
    name = str(connection.settings_dict["NAME"])
    for day in days:
        month = (name, day.year, day.month)
        if month in _months_open:
            continue
        _call("SELECT ledger_open_month(%s)", [day])
        # Only remembered when it is there for good: a rollback would take a new partition with it.
        transaction.on_commit(partial(_months_open.add, month))
