"""References: what travels with the money through comments, merchant references, EndToEndIds and remittances.

A letter for the kind (RequestKind; P for a top-up of client money), a hyphen and eight characters without I, L, O and
U, which people misread. Random, so that nobody can guess another client's.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH = 8
_given: ContextVar[Callable[[str], str] | None] = ContextVar("given_references", default=None)


def new_reference(letter: str) -> str:
    """A fresh reference, such as W-7K3M9QPX. 32^8 = 1.1e12 values; the unique column refuses the rare double."""
    assert len(letter) == 1 and letter.isupper(), "a reference begins with one letter"
    given = _given.get()
    if given is not None:
        return given(letter)
    return f"{letter}-{''.join(secrets.choice(ALPHABET) for _ in range(_LENGTH))}"


@contextmanager
def given_by(source: Callable[[str], str]) -> Iterator[None]:
    """Take references from `source` (letter to reference) in a block, where they have to repeat: they can be guessed
    then, so only for a simulated broker."""
    token = _given.set(source)
    try:
        yield
    finally:
        _given.reset(token)
