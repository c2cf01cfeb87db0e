"""Attacks on the posting functions: called straight, as the application's role, with arguments no draft makes."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from ledger.services import journal
from tests.attacks import DAY, Books, execute, findings, open_books, refused
from tests.builders import ROBOT

pytestmark = pytest.mark.django_db


@pytest.fixture
def books() -> Books:
    return open_books()


def forged(books: Books, **changes: Any) -> tuple[str, list[Any]]:
    """A call of ledger_post with a sound journal of two lines, but for the changes."""
    values: dict[str, Any] = {
        "entity": books.here.pk,
        "posted_at": "2026-11-19 12:00:00+00",
        "actor": "a forger",
        "keys": ["forged"],
        "hashes": [hashlib.sha256(b"forged").digest()],
        "dates": [DAY],
        "kinds": ["TEST"],
        "descriptions": ["forged"],
        "references": [""],
        "counts": [2],
        "reverses": [None],
        "ords": [1, 1],
        "numbers": [1, 2],
        "accounts": [books.cash.pk, books.client.pk],
        "amounts": ["5", "-5"],
    }
    assert changes.keys() <= values.keys()
    casts = ("bytea", "date", "text", "text", "text", "smallint", "bigint", "int", "smallint", "bigint", "numeric")
    arrays = "".join(f", %s::{cast}[]" for cast in casts)
    return f"SELECT ids, posted FROM ledger_post(%s, %s, %s, %s::text[]{arrays})", list({**values, **changes}.values())


def doubled(**arrays: list[Any]) -> dict[str, Any]:
    """Two journals at once."""
    hashes = [hashlib.sha256(key.encode()).digest() for key in ("a", "b")]
    both = {"dates": [DAY] * 2, "kinds": ["T"] * 2, "descriptions": ["", ""], "references": ["", ""]}
    return {"keys": ["a", "b"], "hashes": hashes, "counts": [2, 2], "reverses": [None] * 2, **both, **arrays}


FORGERIES: dict[str, tuple[Any, str]] = {
    "counts without lines": (lambda b: {"ords": [], "numbers": [], "accounts": [], "amounts": []}, "BO014"),
    "one line": (
        lambda b: {"counts": [1], "ords": [1], "numbers": [1], "accounts": [b.cash.pk], "amounts": [5]},
        "23514",
    ),
    "more counted than there": (lambda b: {"counts": [3]}, "BO012"),
    "fewer counted than there": (lambda b: {"counts": [1]}, "23514"),
    "a gap in the line numbers": (lambda b: {"numbers": [1, 3]}, "BO012"),
    "line numbers from nought": (lambda b: {"numbers": [0, 1]}, "BO012"),
    "a line number twice": (lambda b: {"numbers": [1, 1]}, "23505"),
    "a line without number": (lambda b: {"numbers": [1, None]}, "23502"),
    "one journal's surplus hides another's gap": (
        lambda b: doubled(
            counts=[3, 3],
            ords=[1, 1, 1, 1, 2, 2],
            numbers=[1, 2, 0, -1, 1, 2],
            accounts=[b.cash.pk, b.client.pk, b.euro.pk, b.euro.pk, b.cash.pk, b.client.pk],
            amounts=[1, -1] * 3,
        ),
        "BO012",
    ),
    "a line of no journal": (
        lambda b: {"ords": [1, 1, 7], "numbers": [1, 2, 3], "accounts": [b.cash.pk] * 3, "amounts": [5, -5, 9]},
        "BO014",
    ),
    "more amounts than accounts": (lambda b: {"amounts": [5, -5, 9]}, "BO014"),
    "fewer accounts than amounts": (lambda b: {"accounts": [b.cash.pk]}, "BO014"),
    "fewer hashes than keys": (lambda b: {"hashes": []}, "BO014"),
    "NaN": (lambda b: {"amounts": ["NaN", "NaN"]}, "BO011"),
    "infinity": (lambda b: {"amounts": ["Infinity", "-Infinity"]}, "BO011"),
    "nothing": (lambda b: {"amounts": [0, 0]}, "BO011"),
    "no amount": (lambda b: {"amounts": [5, None]}, "23502"),
    "unbalanced": (lambda b: {"amounts": [5, "-5.01"]}, "BO011"),
    "too many decimals": (lambda b: {"amounts": ["0.001", "-0.001"]}, "BO014"),
    "two decimals of which none shows": (lambda b: {"amounts": ["1e-30", "-1e-30"]}, "BO014"),
    "an account of another entity": (lambda b: {"accounts": [b.cash.pk, b.foreign.pk]}, "BO014"),
    "accounts of another entity": (lambda b: {"entity": b.abroad.pk}, "BO014"),
    "an unknown account": (lambda b: {"accounts": [b.cash.pk, 10**9]}, "BO011"),
    "no account": (lambda b: {"accounts": [None, None]}, "BO014"),
    "no entity": (lambda b: {"entity": None}, "23502"),
    "an entity beyond the lock": (lambda b: {"entity": 2**40}, "22003"),
    "empty key": (lambda b: {"keys": [""]}, "23514"),
    "key of 201": (lambda b: {"keys": ["k" * 201]}, "23514"),
    "no key": (lambda b: {"keys": [None]}, "23502"),
    "short hash": (lambda b: {"hashes": [b"short"]}, "23514"),
    "no kind": (lambda b: {"kinds": [""]}, "23514"),
    "nobody": (lambda b: {"actor": ""}, "23514"),
    "no moment": (lambda b: {"posted_at": None}, "23502"),
    "at no time": (lambda b: {"posted_at": "infinity"}, "23514"),
    "on no day": (lambda b: {"dates": [None]}, "23502"),
    "on the last day of all": (lambda b: {"dates": ["infinity"]}, "23514"),
    "the same key twice": (
        lambda b: doubled(
            keys=["a", "a"],
            ords=[1, 1, 2, 2],
            numbers=[1, 2, 1, 2],
            accounts=[b.cash.pk, b.client.pk] * 2,
            amounts=[1, -1] * 2,
        ),
        "23505",
    ),
    "the same key twice, once with lines": (lambda b: doubled(keys=["a", "a"]), "BO014"),
    "the same key twice, half the lines each": (
        lambda b: doubled(
            keys=["a", "a"],
            counts=[4, 4],
            ords=[1, 1, 2, 2],
            numbers=[1, 2, 3, 4],
            accounts=[b.cash.pk, b.client.pk] * 2,
            amounts=[1, -1] * 2,
        ),
        "BO014",
    ),
    "an old key with another hash": (lambda b: {"keys": ["first"]}, "BO019"),
    "undoes half a journal": (
        lambda b: {"reverses": [b.first], "amounts": ["-100", "90"], "accounts": [b.cash.pk, b.client.pk]},
        "BO011",
    ),
    "undoes a part that balances": (lambda b: {"reverses": [b.first], "amounts": ["-5", "5"]}, "BO012"),
    "undoes on other accounts": (
        lambda b: {
            "reverses": [b.first],
            "counts": [3],
            "ords": [1, 1, 1],
            "numbers": [1, 2, 3],
            "accounts": [b.cash.pk, b.hot.pk, b.client.pk],
            "amounts": ["-100", "90", "10"],
        },
        "BO012",
    ),
    "undoes another entity's": (lambda b: {"reverses": [b.foreign_journal], "amounts": ["-5", "5"]}, "BO012"),
    "undoes what is not there": (lambda b: {"reverses": [10**12]}, "BO012"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_forged_arrays_are_refused(books: Books, name: str) -> None:
    change, code = FORGERIES[name]
    with refused(code):
        execute(*forged(books, **change(books)))
    # What was forged stands in nobody's way: the honest posting and the true reversal still go through.
    assert execute(*forged(books))[0][1] == [True]
    journal.reverse(
        actor=ROBOT, entity_id=books.here.pk, journal_id=books.first, key="undo", business_date=DAY, why="as it should"
    )


ONE = """SELECT * FROM ledger_post_one(%s, now(), 'a forger', %s, %s, '2026-11-19', 'T', '', '', %s,
                                       %s::bigint[], %s::numeric[])"""
HASH = hashlib.sha256(b"one").digest()


SINGLE_FORGERIES: dict[str, tuple[dict[str, Any], str]] = {
    "empty key": ({"key": ""}, "23514"),
    "key of 201": ({"key": "k" * 201}, "23514"),
    "no key": ({"key": None}, "23502"),
    "empty hash": ({"hash": b""}, "23514"),
    "fewer amounts than accounts": ({"amounts": ["5"]}, "BO014"),
    "more amounts than accounts": ({"amounts": ["5", "-5", "3"]}, "BO014"),
    "no amounts": ({"amounts": []}, "BO014"),
    "NaN": ({"amounts": ["NaN", "NaN"]}, "BO011"),
    "infinity": ({"amounts": ["Infinity", "-Infinity"]}, "BO011"),
    "too many decimals": ({"amounts": ["5.001", "-5.001"]}, "BO014"),
    "undoes something else": ({"amounts": ["100", "-100"], "reverses": "first"}, "BO012"),
    "undoes another entity's": ({"reverses": "foreign"}, "BO012"),
    "an old key with another hash": ({"key": "first"}, "BO019"),
}


@pytest.mark.parametrize("name", SINGLE_FORGERIES)
def test_a_forged_single_posting_is_refused(books: Books, name: str) -> None:
    changes, code = SINGLE_FORGERIES[name]
    values = {"key": "one", "hash": HASH, "amounts": ["5", "-5"], "reverses": None, **changes}
    undone = {"first": books.first, "foreign": books.foreign_journal}.get(values["reverses"])
    accounts = [books.cash.pk, books.client.pk]
    with refused(code):
        execute(ONE, [books.here.pk, values["key"], values["hash"], undone, accounts, values["amounts"]])


def test_a_hash_that_is_not_of_the_content_is_taken_and_named(books: Books) -> None:
    """The database does not compute the hash; who calls the function past our code is found by it."""
    ((ids, _),) = execute(*forged(books))
    assert findings() == {("a journal is what was asked to be posted", f"journal {ids[0]}")}
