"""A row of a large file, with the file's heading: what a fact was read from, without the other hundred thousand."""

from __future__ import annotations

from collections.abc import Iterator

from integrations.models import RawChunk, RawMessage

# A line longer than this is no row of a table; neither is one in an XML file.
_LONGEST = 20_000


def excerpt(raw: RawMessage, line: int) -> str:
    """The first line and line number `line` (from 1) of a file of rows; empty where the file is none."""
    found: list[str] = []
    for number, text in enumerate(_lines(raw), start=1):
        if number in (1, line):
            found.append(text.decode("utf-8", errors="replace"))
        if number >= line:
            break
    return "" if not found or found[0].lstrip("\ufeff").startswith("<") else "\n".join(found)


def _lines(raw: RawMessage) -> Iterator[bytes]:
    rest = b""
    for chunk in _chunks(raw):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line.rstrip(b"\r") for line in whole)
        if len(rest) > _LONGEST:
            return
    if rest:
        yield rest


def _chunks(raw: RawMessage) -> Iterator[bytes]:
    if raw.body is not None:
        yield bytes(raw.body)
        return
    for body in RawChunk.objects.filter(raw_id=raw.pk).order_by("number").values_list("body", flat=True).iterator(1):
        yield bytes(body)
