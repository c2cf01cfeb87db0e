"""Adyen's payments accounting report (CSV): the steps of each payment's life, from received to settled.

Source: docs.adyen.com, reporting, payments accounting report. It is a register of states and not of the balance: no
payouts, no fees of its own, and what it calls settled stands in the settlement details report with the money. So its
lines are kept as PAYMENT_STATE, with the amount of the payment and a net of zero, and nothing of them is booked: they
say what was captured and should arrive. The report has no control total. Where a row names what it paid and what that
cost in the payment's own currency, the two must make up the main amount, or a warning says so.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import IO

from integrations.adapters import reading, zones
from integrations.adapters.packed import Packed
from integrations.adapters.reading import BadField, Findings, Occurrences, shown
from integrations.adapters.rows import Row, Table
from integrations.ports import FileReader, Setting
from integrations.records import Parsed, PspKind, PspLine

_ZERO = Decimal(0)
_FEES = ("Commission (SC)", "Markup (SC)", "Scheme Fees (SC)", "Interchange (SC)")
_REQUIRED = (
    *("Merchant Account", "Psp Reference", "Merchant Reference", "Booking Date", "TimeZone", "Record Type"),
    *("Modification Psp Reference", "Main Currency", "Main Amount", "Captured (PC)", "Payable (SC)"),
)
_OPTIONAL = ("Payment Method", "Settlement Currency", "Exchange Rate", "Payable Batch", *_FEES)


class AdyenPayments:
    """Reads payments accounting reports, columns by name and in any order."""

    name = "adyen_payments"
    title = "Adyen payments accounting report (CSV): states of payments, never booked"
    settings: Sequence[Setting] = ()

    def parse(self, stream: IO[bytes], *, filename: str, settings: Mapping[str, str]) -> Parsed:
        return _Reading(stream, filename).parsed()


READER: FileReader = AdyenPayments()


class _Reading:
    """One file while it is read."""

    def __init__(self, stream: IO[bytes], filename: str) -> None:
        self._findings = Findings()
        self._table = Table(stream, filename=filename, findings=self._findings, required=_REQUIRED, optional=_OPTIONAL)
        self._records: Packed[PspLine] = Packed()
        self._lines = array("L")
        self._seen = Occurrences()
        self._states: Counter[str] = Counter()

    def parsed(self) -> Parsed:
        for row in self._table.rows():
            try:
                self._add(row)
            except BadField as error:
                self._findings.reject(row.line, error, row.raw)
        if not self._table.data_rows:
            self._findings.warn("The file has a header and no rows.")
        facts = {"encoding": self._table.encoding(), "rows": str(self._table.data_rows)}
        facts.update({f"rows:{state}": str(count) for state, count in sorted(self._states.items())})
        return Parsed(
            records=self._records,
            lines=self._lines,
            rejected=self._findings.rejected(),
            warnings=self._findings.warnings(),
            facts=facts,
        )

    def _add(self, row: Row) -> None:
        state, currency = row.needed("Record Type"), row.needed("Main Currency")
        amount = row.amount("Main Amount")
        booked_at, zone = self._booked(row)
        settled_in = row.text("Settlement Currency")
        payable, captured = (row.amount(name, blank=_ZERO) for name in ("Payable (SC)", "Captured (PC)"))
        batch = row.text("Payable Batch")
        line = PspLine(
            line_key=self._key(row, state),
            kind=PspKind.PAYMENT_STATE,
            provider_type=state,
            psp_reference=row.needed("Psp Reference"),
            merchant_reference=row.text("Merchant Reference"),
            modification_reference=row.text("Modification Psp Reference"),
            gross=amount,
            fee=_ZERO,
            net=_ZERO,
            currency=currency,
            gross_original=captured or amount,
            currency_original=currency,
            exchange_rate=row.text("Exchange Rate"),
            payout_key=f"batch {batch} {settled_in or currency}" if batch else "",
            bank_reference="",
            booked_at=booked_at,
            booked_zone=zone,
            method=row.text("Payment Method"),
        )
        fees = sum((row.amount(name, blank=_ZERO) for name in _FEES), _ZERO)
        if payable and settled_in == currency and abs(payable + fees) != abs(amount):
            self._findings.warn(
                f"line {row.line}: payable {shown(payable)} and fees {shown(fees)} are not the main amount "
                f"{shown(amount)} {currency}."
            )
        self._states[state] += 1
        self._records.append(line)
        self._lines.append(row.line)

    def _booked(self, row: Row) -> tuple[datetime, str]:
        field, zone = "Booking Date", row.text("TimeZone")
        moment = zones.to_utc(reading.wall_time(row.needed(field), field=field), zone)
        if moment.doubt is not zones.Doubt.NONE:
            self._findings.warn(f"line {row.line}: time zone {zone!r}: {moment.doubt.value}.")
        return moment.utc, zone

    def _key(self, row: Row, state: str) -> str:
        stem = reading.key(
            row.text("Merchant Account"),
            state.casefold(),
            row.text("Psp Reference"),
            row.text("Modification Psp Reference"),
            row.text("Booking Date"),
        )
        return f"{stem}|{self._seen.of(stem)}"
