"""The calls of the Web API this server knows: from parameters to the text of `answer`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from integrations.simulators.mt5_webapi import fields
from integrations.simulators.mt5_webapi.clock import ServerClock
from integrations.simulators.mt5_webapi.errors import BadRequest, Refused, Ret
from integrations.simulators.mt5_webapi.store import Store

# What one call of deal/get_page gives at most.
PAGE_LIMIT = 100
MONEY_LIMIT = 1_000_000_000
# Room for a comment, without the terminator.
COMMENT_LIMIT = 31

_BALANCE_TYPES = {2, 3, 4, 5, 6}
_CREDIT = 3
_NUMBER = re.compile(r"[+-]?\d{1,12}(\.\d{1,8})?")
_DEALER = 2

Params = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class World:
    """What every call works on. `forget` is set while changes are acknowledged and then lost."""

    store: Store
    clock: ServerClock
    name: str
    forget: bool = False


def answer(world: World, path: str, params: Params) -> str | None:
    """The JSON text of `answer`; None when there is no such call. Raises Refused."""
    call = CALLS.get(path)
    return call(world, params) if call else None


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _joined(texts: list[str]) -> str:
    return f"[{','.join(texts)}]"


# Parameters.


def _whole(params: Params, name: str, default: int | None = None) -> int:
    value = params.get(name, default)
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        raise Refused(Ret.PARAMETERS) from error


def _wholes(params: Params, name: str) -> list[int]:
    """Numbers of a list: separated by commas in an address, an array in a posted body."""
    value = params.get(name, "")
    parts = value if isinstance(value, list) else str(value).split(",")
    try:
        return [int(part) for part in parts]
    except (TypeError, ValueError) as error:
        raise Refused(Ret.PARAMETERS) from error


def _masks(params: Params) -> str:
    value = params.get("group", "")
    return ",".join(value) if isinstance(value, list) else str(value)


def _found(value: Any) -> Any:
    if value is None:
        raise Refused(Ret.NOT_FOUND)
    return value


# Server.


def _access(world: World, params: Params) -> str:
    return "{}"


def _common(world: World, params: Params) -> str:
    return _json({"Name": world.name, "Owner": "Simulated Broker", "OwnerID": "1", "AccountUrl": "", "Build": "4410"})


def _time_server(world: World, params: Params) -> str:
    milliseconds = world.clock.wall_milliseconds()
    return _json({"time": f"{milliseconds // 1000} {milliseconds}"})


def _time_get(world: World, params: Params) -> str:
    in_daylight = world.clock.in_daylight(world.clock.utc_now())
    return _json(
        {
            "Daylight": str(int(world.clock.has_daylight)),
            "DaylightState": str(int(in_daylight)),
            "TimeZone": str(world.clock.time_zone),
            "TimeServer": "pool.ntp.org",
            "Days": [["1"] * 24 for _ in range(7)],
        }
    )


# Reference data.


def _group_get(world: World, params: Params) -> str:
    return _json(_found(world.store.group(str(params.get("group", "")))))


def _group_total(world: World, params: Params) -> str:
    return _json({"total": str(len(world.store.names("groups")))})


def _group_next(world: World, params: Params) -> str:
    return _json(world.store.group(_nth(world.store.names("groups"), params)))


def _symbol_list(world: World, params: Params) -> str:
    return _json(world.store.names("symbols"))


def _symbol_get(world: World, params: Params) -> str:
    return _json(_found(world.store.symbol(str(params.get("symbol", "")))))


def _symbol_total(world: World, params: Params) -> str:
    return _json({"total": str(len(world.store.names("symbols")))})


def _symbol_next(world: World, params: Params) -> str:
    return _json(world.store.symbol(_nth(world.store.names("symbols"), params)))


def _nth(names: list[str], params: Params) -> str:
    index = _whole(params, "index")
    if not 0 <= index < len(names):
        raise Refused(Ret.NOT_FOUND)
    return names[index]


# Users and accounts.


def _user(world: World, login: int) -> dict[str, Any] | None:
    body, money = world.store.user(login), world.store.money(login)
    if body is None or money is None:
        return None
    digits = world.store.currency_digits(login)
    return body | {"Balance": fields.money(money[0], digits), "Credit": fields.money(money[1], digits)}


def _account(world: World, login: int) -> dict[str, Any] | None:
    body, money = world.store.user(login), world.store.money(login)
    if body is None or money is None:
        return None
    balance, credit, floating, margin = money
    digits = world.store.currency_digits(login)
    equity = balance + credit + floating
    zero = fields.money(0, digits)
    return {
        "Login": str(login),
        "CurrencyDigits": str(digits),
        "Balance": fields.money(balance, digits),
        "Credit": fields.money(credit, digits),
        "Margin": fields.money(margin, digits),
        "MarginFree": fields.money(equity - margin, digits),
        "MarginLevel": fields.money(equity * 100 * fields.UNIT // margin if margin else 0, 2),
        "MarginLeverage": body["Leverage"],
        "Profit": fields.money(floating, digits),
        "Storage": zero,
        "Floating": fields.money(floating, digits),
        "Equity": fields.money(equity, digits),
        "SOActivation": "0",
        "SOTime": "0",
        "SOLevel": "0.00",
        "SOEquity": zero,
        "SOMargin": zero,
        "Assets": zero,
        "Liabilities": zero,
    }


def _chosen_logins(world: World, params: Params) -> list[int]:
    """Logins by number or by group mask, exactly one of them."""
    if ("login" in params) == ("group" in params):
        raise Refused(Ret.PARAMETERS)
    return _wholes(params, "login") if "login" in params else world.store.logins(_masks(params))


def _user_get(world: World, params: Params) -> str:
    return _json(_found(_user(world, _whole(params, "login"))))


def _user_get_batch(world: World, params: Params) -> str:
    users = (_user(world, login) for login in _chosen_logins(world, params))
    return _json([user for user in users if user is not None])


def _user_logins(world: World, params: Params) -> str:
    return _json([str(login) for login in world.store.logins(_masks(params))])


def _user_total(world: World, params: Params) -> str:
    return _json({"total": str(world.store.count_users())})


def _account_get(world: World, params: Params) -> str:
    return _json(_found(_account(world, _whole(params, "login"))))


def _account_get_batch(world: World, params: Params) -> str:
    accounts = (_account(world, login) for login in _chosen_logins(world, params))
    return _json([account for account in accounts if account is not None])


def _user_update(world: World, params: Params) -> str:
    """Change the fields that are named; money never. A group of another currency only suits an empty account."""
    login = _whole(params, "Login")
    before = _found(_user(world, login))
    changes = {key: value for key, value in params.items() if key in before and key not in {"Balance", "Credit"}}
    for name in ("Rights", "Leverage"):
        if name in changes:
            changes[name] = str(_whole(changes, name))
    old = _found(world.store.group(before["Group"]))
    new = world.store.group(str(changes.get("Group", before["Group"])))
    if new is None:
        raise Refused(Ret.PARAMETERS)
    if new["Currency"] != old["Currency"] and any(world.store.money(login) or ()):
        raise Refused(Ret.OTHER_CURRENCY)
    if world.forget:
        return _json({**before, **changes, "Login": str(login)})
    world.store.save_users([{**changes, "Login": login}], now=0)
    world.store.scale_margin(login, before=before["Leverage"], after=str(changes.get("Leverage", before["Leverage"])))
    return _user_get(world, {"login": login})


# Deals.


def _span(world: World, params: Params) -> tuple[int, int]:
    shift = world.clock.query_shift()
    return _whole(params, "from") + shift, _whole(params, "to") + shift


def _deal_get(world: World, params: Params) -> str:
    texts = world.store.deals_by_ticket([_whole(params, "ticket")])
    if not texts:
        raise Refused(Ret.NOT_FOUND)
    return texts[0]


def _deal_get_total(world: World, params: Params) -> str:
    login = _whole(params, "login")
    start, end = _span(world, params)
    return _json({"total": str(world.store.count_deals(login, start, end))})


def _deal_get_page(world: World, params: Params) -> str:
    login = _whole(params, "login")
    start, end = _span(world, params)
    offset, total = _whole(params, "offset", 0), _whole(params, "total", PAGE_LIMIT)
    if offset < 0 or total < 0:
        raise Refused(Ret.PARAMETERS)
    limit = min(total, PAGE_LIMIT)
    return _joined(world.store.deals_of_logins([login], start, end, offset=offset, limit=limit))


def _deal_get_batch(world: World, params: Params) -> str:
    chosen = [name for name in ("login", "group", "ticket") if name in params]
    if len(chosen) != 1:
        raise Refused(Ret.PARAMETERS)
    if chosen == ["ticket"]:
        return _joined(world.store.deals_by_ticket(_wholes(params, "ticket")))
    start, end = _span(world, params)
    symbol = str(params.get("symbol", ""))
    if chosen == ["group"]:
        return _joined(world.store.deals_of_groups(_masks(params), start, end, symbol))
    return _joined(world.store.deals_of_logins(_wholes(params, "login"), start, end, symbol))


def _trade_balance(world: World, params: Params) -> str:
    """Book money in (positive) or out (negative). The answer carries the ticket of the deal that does it."""
    login, kind = _whole(params, "login"), _whole(params, "type")
    text = str(params.get("balance", ""))
    if kind not in _BALANCE_TYPES or not _NUMBER.fullmatch(text):
        raise Refused(Ret.PARAMETERS)
    amount = fields.units(text)
    if abs(amount) > MONEY_LIMIT * fields.UNIT:
        raise Refused(Ret.MONEY_LIMIT)
    with world.store.transaction():
        balance, credit, floating, margin = _found(world.store.money(login))
        if amount < 0 and str(params.get("check_margin", "1")) != "0":
            free = balance + credit + floating - margin
            held = credit if kind == _CREDIT else min(balance, free)
            if -amount > held:
                raise Refused(Ret.NO_MONEY)
        if world.forget:
            return _json({"ticket": str(world.store.skip_ticket())})
        deal = {
            "Login": login,
            "Action": kind,
            "Reason": _DEALER,
            "Profit": text.lstrip("+"),
            "Comment": str(params.get("comment", ""))[:COMMENT_LIMIT],
        }
        try:
            (ticket,) = world.store.add_deals([deal], now_msc=world.clock.wall_milliseconds())
        except BadRequest as error:
            raise Refused(Ret.PARAMETERS) from error
    return _json({"ticket": str(ticket)})


CALLS: dict[str, Callable[[World, Params], str]] = {
    "/api/test/access": _access,
    "/api/common/get": _common,
    "/api/time/server": _time_server,
    "/api/time/get": _time_get,
    "/api/group/get": _group_get,
    "/api/group/total": _group_total,
    "/api/group/next": _group_next,
    "/api/symbol/list": _symbol_list,
    "/api/symbol/get": _symbol_get,
    "/api/symbol/total": _symbol_total,
    "/api/symbol/next": _symbol_next,
    "/api/user/get": _user_get,
    "/api/user/get_batch": _user_get_batch,
    "/api/user/logins": _user_logins,
    "/api/user/total": _user_total,
    "/api/user/update": _user_update,
    "/api/user/account/get": _account_get,
    "/api/user/account/get_batch": _account_get_batch,
    "/api/deal/get": _deal_get,
    "/api/deal/get_total": _deal_get_total,
    "/api/deal/get_page": _deal_get_page,
    "/api/deal/get_batch": _deal_get_batch,
    "/api/trade/balance": _trade_balance,
}
