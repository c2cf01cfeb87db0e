"""How one provider spells its executions: a JSON object, so that a new provider needs no code.

No public specification of an end-of-day file was found for LMAX, PrimeXM, oneZero or Integral, so nothing is
hard-coded but the default. Keys (all optional; what is left out is as in DEFAULT):

    delimiter         one character
    encoding          "auto" (UTF-8, else cp1252) or a codec whose line feed is one byte
    columns           field of a fill -> header in the file
    side              text in the file -> "BUY" or "SELL", seen from the broker
    flip_side         true where the file is written from the provider's side of the trade
    quantity_unit     "units", "lots" or "contracts"; the latter two need contract_sizes
    contract_sizes    symbol in the file -> units per lot or contract; "*" for all others
    decimal_comma     true for 1234,50
    time_format       "iso", or a strptime format such as "%d.%m.%Y %H:%M:%S"
    time_zone         IANA name or abbreviation of the times, where they carry no offset of their own
    trade_date        "utc", "local" (time_zone), or "HH:MM Zone": from that time on it is the next day
    commission_sign   "cost" (a positive number is a cost) or "signed" (a negative number is a cost)
    trailer           {"marker", "count", "quantity"}: first cell of the closing row, and in which of its cells
                      (from 0; -1 for none) stand the number of rows and the sum of quantity; null for none
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from integrations.adapters import zones
from integrations.adapters.reading import YEARS, BadField, amount
from integrations.adapters.rows import name_of
from integrations.records import Side, Unreadable

REQUIRED = ("exec_id", "symbol", "side", "quantity", "price", "traded_at")
OPTIONAL = ("order_ref", "commission", "commission_currency", "account")
DEFAULT: Mapping[str, Any] = {
    "delimiter": ",",
    "encoding": "auto",
    "columns": {name: name for name in (*REQUIRED, *OPTIONAL)},
    "side": {"BUY": "BUY", "SELL": "SELL", "B": "BUY", "S": "SELL", "1": "BUY", "2": "SELL"},
    "flip_side": False,
    "quantity_unit": "units",
    "contract_sizes": {},
    "decimal_comma": False,
    "time_format": "iso",
    "time_zone": "UTC",
    "trade_date": "17:00 America/New_York",
    "commission_sign": "cost",
    "trailer": {"marker": "TRAILER", "count": 1, "quantity": 2},
}
_CUT = re.compile(r"([01]\d|2[0-3]):([0-5]\d) (\S+)")
_OPPOSITE = {Side.BUY: Side.SELL, Side.SELL: Side.BUY}


@dataclass(frozen=True, slots=True)
class Trailer:
    """The closing row: its first cell, and which cells hold the number of rows and the sum of quantity."""

    marker: str
    count: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile that has been checked."""

    delimiter: str
    encoding: str
    columns: Mapping[str, str]
    side: Mapping[str, Side]
    unit: str
    contract_sizes: Mapping[str, Decimal]
    decimal_comma: bool
    time_format: str
    time_zone: str
    trade_date: str
    commission_factor: int
    trailer: Trailer | None

    def number(self, text: str, field: str) -> Decimal:
        """An amount as the provider spells it. With a decimal comma, a point is grouping and refused."""
        if self.decimal_comma:
            if "." in text:
                raise BadField(field, f"{text[:40]!r} has a point, but the profile says decimal comma.")
            text = text.replace(",", ".")
        return amount(text, field=field)

    def units(self, quantity: Decimal, symbol: str) -> Decimal:
        """A quantity of the file in units of the base asset."""
        if self.unit == "units":
            return quantity
        size = self.contract_sizes.get(name_of(symbol), self.contract_sizes.get("*"))
        if size is None:
            raise BadField("contract_sizes", f"the profile has no contract size for {symbol!r}.")
        return quantity * size

    def moment(self, text: str, field: str) -> zones.Moment:
        """The UTC moment. An offset in the text wins over the profile's time zone."""
        wanted = "ISO 8601" if self.time_format == "iso" else self.time_format
        bad = BadField(field, f"{text[:40]!r} is not a time of format {wanted}.")
        try:
            if self.time_format == "iso":
                local = datetime.fromisoformat(text)
            else:
                local = datetime.strptime(text, self.time_format)  # noqa: DTZ007 - the zone is put on below
        except ValueError:
            raise bad from None
        if local.year not in YEARS or (self.time_format == "iso" and ":" not in text):
            raise bad
        if local.tzinfo is not None:
            return zones.Moment(local.astimezone(UTC))
        found = zones.to_utc(local, self.time_zone)
        if found.doubt is zones.Doubt.DOES_NOT_EXIST:
            raise BadField(field, f"{text[:40]!r} does not exist in {self.time_zone}: the clock went forward.")
        return found

    def day(self, moment: datetime) -> date:
        """The trade date of a UTC moment by the profile's rule."""
        if self.trade_date == "utc":
            return moment.date()
        if self.trade_date == "local":
            return moment.astimezone(zones.zone(self.time_zone)).date()
        cut = _CUT.fullmatch(self.trade_date)
        assert cut is not None, "read() checked the rule"
        local = moment.astimezone(zones.zone(cut[3]))
        after = local.time() >= time(int(cut[1]), int(cut[2]))
        return local.date() + timedelta(days=1) if after else local.date()


def read(text: str) -> Profile:
    """Check a profile and fill in the defaults; an empty text is the default. Raises Unreadable naming the key."""
    given = _json(text)
    unknown = sorted(set(given) - set(DEFAULT))
    if unknown:
        raise _wrong(unknown[0], f"is not a key of a profile; there are {', '.join(DEFAULT)}")
    merged = {**DEFAULT, **given}
    unit = _one_of(merged, "quantity_unit", ("units", "lots", "contracts"))
    sizes = _sizes(merged["contract_sizes"])
    if unit != "units" and not sizes:
        raise _wrong("contract_sizes", f"is empty, but quantity_unit is {unit!r}")
    return Profile(
        delimiter=_text(merged, "delimiter", lambda value: len(value) == 1 and value not in '"\r\n\x00'),
        encoding=_encoding(merged["encoding"]),
        columns=_columns(merged["columns"]),
        side=_side(merged["side"], flip=_flag(merged, "flip_side")),
        unit=unit,
        contract_sizes=sizes,
        decimal_comma=_flag(merged, "decimal_comma"),
        time_format=_text(merged, "time_format", lambda value: value == "iso" or "%" in value),
        time_zone=_text(merged, "time_zone", lambda value: zones.zone(value) is not None),
        trade_date=_text(merged, "trade_date", _is_day_rule),
        commission_factor=-1 if _one_of(merged, "commission_sign", ("cost", "signed")) == "cost" else 1,
        trailer=_trailer(merged["trailer"]),
    )


def _wrong(name: str, what: str) -> Unreadable:
    return Unreadable(f"Setting profile: key {name!r} {what}.")


def _json(text: str) -> dict[str, Any]:
    try:
        # Numbers stay text: a contract size must not pass through a float.
        given = json.loads(text, parse_float=str) if text.strip() else {}
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"Setting profile: not JSON: {error}.") from None
    if not isinstance(given, dict):
        raise Unreadable("Setting profile: must be a JSON object.")
    return given


def _text(merged: Mapping[str, Any], name: str, fits: Callable[[str], bool]) -> str:
    value = merged[name]
    if not isinstance(value, str) or not value or not fits(value):
        raise _wrong(name, f"cannot be {value!r}")
    return value


def _flag(merged: Mapping[str, Any], name: str) -> bool:
    value = merged[name]
    if not isinstance(value, bool):
        raise _wrong(name, f"must be true or false, not {value!r}")
    return value


def _one_of(merged: Mapping[str, Any], name: str, allowed: tuple[str, ...]) -> str:
    value = merged[name]
    if value not in allowed:
        raise _wrong(name, f"must be one of {', '.join(allowed)}, not {value!r}")
    return str(value)


def _encoding(value: object) -> str:
    if value == "auto":
        return ""
    try:
        if isinstance(value, str) and "\n".encode(codecs.lookup(value).name) == b"\n":
            return value
    except (LookupError, TypeError):
        pass
    raise _wrong("encoding", f"cannot be {value!r}")


def _is_day_rule(rule: str) -> bool:
    cut = _CUT.fullmatch(rule)
    return rule in ("utc", "local") or (cut is not None and zones.zone(cut[3]) is not None)


def _columns(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise _wrong("columns", "must be an object")
    for name, header in value.items():
        if name not in (*REQUIRED, *OPTIONAL):
            raise _wrong(f"columns.{name}", "is not a field of a fill")
        if not isinstance(header, str) or not header.strip():
            raise _wrong(f"columns.{name}", "must be the header in the file")
    for name in REQUIRED:
        if name not in value:
            raise _wrong(f"columns.{name}", "is missing")
    return dict(value)


def _side(value: object, *, flip: bool) -> dict[str, Side]:
    if not isinstance(value, dict) or not value:
        raise _wrong("side", "must be an object")
    found: dict[str, Side] = {}
    for text, side in value.items():
        if side not in ("BUY", "SELL"):
            raise _wrong(f"side.{text}", f"must be BUY or SELL, not {side!r}")
        found[name_of(text)] = _OPPOSITE[Side(side)] if flip else Side(side)
    return found


def _sizes(value: object) -> dict[str, Decimal]:
    if not isinstance(value, dict):
        raise _wrong("contract_sizes", "must be an object")
    found: dict[str, Decimal] = {}
    for symbol, size in value.items():
        try:
            found[name_of(symbol)] = amount(str(size), field=symbol)
        except BadField:
            raise _wrong(f"contract_sizes.{symbol}", f"must be a plain number, not {size!r}") from None
        if found[name_of(symbol)] <= 0:
            raise _wrong(f"contract_sizes.{symbol}", "must be above zero")
    return found


def _trailer(value: object) -> Trailer | None:
    if value is None:
        return None
    if not isinstance(value, dict) or set(value) - {"marker", "count", "quantity"}:
        raise _wrong("trailer", "must be null or an object with marker, count and quantity")
    marker, count, quantity = (value.get(name, -1) for name in ("marker", "count", "quantity"))
    if not isinstance(marker, str) or not marker.strip():
        raise _wrong("trailer.marker", "must be the text of the first cell")
    for name, place in (("count", count), ("quantity", quantity)):
        if isinstance(place, bool) or not isinstance(place, int) or not -1 <= place <= 1000:
            raise _wrong(f"trailer.{name}", "must be the number of a cell, from 0, or -1")
    return Trailer(marker.strip(), count, quantity)
