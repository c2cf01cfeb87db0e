"""Which use cases can stand behind four eyes. Rooms register theirs when they start."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
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


# Why something is asked for, for counting; the words are in the request's `reason`. An action may name others.
OTHER = "OTHER"
REASONS: Mapping[str, str] = {
    "CORRECTION": "correction of an error",
    "CLIENT": "the client asked",
    "RISK": "risk",
    "COMPLIANCE": "law or regulation",
    "OPERATIONS": "daily operation",
    OTHER: "other",
}


def _no_client(_: Any) -> str:
    return ""


def _no_amount(_: Any) -> Money | None:
    return None


def _no_version(_: Any) -> str:
    return ""


def _no_rows(_: Any) -> list[Any]:
    return []


def _nobody(_: Any) -> Collection[int]:
    return ()


def _open(_: Any) -> str:
    return ""


def _nothing(actor: Any, payload: Any, request: Any) -> None: ...


def _everybody(user: Any, code: str) -> bool:
    return True


@dataclass(frozen=True)
class Action:
    """A use case that may need a second person.

    `payload` is a frozen dataclass; its fields are the keyword arguments of `use_case` (besides actor).
    `amount` is in the entity's reporting currency and `client` names whose daily sum it adds to.
    `target_version` changes when the target does, so that nobody approves what is no longer there.
    `effects` is read inside the rehearsal, after the use case ran and before it is rolled back; an effect with a
    key "server" is shown as one on the trade server, one with "amount" as a booking.

    `view` is a permission needed besides approvals.view_request to see such a request (empty: none); who asked or
    may decide sees it anyway. `money` says that the use case moves money: it is never approved in bulk.
    `risk` gives the codes of the target's risk flags, `knows(user, code)` whether a reader may see one of them.
    `blocked` is a neutral sentence why it cannot be approved or executed now, '' if it can. `forbids` names the
    people who may not decide (who set a hold does not release it). `reasons` are the codes of reasons one may ask with,
    with their words; where the content itself carries the code, `coded` names its field. `rehearse` is tried when
    asked where the use case itself can only run once approved; `knows_request` hands the request's id to the use case.
    `moved(actor, payload, request)` is told of every state but "executed" ("pending" included, when it was just asked),
    in the transaction that brings it about: what was set aside for a request is given back when it is rejected,
    withdrawn or expires. `page` is the address of the page of what it is about, '' if there is none.
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
    view: str = ""
    money: bool = False
    risk: Callable[[Any], Sequence[str]] = _no_rows
    knows: Callable[[Any, str], bool] = _everybody
    blocked: Callable[[Any], str] = _open
    forbids: Callable[[Any], Collection[int]] = _nobody
    rehearse: Callable[..., Any] | None = None
    knows_request: bool = False
    moved: Callable[[Any, Any, Any], None] = _nothing
    page: Callable[[Any], str] = _open
    reasons: Mapping[str, str] = field(default_factory=lambda: REASONS)
    coded: str = ""

    def reason_code(self, payload: Any, given: str) -> str:
        """The code a request is stored with."""
        return str(getattr(payload, self.coded)) if self.coded else given


_actions: dict[str, Action] = {}


def register(action: Action) -> None:
    assert action.name not in _actions, f"two actions named {action.name}"
    assert is_dataclass(action.payload), f"{action.name}: the payload must be a dataclass"
    _actions[action.name] = action


def get(name: str) -> Action:
    return _actions[name]


def words_of(action: str, code: str) -> str:
    """What a stored code of a reason says; the code itself where this version does not know it any more."""
    known = _actions.get(action)
    return (known.reasons if known else REASONS).get(code) or REASONS.get(code, code)


def all_actions() -> list[Action]:
    return [_actions[name] for name in sorted(_actions)]


# (user, name in the log) -> words and address, or None where this person may not see it.
Namer = Callable[[Any, str], tuple[str, str] | None]
_namers: list[Namer] = []


def name_clients(namer: Namer) -> None:
    """Have pages show whom a request is about. What is stored with a request names nobody."""
    _namers.append(namer)


def named_client(user: Any, reference: str) -> tuple[str, str] | None:
    """What a client is called and where its page is; None where nobody is meant or the person may not see it."""
    found = (namer(user, reference) for namer in _namers) if reference else ()
    return next((name for name in found if name), None)


def load(kind: type, data: Any) -> Any:
    """Rebuild a payload from its stored JSON by the types of its fields; unknown fields are refused."""
    hints = typing.get_type_hints(kind)
    known = {f.name for f in fields(kind)}
    assert set(data) == known, f"stored payload has fields {sorted(data)}, expected {sorted(known)}"
    return kind(**{name: _value(hints[name], data[name]) for name in known})


@dataclass(frozen=True, slots=True)
class Leaf:
    """One plain value inside a stored payload that a person may change in a new version."""

    path: tuple[str | int, ...]
    hint: type
    optional: bool
    value: Any


def leaves(kind: type, content: Any, path: tuple[str | int, ...] = ()) -> Iterator[Leaf]:
    """The values of a stored payload that are not keys: names `key`, `replaces`, `..._id` and moments stay."""
    for name, hint in typing.get_type_hints(kind).items():
        if name not in ("key", "replaces") and not name.endswith("_id"):
            yield from _leaves(hint, content[name], (*path, name))


def _leaves(hint: Any, value: Any, path: tuple[str | int, ...]) -> Iterator[Leaf]:
    optional = typing.get_origin(hint) in (typing.Union, types.UnionType)
    if optional:
        (hint,) = [part for part in typing.get_args(hint) if part is not type(None)]
    if typing.get_origin(hint) is tuple:
        for number, item in enumerate(value or ()):
            yield from _leaves(typing.get_args(hint)[0], item, (*path, number))
    elif is_dataclass(hint) and isinstance(hint, type):
        if value is not None:
            yield from leaves(hint, value, path)
    elif hint in (str, int, bool, Decimal, date):
        yield Leaf(path, hint, optional, value)


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
