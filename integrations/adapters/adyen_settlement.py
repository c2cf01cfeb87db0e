"""Adyen's settlement details report (CSV): what one payable batch settled, and what it paid out.

Source: docs.adyen.com, reporting, settlement details report. The rules that money hangs on:

- Direction comes from which of the two unsigned columns is filled, never from Type: a payment whose fees are
  larger than itself is a debit.
- `net` is the truth (it is what adds up to the payout). `gross` is the gross column where that is in the
  settlement currency; after conversion it is net + fees, and the paid amount stays in `gross_original`.
- `fee` is gross - net. Adyen's four fee columns say the same; where they do not, a warning gives both figures.
  Rows that are a cost themselves (Fee, InvoiceDeduction) have no fee of their own: their net is the cost.
- Control total: per batch and currency, credits minus debits are zero, the payout row included. A batch
  without a payout row balances through its Balancetransfer. A file that was doubled would still add up to
  zero, so a payout's TX number must stand there once per currency, and not every row may have its equal.
- A row is known by merchant account, batch, type, the two references and currency; a row without PSP
  reference or TX number (monthly fees) by its content as well. Equal ones are numbered in order.
- Times are local with the zone's name beside them. An unknown zone keeps the row, takes the time as UTC and
  warns: the money does not depend on it.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import IO, NamedTuple

from integrations.adapters import reading, zones
from integrations.adapters.packed import Packed
from integrations.adapters.reading import WARNINGS_MAX, BadField, Findings, Occurrences, shown
from integrations.adapters.rows import Row, Table
from integrations.ports import FileReader, Setting
from integrations.records import PAYOUT_TOKEN, ControlTotal, Parsed, PspKind, PspLine, Unreadable

TOTALS_MAX = 1_000
_ZERO = Decimal(0)
_FEES = ("Commission (NC)", "Markup (NC)", "Scheme Fees (NC)", "Interchange (NC)")
_REQUIRED = (
    "Merchant Account",
    "Psp Reference",
    "Merchant Reference",
    "Creation Date",
    "TimeZone",
    "Type",
    "Modification Reference",
    "Gross Currency",
    "Gross Debit (GC)",
    "Gross Credit (GC)",
    "Exchange Rate",
    "Net Currency",
    "Net Debit (NC)",
    "Net Credit (NC)",
    *_FEES,
    "Batch Number",
)
_OPTIONAL = ("Payment Method", "Booking Date", "Booking Date TimeZone")

# Adyen's record types. EpaPaid, BPPaidOut and whatever comes new are left UNKNOWN: kept, shown, not booked.
_KINDS = {
    "settled": PspKind.PAYMENT,
    "settledexternally": PspKind.PAYMENT,
    "refunded": PspKind.REFUND,
    "refundedexternally": PspKind.REFUND,
    "refundedreversed": PspKind.REFUND_REVERSED,
    # Money sent to a payer (a withdrawal to a card), not to the broker's bank.
    "paidout": PspKind.REFUND,
    "paidoutreversed": PspKind.REFUND_REVERSED,
    "chargeback": PspKind.CHARGEBACK,
    "chargebackexternally": PspKind.CHARGEBACK,
    "secondchargeback": PspKind.CHARGEBACK,
    "chargebackreversed": PspKind.CHARGEBACK_REVERSED,
    "fee": PspKind.FEE,
    "invoicededuction": PspKind.FEE,
    "misccosts": PspKind.FEE,
    "paymentcost": PspKind.FEE,
    "settlecost": PspKind.FEE,
    "authorisationschemefee": PspKind.FEE,
    "merchantpayout": PspKind.PAYOUT,
    # A payout that the bank sent back: the same kind, credited.
    "bankinstructionreturned": PspKind.PAYOUT,
    "reserveadjustment": PspKind.RESERVE,
    "depositcorrection": PspKind.RESERVE,
    "balancetransfer": PspKind.TRANSFER,
    "internalcompanypayout": PspKind.TRANSFER,
    "matchedstatement": PspKind.ADJUSTMENT,
    "manualcorrected": PspKind.ADJUSTMENT,
}


class _Split(NamedTuple):
    """Gross, fee and net of a row in the settlement currency; gross as the payer paid it."""

    gross: Decimal
    fee: Decimal
    net: Decimal
    gross_original: Decimal
    currency_original: str


class AdyenSettlement:
    """Reads settlement details reports, columns by name and in any order."""

    name = "adyen_settlement"
    title = "Adyen settlement details report (CSV)"
    settings: Sequence[Setting] = ()

    def parse(self, stream: IO[bytes], *, filename: str, settings: Mapping[str, str]) -> Parsed:
        return _Reading(stream, filename).parsed()


READER: FileReader = AdyenSettlement()


class _Reading:
    """One file while it is read."""

    def __init__(self, stream: IO[bytes], filename: str) -> None:
        self._findings = Findings()
        self._table = Table(stream, filename=filename, findings=self._findings, required=_REQUIRED, optional=_OPTIONAL)
        self._records: Packed[PspLine] = Packed()
        self._lines = array("L")
        self._seen = Occurrences()
        self._nets: dict[tuple[str, str], Decimal] = {}
        self._fees: dict[str, Decimal] = {}
        self._kinds: Counter[str] = Counter()
        self._payouts: Counter[tuple[str, str, str]] = Counter()
        self._doubts: dict[tuple[str, zones.Doubt], tuple[int, int]] = {}
        self._split_differs = 0
        self._repeats = 0

    def parsed(self) -> Parsed:
        for row in self._table.rows():
            try:
                self._add(row)
            except BadField as error:
                self._findings.reject(row.line, error, row.raw)
        for (zone, doubt), (line, count) in self._doubts.items():
            self._findings.warn(f"time zone {zone!r}, {count} times, first on line {line}: {doubt.value}.")
        if not self._table.data_rows:
            self._findings.warn("The file has a header and no rows.")
        return Parsed(
            records=self._records,
            lines=self._lines,
            rejected=self._findings.rejected(),
            control_totals=self._control_totals(),
            warnings=self._findings.warnings(),
            facts=self._facts(),
        )

    def _add(self, row: Row) -> None:
        batch, currency = row.needed("Batch Number"), row.needed("Net Currency")
        kind = _KINDS.get(row.needed("Type").casefold(), PspKind.UNKNOWN)
        modification = row.text("Modification Reference")
        split = self._split(row, currency)
        booked_at, zone = self._booked(row)
        payout = self._payout_reference(modification) if kind is PspKind.PAYOUT else ""
        line = PspLine(
            line_key=self._key(row, payout, split.net),
            kind=kind,
            provider_type=row.text("Type"),
            psp_reference=row.text("Psp Reference"),
            merchant_reference=row.text("Merchant Reference"),
            modification_reference=modification,
            gross=split.gross,
            fee=split.fee,
            net=split.net,
            currency=currency,
            gross_original=split.gross_original,
            currency_original=split.currency_original,
            exchange_rate=row.text("Exchange Rate"),
            payout_key=f"batch {batch} {currency}",
            bank_reference=payout or (modification if kind is PspKind.PAYOUT else ""),
            booked_at=booked_at,
            booked_zone=zone,
            method=row.text("Payment Method"),
        )
        if kind is PspKind.UNKNOWN:
            self._findings.warn(f"line {row.line}: type {line.provider_type!r} is not known; kept, not booked.")
        if payout and split.net < 0:
            self._payouts[batch, currency, payout] += 1
        self._records.append(line)
        self._lines.append(row.line)
        self._kinds[kind.value] += 1
        self._nets[batch, currency] = self._nets.get((batch, currency), _ZERO) + split.net
        self._fees[currency] = self._fees.get(currency, _ZERO) + split.fee
        if len(self._nets) + len(self._payouts) > TOTALS_MAX:
            raise Unreadable(f"{self._table.filename}: more than {TOTALS_MAX:,} batches; a report has one.")

    def _split(self, row: Row, currency: str) -> _Split:
        net = _signed(row, "Net Debit (NC)", "Net Credit (NC)")
        fees = sum((row.amount(name, blank=_ZERO) for name in _FEES), _ZERO)
        derived = (net or _ZERO) + fees
        paid_in = row.text("Gross Currency") or currency
        try:
            paid = _signed(row, "Gross Debit (GC)", "Gross Credit (GC)")
        except _BothFilled:
            paid = self._either_side(row, derived if paid_in == currency else None)
        if net is None and (paid is None or paid_in != currency or paid != fees):
            raise BadField("Net Debit (NC)", "neither Net Debit (NC) nor Net Credit (NC) is filled.")
        net = net or _ZERO
        if paid is None:
            return _Split(derived, fees, net, derived, currency)
        if paid_in != currency:
            self._check_rate(row, paid, paid_in, derived, currency)
            return _Split(derived, fees, net, paid, paid_in)
        if paid != derived:
            self._split_differs += 1
            self._findings.warn(
                f"line {row.line}: gross {shown(paid)} less fees {shown(fees)} is not net {shown(net)} {currency}; "
                f"the fee was taken as {shown(paid - net)}."
            )
        return _Split(paid, paid - net, net, paid, paid_in)

    def _either_side(self, row: Row, derived: Decimal | None) -> Decimal:
        """Both gross columns are filled: the side that agrees with net and fees counts, or the row is refused."""
        debit, credit = row.amount("Gross Debit (GC)"), row.amount("Gross Credit (GC)")
        for side in (-debit, credit):
            if side == derived:
                self._findings.warn(
                    f"line {row.line}: Gross Debit (GC) {shown(debit)} and Gross Credit (GC) {shown(credit)} are "
                    f"both filled; {shown(side)} agrees with net and fees."
                )
                return side
        raise BadField("Gross Debit (GC)", "Gross Debit (GC) and Gross Credit (GC) are both filled.")

    def _check_rate(self, row: Row, paid: Decimal, paid_in: str, derived: Decimal, currency: str) -> None:
        """The exchange rate explains the gross amount to a percent or a few cents; it decides nothing."""
        try:
            converted = paid * reading.amount(row.text("Exchange Rate"), field="Exchange Rate")
        except BadField:
            return
        if abs(converted - derived) > max(Decimal("0.05"), abs(derived) / 100):
            self._split_differs += 1
            self._findings.warn(
                f"line {row.line}: {shown(paid)} {paid_in} at {row.text('Exchange Rate')} is not net plus fees, "
                f"{shown(derived)} {currency}; the latter was taken as gross."
            )

    def _booked(self, row: Row) -> tuple[datetime, str]:
        """When the row was booked (else created), in UTC, and the zone as printed."""
        field, zone = "Booking Date", row.text("Booking Date TimeZone") or row.text("TimeZone")
        if not row.text(field):
            field, zone = "Creation Date", row.text("TimeZone")
        moment = zones.to_utc(reading.wall_time(row.needed(field), field=field), zone)
        doubt = (zone, moment.doubt)
        if moment.doubt is not zones.Doubt.NONE and (doubt in self._doubts or len(self._doubts) < WARNINGS_MAX):
            line, count = self._doubts.get(doubt, (row.line, 0))
            self._doubts[doubt] = (line, count + 1)
        return moment.utc, zone

    def _payout_reference(self, text: str) -> str:
        found = PAYOUT_TOKEN.search(text)
        return found[0] if found else ""

    def _key(self, row: Row, payout: str, net: Decimal) -> str:
        content = ""
        if not (row.text("Psp Reference") or payout):
            content = reading.fingerprint(row.text("Creation Date"), shown(net), row.text("Merchant Reference"))
        stem = reading.key(
            row.text("Merchant Account"),
            row.text("Batch Number"),
            row.text("Type").casefold(),
            row.text("Psp Reference"),
            payout or row.text("Modification Reference"),
            row.text("Net Currency"),
            content,
        )
        number = self._seen.of(stem)
        if number > 1:
            self._repeats += 1
            self._findings.warn(f"line {row.line}: the same row as before, kept as number {number}.")
        return f"{stem}|{number}"

    def _control_totals(self) -> list[ControlTotal]:
        totals = [
            ControlTotal(f"batch {batch}, {currency}: credits minus debits", "0.00", shown(net))
            for (batch, currency), net in self._nets.items()
        ]
        totals += [
            ControlTotal(f"batch {batch}, {currency}: payout {payout} stated once", "1", str(count))
            for (batch, currency, payout), count in self._payouts.items()
        ]
        if self._repeats and self._repeats * 2 >= len(self._records):
            once = len(self._records) - self._repeats
            totals.append(ControlTotal("rows stated once", str(len(self._records)), str(once)))
        if not totals and self._findings.rejections:
            totals.append(ControlTotal("batches that can be read", "1", "0"))
        return totals

    def _facts(self) -> dict[str, str]:
        facts = {
            "encoding": self._table.encoding(),
            "rows": str(self._table.data_rows),
            "rows_where_fees_do_not_explain_net": str(self._split_differs),
        }
        facts.update({f"rows:{kind}": str(count) for kind, count in sorted(self._kinds.items())})
        facts.update({f"fees:{currency}": shown(fee) for currency, fee in sorted(self._fees.items())})
        return facts


class _BothFilled(BadField):
    """Debit and credit of a pair both carry an amount."""


def _signed(row: Row, debit: str, credit: str) -> Decimal | None:
    """An unsigned pair as one amount, credit positive; None when both are empty."""
    amounts = []
    for name in (debit, credit):
        value = row.amount(name, blank=_ZERO)
        if value < 0:
            raise BadField(name, f"{shown(value)} is negative; the column alone says the direction.")
        amounts.append(value)
    if all(amounts):
        raise _BothFilled(debit, f"{debit} and {credit} are both filled.")
    if not (row.text(debit) or row.text(credit)):
        return None
    return amounts[1] - amounts[0]
