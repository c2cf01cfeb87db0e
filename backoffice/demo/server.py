"""What the plan says about the MT5 server, in the words of the simulator's control interface."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from backoffice.demo.clients import ARCHIVE, CLOSE_ONLY, EXPONENTS, GROUPS, Login
from backoffice.demo.days import NEW_YORK, clock_changes, milliseconds, mt5_wall
from backoffice.demo.instruments import MT5_SYMBOLS, UNKNOWN_SYMBOL
from backoffice.demo.plan import MtDeal

# Two hours ahead of UTC in winter; New York's summer time adds one.
_WINTER = 120
_SUMMER = -240  # New York, minutes from UTC
# Of so many clients one signs in from the device of another.
_SHARING = 29


def world() -> dict[str, Any]:
    """Groups and symbols."""
    groups = [(name, currency) for name, currency, _, _ in GROUPS["mt5-live"]]
    return {
        "groups": [
            {"Group": name, "Currency": currency, "CurrencyDigits": EXPONENTS[currency]}
            for name, currency in (
                *groups,
                *((name, currency) for currency, name in CLOSE_ONLY.items()),
                (ARCHIVE, "USD"),
            )
        ],
        "symbols": [
            *(
                {
                    "Symbol": symbol.name,
                    "Description": symbol.instrument.name,
                    "Digits": symbol.instrument.digits,
                    "ContractSize": str(symbol.contract),
                    "CurrencyBase": symbol.instrument.base,
                    "CurrencyProfit": symbol.instrument.quote,
                }
                for symbol in MT5_SYMBOLS
            ),
            {"Symbol": UNKNOWN_SYMBOL, "Description": "Natural gas", "Digits": 5, "ContractSize": "10000"},
        ],
    }


def clock(first: datetime, last: datetime) -> dict[str, Any]:
    """The server's zone and its daylight periods around the demo, by New York's rule."""
    changes = clock_changes(NEW_YORK, first - timedelta(days=400), last + timedelta(days=800))
    starts = [moment for moment, minutes in changes if minutes == _SUMMER]
    periods = []
    for start in starts:
        ends = [moment for moment, minutes in changes if moment > start and minutes != _SUMMER]
        if ends:
            periods.append([start.isoformat(), ends[0].isoformat()])
    return {"time_zone": _WINTER, "daylight": periods}


def users(logins: Iterable[Login]) -> list[dict[str, Any]]:
    return [
        {
            "Login": login.number,
            "Group": login.group,
            "Name": login.client.name,
            "Country": login.client.country,
            "Email": login.client.email,
            "Leverage": login.leverage,
            "ID": login.client.number,
            **_signed_in_from(login.client.number),
        }
        for login in logins
    ]


def _signed_in_from(client: str) -> dict[str, str]:
    """Everybody has a device and an address; now and then two neighbours share the device."""
    number = int("".join(filter(str.isdigit, client)))
    return {"MQID": f"{number - (number % _SHARING == 0):08d}", "LastIP": f"2001:db8::{number:x}"}


def deals(planned: Iterable[MtDeal]) -> list[dict[str, Any]]:
    return [_deal(deal) for deal in planned]


def _deal(deal: MtDeal) -> dict[str, Any]:
    found: dict[str, Any] = {
        "Deal": deal.ticket,
        "Login": deal.login,
        "Action": deal.action,
        "TimeMsc": milliseconds(mt5_wall(deal.at)),
        "Profit": f"{deal.profit:f}",
        "Reason": deal.reason,
        "Comment": deal.comment,
    }
    if not deal.symbol:
        return found
    return found | {
        "Entry": deal.entry,
        "Symbol": deal.symbol,
        "Price": f"{deal.price:f}",
        "Volume": int(deal.lots * 10_000),
        "Storage": f"{deal.swap:f}",
        "Commission": f"{deal.commission:f}",
        "PositionID": deal.position,
        "Order": deal.order,
        "ExternalID": deal.external,
        "Gateway": deal.gateway,
    }
