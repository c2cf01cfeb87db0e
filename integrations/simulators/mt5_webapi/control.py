"""The control interface under /sim/: what a test or the demo does to the simulated server behind the protocol's back.

Every order is a POST of a JSON object and answers a JSON object; 400 with {"error": sentence} when it cannot be done.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from integrations.simulators.mt5_webapi import fields
from integrations.simulators.mt5_webapi.clock import ServerClock
from integrations.simulators.mt5_webapi.errors import BadRequest
from integrations.simulators.mt5_webapi.faults import Faults
from integrations.simulators.mt5_webapi.store import Store

Request = Mapping[str, Any]

# ModifyFlags of an edit made by a manager.
_BY_MANAGER = 2


class Control:
    """Orders by name."""

    def __init__(self, store: Store, clock: ServerClock, faults: Faults) -> None:
        self._store = store
        self._clock = clock
        self._faults = faults
        self._orders: dict[str, Callable[[Request], dict[str, Any]]] = {
            "load": self._load,
            "deal/add": self._deal_add,
            "deal/edit": self._deal_edit,
            "deal/delete": self._deal_delete,
            "user/edit": self._user_edit,
            "user/delete": self._user_delete,
            "account": self._account,
            "clock": self._set_clock,
            "fault": self._fault,
            "storm": self._storm,
            "reset": self._reset,
            "state": self._state,
        }

    def run(self, name: str, request: Request) -> dict[str, Any]:
        """Carry out one order. Raises BadRequest."""
        order = self._orders.get(name)
        if order is None:
            raise BadRequest(f"{name!r} is not one of {', '.join(self._orders)}.")
        try:
            return order(request)
        except (KeyError, TypeError, ValueError, sqlite3.Error, OverflowError) as error:
            raise BadRequest(f"{name}: {type(error).__name__}: {error}") from error

    def _load(self, request: Request) -> dict[str, Any]:
        """groups, symbols, users and deals at once; all or nothing."""
        now_msc = self._clock.wall_milliseconds()
        with self._store.transaction():
            self._store.save_groups(request.get("groups", []))
            self._store.save_symbols(request.get("symbols", []))
            self._store.save_users(request.get("users", []), now=now_msc // 1000)
            tickets = self._store.add_deals(request.get("deals", []), now_msc=now_msc)
        return {"tickets": tickets}

    def _deal_add(self, request: Request) -> dict[str, Any]:
        """One deal; the request is its fields."""
        (ticket,) = self._store.add_deals([request], now_msc=self._clock.wall_milliseconds())
        return {"ticket": ticket}

    def _deal_edit(self, request: Request) -> dict[str, Any]:
        """ticket, fields to change, optional flag (default MANAGER) and moves_balance (default yes)."""
        self._store.edit_deal(
            int(request["ticket"]),
            request["fields"],
            flag=int(request.get("flag", _BY_MANAGER)),
            moves_balance=bool(request.get("moves_balance", True)),
            now_msc=self._clock.wall_milliseconds(),
        )
        return {}

    def _deal_delete(self, request: Request) -> dict[str, Any]:
        """ticket, optional moves_balance (default yes)."""
        self._store.delete_deal(int(request["ticket"]), moves_balance=bool(request.get("moves_balance", True)))
        return {}

    def _user_edit(self, request: Request) -> dict[str, Any]:
        """login, optional fields to change, optional bits of Rights to set and to clear."""
        self._store.edit_user(
            int(request["login"]),
            request.get("fields", {}),
            set_bits=int(request.get("set", 0)),
            clear_bits=int(request.get("clear", 0)),
        )
        return {}

    def _user_delete(self, request: Request) -> dict[str, Any]:
        """login; its deals go with it."""
        self._store.delete_user(int(request["login"]))
        return {}

    def _account(self, request: Request) -> dict[str, Any]:
        """login, floating result and margin of its open positions, in the account's currency."""
        self._store.set_open_positions(
            int(request["login"]),
            floating=fields.units(fields.fixed(request, "floating", 8)),
            margin=fields.units(fields.fixed(request, "margin", 8)),
        )
        return {}

    def _set_clock(self, request: Request) -> dict[str, Any]:
        self._clock.configure(request)
        return {"wall_milliseconds": self._clock.wall_milliseconds()}

    def _fault(self, request: Request) -> dict[str, Any]:
        self._faults.order(request)
        return {}

    def _storm(self, request: Request) -> dict[str, Any]:
        self._faults.storm(request)
        return {}

    def _reset(self, request: Request) -> dict[str, Any]:
        self._faults.reset()
        return {}

    def _state(self, request: Request) -> dict[str, Any]:
        return {
            "users": self._store.count_users(),
            "deals": self._store.count_all_deals(),
            "groups": self._store.names("groups"),
            "symbols": self._store.names("symbols"),
            "wall_milliseconds": self._clock.wall_milliseconds(),
        }
