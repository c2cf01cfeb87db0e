"""Which use cases can stand behind four eyes. Rooms register theirs when they start."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from backoffice.kernel.money import Money


class Level(Enum):
    """How an automatic check came out."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"


@dataclass(frozen=True, slots=True)
class Check:
    """One automatic check beside a request. A red one does not block by itself: people decide."""

    level: Level
    label: str
    detail: str


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the human diff: what a field says now and what it would say."""

    label: str
    before: str
    after: str


def _no_client(_: Any) -> str:
    return ""


def _no_amount(_: Any) -> Money | None:
    return None


def _no_version(_: Any) -> str:
    return ""


def _no_rows(_: Any) -> list[Any]:
    return []


@dataclass(frozen=True)
class Action:
    """A use case that may need a second person.

    `payload` is a frozen dataclass; its fields are the keyword arguments of `use_case` (besides actor).
    `amount` is in the entity's reporting currency and `client` names whose daily sum it adds to.
    `target_version` changes when the target does, so that nobody approves what is no longer there.
    `effects` is read inside the rehearsal, after the use case ran and before it is rolled back.
    """

    name: str
    title: str
    payload: type
    use_case: Callable[..., Any]
    entity_id: Callable[[Any], int]
    target: Callable[[Any], str]
    summary: Callable[[Any], str]
    ask: str
    decide: str
    version: int = 1
    client: Callable[[Any], str] = _no_client
    amount: Callable[[Any], Money | None] = _no_amount
    target_version: Callable[[Any], str] = _no_version
    changes: Callable[[Any], list[Change]] = _no_rows
    checks: Callable[[Any], list[Check]] = _no_rows
    effects: Callable[[Any, Any], list[Mapping[str, Any]]] = field(default=lambda payload, result: [])


_actions: dict[str, Action] = {}


def register(action: Action) -> None:
    assert action.name not in _actions, f"two actions named {action.name}"
    assert is_dataclass(action.payload), f"{action.name}: the payload must be a dataclass"
    _actions[action.name] = action


def get(name: str) -> Action:
    return _actions[name]


def all_actions() -> list[Action]:
    return [_actions[name] for name in sorted(_actions)]


def load(kind: type, data: Any) -> Any:
    """Rebuild a payload from its stored JSON by the types of its fields; unknown fields are refused."""
    hints = typing.get_type_hints(kind)
    known = {f.name for f in fields(kind)}
    assert set(data) == known, f"stored payload has fields {sorted(data)}, expected {sorted(known)}"
    return kind(**{name: _value(hints[name], data[name]) for name in known})


def _value(hint: Any, value: Any) -> Any:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        (hint,) = [part for part in typing.get_args(hint) if part is not type(None)]
        return _value(hint, value)
    if origin is tuple:
        return tuple(_value(typing.get_args(hint)[0], item) for item in value)
    if hint is Decimal:
        return Decimal(value)
    if hint is date:
        return date.fromisoformat(value)
    if hint is datetime:
        return datetime.fromisoformat(value)
    if isinstance(hint, type) and is_dataclass(hint):
        return load(hint, value)
    assert isinstance(value, hint), f"{value!r} is not {hint}"
    return value
