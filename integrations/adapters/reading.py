"""What every file reader shares: bounded bytes, plain amounts, line keys, and the list of what went wrong.

A reader never trusts the size of what it is given. Bytes are counted as they stream, archives are refused
(nothing is ever unpacked here, so a zip bomb stays 200 kB), and the lists that grow with bad input stop
growing at a limit that says so.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import IO

from backoffice.kernel import money
from integrations.records import Rejected, Unreadable

BYTES_MAX = 200 * 1024 * 1024
REJECTED_MAX = 10_000
WARNINGS_MAX = 200
RAW_SHOWN = 300
KEY_MAX = 200
# Years in which a time is taken for one; 1970 is MT4's "never".
YEARS = range(1970, 2200)
_CHUNK = 1 << 16
_WALL_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{1,6})?", re.ASCII)
_NOT_TEXT = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"%PDF", "a PDF"),
)


class BadField(Exception):
    """One field of one row cannot be read. The row is rejected, the others are kept."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def chunks(stream: IO[bytes], *, filename: str, limit: int | None = None) -> Iterator[bytes]:
    """The bytes of a file, piece by piece.

    Raises Unreadable for an empty file, an archive, and at `limit` bytes (BYTES_MAX) without reading on.
    """
    most = BYTES_MAX if limit is None else limit
    size = 0
    while chunk := stream.read(_CHUNK):
        if not size:
            _refuse_binary(chunk, filename)
        size += len(chunk)
        if size > most:
            raise Unreadable(f"{filename}: larger than {most:,} bytes. Ask the sender for smaller files.")
        yield chunk
    if not size:
        raise Unreadable(f"{filename}: the file is empty. Fetch it again from the source.")


def _refuse_binary(first: bytes, filename: str) -> None:
    for magic, what in _NOT_TEXT:
        if first.startswith(magic):
            raise Unreadable(f"{filename}: this is {what}. Hand in the file that is inside, as it came.")


def amount(text: str, *, field: str) -> Decimal:
    """A plain decimal number; ".91" counts as one, because Adyen prints it. Raises BadField."""
    bare = text.strip()
    if not bare.isascii():
        raise BadField(field, f"{bare[:40]!r} is not a plain decimal number.")
    sign, digits = (bare[0], bare[1:]) if bare[:1] in ("-", "+") else ("", bare)
    try:
        return money.parse(f"{sign}0{digits}" if digits.startswith(".") else bare, field=field)
    except money.BadAmount as error:
        raise BadField(field, str(error).removeprefix(f"{field}: ")) from error


def wall_time(text: str, *, field: str) -> datetime:
    """A local time without a zone, "2026-11-19 22:00:00". Raises BadField."""
    bare = text.strip()
    try:
        if _WALL_TIME.fullmatch(bare) and (local := datetime.fromisoformat(bare)).year in YEARS:
            return local
    except ValueError:
        pass
    raise BadField(field, f"{bare[:40]!r} is not a time such as 2026-11-19 22:00:00.")


def shown(value: Decimal) -> str:
    """A number in one spelling (two decimals at least, no trailing zeros beyond), so that equal ones are equal text."""
    whole, _, fraction = f"{value:f}".partition(".")
    text = f"{whole}.{fraction.rstrip('0'):0<2}"
    return text.removeprefix("-") if not value else text


def fingerprint(*parts: str) -> str:
    """A short hash of texts: the identity of a line to which its source gives none (128 bits, hex)."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def key(*parts: str) -> str:
    """A readable, unambiguous line key of bounded length."""
    text = "|".join(part.replace("\\", "\\\\").replace("|", "\\|") for part in parts)
    return text if len(text) <= KEY_MAX else f"{text[: KEY_MAX - 33]}~{fingerprint(text)}"


class Occurrences:
    """Numbers equal keys of one file 1, 2, 3: two true equal payments stay two, and a re-delivery finds both.

    Keeps 64 bits of each key. Should two keys ever share them, one is numbered 2 instead of 1: still unique,
    and the same at every reading.
    """

    _BUCKETS = 0x1FFF

    def __init__(self) -> None:
        # Arrays of eight bytes a mark: a set of two million numbers would take 200 MB.
        self._once: dict[int, array[int]] = {}
        self._again: dict[int, int] = {}

    def of(self, text: str) -> int:
        mark = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
        bucket = self._once.get(mark & self._BUCKETS)
        if bucket is None:
            self._once[mark & self._BUCKETS] = array("Q", (mark,))
            return 1
        if mark not in bucket:
            bucket.append(mark)
            return 1
        self._again[mark] = self._again.get(mark, 1) + 1
        return self._again[mark]


class Findings:
    """Rows that could not be read and remarks on those that could, each up to a limit."""

    def __init__(self) -> None:
        self._rejected: list[Rejected] = []
        self._warnings: list[str] = []
        self._last = Rejected(0, "", "")
        self.rejections = 0
        self.remarks = 0

    def reject(self, line: int, error: BadField, raw: str = "") -> None:
        self.rejections += 1
        self._last = Rejected(line, error.field[:80], error.reason, raw[:RAW_SHOWN])
        if self.rejections <= REJECTED_MAX:
            self._rejected.append(self._last)

    def warn(self, text: str) -> None:
        self.remarks += 1
        if self.remarks <= WARNINGS_MAX:
            self._warnings.append(text)

    def rejected(self) -> list[Rejected]:
        more = self.rejections - REJECTED_MAX
        if more <= 0:
            return list(self._rejected)
        note = f"{more:,} more rows up to here cannot be read either; the first {REJECTED_MAX:,} are listed."
        return [*self._rejected, Rejected(self._last.line, self._last.field, note)]

    def warnings(self) -> list[str]:
        more = self.remarks - WARNINGS_MAX
        return [*self._warnings, f"{more:,} more remarks of these kinds."] if more > 0 else list(self._warnings)
