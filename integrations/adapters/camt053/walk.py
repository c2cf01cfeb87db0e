"""Walks a camt message of any size and hands over one small piece at a time.

The parser calls back for every element and builds no tree, so what is in memory is the piece being read.
Names count without their namespace (some files have none, one bank writes the root in lower case); position
counts exactly, so an `Ntry` somewhere else is no entry. Any DOCTYPE refuses the whole file, before a line of
it is read: an entity that is merely not resolved would leave an amount empty without a word. Bounds: depth,
distinct names, length and number of texts per piece, and bytes without any progress (a tag that never ends).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import IO, Any, Protocol, cast

from lxml import etree

from integrations.adapters import reading
from integrations.records import Unreadable

DEPTH_MAX = 64
NAMES_MAX = 2_000
TEXT_MAX = 100_000
PIECE_TEXT_MAX = 1_000_000
PIECE_TEXTS_MAX = 5_000
IDLE_MAX = 1_000_000
# What encloses the statements, reports or notifications, by message; the inside is the same.
STATEMENT = {"BkToCstmrStmt": "Stmt", "BkToCstmrAcctRpt": "Rpt", "BkToCstmrDbtCdtNtfctn": "Ntfctn"}
_DECLARED = re.compile(rb"""encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")


class Fields:
    """The texts of one piece by path from it ("Refs/EndToEndId"), each with its `Ccy` attribute."""

    __slots__ = ("_size", "_texts", "count")

    def __init__(self) -> None:
        self._texts: dict[str, list[tuple[str, str]]] = {}
        self._size = 0
        self.count = 0

    def add(self, path: str, text: str, currency: str) -> None:
        self._texts.setdefault(path, []).append((text, currency))
        self._size += len(text)
        self.count += 1
        if self._size > PIECE_TEXT_MAX or self.count > PIECE_TEXTS_MAX:
            raise Unreadable(
                f"more text in one element than any bank writes ({path}). Ask the bank for the file again."
            )

    def first(self, *paths: str) -> str:
        """The first text at the first of these paths that has one; empty if none has."""
        for path in paths:
            if path in self._texts:
                return self._texts[path][0][0]
        return ""

    def has(self, stem: str) -> bool:
        """Whether there is a text anywhere below this path, which ends in a slash."""
        return any(path.startswith(stem) for path in self._texts)

    def all(self, *paths: str) -> list[str]:
        return [text for path in paths for text, _ in self._texts.get(path, ())]

    def money(self, path: str) -> tuple[str, str]:
        """An amount's text and currency; both empty where there is none."""
        return self._texts[path][0] if path in self._texts else ("", "")

    def times(self, path: str) -> int:
        return len(self._texts.get(path, ()))

    def spelled(self) -> str:
        """All of it in one line, for people."""
        return "; ".join(f"{path}={text}" for path, texts in self._texts.items() for text, _ in texts)


class Handler(Protocol):
    """Who is called for each piece, in the order of the file."""

    def message(self, name: str, namespace: str) -> None: ...
    def header(self, fields: Fields) -> None: ...
    def statement(self, fields: Fields) -> None:
        """A statement begins. `fields` fills up on the way; what stands before the entries is there in time."""

    def balance(self, fields: Fields) -> None: ...
    def detail(self, fields: Fields) -> None: ...
    def entry(self, fields: Fields) -> None:
        """An entry without its transaction details, which came before it."""

    def statement_ends(self) -> None: ...


class _Target:
    """What the parser calls back."""

    def __init__(self, handler: Handler) -> None:
        self.progress = 0
        self._handler = handler
        self._stack: list[str] = []
        self._pieces: list[tuple[int, Fields]] = []
        self._locals: dict[str, str] = {}
        self._attributes: set[str] = set()
        self._text: list[str] = []
        self._length = 0
        self._currency = ""

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self.progress += 1
        stack = self._stack
        stack.append(self._locals.get(tag) or self._named(tag))
        self._text = []
        self._length = 0
        self._currency = ""
        if attributes:
            self._attributes.update(attributes)
            self._currency = attributes.get("Ccy", "")
        depth = len(stack)
        if depth > DEPTH_MAX or len(self._attributes) > NAMES_MAX:
            raise Unreadable("this is not a bank statement: elements are nested too deep, or have too many attributes.")
        if depth == 2:
            self._message(tag)
        elif 3 <= depth <= 6 and self._is_piece(depth):
            piece = Fields()
            self._pieces.append((depth, piece))
            if depth == 3 and stack[2] != "GrpHdr":
                self._handler.statement(piece)

    def data(self, text: str) -> None:
        self.progress += 1
        if self._pieces:
            self._text.append(text)
            self._length += len(text)
            if self._length > TEXT_MAX:
                raise Unreadable(f"the text of {self._stack[-1]} is longer than {TEXT_MAX:,} characters.")

    def end(self, tag: str) -> None:
        self.progress += 1
        if self._pieces:
            depth, piece = self._pieces[-1]
            if len(self._stack) == depth:
                self._pieces.pop()
                self._hand_over(depth, piece)
            elif self._text and (text := "".join(self._text).strip()):
                piece.add("/".join(self._stack[depth:]), text, self._currency)
        self._text = []
        self._length = 0
        self._stack.pop()

    def comment(self, text: str) -> None:
        self.progress += 1

    def pi(self, target: str, data: str | None = None) -> None:
        self.progress += 1

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise Unreadable("it has a DOCTYPE, which no bank statement needs. Do not open it; ask the bank what it sent.")

    def close(self) -> None:
        """Nothing is left over: every piece was handed over when it ended."""

    def _named(self, tag: str) -> str:
        if len(self._locals) >= NAMES_MAX:
            raise Unreadable("this is not a bank statement: it has more kinds of elements than any camt message.")
        return self._locals.setdefault(tag, tag.rpartition("}")[2])

    def _message(self, tag: str) -> None:
        name = self._stack[1]
        if name in STATEMENT:
            self._handler.message(name, tag.rpartition("}")[0].lstrip("{"))

    def _is_piece(self, depth: int) -> bool:
        stack = self._stack
        statement = STATEMENT.get(stack[1])
        if depth == 3:
            return statement is not None and stack[2] in ("GrpHdr", statement)
        if statement is None or stack[2] != statement:
            return False
        if depth == 4:
            return stack[3] in ("Bal", "Ntry")
        return depth == 6 and stack[3] == "Ntry" and stack[4] == "NtryDtls" and stack[5] == "TxDtls"

    def _hand_over(self, depth: int, piece: Fields) -> None:
        handler, name = self._handler, self._stack[-1]
        if depth == 6:
            handler.detail(piece)
        elif depth == 4 and name == "Ntry":
            handler.entry(piece)
        elif depth == 4:
            handler.balance(piece)
        elif name == "GrpHdr":
            handler.header(piece)
        else:
            handler.statement_ends()


def walk(stream: IO[bytes], *, filename: str, handler: Handler) -> str:
    """Read a message to its end; returns the encoding it declares. Raises Unreadable naming file and place."""
    target = _Target(handler)
    parser = etree.XMLParser(
        target=cast("Any", target),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        recover=False,
        collect_ids=False,
    )
    encoding, before, idle = "", 0, 0
    try:
        for chunk in reading.chunks(stream, filename=filename):
            encoding = encoding or _encoding(chunk)
            parser.feed(chunk)
            idle = 0 if target.progress > before else idle + len(chunk)
            before = target.progress
            if idle > IDLE_MAX:
                raise Unreadable(f"{IDLE_MAX:,} bytes without the end of a tag: this is not a bank statement.")
        parser.close()
    except etree.XMLSyntaxError as error:
        raise Unreadable(f"{filename}: not complete, well-formed XML: {error.msg}. Fetch it again.") from None
    except Unreadable as error:
        text = str(error)
        raise Unreadable(text if text.startswith(filename) else f"{filename}: {text}") from None
    return encoding


def _encoding(first: bytes) -> str:
    if first.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    declared = _DECLARED.search(first[:200])
    return declared[1].decode().lower() if declared else "utf-8"
