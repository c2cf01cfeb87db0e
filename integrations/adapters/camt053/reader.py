"""Reads camt.053 statements: several per file, any version, entries split only where their details add up.

camt.052 (intraday reports) and camt.054 (notifications, often the details of a batched entry) are read by the same
rules. They tell the same money once more, so their entries become notices, which are never booked, and no balance is
asked of them: most have none.

Only booked entries become lines; pending and informational ones are counted and skipped. A line is known by
account, statement id, the bank's reference (AcctSvcrRef; without one, its content) and, in a split entry, the
transaction; equal ones are numbered in order, so that two true equal payments stay two and a second delivery
of the same statement finds both. The XSD is not consulted: of the real files tried, many fail it and are
right all the same; what proves a statement is its balance (statement.py).
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields as fields_of
from decimal import Decimal
from typing import IO

from integrations.adapters.camt053 import entry as entries
from integrations.adapters.camt053.entry import Detail, Entry
from integrations.adapters.camt053.statement import Statement
from integrations.adapters.camt053.walk import Fields, walk
from integrations.adapters.packed import Packed
from integrations.adapters.reading import BadField, Findings, Occurrences, shown
from integrations.ports import FileReader, Setting
from integrations.records import BankEntry, BankLine, BankNotice, ControlTotal, Parsed, Unreadable

STATEMENTS_MAX = 10_000
# The message of each element that stands below Document, and the versions of it that were tried.
STATEMENT = "053"
_MESSAGES = {"BkToCstmrStmt": STATEMENT, "BkToCstmrAcctRpt": "052", "BkToCstmrDbtCdtNtfctn": "054"}
_VERSIONS = range(2, 11)
_ENTRY_FIELDS = tuple(field.name for field in fields_of(BankEntry))


class Camt053:
    """Reads camt files as banks send them, ISO or national, with or without a namespace."""

    name = "camt053"
    title = "ISO 20022 bank statement: camt.053, with camt.052 and camt.054 beside it (XML)"
    settings: Sequence[Setting] = ()

    def parse(self, stream: IO[bytes], *, filename: str, settings: Mapping[str, str]) -> Parsed:
        found = _Reading(filename)
        encoding = walk(stream, filename=filename, handler=found)
        return found.parsed(encoding)


READER: FileReader = Camt053()


class _Reading:
    """One file while it is read; called by the walk."""

    def __init__(self, filename: str) -> None:
        self._filename = filename
        self._findings = Findings()
        self._records: Packed[BankLine | BankNotice] = Packed()
        self._lines = array("L")
        self._seen = Occurrences()
        self._details: Packed[Detail] = Packed()
        self._statement: Statement | None = None
        self._identities: Counter[tuple[str, ...]] = Counter()
        self._totals: list[ControlTotal] = []
        self._nets: dict[str, Decimal] = {}
        self._skipped: Counter[str] = Counter()
        self._number = 0
        self._booked = 0
        self._split = 0
        self._reversals = 0
        self._message = ""
        self._message_id = ""
        self._kind = STATEMENT

    def message(self, name: str, namespace: str) -> None:
        kind = _MESSAGES[name]
        if self._message and kind != self._kind:
            raise Unreadable(f"camt.{self._kind} and camt.{kind} in one file. Ask the bank for one message per file.")
        self._kind = kind
        self._message = namespace.rpartition(":")[2] or f"camt.{kind} without a namespace"
        known = [f"camt.{kind}.001.{number:02}" for number in _VERSIONS]
        if namespace and self._message not in known:
            self._findings.warn(f"{namespace[:80]} is none of {known[0]} to {known[-1]}; read as one of them.")

    def header(self, fields: Fields) -> None:
        self._message_id = fields.first("MsgId")

    def statement(self, fields: Fields) -> None:
        self._statement = Statement(fields, proves=self._kind == STATEMENT)
        if sum(self._identities.values()) >= STATEMENTS_MAX:
            raise Unreadable(f"more than {STATEMENTS_MAX:,} statements. Ask the bank for smaller files.")

    def balance(self, fields: Fields) -> None:
        assert self._statement is not None, "the walk gives balances of statements only"
        self._statement.balance(fields, self._findings, self._number)

    def detail(self, fields: Fields) -> None:
        self._details.append(entries.detail(fields))

    def entry(self, fields: Fields) -> None:
        assert self._statement is not None, "the walk gives entries of statements only"
        self._number += 1
        details, self._details = self._details, Packed()
        try:
            self._add(self._statement, fields, details)
        except BadField as error:
            self._findings.reject(self._number, error, fields.spelled())

    def statement_ends(self) -> None:
        statement = self._statement
        assert statement is not None, "what ends has begun"
        self._identities[statement.identity()] += 1
        if self._identities[statement.identity()] == 2:
            # The same entries would become new lines with higher occurrence numbers.
            self._totals.append(ControlTotal(f"{statement.name()}: stated once", "1", "2"))
        self._totals.extend(statement.control_totals(self._findings))
        for status, count in statement.skipped.items():
            self._skipped[status] += count
            self._findings.warn(
                f"{statement.name()}: {count} entries with status {status[:20]!r} are not booked: skipped."
            )
        if currency := statement.currency():
            self._nets[currency] = self._nets.get(currency, Decimal(0)) + statement.net

    def parsed(self, encoding: str) -> Parsed:
        if not self._identities:
            what = (
                "there is no statement in it" if self._message else "it is not a camt.053 (BkToCstmrStmt), 052 or 054"
            )
            raise Unreadable(f"{self._filename}: {what}. Ask the bank for the end-of-day statement.")
        facts = {
            "encoding": encoding,
            "message": self._message,
            "message_id": self._message_id,
            "statements": str(sum(self._identities.values())),
            "rows": str(self._number),
            "booked": str(self._booked),
            "split": str(self._split),
            "reversals": str(self._reversals),
        }
        facts |= {f"skipped:{status[:20]}": str(count) for status, count in sorted(self._skipped.items())[:20]}
        facts |= {f"net:{currency}": shown(net) for currency, net in sorted(self._nets.items())}
        return Parsed(
            records=self._records,
            lines=self._lines,
            rejected=self._findings.rejected(),
            control_totals=self._totals,
            warnings=self._findings.warnings(),
            facts=facts,
        )

    def _add(self, statement: Statement, fields: Fields, details: Sequence[Detail]) -> None:
        entry = entries.read(fields)
        place = statement.place()
        if not statement.takes(entry):
            return
        before = len(self._records)
        first = ""
        for line in entries.lines(place, entry, fields, details, self._seen):
            first = first or line.line_key
            self._records.append(line if self._kind == STATEMENT else self._notice(line, entry, fields, first))
            self._lines.append(self._number)
        statement.booked(entry)
        self._booked += 1
        self._split += len(self._records) > before + 1
        self._reversals += fields.first("RvslInd").lower() in ("true", "1")

    def _notice(self, line: BankLine, entry: Entry, fields: Fields, entry_key: str) -> BankNotice:
        """The line as a hint: the key of the entry's first line is common to its parts."""
        values = {name: getattr(line, name) for name in _ENTRY_FIELDS}
        values["line_key"] = f"{self._kind}|{line.line_key}"
        return BankNotice(
            **values,
            message=self._kind,
            entry_key=entry_key,
            entry_reference=fields.first("AcctSvcrRef", "NtryRef"),
            entry_amount=entry.amount,
        )
