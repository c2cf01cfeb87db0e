"""Reads a provider's executions by a profile (profile.py), and holds them against the file's closing row.

The closing row states how many rows there are and the sum of their quantity in the file's own unit. A file
whose profile promises one and that has none was cut off: it does not prove itself. Quantities become units
of the base asset, sides the broker's, commissions signed (a cost is negative). An execution number that
comes twice is kept twice and said: whether it is a duplicate is for the reconciliation to show.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import IO

from integrations.adapters import zones
from integrations.adapters.lp_fills import profile as profiles
from integrations.adapters.lp_fills.profile import Profile
from integrations.adapters.packed import Packed
from integrations.adapters.reading import BadField, Findings, Occurrences, shown
from integrations.adapters.rows import Row, Table, name_of
from integrations.ports import FileReader, Setting
from integrations.records import ControlTotal, Fill, Parsed

_ZERO = Decimal(0)


class LpFills:
    """Reads CSV files of executions; the layout comes from the setting `profile`."""

    name = "lp_fills"
    title = "Liquidity provider executions (CSV by profile)"
    settings: Sequence[Setting] = (
        Setting(
            "profile",
            "File profile (JSON)",
            "Empty for a plain CSV: exec_id,order_ref,symbol,side,quantity,price,traded_at,commission,"
            "commission_currency,account and a closing row TRAILER,count,sum of quantity.",
            required=False,
        ),
    )

    def parse(self, stream: IO[bytes], *, filename: str, settings: Mapping[str, str]) -> Parsed:
        profile = profiles.read(settings.get("profile", ""))
        return _Reading(stream, filename, profile).parsed()


READER: FileReader = LpFills()


class _Reading:
    """One file while it is read."""

    def __init__(self, stream: IO[bytes], filename: str, profile: Profile) -> None:
        self._profile = profile
        self._findings = Findings()
        self._table = Table(
            stream,
            filename=filename,
            findings=self._findings,
            required=[profile.columns[name] for name in profiles.REQUIRED],
            optional=[profile.columns[name] for name in profiles.OPTIONAL if name in profile.columns],
            delimiter=profile.delimiter,
            encoding=profile.encoding,
            aside=self._is_trailer,
        )
        self._records: Packed[Fill] = Packed()
        self._lines = array("L")
        self._seen = Occurrences()
        self._quantity = _ZERO
        self._trailer: list[str] | None = None
        self._twice = 0
        self._repeated = 0

    def parsed(self) -> Parsed:
        for row in self._table.rows():
            try:
                if self._trailer is not None:
                    raise BadField("row", "stands after the closing row.")
                self._add(row)
            except BadField as error:
                self._findings.reject(row.line, error, row.raw)
        if not self._table.data_rows:
            self._findings.warn("The file has a header and no rows.")
        if self._twice:
            zone = self._profile.time_zone
            self._findings.warn(f"{self._twice} times fall in the hour that happens twice in {zone}: the first taken.")
        return Parsed(
            records=self._records,
            lines=self._lines,
            rejected=self._findings.rejected(),
            control_totals=self._control_totals(),
            warnings=self._findings.warnings(),
            facts={
                "encoding": self._table.encoding(),
                "rows": str(self._table.data_rows),
                "quantity": shown(self._quantity),
                "repeated_exec_ids": str(self._repeated),
            },
        )

    def _is_trailer(self, line: int, cells: list[str]) -> bool:
        trailer = self._profile.trailer
        if trailer is None or name_of(cells[0]) != name_of(trailer.marker):
            return False
        if self._trailer is not None:
            self._findings.reject(line, BadField("row", "is a second closing row."), ",".join(cells))
        self._trailer = self._trailer or cells
        return True

    def _add(self, row: Row) -> None:
        profile = self._profile
        exec_id, symbol = self._needed(row, "exec_id"), self._needed(row, "symbol")
        side_text, time_text = self._needed(row, "side"), self._needed(row, "traded_at")
        side = profile.side.get(name_of(side_text))
        if side is None:
            raise BadField(profile.columns["side"], f"{side_text[:40]!r} is not in the profile's side map.")
        quantity, price = self._positive(row, "quantity"), self._positive(row, "price")
        traded = profile.moment(time_text, profile.columns["traded_at"])
        commission = self._text(row, "commission")
        fill = Fill(
            exec_id=exec_id,
            order_ref=self._text(row, "order_ref"),
            symbol=symbol,
            side=side,
            quantity_units=profile.units(quantity, symbol),
            price=price,
            traded_at=traded.utc,
            trade_date=profile.day(traded.utc),
            commission=self._commission(commission),
            commission_currency=self._text(row, "commission_currency"),
            account=self._text(row, "account"),
        )
        number = self._seen.of(exec_id)
        if number > 1:
            self._repeated += 1
            self._findings.warn(f"line {row.line}: execution {exec_id[:60]!r} for the {number}. time in this file.")
        self._twice += traded.doubt is zones.Doubt.HAPPENS_TWICE
        self._records.append(fill)
        self._lines.append(row.line)
        self._quantity += quantity

    def _text(self, row: Row, field: str) -> str:
        header = self._profile.columns.get(field)
        return row.text(header) if header else ""

    def _needed(self, row: Row, field: str) -> str:
        return row.needed(self._profile.columns[field])

    def _positive(self, row: Row, field: str) -> Decimal:
        header = self._profile.columns[field]
        number = self._profile.number(row.needed(header), header)
        if number <= 0:
            raise BadField(header, f"{shown(number)} is not above zero.")
        return number

    def _commission(self, text: str) -> Decimal:
        if not text:
            return _ZERO
        number = self._profile.number(text, self._profile.columns["commission"])
        return number * self._profile.commission_factor if number else _ZERO

    def _control_totals(self) -> list[ControlTotal]:
        trailer = self._profile.trailer
        if trailer is None:
            return []
        totals = [ControlTotal("closing row", "1", "0" if self._trailer is None else "1")]
        if self._trailer is None:
            return totals
        if trailer.count >= 0:
            stated = self._stated(trailer.count)
            totals.append(ControlTotal("number of rows", stated.lstrip("0") or "0", str(self._table.data_rows)))
        if trailer.quantity >= 0:
            stated = self._stated(trailer.quantity)
            try:
                stated = shown(self._profile.number(stated, "sum of quantity"))
            except BadField as error:
                self._findings.warn(f"closing row: {error}")
            totals.append(ControlTotal("sum of quantity", stated, shown(self._quantity)))
        return totals

    def _stated(self, place: int) -> str:
        """A cell of the closing row; a word that no total equals where it is missing."""
        assert self._trailer is not None
        cell = self._trailer[place].strip() if place < len(self._trailer) else ""
        return cell or "not stated"
