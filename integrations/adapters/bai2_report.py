"""Reads BAI2 balance reports (version 2) with the package bai2: strictly first, then without its integrity checks.

Either way the control totals are recomputed here (49, 98 and 99: sum, number of children, number of physical records),
and beside them what an account says of itself: opening ledger (010) plus entries is closing ledger (015), total credits
(100) and debits (400). A file that only reads without the library's checks says so ("integrity off"). Amounts are in
the currency's minor unit; the type code gives the direction. Reports of an interim day are notices and never booked.
Format: BAI Cash Management Balance Reporting Specifications, version 2.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import fields as fields_of
from datetime import date
from decimal import Decimal
from typing import IO, Any

from bai2 import bai2 as library
from bai2.constants import AsOfDateModifier, GroupStatus, TypeCodeTransaction
from bai2.exceptions import IntegrityException, NotSupportedYetException, ParsingException

from integrations.adapters import reading
from integrations.adapters.packed import Packed
from integrations.adapters.reading import BadField, Findings, Occurrences, shown
from integrations.ports import FileReader, Setting
from integrations.records import BankEntry, BankLine, BankNotice, ControlTotal, Parsed, Unreadable

BYTES_MAX = 32 * 1024 * 1024
# A record with its continuations; the longest text a bank was seen to write has 3,000.
RECORD_MAX = 16_000
MESSAGE = "BAI2"
_LIMIT = 10**20
OPENING, CLOSING, CREDITS, DEBITS = "010", "015", "100", "400"
# Minor units other than two decimals (ISO 4217).
_EXPONENTS = {
    **dict.fromkeys(
        (
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
_RECORDS = ("01", "02", "03", "16", "49", "88", "98", "99")
_INTERIM = (AsOfDateModifier.interim_previous_day, AsOfDateModifier.interim_same_day)
# Type codes of money that comes back, and of what the bank itself charges.
_RETURNED = ("252", "255", "257", "258", "266", "268", "395", "552", "555", "557", "558", "566", "568", "694")
_CHARGES = ("564", "567", "661", "698")
_FAILURES = (
    ParsingException,
    NotSupportedYetException,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    StopIteration,
    RuntimeError,
)
_ENTRY_FIELDS = tuple(field.name for field in fields_of(BankEntry))


class Bai2:
    """Reads BAI2 reports; several files (01 to 99) may stand in one."""

    name = "bai2"
    title = "BAI2 bank balance report"
    settings: Sequence[Setting] = ()

    def parse(self, stream: IO[bytes], *, filename: str, settings: Mapping[str, str]) -> Parsed:
        encoding, files = _files(stream, filename)
        found = _Reading()
        for rows in files:
            try:
                found.file(rows)
            except BadField as error:
                raise Unreadable(f"{filename}: line {rows[0].line}: {error}") from None
        return found.parsed(encoding)


READER: FileReader = Bai2()


@dataclass(frozen=True, slots=True)
class _Physical:
    """One line of the file."""

    line: int
    text: str

    @property
    def code(self) -> str:
        return self.text[:2]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where entries stand: account, currency, day, and whether the day is not over."""

    account: str
    currency: str
    day: date
    is_interim: bool

    def amount(self, minor: int) -> Decimal:
        if abs(minor) >= _LIMIT:
            raise BadField("amount", f"{str(minor)[:40]} is larger than any amount we book.")
        return Decimal(minor).scaleb(-_EXPONENTS.get(self.currency, 2))

    def money(self, minor: int) -> str:
        return f"{shown(self.amount(minor))} {self.currency}"

    def name(self) -> str:
        return f"{self.account}, {self.day}"


class _Reading:
    """One delivery while it is read."""

    def __init__(self) -> None:
        self._findings = Findings()
        self._records: Packed[BankLine | BankNotice] = Packed()
        self._lines = array("L")
        self._seen = Occurrences()
        self._said: Counter[tuple[str, ...]] = Counter()
        self._totals: list[ControlTotal] = []
        self._nets: dict[str, Decimal] = {}
        self._integrity = True
        self._entries = self._accounts = self._reversals = 0

    def file(self, rows: Sequence[_Physical]) -> None:
        """One file from 01 to 99. Raises BadField when the library cannot read it at all."""
        file = self._parsed_by_library(rows)
        self._count("file", len(rows), file.trailer.number_of_records)
        self._count("file: groups (99)", len(file.children), file.trailer.number_of_groups)
        total = sum(group.trailer.group_control_total for group in file.children)
        self._count("file: control total (99)", total, file.trailer.file_control_total)
        groups = _spans(rows, "02", "98")
        for number, (group, span) in enumerate(zip(file.children, groups, strict=True), start=1):
            self._group(f"group {number}", group, span)

    def parsed(self, encoding: str) -> Parsed:
        facts = {
            "encoding": encoding,
            "message": MESSAGE,
            "integrity": "checked" if self._integrity else "off",
            "accounts": str(self._accounts),
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

    def _parsed_by_library(self, rows: Sequence[_Physical]) -> Any:
        """The library's objects, by its strict reading, else by the relaxed one. Raises BadField.

        A file cut off after a record 16 must not reach it: it would read that record over and over without an end.
        """
        if rows[-1].code != "99":
            raise BadField("file", "does not end with its record 99: it was cut off, or something follows.")
        try:
            return _library([row.text for row in rows], strict=True)
        except IntegrityException as error:
            self._integrity = False
            self._findings.warn(f"Integrity off: {error}. Read without the checks; the control totals are recomputed.")
        return _library([row.text for row in rows], strict=False)

    def _group(self, name: str, group: Any, rows: Sequence[_Physical]) -> None:
        if group.header.group_status != GroupStatus.update:
            status = getattr(group.header.group_status, "name", "none").replace("_", " ")
            self._totals.append(ControlTotal(f"{name}: is an update", "update", status))
        self._count(name, len(rows), group.trailer.number_of_records)
        self._count(f"{name}: accounts (98)", len(group.children), group.trailer.number_of_accounts)
        total = sum(account.trailer.account_control_total for account in group.children)
        self._count(f"{name}: control total (98)", total, group.trailer.group_control_total)
        for account, span in zip(group.children, _spans(rows, "03", "49"), strict=True):
            self._account(group.header, account, span)

    def _account(self, header: Any, account: Any, rows: Sequence[_Physical]) -> None:
        number = "".join((account.header.customer_account_number or "").split())
        if not number or header.as_of_date is None:
            self._findings.reject(rows[0].line, BadField("03", "names no account, or its group no day."), rows[0].text)
            self._totals.append(ControlTotal(f"line {rows[0].line}: account and day", "given", "missing"))
            return
        currency = (account.header.currency or header.currency or "USD").strip()
        place = _Place(number, currency, header.as_of_date, header.as_of_date_modifier in _INTERIM)
        self._accounts += 1
        self._proofs(place, account, rows)
        entries = [row for row in rows if row.code == "16"]
        self._entries += len(entries)
        for transaction, row in zip(account.children, entries, strict=True):
            try:
                self._add(place, transaction, row)
            except BadField as error:
                self._findings.reject(row.line, error, row.text)

    def _proofs(self, place: _Place, account: Any, rows: Sequence[_Physical]) -> None:
        """Control total and records of the 49, and what the summary says of the day."""
        name, summary = place.name(), account.header.summary_items
        self._count(name, len(rows), account.trailer.number_of_records)
        total = sum(item.amount or 0 for item in (*summary, *account.children))
        self._count(f"{name}: control total (49)", total, account.trailer.account_control_total)
        said = {item.type_code.code: item.amount for item in summary if item.type_code and item.amount is not None}
        credits = sum(t.amount or 0 for t in account.children if _sign(t) > 0)
        debits = sum(t.amount or 0 for t in account.children if _sign(t) < 0)
        if not account.children:
            self._findings.warn(f"{name}: a summary without entries.")
            return
        for code, found, what in ((CREDITS, credits, "total credits"), (DEBITS, debits, "total debits")):
            if code in said:
                self._totals.append(ControlTotal(f"{name}: {what}", place.money(said[code]), place.money(found)))
        if OPENING in said and CLOSING in said:
            closing, found = said[CLOSING], said[OPENING] + credits - debits
            what = f"{name}: opening plus entries is closing"
            self._totals.append(ControlTotal(what, place.money(closing), place.money(found)))
        elif not place.is_interim:
            self._findings.warn(f"{name}: no opening and closing ledger balance, so the balance proof does not apply.")
        identity = (place.name(), *(row.text for row in rows))
        mark = (reading.fingerprint(*identity),)
        self._said[mark] += 1
        if self._said[mark] == 2:
            self._totals.append(ControlTotal(f"{name}: stated once", "1", "2"))

    def _add(self, place: _Place, transaction: Any, row: _Physical) -> None:
        sign, code = _sign(transaction), transaction.type_code.code
        if not transaction.amount:
            self._findings.warn(f"line {row.line}: type {code} moves no money: skipped.")
            return
        if not sign or transaction.amount < 0:
            raise BadField("16", f"type {code} with {transaction.amount} says no direction.")
        line = _line(place, transaction, sign * place.amount(transaction.amount))
        line_key = f"{line.line_key}|{self._seen.of(line.line_key)}"
        values = {name: getattr(line, name) for name in _ENTRY_FIELDS} | {"line_key": line_key}
        self._records.append(_notice(values) if place.is_interim else BankLine(**values))
        self._lines.append(row.line)
        self._reversals += line.is_reversal
        self._nets[place.currency] = self._nets.get(place.currency, Decimal(0)) + line.amount

    def _count(self, name: str, found: int, stated: int | None) -> None:
        title = name if ":" in name else f"{name}: records"
        self._totals.append(ControlTotal(title, str(stated), str(found)))


def _library(texts: Sequence[str], *, strict: bool) -> Any:
    parse: Callable[..., Any] = library.parse_from_lines
    try:
        return parse(iter(texts), check_integrity=strict)
    except _FAILURES as error:
        raise BadField("file", f"cannot be read: {str(error)[:200] or type(error).__name__}.") from None


def _line(place: _Place, transaction: Any, amount: Decimal) -> BankLine:
    """An entry; its key is made of its records as they came, so that it is the same at every reading."""
    raw = "\n".join(text for _, text in transaction.rows)
    code, text = transaction.type_code.code, " ".join((transaction.text or "").strip(" /").split())
    value = (transaction.availability or {}).get("date") or place.day
    details = {"type": transaction.type_code.description, "funds": getattr(transaction.funds_type, "name", "")}
    return BankLine(
        line_key=reading.key(place.account, str(place.day), "#" + reading.fingerprint(raw)),
        account=place.account,
        statement_id=str(place.day),
        amount=amount,
        currency=place.currency,
        booking_date=place.day,
        value_date=value,
        bank_reference=(transaction.bank_reference or "").strip(" /"),
        end_to_end_id=(transaction.customer_reference or "").strip(" /"),
        remittance=text,
        is_reversal=code in _RETURNED,
        bank_code=f"BAI/{code}/CHRG" if code in _CHARGES else f"BAI/{code}",
        details={name: said for name, said in details.items() if said},
    )


def _notice(values: Mapping[str, Any]) -> BankNotice:
    return BankNotice(
        **{**values, "line_key": f"{MESSAGE}|{values['line_key']}"},
        message=MESSAGE,
        entry_key=values["line_key"],
        entry_reference=values["bank_reference"],
        entry_amount=values["amount"],
    )


def _sign(transaction: Any) -> int:
    """+1 of a credit, -1 of a debit, 0 of what is neither."""
    direction = transaction.type_code.transaction if transaction.type_code else None
    return int(direction == TypeCodeTransaction.credit) - int(direction == TypeCodeTransaction.debit)


def _spans(rows: Sequence[_Physical], first: str, last: str) -> Iterator[Sequence[_Physical]]:
    """The lines from each record `first` to the `last` that ends it, with its continuations."""
    start = None
    for index, row in enumerate(rows):
        if start is None and row.code == first:
            start = index
        elif start is not None and row.code == last:
            end = index + 1
            while end < len(rows) and rows[end].code == "88":
                end += 1
            yield rows[start:end]
            start = None


def _files(stream: IO[bytes], filename: str) -> tuple[str, list[list[_Physical]]]:
    """Encoding and the lines of each file in the delivery. Raises Unreadable for what is no BAI2."""
    body = b"".join(reading.chunks(stream, filename=filename, limit=BYTES_MAX)).removeprefix(b"\xef\xbb\xbf")
    if b"\x00" in body:
        raise Unreadable(f"{filename}: UTF-16 text or a damaged file; a BAI2 report has one byte a character.")
    try:
        text, encoding = body.decode(), "utf-8"
    except UnicodeDecodeError:
        text, encoding = body.decode("latin-1"), "latin-1"
    files: list[list[_Physical]] = []
    length = 0
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1):
        row = _Physical(number, line.strip())
        if not row.text:
            continue
        if row.code not in _RECORDS or row.text[2:3] != ",":
            raise Unreadable(f"{filename}: line {number} begins with {line[:20]!r}, which is no BAI2 record.")
        if row.code == "01":
            files.append([])
        length = length + len(row.text) if row.code == "88" else len(row.text)
        if length > RECORD_MAX:
            raise Unreadable(f"{filename}: line {number}: a record longer than {RECORD_MAX:,} characters.")
        if not files:
            raise Unreadable(f"{filename}: line {number}: a BAI2 file begins with a record 01.")
        files[-1].append(row)
    if not files:
        raise Unreadable(f"{filename}: there is nothing in it. Fetch it again from the bank.")
    return encoding, files
