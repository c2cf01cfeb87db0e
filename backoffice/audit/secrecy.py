"""What of the log not everybody who may read it may know. Rooms say so when they start.

A hidden hold shows in no list, search, export or count of the log to those who must not know of it.
"""

from __future__ import annotations

from collections.abc import Callable

from django.db.models import Q

from backoffice.organisation.models import User

# Which entries a person must not see; None: there are none.
Hides = Callable[[User], Q | None]
_hides: list[Hides] = []
_tables: dict[str, str] = {}


def hide_entries(hides: Hides) -> None:
    """Keep entries from people; called from the `ready` of an AppConfig."""
    _hides.append(hides)


def hide_table(table: str, permission: str) -> None:
    """Show changes of a table only to those who hold a permission."""
    _tables[table] = permission


def hidden_entries(user: User) -> list[Q]:
    return [found for hides in _hides if (found := hides(user)) is not None]


def hidden_tables(user: User, may: Callable[[User, str], bool]) -> list[str]:
    return sorted(table for table, permission in _tables.items() if not may(user, permission))
