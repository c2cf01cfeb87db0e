"""Misbehaviour on demand: what to do wrong, on which paths, and how often. Kept in memory: a restart is a cure."""

from __future__ import annotations

import json
import random
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from integrations.simulators.mt5_webapi import fields
from integrations.simulators.mt5_webapi.errors import BadRequest

# Every kind of misbehaviour, with the paths it is meant for unless a request says otherwise.
KINDS = {
    "off": "/api/",  # hangs up before it reads what was asked, as a server that is going down
    "slow": "/api/",  # waits `seconds` before it does anything
    "forbidden": "/api/",  # HTTP 403 although signed in
    "lose_session": "/api/",  # forgets the session first, so the call gets 403 and a new sign-in works
    "missing": "/api/",  # HTTP 404, as from a build that does not know the call
    "too_frequent": "/api/",  # retcode 12
    "retcode": "/api/",  # any `retcode` text
    "truncated": "/api/",  # half the JSON, correctly framed
    "drop": "/api/",  # full Content-Length, half the body, then the connection ends
    "duplicate": "/api/deal/get_",  # every record of a list twice
    "plain_numbers": "/api/",  # numbers without quotes
    "reorder": "/api/",  # keys of every object in reverse order
    "spoil": "/api/deal/get_",  # `field` of the first record becomes `value`
    "wrong_proof": "/api/auth/answer",  # cannot prove that it knows the password
    "forget_balance": "/api/trade/balance",  # acknowledges a balance operation and does not book it
    "forget_update": "/api/user/update",  # acknowledges a change of a user and does not store it
    "alter": "/api/user/update",  # stores it, then `field` of that user becomes `value`, as by a rule of the server's
    "late": "/api/user/update",  # does it at once and answers after `seconds`
    "book_twice": "/api/trade/balance",  # books it twice and answers the first ticket
    "hang_before": "/api/trade/balance",  # never does it and never answers (for at most `seconds`)
    "error_before": "/api/trade/balance",  # HTTP 503 before anything is done
    "error_after": "/api/trade/balance",  # does it and answers HTTP 502
    "hang_after": "/api/trade/balance",  # does it, then never answers (for at most `seconds`)
}
_JSON_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")


@dataclass(slots=True)
class Fault:
    """One order to misbehave; `left` None means until reset."""

    kind: str
    path: str
    left: int | None
    seconds: float
    retcode: str
    field: str
    value: str


class Faults:
    """The orders in force."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: list[Fault] = []
        self._chance: random.Random | None = None
        self._shares: list[tuple[Fault, float]] = []

    def order(self, request: Mapping[str, Any]) -> None:
        """Take an order: kind, count (default: until reset), path (a prefix), and what the kind needs."""
        kind = str(request.get("kind", ""))
        if kind not in KINDS:
            raise BadRequest(f"{kind!r} is not one of {', '.join(KINDS)}.")
        fault = _fault(kind, request)
        with self._lock:
            self._orders.append(fault)

    def storm(self, request: Mapping[str, Any]) -> None:
        """seed and shares (kind -> share of the requests of `path`, by default balance operations, that go wrong so),
        and what the kinds need. One request meets one kind at most."""
        shares = {str(kind): float(share) for kind, share in dict(request["shares"]).items()}
        unknown = sorted(set(shares) - KINDS.keys())
        if unknown or sum(shares.values()) > 1:
            raise BadRequest(f"Shares of known kinds that sum to at most 1, please: {', '.join(unknown)}")
        named = {"path": KINDS["book_twice"], **request}
        with self._lock:
            self._chance = random.Random(int(request["seed"]))  # noqa: S311 - chance that can be repeated
            self._shares = [(_fault(kind, named), share) for kind, share in shares.items()]

    def reset(self) -> None:
        with self._lock:
            self._orders.clear()
            self._chance, self._shares = None, []

    def take(self, path: str) -> dict[str, Fault]:
        """What goes wrong with this request, by kind; each order counts down once."""
        taken: dict[str, Fault] = {}
        with self._lock:
            for fault in self._orders:
                if fault.kind not in taken and fault.left != 0 and path.startswith(fault.path):
                    taken[fault.kind] = fault
                    if fault.left is not None:
                        fault.left -= 1
            self._orders = [fault for fault in self._orders if fault.left != 0]
            if self._chance is not None and self._shares and path.startswith(self._shares[0][0].path):
                drawn = self._chance.random()
                for fault, share in self._shares:
                    if drawn < share:
                        taken.setdefault(fault.kind, fault)
                        break
                    drawn -= share
        return taken


def _fault(kind: str, request: Mapping[str, Any]) -> Fault:
    """A fault as it was ordered."""
    count = request.get("count")
    return Fault(
        kind=kind,
        path=str(request.get("path", KINDS[kind])),
        left=None if count is None else int(count),
        seconds=float(request.get("seconds", 60)),
        retcode=str(request.get("retcode", "2 Common error")),
        field=str(request.get("field", "Profit")),
        value=str(request.get("value", "NaN")),
    )


def disguise(answer: str, faults: Mapping[str, Fault]) -> str:
    """The same answer as a less well-behaved server would put it."""
    if not faults.keys() & {"duplicate", "plain_numbers", "reorder", "spoil"}:
        return answer
    value = json.loads(answer)
    if "spoil" in faults:
        first = value[0] if isinstance(value, list) and value else value
        if isinstance(first, dict):
            first[faults["spoil"].field] = faults["spoil"].value
    if "duplicate" in faults and isinstance(value, list):
        value = [item for item in value for _ in range(2)]
    return _spell(value, plain="plain_numbers" in faults, backwards="reorder" in faults)


def _spell(value: Any, *, plain: bool, backwards: bool, name: str = "") -> str:
    if isinstance(value, dict):
        pairs = list(value.items())[:: -1 if backwards else 1]
        inner = (f"{json.dumps(k)}:{_spell(v, plain=plain, backwards=backwards, name=k)}" for k, v in pairs)
        return "{" + ",".join(inner) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_spell(v, plain=plain, backwards=backwards, name=name) for v in value) + "]"
    if plain and isinstance(value, str) and name not in fields.TEXT_FIELDS and _JSON_NUMBER.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False)
