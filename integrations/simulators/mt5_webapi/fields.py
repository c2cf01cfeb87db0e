"""What a deal, a user and an account look like on the wire: the vendor's field names, every value as text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from integrations.simulators.mt5_webapi.errors import BadRequest

# Money is counted in units of 10^-8 of the currency, whatever its digits.
UNIT = 10**8

# Actions whose amount goes to credit: CREDIT and SO_COMPENSATION_CREDIT.
CREDIT_ACTIONS = {3, 20}

_MONEY = ("Profit", "Storage", "Commission", "Fee", "Value")
_PRICES = ("Price", "PriceSL", "PriceTP", "PricePosition", "PriceGateway", "MarketBid", "MarketAsk", "MarketLast")
_RATES = ("RateProfit", "RateMargin", "TickValue", "TickSize", "ProfitRaw")
_WHOLE = ("Dealer", "Order", "Entry", "Reason", "ExpertID", "PositionID", "Flags", "ModifyFlags")
_VOLUMES = (("Volume", "VolumeExt"), ("VolumeClosed", "VolumeClosedExt"))
_TEXTS = {"ExternalID": 32, "Symbol": 32, "Comment": 32, "Gateway": 16}
_NUMBER = re.compile(r"-?\d{1,17}(\.\d{1,20})?")

# The order in which a server prints the fields of a deal.
DEAL_FIELDS = (
    "Deal", "ExternalID", "Login", "Dealer", "Order", "Action", "Entry", "Reason", "Digits", "DigitsCurrency",
    "ContractSize", "Time", "TimeMsc", "Symbol", "Price", "PriceSL", "PriceTP", "Volume", "VolumeExt", "VolumeClosed",
    "VolumeClosedExt", "Profit", "Storage", "Commission", "Fee", "Value", "RateProfit", "RateMargin", "ExpertID",
    "PositionID", "Comment", "ProfitRaw", "PricePosition", "TickValue", "TickSize", "Flags", "Gateway",
    "PriceGateway", "ModifyFlags", "MarketBid", "MarketAsk", "MarketLast", "ApiData",
)  # fmt: skip

# Fields that are text even where they look like a number.
TEXT_FIELDS = {
    *_TEXTS, "Group", "Name", "FirstName", "LastName", "Email", "Phone", "Country", "City", "Address", "ZIPCode",
    "State", "ID", "Company", "Account", "Language", "Status", "LeadSource", "Currency", "Description", "Path",
    "LastIP", "time", "TimeServer",
    "CurrencyBase", "CurrencyProfit", "CurrencyMargin", "Owner", "OwnerID",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a deal takes from its symbol and its account's group when it does not say so itself."""

    digits: int
    currency_digits: int
    contract_size: str


def complete_deal(given: Mapping[str, Any], *, ticket: int, defaults: Defaults, now_msc: int) -> dict[str, Any]:
    """Every field of a deal, as text, from the few that were given. Raises BadRequest naming the field."""
    unknown = given.keys() - set(DEAL_FIELDS)
    if unknown:
        raise BadRequest(f"A deal has no field {', '.join(sorted(unknown))}.")
    if "Login" not in given or "Action" not in given:
        raise BadRequest("A deal needs Login and Action.")
    digits = whole(given, "Digits", defaults.digits)
    currency_digits = whole(given, "DigitsCurrency", defaults.currency_digits)
    msc = whole(given, "TimeMsc", whole(given, "Time", now_msc // 1000) * 1000 if "Time" in given else now_msc)
    deal: dict[str, Any] = {
        "Deal": str(ticket),
        "Login": str(whole(given, "Login", 0)),
        "Action": str(whole(given, "Action", 0)),
        "Digits": str(digits),
        "DigitsCurrency": str(currency_digits),
        "ContractSize": fixed(given, "ContractSize", 2, defaults.contract_size),
        "Time": str(whole(given, "Time", msc // 1000)),
        "TimeMsc": str(msc),
        "ApiData": given.get("ApiData", []),
    }
    deal |= {name: str(whole(given, name, 0)) for name in _WHOLE}
    deal |= {name: fixed(given, name, currency_digits) for name in _MONEY}
    deal |= {name: fixed(given, name, digits) for name in _PRICES}
    deal |= {name: fixed(given, name, 8) for name in _RATES}
    deal |= {name: str(given.get(name, ""))[: limit - 1] for name, limit in _TEXTS.items()}
    for short, extended in _VOLUMES:
        units = whole(given, extended, whole(given, short, 0) * 10_000)
        deal[short], deal[extended] = str(whole(given, short, units // 10_000)), str(units)
    return {name: deal[name] for name in DEAL_FIELDS}


def merge(before: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A deal's fields after an edit; a new Time or Volume also replaces the finer field it was derived with."""
    merged = {**before, **changes}
    for coarse, fine in (("Time", "TimeMsc"), *_VOLUMES):
        if coarse in changes and fine not in changes:
            del merged[fine]
        elif fine in changes and coarse not in changes:
            del merged[coarse]
    return merged


def effects(deal: Mapping[str, Any]) -> tuple[int, int]:
    """What a deal adds to balance and to credit, in units."""
    if int(deal["Action"]) in CREDIT_ACTIONS:
        return 0, units(deal["Profit"])
    return sum(units(deal[name]) for name in ("Profit", "Storage", "Commission", "Fee")), 0


def units(text: str) -> int:
    """An amount in text as whole units of 10^-8."""
    return int((Decimal(text) * UNIT).to_integral_value(ROUND_HALF_UP))


def money(amount: int, digits: int) -> str:
    """Units as text with the currency's digits."""
    return format((Decimal(amount) / UNIT).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP), "f")


def whole(given: Mapping[str, Any], name: str, default: int) -> int:
    try:
        return int(given.get(name, default))
    except (TypeError, ValueError) as error:
        raise BadRequest(f"{name}: {given[name]!r} is not a whole number.") from error


def fixed(given: Mapping[str, Any], name: str, digits: int, default: str = "0") -> str:
    text = str(given.get(name, default))
    if not _NUMBER.fullmatch(text):
        raise BadRequest(f"{name}: {text!r} is not a plain decimal number.")
    return format(Decimal(text).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP), "f")
