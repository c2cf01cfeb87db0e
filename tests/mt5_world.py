"""A simulated MT5 server with a few accounts, and the real client and adapter against it over a real socket."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from integrations.adapters.mt5_webapi import ADAPTER
from integrations.adapters.mt5_webapi.client import Client
from integrations.adapters.transport import parse_address
from integrations.ports import TradeServer
from integrations.simulators.mt5_webapi import Simulator
from integrations.simulators.mt5_webapi.challenge import Secret

MANAGER = "1000"
PASSWORD = "Secret-Пароль-1"
# The simulated now: 10:00 UTC in winter, 12:00 on the server's wall.
NOW_UTC = "2026-11-20T10:00:00+00:00"
WALL_NOW = datetime(2026, 11, 20, 12, 0, 0)
# Server seconds of WALL_NOW: wall time counted as if it were UTC.
NOW = 1_795_176_000
LOGIN = 5001


@contextmanager
def running(database: Path | str = ":memory:", *, port: int = 0, load: bool = True) -> Iterator[Simulator]:
    """A simulator that is stopped again whatever happens."""
    simulator = Simulator(database, manager_login=MANAGER, password=PASSWORD, port=port).start()
    try:
        if load:
            simulator.control.run("clock", {"time_zone": 120, "now": NOW_UTC})
            simulator.control.run("load", WORLD)
        yield simulator
    finally:
        simulator.stop()


WORLD: dict[str, Any] = {
    "groups": [
        {"Group": "real\\USD"},
        {"Group": "real\\JPY", "Currency": "JPY", "CurrencyDigits": 0},
        {"Group": "real\\test"},
        {"Group": "demo\\USD"},
    ],
    "symbols": [
        {"Symbol": "EURUSD", "CurrencyBase": "EUR", "CurrencyProfit": "USD"},
        {"Symbol": "XAUUSD.z", "Digits": 2, "ContractSize": "100"},
    ],
    "users": [
        {"Login": 5001, "Group": "real\\USD", "Name": "Ana Prova", "Phone": "+351000111222", "Leverage": 200},
        {"Login": 5002, "Group": "real\\USD", "Name": "Bo Test"},
        {"Login": 5003, "Group": "real\\JPY", "Name": "Chiyo Rei"},
        {"Login": 6001, "Group": "real\\test", "Name": "Tester"},
        {"Login": 7001, "Group": "demo\\USD", "Name": "Demo"},
    ],
}


def trade(at: int, **fields: Any) -> dict[str, Any]:
    """A deal at a server second, with what a trade has."""
    return {
        "Login": LOGIN, "Action": 0, "Entry": 0, "Symbol": "EURUSD", "Time": at, "Price": "1.08541", "Volume": 10_000,
        "PositionID": 900, "Order": 800, "Commission": "-3.50", **fields,
    }  # fmt: skip


def deposit(at: int, amount: str, **fields: Any) -> dict[str, Any]:
    return {"Login": LOGIN, "Action": 2, "Time": at, "Profit": amount, "Comment": "deposit", **fields}


def add(simulator: Simulator, *deals: dict[str, Any]) -> list[int]:
    tickets: list[int] = simulator.control.run("load", {"deals": list(deals)})["tickets"]
    return tickets


def misbehave(simulator: Simulator, kind: str, **order: Any) -> None:
    simulator.control.run("fault", {"kind": kind, **order})


def asked(simulator: Simulator, path: str) -> list[dict[str, str]]:
    """Parameters of every request of a path so far."""
    return [params for name, params in simulator.requests if name == path]


@contextmanager
def connected(simulator: Simulator, **options: Any) -> Iterator[Client]:
    """The real client; it never really waits between attempts."""
    options = {"password": PASSWORD, "timeout_seconds": 5.0, "sleep": lambda seconds: None, **options}
    client = Client(parse_address(simulator.url), login=MANAGER, agent="backoffice", **options)
    try:
        yield client
    finally:
        client.close()


@contextmanager
def opened(simulator: Simulator, **settings: str) -> Iterator[TradeServer]:
    """The real adapter, as the house opens it."""
    given = {"base_url": simulator.url, "login": MANAGER, "groups": "real\\*,!real\\test", "margin_minutes": "0"}
    server = ADAPTER.open({**given, **settings}, {"password": PASSWORD})
    try:
        yield server
    finally:
        server.close()


def last_hours(hours: float) -> dict[str, datetime]:
    """The window of the last hours up to the simulated now."""
    return {"since": WALL_NOW - timedelta(hours=hours), "until": WALL_NOW}


class Session:
    """A manager's session made by hand, so that nothing of the product's client is between test and simulator."""

    def __init__(self, simulator, *, login=MANAGER, password=PASSWORD, **start):
        self.link = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=5)
        self.headers = {}
        params = {"version": "1290", "agent": "test", "login": login, "type": "manager", **start}
        self.start = self.call("/api/auth/start", **params)
        if "srv_rand" in self.start:
            proof = Secret(password).response(self.start["srv_rand"])
            self.proof = self.call("/api/auth/answer", srv_rand_answer=proof, cli_rand="00" * 16)

    def fetch(self, path, body=None, **params):
        target = path + ("?" + "&".join(f"{k}={v}" for k, v in params.items()) if params else "")
        self.link.request("POST" if body is not None else "GET", target, body=body, headers=self.headers)
        response = self.link.getresponse()
        text = response.read()
        if cookie := response.headers.get("Set-Cookie"):
            self.headers = {"Cookie": cookie.split(";")[0]}
        return response.status, text

    def call(self, path, body=None, **params):
        status, text = self.fetch(path, body, **params)
        return json.loads(text) if status == 200 else {"status": status}

    def retcode(self, path, **params):
        return self.call(path, **params)["retcode"].split(" ")[0]

    def answer(self, path, body=None, **params):
        payload = self.call(path, body, **params)
        assert payload["retcode"] == "0 Done", payload
        return payload["answer"]


def state(session, login=LOGIN):
    account = session.answer("/api/user/account/get", login=login)
    return account["Balance"], account["Credit"], account["Equity"]


def balance(session, amount, kind=2, **params):
    return session.call(
        "/api/trade/balance", **{"login": LOGIN, "type": kind, "balance": amount, "comment": "t", **params}
    )
