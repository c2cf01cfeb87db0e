"""The rail on the left: every room registers its items when it starts, each shown to those who may open it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.urls import reverse

from backoffice.organisation.models import User
from backoffice.organisation.selectors import scope


@dataclass(frozen=True, slots=True)
class Item:
    """One entry. `route` is a URL name without arguments; `key` opens it after "g".

    `order` sorts items; the sections stand in the order of their first items. `counter` says how much work
    waits for this person; it runs on every page, so it has to be one indexed query that stops counting at 100.
    """

    section: str
    label: str
    route: str
    permission: str
    order: int
    key: str = ""
    counter: Callable[[User], int] | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """An item as this person sees it."""

    label: str
    url: str
    route: str
    key: str
    count: str


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    items: tuple[Shown, ...]


_items: dict[str, Item] = {}


def register(*items: Item) -> None:
    """Add items; called from the `ready` of an AppConfig."""
    for item in items:
        assert item.route not in _items, f"two items lead to {item.route}"
        assert item.permission, f"{item.route}: an item needs a permission"
        keys = {other.key: other.route for other in _items.values() if other.key}
        assert item.key not in keys, f"{item.route} and {keys[item.key]} want the same key {item.key!r}"
        _items[item.route] = item


def sections(user: User) -> tuple[Section, ...]:
    """What the person may open, in sections."""
    found: dict[str, list[Shown]] = {}
    for item in sorted(_items.values(), key=lambda item: item.order):
        if scope.may(user, item.permission):
            found.setdefault(item.section, []).append(_shown(item, user))
    return tuple(Section(title, tuple(items)) for title, items in found.items())


def _shown(item: Item, user: User) -> Shown:
    count = item.counter(user) if item.counter else 0
    return Shown(item.label, reverse(item.route), item.route, item.key, "99+" if count > 99 else str(count or ""))
