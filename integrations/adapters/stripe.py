"""Stripe's balance files (CSV): payout reconciliation, balance change, payouts, and the dashboard's own export.

Source: docs.stripe.com, reports `payout_reconciliation.itemized`, `balance_change_from_activity.itemized`,
`payouts.itemized` (one set of header names) and the dashboard's balance export (another). What money hangs on:

- Amounts are signed and in major units, and on every row net = gross - fee. A row that breaks this is kept as
  Stripe prints it and the file is held: somebody has edited it.
- Where a payout stands in the file, its rows and the payout add up to zero. One that was made by hand has no rows
  and proves nothing; one of which the rows came in an earlier file is proved against what is stored.
- A fee may come without a payout although it was taken from one: it belongs to the only payout in the file with the
  same effective time and currency.
- Reserved money comes in pairs: a hold, and its release dated ahead (`available_on`). The release counts on its day.
- The dashboard prints a decimal comma in some languages. "1,50" can only be that; "1,500" could be either and is
  refused unless the connection says which (`decimal`).
- Times are UTC where the header says so, else in the zone of the connection (`time_zone`).
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import IO

from integrations.adapters import payouts, reading, zones
from integrations.adapters.packed import Packed
from integrations.adapters.reading import BadField, Findings, Occurrences, shown
from integrations.adapters.rows import Row, Table
from integrations.ports import FileReader, Setting
from integrations.records import Parsed, PspKind, PspLine, Unreadable

_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d)(:\d\d(?:\.\d{1,6})?)?", re.ASCII)
_COMMA = re.compile(r"[+-]?\d+,(\d{1,2})", re.ASCII)
_POINT = re.compile(r"[+-]?\d*\.\d+", re.ASCII)

# Stripe's reporting categories and the dashboard's transaction types. What comes new is UNKNOWN: kept, not booked.
_KINDS = {
    "charge": PspKind.PAYMENT,
    "payment": PspKind.PAYMENT,
    "refund": PspKind.REFUND,
    "payment_refund": PspKind.REFUND,
    "partial_capture_reversal": PspKind.REFUND,
    # The payer's bank took the payment back, which is no dispute.
    "charge_failure": PspKind.REFUND,
    "payment_failure_refund": PspKind.REFUND,
    "refund_failure": PspKind.REFUND_REVERSED,
    "dispute": PspKind.CHARGEBACK,
    "dispute_reversal": PspKind.CHARGEBACK_REVERSED,
    "fee": PspKind.FEE,
    "stripe_fee": PspKind.FEE,
    "network_cost": PspKind.FEE,
    "payment_network_cost": PspKind.FEE,
    "tax_fee": PspKind.FEE,
    "payout": PspKind.PAYOUT,
    # A payout that came back: the same kind, credited.
    "payout_reversal": PspKind.PAYOUT,
    "payout_failure": PspKind.PAYOUT,
    "payout_cancel": PspKind.PAYOUT,
    "risk_reserved_funds": PspKind.RESERVE,
    "reserved_funds": PspKind.RESERVE,
    "reserve_transaction": PspKind.RESERVE,
    "reserve_hold": PspKind.RESERVE,
    "reserve_release": PspKind.RESERVE,
    "payment_network_reserve_hold": PspKind.RESERVE,
    "payment_network_reserve_release": PspKind.RESERVE,
    "topup": PspKind.TRANSFER,
    "topup_reversal": PspKind.TRANSFER,
    "transfer": PspKind.TRANSFER,
    "transfer_reversal": PspKind.TRANSFER,
    "other_adjustment": PspKind.ADJUSTMENT,
    "adjustment": PspKind.ADJUSTMENT,
}


@dataclass(frozen=True, slots=True)
class _Layout:
    """The names of one of the two sets of headers. Where several are given, the first that the file has counts."""

    key: str
    kind: str
    gross: str
    fee: str
    net: str
    currency: str
    created: tuple[str, ...]
    available: tuple[str, ...]
    payout: tuple[str, ...]
    effective: tuple[str, ...]
    source: tuple[str, ...]

    @property
    def required(self) -> tuple[str, ...]:
        return (self.key, self.kind, self.gross, self.fee, self.net, self.currency)

    @property
    def optional(self) -> tuple[str, ...]:
        return (*self.created, *self.available, *self.payout, *self.effective, *self.source)


_REPORT = _Layout(
    key="balance_transaction_id",
    kind="reporting_category",
    gross="gross",
    fee="fee",
    net="net",
    currency="currency",
    created=("created_utc", "created", "effective_at_utc", "effective_at"),
    available=("available_on_utc", "available_on"),
    payout=("automatic_payout_id", "payout_id"),
    effective=("automatic_payout_effective_at_utc", "automatic_payout_effective_at"),
    source=("charge_id", "source_id"),
)
_DASHBOARD = _Layout(
    key="id",
    kind="Type",
    gross="Amount",
    fee="Fee",
    net="Net",
    currency="Currency",
    created=("Created (UTC)",),
    available=("Available On (UTC)",),
    payout=("Transfer",),
    effective=("Transfer Date (UTC)",),
    source=("Source",),
)
_BOTH = tuple(name for layout in (_REPORT, _DASHBOARD) for name in (*layout.required, *layout.optional))
_MORE = ("source_id", "payment_intent_id", "trace_id", "payment_method_type", "card_brand")
_PAID = (
    ("customer_facing_amount", "customer_facing_currency"),
    ("Customer Facing Amount", "Customer Facing Currency"),
)


class Stripe:
    """Reads balance reports and the dashboard's export, columns by name and in any order."""

    name = "stripe"
    title = "Stripe balance reports and dashboard export (CSV)"
    settings: Sequence[Setting] = (
        Setting("metadata_key", "Metadata key of our reference", "as we give it to Stripe", False, default="reference"),
        Setting("time_zone", "Time zone of times without UTC", "IANA name", False, default="UTC"),
        Setting("decimal", "Decimal character", "auto, point or comma", False, default="auto"),
    )

    def parse(self, stream: IO[bytes], *, filename: str, settings: Mapping[str, str]) -> Parsed:
        return _Reading(stream, filename, settings).parsed()


READER: FileReader = Stripe()


class _Reading:
    """One file while it is read."""

    def __init__(self, stream: IO[bytes], filename: str, settings: Mapping[str, str]) -> None:
        self._findings = Findings()
        self._zone = settings.get("time_zone", "") or "UTC"
        self._decimal = settings.get("decimal", "") or "auto"
        if zones.zone(self._zone) is None:
            raise Unreadable(f"{filename}: the connection's time zone {self._zone!r} is not known.")
        if self._decimal not in ("auto", "point", "comma"):
            raise Unreadable(f"{filename}: the connection's setting decimal must be auto, point or comma.")
        key = settings.get("metadata_key", "") or "reference"
        self._references = (f"payment_metadata[{key}]", f"refund_metadata[{key}]", f"{key} (metadata)")
        optional = (*_BOTH, *self._references, *_MORE, *(name for pair in _PAID for name in pair))
        self._table = Table(stream, filename=filename, findings=self._findings, required=(), optional=optional)
        self._layout = self._layout_of(filename)
        self._records: Packed[PspLine] = Packed()
        self._lines = array("L")
        self._seen = Occurrences()
        self._repeated = 0
        self._wrong = 0
        self._kinds: Counter[str] = Counter()
        self._separators: Counter[str] = Counter()
        self._by_effective: dict[tuple[str, str], set[str]] = {}
        self._homeless: dict[int, tuple[str, str]] = {}

    def parsed(self) -> Parsed:
        for row in self._table.rows():
            try:
                self._add(row)
            except BadField as error:
                self._findings.reject(row.line, error, row.raw)
        if not self._table.data_rows:
            self._findings.warn("The file has a header and no rows.")
        records = self._at_home()
        sums = payouts.PayoutSums(filename=self._table.filename)
        for line in records:
            sums.add_line(line)
        rows = len(records)
        totals = [payouts.count_of("net is gross less fee", rows, self._wrong)] if rows else []
        totals += [payouts.stated_once(rows, self._repeated)] if rows else []
        if len(self._separators) > 1:
            totals.append(payouts.count_of("one decimal character", rows, min(self._separators.values())))
        totals += sums.totals()
        if not totals and self._findings.rejections:
            totals.append(payouts.count_of("rows that can be read", self._table.data_rows, self._table.data_rows))
        return Parsed(
            records=records,
            lines=self._lines,
            rejected=self._findings.rejected(),
            control_totals=totals,
            warnings=self._findings.warnings(),
            facts=self._facts(records),
        )

    def _layout_of(self, filename: str) -> _Layout:
        for layout in (_REPORT, _DASHBOARD):
            if self._table.has(layout.key) and self._table.has(layout.kind):
                missing = [name for name in layout.required if not self._table.has(name)]
                if not any(self._table.has(name) for name in layout.created):
                    missing.append(layout.created[0])
                if missing:
                    listed = ", ".join(repr(name) for name in missing)
                    raise Unreadable(f"{filename}: line 1: no column {listed}. Is this the right report?")
                return layout
        raise Unreadable(
            f"{filename}: line 1: neither columns 'balance_transaction_id' and 'reporting_category' nor 'id' and "
            "'Type'. Is this an itemized balance report?"
        )

    def _add(self, row: Row) -> None:
        layout = self._layout
        currency = row.needed(layout.currency).upper()
        kind = _KINDS.get(row.needed(layout.kind).casefold(), PspKind.UNKNOWN)
        gross, fee, net = (self._amount(row, name) for name in (layout.gross, layout.fee, layout.net))
        key = row.needed(layout.key)
        booked_at, zone = self._moment(row, layout.created)
        payout = self._first(row, layout.payout)
        effective = (self._first(row, layout.effective), currency)
        source = self._first(row, layout.source)
        paid, paid_in = self._paid(row, gross, currency)
        line = PspLine(
            line_key=self._key(row, key),
            kind=kind,
            provider_type=row.text(layout.kind),
            psp_reference=source or key,
            merchant_reference=self._first(row, self._references),
            modification_reference=row.text("source_id") or key,
            gross=gross,
            fee=fee,
            net=net,
            currency=currency,
            gross_original=paid,
            currency_original=paid_in,
            exchange_rate="",
            payout_key=payout or (source if kind is PspKind.PAYOUT else ""),
            bank_reference=(row.text("trace_id") or payout or source) if kind is PspKind.PAYOUT else "",
            booked_at=booked_at,
            booked_zone=zone,
            method=row.text("card_brand") or row.text("payment_method_type"),
            available_on=self._available(row),
        )
        if net != gross - fee:
            self._wrong += 1
            self._findings.warn(
                f"line {row.line}: gross {shown(gross)} less fee {shown(fee)} is not net {shown(net)} {currency}."
            )
        if kind is PspKind.UNKNOWN:
            self._findings.warn(f"line {row.line}: category {line.provider_type!r} is not known; kept, not booked.")
        if effective[0] and payout:
            self._by_effective.setdefault(effective, set()).add(payout)
        elif effective[0] and not line.payout_key:
            self._homeless[len(self._records)] = effective
        self._kinds[kind.value] += 1
        self._records.append(line)
        self._lines.append(row.line)

    def _at_home(self) -> Packed[PspLine]:
        """The lines, those without a payout put to the only one of the same effective time and currency."""
        found = {
            place: next(iter(homes))
            for place, effective in self._homeless.items()
            if len(homes := self._by_effective.get(effective, set())) == 1
        }
        if not found:
            return self._records
        settled: Packed[PspLine] = Packed()
        for place, line in enumerate(self._records):
            settled.append(replace(line, payout_key=found[place]) if place in found else line)
        self._findings.warn(f"{len(found)} rows name no payout; they were put to the one of the same effective time.")
        return settled

    def _amount(self, row: Row, name: str) -> Decimal:
        text = row.needed(name)
        if self._decimal == "point" or "," not in text:
            if self._decimal == "comma" and "." in text:
                raise BadField(name, f"{text[:40]!r} has a point; the connection says decimal comma.")
            self._separators.update(["point"] if _POINT.fullmatch(text) else [])
            return reading.amount(text, field=name)
        if self._decimal == "auto" and not _COMMA.fullmatch(text):
            raise BadField(
                name, f"{text[:40]!r} could be thousands or decimals; set the connection's decimal character."
            )
        self._separators["comma"] += 1
        return reading.amount(text.replace(",", ".", 1), field=name)

    def _paid(self, row: Row, gross: Decimal, currency: str) -> tuple[Decimal, str]:
        """What the payer paid, in what: the presentment amount has no sign of its own."""
        for amount, unit in _PAID:
            if row.text(amount) and row.text(unit):
                shown_to_payer = self._amount(row, amount)
                return (-shown_to_payer if gross < 0 < shown_to_payer else shown_to_payer), row.text(unit).upper()
        return gross, currency

    def _moment(self, row: Row, names: Sequence[str]) -> tuple[datetime, str]:
        name = next((name for name in names if row.text(name)), names[0])
        zone = "UTC" if "utc" in name.casefold() else self._zone
        found = zones.to_utc(_wall(row.needed(name), name), zone)
        if found.doubt is not zones.Doubt.NONE:
            self._findings.warn(f"line {row.line}: {name} in {zone}: {found.doubt.value}.")
        return found.utc, zone

    def _available(self, row: Row) -> date | None:
        name = next((name for name in self._layout.available if row.text(name)), "")
        return _wall(row.text(name), name).date() if name else None

    def _first(self, row: Row, names: Sequence[str]) -> str:
        return next((text for name in names if (text := row.text(name))), "")

    def _key(self, row: Row, key: str) -> str:
        number = self._seen.of(key)
        if number > 1:
            self._repeated += 1
            self._findings.warn(f"line {row.line}: transaction {key[:60]!r} for the {number}. time in this file.")
        return f"{reading.key(key)}|{number}"

    def _facts(self, records: Sequence[PspLine]) -> dict[str, str]:
        facts = {"encoding": self._table.encoding(), "rows": str(self._table.data_rows)}
        facts.update({f"rows:{kind}": str(count) for kind, count in sorted(self._kinds.items())})
        nets: dict[str, Decimal] = {}
        held: dict[str, Decimal] = {}
        for line in records:
            nets[line.currency] = nets.get(line.currency, Decimal(0)) + line.net
            if line.kind is PspKind.RESERVE:
                held[line.currency] = held.get(line.currency, Decimal(0)) - line.net
        facts.update({f"net:{currency}": shown(net) for currency, net in sorted(nets.items())})
        facts.update({f"reserved:{currency}": shown(amount) for currency, amount in sorted(held.items())})
        return facts


def _wall(text: str, field: str) -> datetime:
    """A local time; the dashboard leaves the seconds out."""
    found = _TIME.fullmatch(text)
    return reading.wall_time(f"{found[1]} {found[2]}{found[3] or ':00'}" if found else text, field=field)
