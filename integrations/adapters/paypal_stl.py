"""PayPal's settlement report (STL-yyyymmdd.<sequence>.<version>.csv): one day of an account, by section and currency.

Source: developer.paypal.com, SFTP reports, settlement report. The first cell says what a row is: RH and FH headers, SH
section, CH column names, SB a line, SF the footer of a section and currency, SC and RC and FF counts, RF the footer of
the report. All but SB and what closes a section may be missing. The rules that money hangs on:

- Amounts are whole numbers of hundredths without a sign, also where a currency has no hundredths; a connection may name
  currencies whose amounts are whole units. CR or DR beside an amount says the direction.
- Each footer gives credits, debits and fees of its currency, which the lines must add up to, and balances before and
  after: the total one first, then the available one. One of the two pairs must fit: begin + credits - debits = end.
- A currency without a footer (an exchange within one transaction) must come out at zero.
- A payout (T04) empties the balance and names no lines, so lines have no payout; it is known by its bank reference.
- An exchange (T02) is two lines, one in each currency.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import IO

from integrations.adapters import payouts, reading
from integrations.adapters.packed import Packed
from integrations.adapters.reading import BadField, Findings, Occurrences, shown
from integrations.adapters.rows import ROWS_MAX, Row, Sheet, numbered
from integrations.ports import FileReader, Setting
from integrations.records import ControlTotal, Parsed, PspKind, PspLine, Unreadable

_ZERO = Decimal(0)
_CODES = frozenset(("RH", "FH", "SH", "CH", "SB", "SF", "SC", "RF", "RC", "FF"))
_REQUIRED = (
    *("Transaction ID", "Transaction Event Code", "Transaction Initiation Date", "Transaction Completion Date"),
    *("Transaction Debit or Credit", "Gross Transaction Amount", "Gross Transaction Currency"),
    *("Fee Debit or Credit", "Fee Amount", "Fee Currency"),
)
_OPTIONAL = (
    *("Invoice ID", "PayPal Reference ID", "PayPal Reference ID Type", "Custom Field", "Bank Reference ID"),
    *("Payment Tracking ID", "Store ID"),
)
_TIME = re.compile(r"(\d{4})/(\d\d)/(\d\d) (\d\d:\d\d:\d\d) ([+-]\d{4})", re.ASCII)
_WHOLE = re.compile(r"\d{1,18}", re.ASCII)
_SECTIONS_MAX = 1_000

# Transaction event codes, the longest match first. Those that are not here are UNKNOWN: kept, not booked.
_KINDS = {
    "T00": PspKind.PAYMENT,
    "T01": PspKind.FEE,
    "T02": PspKind.CONVERSION,
    "T03": PspKind.TRANSFER,
    "T04": PspKind.PAYOUT,
    "T1106": PspKind.CHARGEBACK,
    "T1107": PspKind.REFUND,
    "T1108": PspKind.FEE,
    "T1109": PspKind.FEE,
    "T1110": PspKind.RESERVE,
    "T1111": PspKind.RESERVE,
    "T1201": PspKind.CHARGEBACK,
    "T1202": PspKind.CHARGEBACK_REVERSED,
    "T13": PspKind.ADJUSTMENT,
    "T15": PspKind.RESERVE,
    "T1900": PspKind.ADJUSTMENT,
    "T21": PspKind.RESERVE,
}


@dataclass(slots=True)
class _Sum:
    """Hundredths of one currency in one section: what its lines say and, from the footer, what it says of itself."""

    credits: int = 0
    debits: int = 0
    fee_credits: int = 0
    fee_debits: int = 0
    footer: Sequence[str] | None = None

    @property
    def net(self) -> int:
        return self.credits - self.debits + self.fee_credits - self.fee_debits


@dataclass(slots=True)
class _Section:
    """One SH and what follows it, up to the next."""

    account: str = ""
    rows: int = 0
    count: str | None = None
    sums: dict[str, _Sum] = field(default_factory=dict)

    @property
    def is_closed(self) -> bool:
        return self.count is not None or any(one.footer is not None for one in self.sums.values())


class PaypalStl:
    """Reads settlement reports of any version that has column names."""

    name = "paypal_stl"
    title = "PayPal settlement report (STL, CSV)"
    settings: Sequence[Setting] = (
        Setting(
            "whole_currencies",
            "Currencies in whole units",
            "where this account's files print yen and not hundredths of a yen: JPY, HUF, TWD",
            required=False,
        ),
    )

    def parse(self, stream: IO[bytes], *, filename: str, settings: Mapping[str, str]) -> Parsed:
        return _Reading(stream, filename, settings).parsed()


READER: FileReader = PaypalStl()


class _Reading:
    """One file while it is read."""

    def __init__(self, stream: IO[bytes], filename: str, settings: Mapping[str, str]) -> None:
        self._filename = filename
        self._findings = Findings()
        self._sheet = Sheet(stream, filename=filename)
        self._whole = set(settings.get("whole_currencies", "").replace(",", " ").upper().split())
        self._places: dict[str, int] = {}
        self._width = 0
        self._sections: list[_Section] = []
        self._records: Packed[PspLine] = Packed()
        self._lines = array("L")
        self._seen = Occurrences()
        self._kinds: Counter[str] = Counter()
        self._counts: dict[str, str] = {}
        self._rows = 0
        self._repeated = 0

    def parsed(self) -> Parsed:
        known = False
        while taken := self._sheet.take():
            line, raw, cells = taken
            code = "" if isinstance(cells, BadField) else cells[0].strip().upper()
            if not known and code not in _CODES:
                raise Unreadable(f"{self._filename}: line {line} begins with no row type of a settlement report (SH).")
            known = True
            try:
                if isinstance(cells, BadField):
                    raise cells
                self._take(line, raw, code, cells)
            except BadField as error:
                self._findings.reject(line, error, raw)
        if not known:
            raise Unreadable(f"{self._filename}: there is no row in it. Fetch it again from the source.")
        return Parsed(
            records=self._records,
            lines=self._lines,
            rejected=self._findings.rejected(),
            control_totals=self._control_totals(),
            warnings=self._findings.warnings(),
            facts=self._facts(),
        )

    def _take(self, line: int, raw: str, code: str, cells: list[str]) -> None:
        if code == "SH":
            self._sections.append(_Section(account=cells[3].strip() if len(cells) > 3 else ""))
            if len(self._sections) > _SECTIONS_MAX:
                raise Unreadable(f"{self._filename}: more than {_SECTIONS_MAX:,} sections: not one day's report.")
        elif code == "CH":
            self._header(line, cells)
        elif code == "SB":
            self._rows += 1
            if self._rows > ROWS_MAX:
                raise Unreadable(f"{self._filename}: more than {ROWS_MAX:,} lines; a report has at most a million.")
            self._section.rows += 1
            self._add(line, raw, cells)
        elif code == "SF":
            self._footer(cells)
        elif code == "SC":
            self._section.count = _cell(cells, 1)
        elif code in ("RC", "FF"):
            self._counts[code] = _cell(cells, 1)
        elif code not in _CODES:
            raise BadField("row", f"begins with {code[:10]!r}, which is no row type of a settlement report.")

    @property
    def _section(self) -> _Section:
        if not self._sections:
            self._sections.append(_Section())
        return self._sections[-1]

    def _header(self, line: int, cells: list[str]) -> None:
        names = numbered(cells)
        missing = [name for name in _REQUIRED if name.casefold() not in names]
        if missing:
            listed = ", ".join(repr(name) for name in missing)
            raise Unreadable(f"{self._filename}: line {line}: no column {listed}. Is this a settlement report?")
        self._width = len(cells)
        found = ((name, names.get(name.casefold())) for name in (*_REQUIRED, *_OPTIONAL))
        self._places = {name: place for name, place in found if place is not None}

    def _add(self, line: int, raw: str, cells: list[str]) -> None:
        if not self._places:
            raise Unreadable(f"{self._filename}: line {line}: a line stands before the column names (CH).")
        if len(cells) != self._width:
            reason = f"has {len(cells)} fields, the header has {self._width}: cut off, or a stray delimiter."
            raise BadField("row", reason)
        row = Row(line, raw, cells, self._places)
        currency = row.needed("Gross Transaction Currency").upper()
        gross = _signed(row, "Gross Transaction Amount", "Transaction Debit or Credit")
        cost = -_signed(row, "Fee Amount", "Fee Debit or Credit") if row.text("Fee Amount") else 0
        if cost and row.text("Fee Currency").upper() != currency:
            raise BadField("Fee Currency", f"{row.text('Fee Currency')[:10]!r} is not the currency of the amount.")
        booked_at, zone = _moment(row)
        code = row.needed("Transaction Event Code").upper()
        kind = _kind(code, gross)
        transaction, reference = row.needed("Transaction ID"), row.text("PayPal Reference ID")
        is_payout = kind is PspKind.PAYOUT
        amount, fee = self._major(gross, currency), self._major(cost, currency)
        record = PspLine(
            line_key=self._key(row, code, currency),
            kind=kind,
            provider_type=code,
            psp_reference=transaction,
            merchant_reference=row.text("Invoice ID") or row.text("Custom Field"),
            modification_reference=reference if row.text("PayPal Reference ID Type").upper() == "TXN" else "",
            gross=amount,
            fee=fee,
            net=amount - fee,
            currency=currency,
            gross_original=amount,
            currency_original=currency,
            exchange_rate="",
            payout_key=transaction if is_payout else "",
            bank_reference=(row.text("Bank Reference ID") or transaction) if is_payout else "",
            booked_at=booked_at,
            booked_zone=zone,
        )
        if kind is PspKind.UNKNOWN:
            self._findings.warn(f"line {line}: event code {code!r} is not known; kept, not booked.")
        found = self._section.sums.setdefault(currency, _Sum())
        found.credits += max(gross, 0)
        found.debits += max(-gross, 0)
        found.fee_credits += max(-cost, 0)
        found.fee_debits += max(cost, 0)
        self._kinds[kind.value] += 1
        self._records.append(record)
        self._lines.append(line)

    def _major(self, hundredths: int, currency: str) -> Decimal:
        return Decimal(hundredths) if currency in self._whole else Decimal(hundredths).scaleb(-2)

    def _key(self, row: Row, code: str, currency: str) -> str:
        stem = reading.key(row.text("Transaction ID"), code, currency, row.text("Transaction Debit or Credit").upper())
        number = self._seen.of(stem)
        if number > 1:
            self._repeated += 1
            self._findings.warn(f"line {row.line}: the same transaction as before, kept as number {number}.")
        return f"{stem}|{number}"

    def _footer(self, cells: list[str]) -> None:
        currency = _cell(cells, 1).upper()
        found = self._section.sums.setdefault(currency, _Sum())
        if found.footer is not None:
            raise BadField("SF", f"a second footer of {currency[:10]!r} in one section.")
        found.footer = cells

    def _control_totals(self) -> list[ControlTotal]:
        totals: list[ControlTotal] = []
        for number, section in enumerate(self._sections, start=1):
            name = f"section {number}" if len(self._sections) > 1 else "section"
            if not section.is_closed:
                totals.append(ControlTotal(f"{name}: closed by a footer or a count", "1", "0"))
            if section.count is not None:
                totals.append(ControlTotal(f"{name}: number of lines", section.count, str(section.rows)))
            for currency, found in section.sums.items():
                totals += self._of_currency(f"{name}, {currency}", currency, found)
        named = {"RC": "report: number of lines", "FF": "file: number of lines"}
        totals += [ControlTotal(named[code], count, str(self._rows)) for code, count in self._counts.items()]
        if self._repeated and self._repeated * 2 >= len(self._records):
            totals.append(payouts.stated_once(len(self._records), self._repeated))
        if not totals:
            totals.append(ControlTotal("section: closed by a footer or a count", "1", "0"))
        return totals

    def _of_currency(self, name: str, currency: str, found: _Sum) -> list[ControlTotal]:
        def money(hundredths: int) -> str:
            return shown(self._major(hundredths, currency))

        if found.footer is None:
            return [ControlTotal(f"{name}: no footer, so credits less debits are zero", "0.00", money(found.net))]
        stated = [_number(_cell(found.footer, place)) for place in range(2, 6)]
        said = (found.credits, found.debits, found.fee_credits, found.fee_debits)
        names = ("gross credits", "gross debits", "fee credits", "fee debits")
        totals = [
            ControlTotal(f"{name}: {what}", "not stated" if own is None else money(own), money(lines))
            for what, own, lines in zip(names, stated, said, strict=True)
        ]
        pairs = [(_balance(found.footer, place), _balance(found.footer, place + 2)) for place in (6, 10)]
        whole = [(begin, end) for begin, end in pairs if begin is not None and end is not None]
        if not whole:
            return totals
        ties = [end == begin + found.net for begin, end in whole]
        begin, end = whole[ties.index(True)] if any(ties) else whole[0]
        if any(ties) and not ties[0]:
            self._findings.warn(
                f"{name}: the total balance, {money(whole[0][0])} to {money(whole[0][1])}, does not fit the lines; "
                f"the available balance, {money(begin)} to {money(end)}, does."
            )
        totals.append(ControlTotal(f"{name}: begin and lines are end", money(end), money(begin + found.net)))
        return totals

    def _facts(self) -> dict[str, str]:
        facts = {"encoding": self._sheet.encoding(), "rows": str(self._rows), "sections": str(len(self._sections))}
        facts["accounts"] = ", ".join(sorted({one.account for one in self._sections if one.account})[:20])
        facts.update({f"rows:{kind}": str(count) for kind, count in sorted(self._kinds.items())})
        nets: dict[str, Decimal] = {}
        for section in self._sections:
            for currency, found in section.sums.items():
                nets[currency] = nets.get(currency, _ZERO) + self._major(found.net, currency)
        facts.update({f"net:{currency}": shown(net) for currency, net in sorted(nets.items())})
        return facts


def _kind(code: str, gross: int) -> PspKind:
    known = (_KINDS[code[:length]] for length in (5, 3) if code[:length] in _KINDS)
    kind = next(known, PspKind.UNKNOWN)
    # Money that the broker sent to a payer, a mass payment for instance.
    return PspKind.REFUND if kind is PspKind.PAYMENT and gross < 0 else kind


def _cell(cells: Sequence[str], place: int) -> str:
    return cells[place].strip() if place < len(cells) else ""


def _number(text: str) -> int | None:
    return int(text) if _WHOLE.fullmatch(text) else None


def _balance(cells: Sequence[str], place: int) -> int | None:
    """A balance of a footer: CR or DR, and hundredths beside it."""
    amount = _number(_cell(cells, place + 1))
    sign = {"CR": 1, "DR": -1}.get(_cell(cells, place).upper())
    return None if amount is None or sign is None else sign * amount


def _signed(row: Row, amount: str, direction: str) -> int:
    """Hundredths, credit positive."""
    text, side = row.needed(amount), row.text(direction).upper()
    if _WHOLE.fullmatch(text) is None:
        raise BadField(amount, f"{text[:40]!r} is not a whole number of hundredths without a sign.")
    if side not in ("CR", "DR"):
        raise BadField(direction, f"{side[:10]!r} is neither CR nor DR.")
    return int(text) if side == "CR" else -int(text)


def _moment(row: Row) -> tuple[datetime, str]:
    """When the transaction was completed, else begun, in UTC, and the offset as printed."""
    name = "Transaction Completion Date" if row.text("Transaction Completion Date") else "Transaction Initiation Date"
    text = row.needed(name)
    found = _TIME.fullmatch(text)
    try:
        if found:
            local = datetime.fromisoformat(f"{found[1]}-{found[2]}-{found[3]} {found[4]}{found[5]}")
            if local.year in reading.YEARS:
                return local.astimezone(UTC), found[5]
    except (ValueError, OverflowError):
        pass
    raise BadField(name, f"{text[:40]!r} is not a time such as 2026/01/06 03:12:28 -0800.")
