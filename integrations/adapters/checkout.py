"""Checkout.com's two reports (CSV) of one balance: the settlement breakdown and the payouts report.

Source: checkout.com/docs, reporting, settlement breakdown and payouts reports. One reader takes both, because they are
about the same balance and must be on one connection: the breakdown says what came in, the payouts report what went out.

- Breakdown: net = gross + deduction (deductions are negative). What a row puts into the reserve becomes a line of its
  own, an asset until it is released; the rest of the deduction is the fee. A row without gross is a cost and nothing
  else: Void, Network Token, Account Updater, and Merchant Payout too, which is the fee of a payout here.
- Payouts: a row is a payout, minus its amount on the balance. Its fee columns say what the breakdown says by row, but
  rounded otherwise: they need not add up to the payout to the cent, and a warning gives the difference.
- Neither file can prove itself whole. When the second of the two comes, the sum of net per Payout ID must be the
  Payout Amount (adapters/payouts.py); until then the rows' own arithmetic is all there is.
- Times have no zone; they are UTC.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import IO

from integrations.adapters import payouts, reading
from integrations.adapters.packed import Packed
from integrations.adapters.reading import BadField, Findings, Occurrences, shown
from integrations.adapters.rows import Row, Table, name_of
from integrations.ports import FileReader, Setting
from integrations.records import ControlTotal, Parsed, PspKind, PspLine, Unreadable

_ZERO = Decimal(0)
_GROSS, _DEDUCTION, _NET = (f"{name} In Holding Currency" for name in ("Gross", "Deduction", "Net"))
_RESERVE = "Reserve In Holding Currency"
_COSTS = tuple(f"{name} In Holding Currency" for name in ("Processing Fee", "Scheme Fee", "Interchange", "Tax"))
_BREAKDOWN = (
    *("Type", "Payment ID", "Reference", "Processed On", "Holding Currency", "Payout ID", _GROSS, _DEDUCTION, _NET),
)
_BREAKDOWN_MORE = (
    *("Available On", _RESERVE, *_COSTS, "Processing Currency", "Gross In Processing Currency", "FX Rate Applied"),
    *("Payment Method", "Client Entity ID"),
)
_PAYOUTS = ("Payout ID", "Payout Date", "Payout Amount", "Holding Currency")
_PARTS = (
    *("Merchant Payout Fees", "Payments", "Refunds", "Chargebacks", "Pay To Cards", "Card Payment Interchange Fees"),
    *("Card Payment Scheme Fees", "Acquiring Premiums", "Card Payment Gateway Fees", "Card Payment Blended Fees"),
    *("Refunded Interchange Fees", "Refund Scheme Fees", "Refund Gateway Fees", "Chargeback Fees", "Retrieval Fees"),
    *("Representment Fees", "Pay To Card Interchange Fees", "Pay To Card Scheme Fees", "Pay To Card Fees"),
    *("Alternative Payment Method Fees", "Adjustments", "Tax", "Account Updater Fees", "Transfers In"),
    *("Transfers Out", "Authentication Fees", "Authentication Scheme Fees", "Risk Engine Fees"),
    *("Intelligent Acceptance Fees", "Network Token Fees"),
)

# Types of the breakdown. Of those that are not here, a row without gross is a cost and one with it is UNKNOWN.
_KINDS = {
    "charge": PspKind.PAYMENT,
    "capture": PspKind.PAYMENT,
    "refund": PspKind.REFUND,
    # Money sent to a payer's card (a withdrawal), not to the broker's bank.
    "pay to card": PspKind.REFUND,
    "payout to card": PspKind.REFUND,
    "refund reversal": PspKind.REFUND_REVERSED,
    "pay to card reversal": PspKind.REFUND_REVERSED,
    "chargeback": PspKind.CHARGEBACK,
    "chargeback reversal": PspKind.CHARGEBACK_REVERSED,
    "chargeback reversed": PspKind.CHARGEBACK_REVERSED,
    "representment": PspKind.CHARGEBACK_REVERSED,
    "reserve": PspKind.RESERVE,
    "rolling reserve": PspKind.RESERVE,
    "reserve release": PspKind.RESERVE,
    "transfer in": PspKind.TRANSFER,
    "transfer out": PspKind.TRANSFER,
    "top up": PspKind.TRANSFER,
    "adjustment": PspKind.ADJUSTMENT,
    "currency conversion": PspKind.CONVERSION,
}


class Checkout:
    """Reads settlement breakdowns and payouts reports, columns by name and in any order."""

    name = "checkout"
    title = "Checkout.com settlement breakdown and payouts reports (CSV)"
    settings: Sequence[Setting] = ()

    def parse(self, stream: IO[bytes], *, filename: str, settings: Mapping[str, str]) -> Parsed:
        return _Reading(stream, filename).parsed()


READER: FileReader = Checkout()


class _Reading:
    """One file of either report while it is read."""

    def __init__(self, stream: IO[bytes], filename: str) -> None:
        self._findings = Findings()
        names = tuple(dict.fromkeys((*_BREAKDOWN, *_BREAKDOWN_MORE, *_PAYOUTS, *_PARTS)))
        self._table = Table(stream, filename=filename, findings=self._findings, required=(), optional=names)
        self._is_payouts = self._table.has("Payout Amount")
        required = _PAYOUTS if self._is_payouts else _BREAKDOWN
        missing = [name for name in required if not self._table.has(name)]
        if missing:
            listed = ", ".join(repr(name) for name in missing)
            raise Unreadable(f"{filename}: line 1: no column {listed}. Is this the right report?")
        self._records: Packed[PspLine] = Packed()
        self._lines = array("L")
        self._seen = Occurrences()
        self._kinds: Counter[str] = Counter()
        self._nets: dict[str, Decimal] = {}
        self._repeats = 0
        self._wrong = 0
        self._read = 0

    def parsed(self) -> Parsed:
        for row in self._table.rows():
            try:
                for line in self._payout(row) if self._is_payouts else self._movement(row):
                    self._append(row, line)
                self._read += 1
            except BadField as error:
                self._findings.reject(row.line, error, row.raw)
        if not self._table.data_rows:
            self._findings.warn("The file has a header and no rows.")
        facts = {"encoding": self._table.encoding(), "rows": str(self._table.data_rows)}
        facts["report"] = "payouts" if self._is_payouts else "settlement breakdown"
        facts.update({f"rows:{kind}": str(count) for kind, count in sorted(self._kinds.items())})
        facts.update({f"net:{name}": shown(net) for name, net in sorted(self._nets.items())})
        return Parsed(
            records=self._records,
            lines=self._lines,
            rejected=self._findings.rejected(),
            control_totals=self._control_totals() if self._table.data_rows else (),
            warnings=self._findings.warnings(),
            facts=facts,
        )

    def _append(self, row: Row, line: PspLine) -> None:
        if line.kind is PspKind.UNKNOWN:
            self._findings.warn(f"line {row.line}: type {line.provider_type!r} is not known; kept, not booked.")
        self._kinds[line.kind.value] += 1
        name = f"{line.payout_key or 'no payout yet'} {line.currency}"
        if len(self._nets) < payouts.PAYOUTS_MAX:
            self._nets[name] = self._nets.get(name, _ZERO) + line.net
        self._records.append(line)
        self._lines.append(row.line)

    def _movement(self, row: Row) -> list[PspLine]:
        """A row of the breakdown: what it is about and, apart, what of it went into the reserve."""
        type_, currency = row.needed("Type"), row.needed("Holding Currency").upper()
        gross, deduction, net = (row.amount(name) for name in (_GROSS, _DEDUCTION, _NET))
        reserve = row.amount(_RESERVE, blank=_ZERO)
        if net != gross + deduction:
            self._wrong += 1
            self._findings.warn(
                f"line {row.line}: gross {shown(gross)} and deduction {shown(deduction)} are not net {shown(net)}."
            )
        kind = _KINDS.get(name_of(type_), PspKind.UNKNOWN)
        if not gross and kind in (PspKind.PAYMENT, PspKind.UNKNOWN):
            kind = PspKind.FEE
        costs = sum((row.amount(name, blank=_ZERO) for name in _COSTS), reserve)
        if costs and costs != deduction:
            self._findings.warn(f"line {row.line}: the parts {shown(costs)} are not the deduction {shown(deduction)}.")
        kept = net - reserve
        # A row that is nothing but a cost: its net is the cost, and it has no fee of its own.
        earned = kept if kind is PspKind.FEE else gross
        paid_in = row.text("Processing Currency").upper() or currency
        line = PspLine(
            line_key=self._key(row, net),
            kind=kind,
            provider_type=type_,
            psp_reference=row.text("Payment ID"),
            merchant_reference=row.text("Reference"),
            modification_reference="",
            gross=earned,
            fee=earned - kept,
            net=kept,
            currency=currency,
            gross_original=row.amount("Gross In Processing Currency", blank=earned) if earned is gross else earned,
            currency_original=paid_in if earned is gross else currency,
            exchange_rate=row.text("FX Rate Applied"),
            payout_key=row.text("Payout ID"),
            bank_reference="",
            booked_at=_moment(row, "Processed On"),
            booked_zone="UTC",
            method=row.text("Payment Method"),
            available_on=_day(row, "Available On"),
        )
        return [line, _held(line, reserve)] if reserve else [line]

    def _payout(self, row: Row) -> list[PspLine]:
        """A row of the payouts report: money that left the balance."""
        payout, currency, paid = (
            row.needed("Payout ID"),
            row.needed("Holding Currency").upper(),
            -row.amount(_PAYOUTS[2]),
        )
        parts = sum((row.amount(name, blank=_ZERO) for name in _PARTS), _ZERO)
        if parts != -paid:
            self._findings.warn(
                f"line {row.line}: the columns add up to {shown(parts)}, paid out were {shown(-paid)} {currency}."
            )
        line = PspLine(
            line_key=self._numbered(reading.key("payout", payout, currency), row.line),
            kind=PspKind.PAYOUT,
            provider_type="Payout",
            psp_reference=payout,
            merchant_reference="",
            modification_reference=payout,
            gross=paid,
            fee=_ZERO,
            net=paid,
            currency=currency,
            gross_original=paid,
            currency_original=currency,
            exchange_rate="",
            payout_key=payout,
            bank_reference=payout,
            booked_at=_moment(row, "Payout Date"),
            booked_zone="UTC",
        )
        return [line]

    def _key(self, row: Row, net: Decimal) -> str:
        payment = row.text("Payment ID")
        content = "" if payment else reading.fingerprint(shown(net), row.text("Reference"))
        stem = reading.key(
            row.text("Type").casefold(),
            payment,
            row.text("Payout ID"),
            row.text("Processed On"),
            row.text("Holding Currency"),
            content,
        )
        return self._numbered(stem, row.line)

    def _numbered(self, stem: str, line: int) -> str:
        number = self._seen.of(stem)
        if number > 1:
            self._repeats += 1
            self._findings.warn(f"line {line}: the same row as before, kept as number {number}.")
        return f"{stem}|{number}"

    def _control_totals(self) -> list[ControlTotal]:
        if self._is_payouts:
            return [payouts.stated_once(self._read, self._repeats)]
        totals = [payouts.count_of("net is gross and deduction", self._read, self._wrong)]
        if self._repeats and self._repeats * 2 >= self._read:
            totals.append(payouts.stated_once(self._read, self._repeats))
        return totals


def _moment(row: Row, name: str) -> datetime:
    return reading.wall_time(row.needed(name), field=name).replace(tzinfo=UTC)


def _day(row: Row, name: str) -> date | None:
    return reading.wall_time(row.text(name), field=name).date() if row.text(name) else None


def _held(line: PspLine, reserve: Decimal) -> PspLine:
    """What of a movement went into the reserve, as a line of its own."""
    return replace(
        line,
        line_key=f"{line.line_key}|reserve",
        kind=PspKind.RESERVE,
        provider_type=f"{line.provider_type}: reserve",
        gross=reserve,
        fee=_ZERO,
        net=reserve,
        gross_original=reserve,
        currency_original=line.currency,
        exchange_rate="",
    )
