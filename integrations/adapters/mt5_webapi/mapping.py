"""MT5 records, as the Web API sends them, to neutral facts.

Field names and codes are those of the vendor's IMTDeal, IMTAccount, IMTUser and IMTConGroup. All values arrive here as
text (see client). Prices are rounded to the deal's Digits and money to its DigitsCurrency, half away from zero: the
server keeps binary doubles and some builds print their noise (1.1403699999999999 is 1.14037).

Body of a record. A `Raw.body` is the record in one canonical spelling: keys sorted, no spaces, every number as the
text of the digits sent. So the same deal gives the same body when the server re-orders its fields or, after an update,
writes numbers where it wrote strings; any other change of any field, read by us or not, gives another. External ids are
deal:<ticket> and account:<login>: both kinds share one space of keys at a connection.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from integrations.ports import Raw
from integrations.records import AccountState, Deal, DealKind, Entry, Rejected, Side, User, UserState

# Server times count from here in the server's own wall clock, so they get no zone.
EPOCH = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)
_LAST_MOMENT_MS = 4_102_444_800_000  # 2100-01-01: later is not a time but a defect

# EnDealAction. 13 and 14 (a trade cancelled after the fact) stay unknown: a person decides what was paid back.
KINDS = {
    0: DealKind.TRADE,
    1: DealKind.TRADE,
    2: DealKind.BALANCE,
    3: DealKind.CREDIT,
    4: DealKind.CHARGE,
    5: DealKind.CORRECTION,
    6: DealKind.BONUS,
    7: DealKind.COMMISSION,
    8: DealKind.COMMISSION,
    9: DealKind.COMMISSION,
    10: DealKind.AGENT,
    11: DealKind.AGENT,
    12: DealKind.INTEREST,
    15: DealKind.DIVIDEND,
    16: DealKind.DIVIDEND,
    17: DealKind.TAX,
    18: DealKind.AGENT,
    19: DealKind.SO_COMPENSATION,
    20: DealKind.SO_COMPENSATION_CREDIT,
}
# The types that trade/balance takes.
OPERATION_TYPES = {kind: code for code, kind in KINDS.items() if 2 <= code <= 6}
SIDES = {0: Side.BUY, 1: Side.SELL, 13: Side.BUY, 14: Side.SELL}
# EnDealEntry. 255 (STATE, older builds) and anything newer make the deal's kind unknown.
ENTRIES = {0: Entry.IN, 1: Entry.OUT, 2: Entry.INOUT, 3: Entry.OUT_BY}
# EnDealReason, in the order of its codes from 0.
REASONS = dict(
    enumerate(
        (
            "CLIENT", "EXPERT", "DEALER", "SL", "TP", "SO", "ROLLOVER", "EXTERNAL_CLIENT", "VMARGIN", "GATEWAY",
            "SIGNAL", "SETTLEMENT", "TRANSFER", "SYNC", "EXTERNAL_SERVICE", "MIGRATION", "MOBILE", "WEB", "SPLIT",
        )
    )
)  # fmt: skip

# MTAPI_VOLUME_DIV is 10^4, MTAPI_VOLUME_EXT_DIV is 10^8 units per lot.
_VOLUME_PLACES = 4
_VOLUME_EXT_PLACES = 8
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,40})?")
_WHOLE = re.compile(r"-?[0-9]{1,19}")
_BIGGEST = 2**63 - 1
_BIGGEST_SMALL = 2**31 - 1
_MOST_DIGITS = 15
_CONTRACT_DIGITS = 8
# What no database text can hold: NUL, and bytes that were not UTF-8.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class BadField(Exception):
    """A field of a record cannot be read."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


# What stands where the server knows no device and no address.
_NO_TRACE = frozenset({"0", "0.0.0.0", "::"})  # noqa: S104 - compared with, not listened on


@dataclass(frozen=True, slots=True)
class ServerClock:
    """The server's wall clock at one moment, and by how much it was ahead of UTC."""

    now: datetime
    utc_offset_minutes: int


def canonical(record: Any) -> str:
    """The one spelling of a record that is stored and compared (see the module's description)."""
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    if _UNSTORABLE.search(text):
        return json.dumps(record, sort_keys=True, separators=(",", ":"))
    return text


def deals(items: Iterable[Any], clock: ServerClock) -> tuple[list[Raw], list[Rejected]]:
    """Read deals one by one; one that cannot be read is rejected by itself. `line` counts the records from 1."""
    good: list[Raw] = []
    bad: list[Rejected] = []
    for line, item in enumerate(items, start=1):
        try:
            record = deal(_object(item), utc_offset_minutes=clock.utc_offset_minutes)
        except BadField as error:
            bad.append(Rejected(line, error.field, error.reason, canonical(item)))
        else:
            good.append(Raw(f"deal:{record.ticket}", canonical(item), record))
    return good, bad


def deal(item: Mapping[str, Any], *, utc_offset_minutes: int) -> Deal:
    """Read one deal. Raises BadField.

    `utc_offset_minutes` is the server's offset of today; whoever keeps a dated table of offsets corrects deals from
    before a clock change by it, as the server says nothing about the past.
    """
    action = _whole(item, "Action")
    kind = KINDS.get(action, DealKind.UNKNOWN)
    is_trade = kind is DealKind.TRADE
    entry = Entry.NONE
    if is_trade:
        entry = ENTRIES.get(_whole(item, "Entry"), Entry.NONE)
        kind = kind if entry is not Entry.NONE else DealKind.UNKNOWN
    money_digits = _digits(item, "DigitsCurrency")
    return Deal(
        ticket=_identity(item, "Deal"),
        login=_identity(item, "Login"),
        kind=kind,
        server_time=_moment(item),
        utc_offset_minutes=utc_offset_minutes,
        entry=entry,
        side=SIDES.get(action, Side.NONE),
        symbol=_required_text(item, "Symbol") if is_trade else _text(item, "Symbol"),
        volume_lots=_volume(item, required=is_trade),
        contract_size=_money(item, "ContractSize", _CONTRACT_DIGITS, required=is_trade),
        price=_price(item, required=is_trade),
        profit=_money(item, "Profit", money_digits),
        swap=_money(item, "Storage", money_digits, required=is_trade),
        commission=_money(item, "Commission", money_digits, required=is_trade),
        # Newer builds only.
        fee=_money(item, "Fee", money_digits, required=False),
        position_id=_whole(item, "PositionID", default=None if is_trade else 0),
        order_id=_whole(item, "Order", default=0),
        external_id=_text(item, "ExternalID"),
        gateway=_text(item, "Gateway"),
        reason=_reason(item),
        comment=_text(item, "Comment"),
        # The SDK spells it ModificationFlags; so do some builds.
        modify_flags=_small(item, "ModifyFlags" if "ModifyFlags" in item else "ModificationFlags"),
    )


def accounts(
    states: Iterable[Any], users: Mapping[str, Mapping[str, Any]], currencies: Mapping[str, str], clock: ServerClock
) -> tuple[list[Raw], list[Rejected]]:
    """Read account states. `users` by login and `currencies` by group name, as neither is in the state itself.

    The body keeps the whole state but, of the user record, only what the fact needs: addresses and telephone numbers
    have no place in a message that can never be deleted.
    """
    good: list[Raw] = []
    bad: list[Rejected] = []
    for line, item in enumerate(states, start=1):
        body = canonical(item)
        try:
            state = _object(item)
            user = users.get(str(_identity(state, "Login")))
            if user is None:
                raise BadField("Login", "the server has an account state but no user of this login")
            currency = currencies.get(_text(user, "Group"), "")
            kept = {key: user[key] for key in ("Group", "Leverage", "Name") if key in user}
            body = canonical({"account": state, "user": kept, "currency": currency})
            record = account(state, user=user, currency=currency, clock=clock)
        except BadField as error:
            bad.append(Rejected(line, error.field, error.reason, body))
        else:
            good.append(Raw(f"account:{record.login}", body, record))
    return good, bad


def account(state: Mapping[str, Any], *, user: Mapping[str, Any], currency: str, clock: ServerClock) -> AccountState:
    """Read one account state; money is in the deposit currency of the account's group. Raises BadField."""
    if not currency:
        raise BadField("Group", f"the currency of group {_text(user, 'Group')!r} is not known")
    digits = _digits(state, "CurrencyDigits")
    return AccountState(
        login=_identity(state, "Login"),
        server_time=clock.now,
        utc_offset_minutes=clock.utc_offset_minutes,
        currency=currency,
        balance=_money(state, "Balance", digits),
        credit=_money(state, "Credit", digits),
        equity=_money(state, "Equity", digits),
        group=_text(user, "Group"),
        leverage=_small(user, "Leverage"),
        name=_text(user, "Name"),
    )


def user(item: Any, *, currency: str) -> User:
    """Read one login (IMTUser); `currency` is its group's. Raises BadField."""
    record = _object(item)
    rights = _whole(record, "Rights")
    if rights < 0:
        raise BadField("Rights", f"{rights} is not a set of bits")
    return User(
        login=_identity(record, "Login"),
        rights=rights,
        group=_required_text(record, "Group"),
        leverage=_small(record, "Leverage"),
        currency=currency,
        device=_trace(record, "MQID"),
        address=_trace(record, "LastIP"),
    )


def _trace(record: Mapping[str, Any], name: str) -> str:
    """What tells devices apart: empty where the server has nothing, or says that with noughts."""
    text = str(record.get(name, "")).strip()
    return "" if text in _NO_TRACE else text


def user_changes(before: User, wanted: UserState) -> dict[str, str]:
    """Fields of user/update that bring a login from what it was to what is wanted; empty when nothing differs.

    Rights are one number at the server: it is the one that was read, with single bits flipped.
    """
    lacking = before.lacks(wanted)
    changes: dict[str, str] = {}
    if lacking.keys() - {"group", "leverage"}:
        changes["Rights"] = str(before.rights_for(wanted))
    if "group" in lacking:
        changes["Group"] = str(lacking["group"])
    if "leverage" in lacking:
        changes["Leverage"] = str(lacking["leverage"])
    return changes


def group_of(item: Any) -> str:
    """The group a user record names; empty where it cannot be read."""
    return str(item.get("Group", "")).strip() if isinstance(item, Mapping) else ""


def clock(server: Any, configuration: Any) -> ServerClock:
    """Read `time/server` (seconds of the wall clock first, whatever follows) and `time/get` (zone and daylight).

    TimeZone is minutes ahead of GMT without daylight saving; DaylightState adds an hour while it is in force.
    Raises BadField.
    """
    if isinstance(server, Mapping):
        server = next((value for key, value in server.items() if key.lower() in {"time", "timeserver"}), "")
    first = str(server).split(" ", 1)[0]
    if not _WHOLE.fullmatch(first) or not 0 < int(first) * 1000 < _LAST_MOMENT_MS:
        raise BadField("time", f"{first[:40]!r} is not a time in seconds since 1970")
    settings = _object(configuration)
    in_daylight = _whole(settings, "Daylight", default=1) != 0 and _whole(settings, "DaylightState", default=0) != 0
    offset = _whole(settings, "TimeZone") + (60 if in_daylight else 0)
    if abs(offset) > 15 * 60:
        raise BadField("TimeZone", f"{offset} minutes is no offset from UTC")
    return ServerClock(EPOCH + timedelta(seconds=int(first)), offset)


def seconds(item: Any) -> tuple[int, ...]:
    """The moments a deal names in Time and TimeMsc, as server seconds; empty where there is none to read.

    Zero is how a server leaves a time out.
    """
    found = []
    for name, per_second in (("Time", 1), ("TimeMsc", 1000)):
        value = str(item.get(name, "")) if isinstance(item, Mapping) else ""
        if _WHOLE.fullmatch(value) and 0 < int(value) * 1000 // per_second < _LAST_MOMENT_MS:
            found.append(int(value) // per_second)
    return tuple(found)


def _object(item: Any) -> Mapping[str, Any]:
    if not isinstance(item, Mapping):
        raise BadField("", "the record is not a JSON object")
    return item


def _value(item: Mapping[str, Any], name: str) -> str | None:
    value = item.get(name)
    if value is None or isinstance(value, str):
        return value
    raise BadField(name, f"{type(value).__name__} where a number or text belongs")


def _text(item: Mapping[str, Any], name: str) -> str:
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", _value(item, name) or "").strip()


def _required_text(item: Mapping[str, Any], name: str) -> str:
    text = _text(item, name)
    if not text:
        raise BadField(name, "missing")
    return text


def _whole(item: Mapping[str, Any], name: str, *, default: int | None = None) -> int:
    text = _value(item, name)
    if text is None or text == "":
        if default is None:
            raise BadField(name, "missing")
        return default
    if not _WHOLE.fullmatch(text) or abs(int(text)) > _BIGGEST:
        raise BadField(name, f"{text[:40]!r} is not a whole number of at most 63 bits")
    return int(text)


def _small(item: Mapping[str, Any], name: str) -> int:
    number = _whole(item, name, default=0)
    if not 0 <= number <= _BIGGEST_SMALL:
        raise BadField(name, f"{number} is out of range")
    return number


def _identity(item: Mapping[str, Any], name: str) -> int:
    number = _whole(item, name)
    if number <= 0:
        raise BadField(name, f"{number} is not a number of the server's")
    return number


def _digits(item: Mapping[str, Any], name: str) -> int:
    digits = _whole(item, name)
    if not 0 <= digits <= _MOST_DIGITS:
        raise BadField(name, f"{digits} is not a number of decimal places")
    return digits


def _number(item: Mapping[str, Any], name: str, *, default: Decimal | None = None) -> Decimal:
    text = _value(item, name)
    if text is None or text == "":
        if default is None:
            raise BadField(name, "missing")
        return default
    if not _NUMBER.fullmatch(text):
        raise BadField(name, f"{text[:40]!r} is not a plain decimal number")
    return Decimal(text)


def _money(item: Mapping[str, Any], name: str, digits: int, *, required: bool = True) -> Decimal:
    return _rounded(_number(item, name, default=None if required else Decimal(0)), digits, name)


def _price(item: Mapping[str, Any], *, required: bool) -> Decimal:
    if not required:
        return Decimal(0)
    return _rounded(_number(item, "Price"), _digits(item, "Digits"), "Price")


def _rounded(value: Decimal, digits: int, name: str) -> Decimal:
    if value.adjusted() + digits > 26:
        raise BadField(name, f"{value} is larger than any amount we book")
    # Adding zero turns the "-0.00" that some builds print into 0.00.
    return value.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP) + 0


def _volume(item: Mapping[str, Any], *, required: bool) -> Decimal:
    """Lots: VolumeExt where the server has it, else Volume. Balance operations have neither."""
    extended = _whole(item, "VolumeExt", default=0)
    if extended:
        units, places = extended, _VOLUME_EXT_PLACES
    else:
        units, places = _whole(item, "Volume", default=None if required else 0), _VOLUME_PLACES
    if units < 0:
        raise BadField("VolumeExt" if extended else "Volume", f"{units} is a negative volume")
    # One scale whichever field it came from, so that the same volume is the same text.
    return _rounded(Decimal(units).scaleb(-places), _VOLUME_EXT_PLACES, "Volume")


def _moment(item: Mapping[str, Any]) -> datetime:
    """Server wall time: TimeMsc where the server has it, else Time."""
    milliseconds = _whole(item, "TimeMsc", default=0) or _whole(item, "Time") * 1000
    if not 0 < milliseconds < _LAST_MOMENT_MS:
        raise BadField("Time", f"{milliseconds} ms since 1970 is not a time of a deal")
    return EPOCH + timedelta(milliseconds=milliseconds)


def _reason(item: Mapping[str, Any]) -> str:
    code = _whole(item, "Reason", default=-1)
    return REASONS.get(code, str(code) if code >= 0 else "")
