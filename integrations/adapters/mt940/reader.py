"""Reads MT940 statements, several per file, and MT942 interim reports, whose entries are notices and never booked.

The library (mt-940, all its corrections switched on) reads each message by itself; one that it cannot read is tried
once more with the `:61:` of ASN and SNS bank, whose reference is an IBAN. Whatever it returns counts only if opening
balance plus entries is the closing balance: banks' dialects make it lose lines without an error. A statement without a
closing balance proves nothing and holds the file; so does one that is in it twice.
"""

from __future__ import annotations

import io
import logging
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields as fields_of
from dataclasses import replace
from decimal import Decimal, DecimalException
from typing import IO, Any

import mt940 as library
from mt940.tags import Statement, StatementASNB

from integrations.adapters.mt940.blocks import Block, blocks, encodings
from integrations.adapters.mt940.line import line as line_of
from integrations.adapters.packed import Packed
from integrations.adapters.reading import BadField, Findings, Occurrences, shown
from integrations.ports import FileReader, Setting
from integrations.records import BankEntry, BankLine, BankNotice, ControlTotal, Parsed, Unreadable

INTERIM = "942"
_OPTIONS = library.Options.all()
_DIALECTS: Sequence[Mapping[int | str, library.tags.Tag] | None] = (None, {Statement.id: StatementASNB()})
_ENTRY_FIELDS = tuple(field.name for field in fields_of(BankEntry))
# What the library raises for a text it cannot read.
_FAILURES = (RuntimeError, ValueError, LookupError, TypeError, AttributeError, AssertionError, DecimalException)
# It writes what it cannot read to its log: statements are nobody's business there.
logging.getLogger("mt940").setLevel(logging.CRITICAL + 1)


class Mt940:
    """Reads MT940 and MT942 as banks send them, with or without SWIFT headers."""

    name = "mt940"
    title = "SWIFT MT940 bank statement, with MT942 beside it"
    settings: Sequence[Setting] = (
        Setting(
            name="encoding",
            label="Character set",
            help="latin-1, cp850, …; of single accounts: DK50…=cp865, SE45…=latin-1. Empty: UTF-8, else Windows-1252",
            required=False,
        ),
    )

    def parse(self, stream: IO[bytes], *, filename: str, settings: Mapping[str, str]) -> Parsed:
        try:
            names = encodings(settings.get("encoding", ""))
        except Unreadable as error:
            raise Unreadable(f"{filename}: {error}") from None
        found = _Reading(names)
        for block in blocks(stream, filename=filename):
            found.message(block)
        return found.parsed()


READER: FileReader = Mt940()


class _Reading:
    """One file while it is read."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names
        self._findings = Findings()
        self._records: Packed[BankLine | BankNotice] = Packed()
        self._lines = array("L")
        self._seen = Occurrences()
        self._identities: Counter[tuple[str, ...]] = Counter()
        self._totals: list[ControlTotal] = []
        self._nets: dict[str, Decimal] = {}
        self._used: Counter[str] = Counter()
        self._page: tuple[str, str] = ("", "")
        self._entries = self._reversals = self._interims = 0

    def message(self, block: Block) -> None:
        name = _name(block)
        self._entries += len(block.entries())
        self._interims += block.is_interim()
        self._said_once(block, name)
        try:
            if block.is_interim():
                self._interim(block, name)
            else:
                self._statement(block, name)
        except BadField as error:
            self._findings.reject(block.line, error)
            self._totals.append(ControlTotal(f"{name}: can be read", "yes", "no"))

    def parsed(self) -> Parsed:
        facts = {
            "encoding": ", ".join(sorted(self._used)) or "utf-8",
            "message": "MT942" if self._interims == sum(self._identities.values()) else "MT940",
            "statements": str(sum(self._identities.values())),
            "rows": str(self._entries),
            "reversals": str(self._reversals),
        }
        facts |= {f"net:{currency}": shown(net) for currency, net in sorted(self._nets.items())}
        return Parsed(
            records=self._records,
            lines=self._lines,
            rejected=self._findings.rejected(),
            control_totals=self._totals,
            warnings=self._findings.warnings(),
            facts=facts,
        )

    def _statement(self, block: Block, name: str) -> None:
        """An MT940: its entries, and its balance proof."""
        opening, closing = block.balance("60"), block.balance("62")
        currency = opening.currency if opening else closing.currency if closing else ""
        net = self._take(block, currency, "")
        if opening is None or closing is None:
            missing = ":62F:" if opening else ":60F:"
            self._totals.append(ControlTotal(f"{name}: opening plus entries is closing", "a balance", f"no {missing}"))
            return
        found = replace(opening, amount=opening.amount + net)
        self._totals.append(ControlTotal(f"{name}: opening plus entries is closing", str(closing), str(found)))
        account, before = self._page
        if block.has("60M") and account == block.account():
            self._totals.append(ControlTotal(f"{name}: goes on where the page before ended", before, str(opening)))
        self._page = (block.account(), str(closing)) if block.has("62M") else ("", "")

    def _interim(self, block: Block, name: str) -> None:
        """An MT942: notices, and the sums where the bank gives them."""
        sums = list(block.sums())
        currency = sums[0][3] if sums else block.text_of("34F")[:3]
        before = len(self._records)
        self._take(block, currency, INTERIM)
        amounts = [record.amount for record in self._records[before:]]
        for mark, number, total, its_currency in sums:
            those = [abs(amount) for amount in amounts if (amount < 0) == (mark == "D")]
            stated = f"{number}, {shown(total)} {its_currency}"
            found = f"{len(those)}, {shown(sum(those, Decimal(0)))} {currency}"
            self._totals.append(ControlTotal(f"{name}: number and sum of :90{mark}:", stated, found))

    def _take(self, block: Block, currency: str, message: str) -> Decimal:
        """Keep a message's entries; returns their sum. Raises BadField where the message cannot be read."""
        account = block.account()
        if block.entries() and not (account and currency):
            raise BadField(":25:" if not account else ":60F:", "is missing, so whose money it is nobody knows.")
        encoding = block.encoding(self._names)
        self._used[encoding] += 1
        statement_id = _id(block)
        taken: Packed[tuple[BankLine, int]] = Packed()
        for text, those in block.pieces(encoding):
            for said, (number, raw) in zip(_read(text, len(those)), those, strict=True):
                try:
                    line = line_of(said, account=account, statement_id=statement_id, currency=currency, raw=raw)
                except BadField as error:
                    self._findings.reject(number, error, raw.decode("latin-1"))
                    continue
                taken.append((line, number))
        net = Decimal(0)
        for line, number in taken:
            numbered = replace(line, line_key=f"{line.line_key}|{self._seen.of(line.line_key)}")
            net += line.amount
            self._reversals += line.is_reversal
            self._records.append(_notice(numbered) if message else numbered)
            self._lines.append(number)
        self._nets[currency] = self._nets.get(currency, Decimal(0)) + net
        return net

    def _said_once(self, block: Block, name: str) -> None:
        identity = (name, block.text_of("60F", "60M", "60"), block.text_of("62F", "62M", "62"))
        self._identities[identity] += 1
        if self._identities[identity] == 2 and block.entries():
            # The same entries would become new lines with higher occurrence numbers.
            self._totals.append(ControlTotal(f"{name}: stated once", "1", "2"))


def _read(text: str, expected: int) -> list[dict[str, Any]]:
    """The transactions of a message, by the first dialect that finds all of them.

    Raises BadField when none finds all: which were lost is not known, so none is kept. The text goes in as a stream:
    one that happens to be the name of a file would be opened by the library.
    """
    reason = ""
    for tags in _DIALECTS:
        try:
            messages = library.parse_statements(io.StringIO(text), tags=dict(tags) if tags else None, options=_OPTIONS)
        except _FAILURES as error:
            reason = reason or f"cannot be read: {error.args[0] if error.args else error}"
            continue
        found = [transaction.data for message in messages for transaction in message.transactions]
        if len(found) == expected:
            return found
        reason = f"{len(found)} of {expected} entries could be read: a dialect of the bank's own."
    raise BadField("message", reason[:300])


def _id(block: Block) -> str:
    """A statement's day and number; where it has neither, the reference of the message."""
    closing = block.text_of("62F", "62M", "62", "60F", "60M", "60")
    day = closing[1:7] if closing else block.text_of("13D", "13")
    return " ".join(filter(None, (day, block.number()))) or block.text_of("20")


def _name(block: Block) -> str:
    return f"{block.account() or 'no account'}, statement {_id(block)}"


def _notice(line: BankLine) -> BankNotice:
    values = {name: getattr(line, name) for name in _ENTRY_FIELDS}
    values["line_key"] = f"{INTERIM}|{line.line_key}"
    return BankNotice(
        **values,
        message=INTERIM,
        entry_key=line.line_key,
        entry_reference=line.bank_reference,
        entry_amount=line.amount,
    )
