"""A sequence of records that stays small: full blocks are kept compressed, one open block is kept as it is.

A bank statement of 130 MB has 200,000 entries; as objects they would take 300 MB, packed they take a few.
Reading from front to back unpacks each block once.
"""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar, overload

_BLOCK = 1000
T = TypeVar("T")


class Packed(Sequence[T], Generic[T]):
    """An append-only sequence of frozen records. Equal to another when all records are equal, in order."""

    def __init__(self) -> None:
        self._blocks: list[bytes] = []
        self._open: list[T] = []
        self._number = -1
        self._cached: list[T] = []

    def append(self, record: T) -> None:
        self._open.append(record)
        if len(self._open) == _BLOCK:
            self._blocks.append(zlib.compress(pickle.dumps(self._open, pickle.HIGHEST_PROTOCOL), 1))
            self._open = []

    def _block(self, number: int) -> list[T]:
        if number == len(self._blocks):
            return self._open
        if number != self._number:
            # The bytes were written by this object and never left it.
            self._cached = pickle.loads(zlib.decompress(self._blocks[number]))  # noqa: S301
            self._number = number
        return self._cached

    def __len__(self) -> int:
        return len(self._blocks) * _BLOCK + len(self._open)

    def __iter__(self) -> Iterator[T]:
        for number in range(len(self._blocks)):
            yield from self._block(number)
        yield from self._open

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(index)
        return self._block(place // _BLOCK)[place % _BLOCK]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or len(other) != len(self):
            return False
        return all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]
