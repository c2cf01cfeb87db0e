"""What a file's columns are: a JSON object, so that a new PSP or bank needs no code.

Keys (all but kind and columns optional; what is left out is as in DEFAULT):

    kind            "psp", "bank" or "ledger": what the rows become
    format          "csv", or "json" for an array of objects
    delimiter       one character
    encoding        "auto" (UTF-8, else cp1252) or a codec whose line feed is one byte
    header_line     the line of the file with the headers; what stands above it is passed over
    columns         field -> header, or a list of headers whose texts are joined; "Name#2" is the second of that name
    constants       field -> value, for what the file does not say
    decimal         "." or ","
    thousands       what groups digits by three, or empty: grouping is refused then
    minor_units     null, or {currency: digits} with "*" for the others: amounts are whole numbers of 10^-digits
    sign            "signed"; "pair" (fields debit and credit, unsigned); "pair_signed" (debits are printed negative);
                    "direction" (unsigned, the field direction says which way)
    money_in        texts of direction that are money to us
    money_out       texts of direction that are money from us
    fee_sign        "cost" (a positive fee is a cost) or "signed" (a negative one is)
    date_formats    a list of "iso" and strptime formats, tried in this order
    time_zone       IANA name or abbreviation of times that carry no offset of their own
    types           text of the field type -> a kind of PSP line; "*" for all others
    keep_states     texts of the field state; rows in any other state are passed over. Empty: all rows
    skip_rows       first cells of rows that are no data (totals, disclaimers)
    key             fields that say which row is which; empty: id, else the whole row

Fields of money: amount, debit, credit, gross, fee, net, gross_original, balance. Of times: booked_at. Of days:
booking_date, value_date, available_on. All others are texts; a ledger may name its own.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from integrations.adapters import zones
from integrations.adapters.reading import YEARS, BadField, amount
from integrations.adapters.rows import name_of
from integrations.records import PspKind, Unreadable

KINDS = ("psp", "bank", "ledger")
SIGNS = ("signed", "pair", "pair_signed", "direction")
MONEY = ("amount", "debit", "credit", "gross", "fee", "net", "gross_original", "balance")
TIMES = ("booked_at",)
DAYS = ("booking_date", "value_date", "available_on")
_COMMON = ("id", "account", "currency", "state", "direction", "amount", "debit", "credit", "fee")
FIELDS: Mapping[str, tuple[str, ...]] = {
    "psp": (
        *("booked_at", *_COMMON, "gross", "net", "type", "psp_reference", "merchant_reference"),
        *("modification_reference", "gross_original", "currency_original", "exchange_rate", "payout_key"),
        *("bank_reference", "available_on", "method"),
    ),
    "bank": (
        *("booking_date", *_COMMON, "value_date", "statement_id", "bank_reference", "end_to_end_id", "remittance"),
        *("counterparty", "counterparty_account", "bank_code", "balance"),
    ),
    "ledger": ("booked_at", "booking_date", *_COMMON, "type", "gross", "net", "reference", "description"),
}
DEFAULT: Mapping[str, Any] = {
    "kind": "",
    "format": "csv",
    "delimiter": ",",
    "encoding": "auto",
    "header_line": 1,
    "columns": {},
    "constants": {},
    "decimal": ".",
    "thousands": "",
    "minor_units": None,
    "sign": "signed",
    "money_in": [],
    "money_out": [],
    "fee_sign": "cost",
    "date_formats": ["iso"],
    "time_zone": "UTC",
    "types": {},
    "keep_states": [],
    "skip_rows": [],
    "key": [],
}
THOUSANDS = ("", "'", "’", ",", ".", " ", "\u00a0", "\u202f", "_")
_FIELD = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_HEADER_LINE_MAX = 200


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile that has been checked."""

    kind: str
    format: str
    delimiter: str
    encoding: str
    header_line: int
    columns: Mapping[str, tuple[str, ...]]
    constants: Mapping[str, str]
    decimal: str
    thousands: str
    minor_units: Mapping[str, int] | None
    sign: str
    money_in: frozenset[str]
    money_out: frozenset[str]
    fee_factor: int
    date_formats: tuple[str, ...]
    time_zone: str
    types: Mapping[str, PspKind]
    keep_states: frozenset[str]
    skip_rows: frozenset[str]
    key: tuple[str, ...]

    def has(self, field: str) -> bool:
        return field in self.columns or field in self.constants

    def header(self, field: str) -> str:
        """The field as a person finds it in the file."""
        return " + ".join(self.columns[field]) if field in self.columns else field

    def number(self, text: str, field: str, currency: str) -> Decimal:
        """An amount as the file spells it. Grouping that the profile does not name is refused, not guessed."""
        bare, header = text.strip(), self.header(field)
        if self.thousands and self.thousands in bare:
            whole, _, rest = bare.partition(self.decimal)
            groups = whole.lstrip("+-").split(self.thousands)
            if len(groups[0]) not in (1, 2, 3) or any(len(group) != 3 for group in groups[1:]):
                raise BadField(header, f"{bare[:40]!r} is not grouped by three.")
            bare = whole.replace(self.thousands, "") + (self.decimal + rest if rest else "")
        if self.decimal == ",":
            if "." in bare:
                raise BadField(header, f"{text[:40]!r} has a point, but the profile says decimal comma.")
            bare = bare.replace(",", ".")
        value = amount(bare, field=header)
        if self.minor_units is None:
            return value
        if value != value.to_integral_value():
            raise BadField(header, f"{text[:40]!r} has decimals, but the profile says minor units.")
        return value.scaleb(-self.minor_units.get(currency, self.minor_units["*"]))

    def moment(self, text: str, field: str) -> datetime:
        """The UTC moment. An offset in the text wins over the profile's time zone."""
        local = self._local(text, field)
        if local.tzinfo is not None:
            return local.astimezone(UTC)
        found = zones.to_utc(local, self.time_zone)
        if found.doubt is zones.Doubt.DOES_NOT_EXIST:
            raise BadField(self.header(field), f"{text[:40]!r} does not exist in {self.time_zone}.")
        return found.utc

    def day(self, text: str, field: str) -> date:
        """The day in the profile's time zone."""
        local = self._local(text, field)
        return (local.astimezone(zones.zone(self.time_zone)) if local.tzinfo else local).date()

    def _local(self, text: str, field: str) -> datetime:
        for wanted in self.date_formats:
            try:
                iso = wanted == "iso"
                local = datetime.fromisoformat(text) if iso else datetime.strptime(text, wanted)  # noqa: DTZ007
            except ValueError:
                continue
            if local.year in YEARS and text.isascii():
                return local
        raise BadField(self.header(field), f"{text[:40]!r} is not a date of format {' or '.join(self.date_formats)}.")

    def kind_of(self, text: str) -> PspKind:
        return self.types.get(name_of(text), self.types.get("*", PspKind.UNKNOWN))


def read(text: str) -> Profile:
    """Check a profile and fill in the defaults. Raises Unreadable naming the key."""
    given = _json(text)
    unknown = sorted(set(given) - set(DEFAULT))
    if unknown:
        raise wrong(unknown[0], f"is not a key of a profile; there are {', '.join(DEFAULT)}")
    merged = {**DEFAULT, **given}
    _one_of(merged, "kind", KINDS)
    _one_of(merged, "format", ("csv", "json"))
    _one_of(merged, "sign", SIGNS)
    _one_of(merged, "decimal", (".", ","))
    _one_of(merged, "thousands", THOUSANDS)
    _one_of(merged, "fee_sign", ("cost", "signed"))
    if merged["decimal"] == merged["thousands"]:
        raise wrong("thousands", "is the decimal character too")
    delimiter, line = merged["delimiter"], merged["header_line"]
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '"\r\n\x00':
        raise wrong("delimiter", f"cannot be {delimiter!r}")
    if isinstance(line, bool) or not isinstance(line, int) or not 1 <= line <= _HEADER_LINE_MAX:
        raise wrong("header_line", f"must be a line from 1 to {_HEADER_LINE_MAX}")
    if not isinstance(merged["time_zone"], str) or zones.zone(merged["time_zone"]) is None:
        raise wrong("time_zone", f"{merged['time_zone']!r} is not known")
    return _needs(
        Profile(
            kind=merged["kind"],
            format=merged["format"],
            delimiter=delimiter,
            encoding=_encoding(merged["encoding"]),
            header_line=line,
            columns=_columns(merged["columns"], merged["kind"]),
            constants=_constants(merged["constants"], merged["kind"]),
            decimal=merged["decimal"],
            thousands=merged["thousands"],
            minor_units=_minor_units(merged["minor_units"]),
            sign=merged["sign"],
            money_in=frozenset(map(name_of, _texts(merged, "money_in"))),
            money_out=frozenset(map(name_of, _texts(merged, "money_out"))),
            fee_factor=1 if merged["fee_sign"] == "cost" else -1,
            date_formats=_formats(merged),
            time_zone=merged["time_zone"],
            types=_types(merged["types"]),
            keep_states=frozenset(map(name_of, _texts(merged, "keep_states"))),
            skip_rows=frozenset(map(name_of, _texts(merged, "skip_rows"))),
            key=_texts(merged, "key"),
        )
    )


def wrong(name: str, what: str) -> Unreadable:
    return Unreadable(f"Profile: key {name!r} {what}.")


def _needs(found: Profile) -> Profile:
    """What a row cannot do without, given what it is to become and how its amounts are printed."""
    pairs = ("debit", "credit") if found.sign.startswith("pair") else ()
    direct = () if pairs else (("gross",) if found.kind == "psp" and not found.has("net") else ())
    direct = ("net",) if not pairs and found.kind == "psp" and found.has("net") else direct
    direct = ("amount",) if not pairs and not direct and found.kind == "bank" else direct
    when = {"psp": ("booked_at",), "bank": ("booking_date", "account"), "ledger": ()}[found.kind]
    state = ("state",) if found.keep_states else ()
    way = ("direction",) if found.sign == "direction" else ()
    for name in (*when, *pairs, *direct, "currency", *state, *way, *found.key):
        if not found.has(name):
            raise wrong(f"columns.{name}", "is missing")
    if found.sign == "direction" and not (found.money_in and found.money_out):
        raise wrong("money_in", "and money_out must name the texts of both directions")
    if both := sorted(found.money_in & found.money_out):
        raise wrong("money_out", f"has {both[0]!r}, which is in money_in too")
    if found.kind == "psp" and not found.types:
        raise wrong("types", 'is empty; {"*": "PAYMENT"} takes every row as a payment')
    if doubled := sorted(set(found.columns) & set(found.constants)):
        raise wrong(f"constants.{doubled[0]}", "is a column too")
    return found


def _json(text: str) -> dict[str, Any]:
    try:
        given = json.loads(text, parse_float=str) if text.strip() else {}
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"Profile: not JSON: {error}.") from None
    if not isinstance(given, dict):
        raise Unreadable("Profile: must be a JSON object.")
    return given


def _one_of(merged: Mapping[str, Any], name: str, allowed: tuple[str, ...]) -> None:
    if not isinstance(merged[name], str) or merged[name] not in allowed:
        listed = ", ".join(map(repr, allowed))
        raise wrong(name, f"must be one of {listed}, not {merged[name]!r}")


def _texts(merged: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = merged[name]
    if not isinstance(value, list) or not all(isinstance(text, str) and text.strip() for text in value):
        raise wrong(name, "must be a list of texts")
    return tuple(value)


def _formats(merged: Mapping[str, Any]) -> tuple[str, ...]:
    formats = _texts(merged, "date_formats")
    if not formats or not all(one == "iso" or "%" in one for one in formats):
        raise wrong("date_formats", 'must be a list of "iso" and formats such as "%d.%m.%Y"')
    return formats


def _encoding(value: object) -> str:
    if value == "auto":
        return ""
    try:
        if isinstance(value, str) and "\n".encode(codecs.lookup(value).name) == b"\n":
            return value
    except (LookupError, TypeError):
        pass
    raise wrong("encoding", f"cannot be {value!r}")


def _field(name: str, kind: str, where: str) -> str:
    if name in FIELDS[kind] or (kind == "ledger" and _FIELD.fullmatch(name)):
        return name
    raise wrong(f"{where}.{name}", f"is not a field; there are {', '.join(FIELDS[kind])}")


def _columns(value: object, kind: str) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict) or not value:
        raise wrong("columns", "must be an object of fields and headers")
    found: dict[str, tuple[str, ...]] = {}
    for name, header in value.items():
        headers = header if isinstance(header, list) else [header]
        if not headers or not all(isinstance(one, str) and one.strip() for one in headers):
            raise wrong(f"columns.{name}", "must be the header in the file, or a list of headers")
        if len(headers) > 1 and name in (*MONEY, *TIMES, *DAYS):
            raise wrong(f"columns.{name}", "is an amount or a date and has one header")
        found[_field(name, kind, "columns")] = tuple(headers)
    return found


def _constants(value: object, kind: str) -> dict[str, str]:
    if not isinstance(value, dict):
        raise wrong("constants", "must be an object")
    for name, text in value.items():
        if not isinstance(text, str):
            raise wrong(f"constants.{name}", "must be a text")
        if name in (*MONEY, *TIMES, *DAYS):
            raise wrong(f"constants.{name}", "is an amount or a date and comes from the file")
    return {_field(name, kind, "constants"): text for name, text in value.items()}


def _minor_units(value: object) -> dict[str, int] | None:
    if value is None:
        return None
    if not isinstance(value, dict) or "*" not in value:
        raise wrong("minor_units", 'must be null or an object with "*"')
    for currency, digits in value.items():
        if isinstance(digits, bool) or not isinstance(digits, int) or not 0 <= digits <= 18:
            raise wrong(f"minor_units.{currency}", "must be a number from 0 to 18")
    return {currency.upper(): digits for currency, digits in value.items()}


def _types(value: object) -> dict[str, PspKind]:
    if not isinstance(value, dict):
        raise wrong("types", "must be an object")
    known = {kind.value for kind in PspKind}
    for text, kind in value.items():
        if kind not in known:
            raise wrong(f"types.{text}", f"must be one of {', '.join(sorted(known))}")
    return {name_of(text): PspKind(kind) for text, kind in value.items()}
