"""A file of MT940 or MT942 cut into its messages, and what each says of itself, read without the library.

A message begins with a line `:20:`; what stands before the first one is a bank's preamble or a SWIFT header. The
balances, the number of `:61:` lines and the sums of an MT942 are taken from the text here, strictly, so that what
proves a message does not come from the code that is to be proved. Fields: SWIFT Category 9, Customer Statement Message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import IO

from integrations.adapters import reading
from integrations.adapters.reading import BadField, shown
from integrations.records import Unreadable

BYTES_MAX = 32 * 1024 * 1024
MESSAGES_MAX = 50_000
LINE_MAX = 10_000
PIECE = 1_000
# Lines that may follow a `:61:` before the next one: SWIFT allows 6 of details, the longest real ones have 40.
LINES_BETWEEN_MAX = 400
_TAG = re.compile(rb":(\d\d[A-Z]?|NS):")
_BALANCE = re.compile(r"([DCdc])(\d{6})([A-Z]{3})(\d{1,15}(?:,\d{0,15})?)")
_SUM = re.compile(r"(\d{1,5})([A-Z]{3})(\d{1,15}(?:,\d{0,15})?)")
_NUMBER = re.compile(r"\d{1,5}(/\d{1,5})?")
_BYTE_ORDER_MARKS_16 = (b"\xff\xfe", b"\xfe\xff")
_FALLBACKS = ("utf-8", "cp1252", "latin-1")


@dataclass(frozen=True, slots=True)
class Balance:
    """A balance as printed: signed (credit positive), its currency and day."""

    amount: Decimal
    currency: str
    day: date

    def __str__(self) -> str:
        return f"{shown(self.amount)} {self.currency}"


@dataclass(slots=True)
class Block:
    """One message: where it begins, its bytes, and the texts of its tags in their order."""

    line: int
    body: list[bytes] = field(default_factory=list)
    tags: list[tuple[str, int, bytes]] = field(default_factory=list)

    def text_of(self, *names: str) -> str:
        """The first line of the first of these tags that is there."""
        for name in names:
            for tag, _, text in self.tags:
                if tag == name:
                    return text.decode("latin-1").strip()
        return ""

    def has(self, *names: str) -> bool:
        return any(tag in names for tag, _, _ in self.tags)

    def entries(self) -> list[tuple[int, bytes]]:
        """Line number and text of every `:61:`."""
        return [(line, text) for tag, line, text in self.tags if tag == "61"]

    def account(self) -> str:
        return "".join(self.text_of("25", "25P").split())

    def number(self) -> str:
        """Statement number and page; empty where the bank gives none, or none that is one."""
        text = self.text_of("28C", "28")
        return text if _NUMBER.fullmatch(text) else ""

    def is_interim(self) -> bool:
        """Whether it is an MT942: no balance, but a floor limit, a moment or sums."""
        return not self.has("60", "60F", "60M", "62", "62F", "62M") and self.has("34F", "13", "13D", "90D", "90C")

    def balance(self, stem: str) -> Balance | None:
        """The balance `:60` or `:62`, final or of a page; None where there is none. Raises BadField."""
        for name in (f"{stem}F", f"{stem}M", stem):
            if not self.has(name):
                continue
            text = self.text_of(name)
            found = _BALANCE.fullmatch(text)
            if found is None:
                raise BadField(f":{name}:", f"{text[:40]!r} is not a balance such as C261120EUR1234,56.")
            mark, day, currency, digits = found.groups()
            value = _amount(digits, f":{name}:")
            return Balance(-value if mark in "Dd" else value, currency, _day(day, f":{name}:"))
        return None

    def sums(self) -> Iterator[tuple[str, int, Decimal, str]]:
        """Mark, number, sum and currency of `:90D:` and `:90C:` of an MT942. Raises BadField."""
        for mark in ("D", "C"):
            if not self.has(f"90{mark}"):
                continue
            text = self.text_of(f"90{mark}")
            found = _SUM.fullmatch(text)
            if found is None:
                raise BadField(f":90{mark}:", f"{text[:40]!r} is not a number and a sum such as 3EUR1234,56.")
            yield mark, int(found[1]), _amount(found[3], f":90{mark}:"), found[2]

    def encoding(self, encodings: Mapping[str, str]) -> str:
        """The first that fits: the account's own, UTF-8, Windows-1252, and latin-1, which every byte fits."""
        own = encodings.get(self.account()) or encodings.get("")
        body = b"\n".join(self.body)
        return next(name for name in filter(None, (own, *_FALLBACKS)) if _fits(body, name))

    def pieces(self, encoding: str) -> Iterator[tuple[str, list[tuple[int, bytes]]]]:
        """The message in pieces of so many entries, each with the lines before the first one in front: what is made of
        a piece can be let go before the next is read."""
        entries = self.entries()
        first = entries[0][0] - self.line if entries else len(self.body)
        for start in range(0, len(entries) or 1, PIECE):
            those = entries[start : start + PIECE]
            after = entries[start + PIECE][0] - self.line if start + PIECE < len(entries) else len(self.body)
            lines = [*self.body[:first], *self.body[those[0][0] - self.line : after]] if those else self.body
            yield b"\n".join(lines).decode(encoding), those


def blocks(stream: IO[bytes], *, filename: str) -> list[Block]:
    """The messages of a file. Raises Unreadable for what is none, is damaged, or is larger than any bank's file."""
    found: list[Block] = []
    since = 0
    for number, line in enumerate(_lines(stream, filename), start=1):
        if len(line) > LINE_MAX:
            raise Unreadable(f"{filename}: line {number} is longer than {LINE_MAX:,} bytes: not an MT940.")
        tag = _TAG.match(line)
        name = tag[1].decode() if tag else ""
        if name == "20":
            if len(found) >= MESSAGES_MAX:
                raise Unreadable(f"{filename}: more than {MESSAGES_MAX:,} statements. Ask the bank for smaller files.")
            found.append(Block(number))
            since = 0
        if not found:
            continue
        since = 0 if name == "61" else since + 1
        if since > LINES_BETWEEN_MAX:
            raise Unreadable(f"{filename}: line {number}: {since} lines without a :61: is more than any bank writes.")
        if name in ("62F", "62M"):
            since = 0
        found[-1].body.append(line)
        if tag:
            found[-1].tags.append((name, number, line[tag.end() :]))
    if not found:
        raise Unreadable(f"{filename}: no statement begins in it (:20:). Is this an MT940 or MT942?")
    return found


def encodings(setting: str) -> dict[str, str]:
    """The setting "latin-1" or "DK50…=cp865, SE…=latin-1" by account; the empty account stands for all others.

    Raises Unreadable for an encoding that does not exist.
    """
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in setting.split(","))):
        account, _, name = part.rpartition("=")
        try:
            "".encode(name.strip())
        except LookupError:
            raise Unreadable(f"the setting encoding names {name.strip()!r}, which is no character set.") from None
        found["".join(account.split())] = name.strip()
    return found


def _lines(stream: IO[bytes], filename: str) -> Sequence[bytes]:
    body = b"".join(reading.chunks(stream, filename=filename, limit=BYTES_MAX)).removeprefix(b"\xef\xbb\xbf")
    if body.startswith(_BYTE_ORDER_MARKS_16) or b"\x00" in body:
        raise Unreadable(f"{filename}: UTF-16 text or a damaged file; an MT940 has one byte a character.")
    return body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")


def _fits(body: bytes, name: str) -> bool:
    try:
        body.decode(name)
    except UnicodeDecodeError:
        return False
    return True


def _amount(digits: str, name: str) -> Decimal:
    return reading.amount(digits.replace(",", ".").removesuffix("."), field=name)


def _day(text: str, name: str) -> date:
    try:
        return date(2000 + int(text[:2]), int(text[2:4]), int(text[4:]))
    except ValueError:
        raise BadField(name, f"{text!r} is not a day (YYMMDD).") from None
