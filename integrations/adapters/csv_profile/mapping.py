"""Rows of a file as neutral fields, by a profile: texts, Decimals, UTC moments and days, signed as our books are.

This is what the reader of PSP and bank files builds its records from, and what reads other people's ledgers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import IO, Any

from integrations.adapters import reading
from integrations.adapters.csv_profile import profile as profiles
from integrations.adapters.csv_profile.profile import Profile
from integrations.adapters.reading import BadField, Findings, shown
from integrations.adapters.rows import Row, Table, name_of
from integrations.records import Unreadable

JSON_MAX = 64 * 1024 * 1024
_ZERO = Decimal(0)
Value = str | Decimal | datetime | date


@dataclass(frozen=True, slots=True)
class Mapped:
    """One row: its line (the number of the object in JSON), its text, and what it says by field. Fields of money and
    time that are empty in the file are not there; texts are there as empty texts."""

    line: int
    raw: str
    values: Mapping[str, Value]

    def text(self, field: str) -> str:
        return str(self.values.get(field, ""))

    def money(self, field: str) -> Decimal | None:
        value = self.values.get(field)
        return value if isinstance(value, Decimal) else None


class MappedRows:
    """The rows of one file. What cannot be read goes to `findings`; rows in other states are counted and left out."""

    def __init__(self, stream: IO[bytes], *, filename: str, profile: Profile, findings: Findings) -> None:
        self.filename = filename
        self.passed_over = 0
        self._profile = profile
        self._findings = findings
        self._objects: list[Any] = []
        self._table: Table | None = None
        headers = [header for headers in profile.columns.values() for header in headers]
        self._headers = tuple(dict.fromkeys(headers))
        if profile.format == "json":
            self._objects = _objects(stream, filename)
            known = {key for one in self._objects[:100] if isinstance(one, dict) for key in one}
        else:
            self._table = Table(
                stream,
                filename=filename,
                findings=findings,
                required=(),
                optional=self._headers,
                delimiter=profile.delimiter,
                encoding=profile.encoding,
                header=profile.header_line,
                aside=self._is_no_data if profile.skip_rows else None,
            )
            known = {header for header in self._headers if self._table.has(header)}
        self._check_headers(known)

    @property
    def data_rows(self) -> int:
        return len(self._objects) if self._table is None else self._table.data_rows

    def encoding(self) -> str:
        return "utf-8" if self._table is None else self._table.encoding()

    def __iter__(self) -> Iterator[Mapped]:
        for row in self._table.rows() if self._table is not None else self._json_rows():
            try:
                values = self._values(row)
            except BadField as error:
                self._findings.reject(row.line, error, row.raw)
                continue
            if values is None:
                self.passed_over += 1
            else:
                yield Mapped(row.line, row.raw, values)

    def _check_headers(self, known: set[str]) -> None:
        """What a row cannot do without must be there; of what may be empty a missing header is only said."""
        if not self._objects and self._table is None:
            return
        must = {"booked_at", "booking_date", "currency", "account", "state", "direction", "debit", "credit", "net"}
        for field, headers in self._profile.columns.items():
            missing = [header for header in headers if header not in known]
            vital = field in must or field in self._profile.key or field == "amount"
            vital = vital or (field == "gross" and not self._profile.has("net"))
            if missing and vital:
                raise Unreadable(
                    f"{self.filename}: no column {missing[0]!r}, or it stands there twice ({missing[0]}#1, "
                    f"{missing[0]}#2). Is this the right file for the profile?"
                )
            for header in missing:
                self._findings.warn(f"the file has no column {header!r}, so {field} is empty.")

    def _is_no_data(self, line: int, cells: list[str]) -> bool:
        return name_of(cells[0]) in self._profile.skip_rows

    def _json_rows(self) -> Iterator[Row]:
        places = {header: place for place, header in enumerate(self._headers)}
        for number, found in enumerate(self._objects, start=1):
            raw = json.dumps(found, ensure_ascii=False)
            if not isinstance(found, dict):
                self._findings.reject(number, BadField("row", "is not an object."), raw)
                continue
            yield Row(number, raw, [_json_text(found.get(header)) for header in self._headers], places)

    def _values(self, row: Row) -> dict[str, Value] | None:
        """The fields of a row; None for one that is not to be taken."""
        profile = self._profile
        values: dict[str, Value] = dict(profile.constants)
        texts = {
            field: " ".join(text for header in headers if (text := row.text(header)))
            for field, headers in profile.columns.items()
        }
        if profile.keep_states and name_of(texts.get("state", "")) not in profile.keep_states:
            return None
        currency = str(texts.get("currency", "") or profile.constants.get("currency", "")).upper()
        if not currency:
            raise BadField(profile.header("currency"), "is empty.")
        for field, text in texts.items():
            if field not in (*profiles.MONEY, *profiles.TIMES, *profiles.DAYS):
                values[field] = text
            elif not text:
                continue
            elif field in profiles.MONEY:
                values[field] = profile.number(text, field, currency)
            else:
                values[field] = profile.moment(text, field) if field in profiles.TIMES else profile.day(text, field)
        values["currency"] = currency
        self._sign(values)
        return values

    def _sign(self, values: dict[str, Value]) -> None:
        """Put the sign on amounts that say it elsewhere; a fee becomes positive where it is a cost."""
        profile = self._profile
        fee = values.get("fee")
        if isinstance(fee, Decimal):
            values["fee"] = fee * profile.fee_factor if fee else _ZERO
        if profile.sign.startswith("pair"):
            values["net" if profile.kind == "psp" else "amount"] = self._pair(values)
        elif profile.sign == "direction":
            factor = self._factor(str(values.get("direction", "")))
            for field in ("amount", "gross", "net", "gross_original"):
                value = values.get(field)
                if isinstance(value, Decimal):
                    if value < 0:
                        raise BadField(
                            profile.header(field), f"{shown(value)} is negative; the direction says the sign."
                        )
                    values[field] = value * factor if value else _ZERO

    def _pair(self, values: dict[str, Value]) -> Decimal:
        amounts = []
        for field in ("debit", "credit"):
            value = values.pop(field, None)
            amounts.append(value if isinstance(value, Decimal) else _ZERO)
        debit, credit = amounts
        header = self._profile.header("debit")
        if debit and credit:
            raise BadField(header, f"{header} and {self._profile.header('credit')} are both filled.")
        signed = self._profile.sign == "pair_signed"
        if credit < 0 or (debit > 0 if signed else debit < 0):
            raise BadField(header, f"{shown(debit or credit)} has the wrong sign for its column.")
        return credit + (debit if signed else -debit)

    def _factor(self, text: str) -> int:
        if name_of(text) in self._profile.money_in:
            return 1
        if name_of(text) in self._profile.money_out:
            return -1
        raise BadField(self._profile.header("direction"), f"{text[:40]!r} is neither in money_in nor in money_out.")


def _objects(stream: IO[bytes], filename: str) -> list[Any]:
    body = b"".join(reading.chunks(stream, filename=filename, limit=JSON_MAX))
    try:
        # Numbers stay text: an amount must not pass through a float.
        found = json.loads(body.decode("utf-8-sig"), parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{filename}: not JSON: {str(error)[:200]}. Fetch it again from the source.") from None
    if not isinstance(found, list):
        raise Unreadable(f"{filename}: the JSON is not an array of objects. Is this the right file for the profile?")
    return found


def _json_text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
