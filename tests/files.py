"""Files for the readers' tests: the outside samples where they are present, and streams that never end."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest
from django.conf import settings

from integrations.ports import FileReader
from integrations.records import Parsed


def sample(name: str) -> Path:
    """A real file from outside; the test is skipped where the folder is not beside the repository."""
    path = Path(settings.BASE).parent / "shared" / "samples" / name
    if not path.exists():
        pytest.skip(f"sample files are not here: {path}")
    return path


def parse(reader: FileReader, data: bytes | str, given: Mapping[str, str] | None = None, name: str = "f") -> Parsed:
    """Read bytes (or text, as UTF-8) with a reader."""
    body = data.encode() if isinstance(data, str) else data
    return reader.parse(io.BytesIO(body), filename=name, settings=given or {})


def parse_sample(reader: FileReader, name: str, given: Mapping[str, str] | None = None) -> Parsed:
    with sample(name).open("rb") as stream:
        return reader.parse(stream, filename=name, settings=given or {})


class Pieces(io.RawIOBase):
    """A stream over pieces made while it is read; `taken` is how many bytes were asked for and given."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = b""
        self.taken = 0

    def read(self, size: int = -1) -> bytes:
        while len(self._rest) < size or size < 0:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._rest += piece
        size = len(self._rest) if size < 0 else size
        given, self._rest = self._rest[:size], self._rest[size:]
        self.taken += len(given)
        return given


def shuffled(text: str, order: Callable[[list[str]], list[str]]) -> str:
    """A CSV without quotes with its columns in another order."""
    rows = [line.split(",") for line in text.splitlines()]
    places = [rows[0].index(name) for name in order(list(rows[0]))]
    return "".join(",".join(row[place] for place in places) + "\n" for row in rows)
