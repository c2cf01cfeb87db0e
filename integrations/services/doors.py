"""Doors for webhooks: which connection an address belongs to and what its provider signs with, kept by each process.

A kept door is never believed by itself. What is taken through it is stored by a statement that asks in the same moment
whether the door is still open and exactly as it was read (`IS_STILL`), and nothing is refused by it: who does not fit
is judged once more by what the database says now. So a secret that was rolled, or a door that was closed by anybody
anywhere, counts from the next message on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db import OperationalError
from django.db import connection as database

from integrations.services import secrets

KEPT_MAX = 500
# Plain SQL: through the ORM this costs as much processor time as everything else that is done with a webhook.
_READ = """
SELECT c.id, c.entity_id, e.provider, e.settings::text, e.secrets, e.previous_until
  FROM integrations_webhookendpoint e JOIN integrations_connection c ON c.id = e.connection_id
 WHERE e.token = %s AND e.is_active AND c.is_active
"""
# A condition of a statement, with the values of `Door.row`.
IS_STILL = "integrations_webhook_door(%s, %s, %s, %s, %s, %s, %s)"
_kept: dict[str, Door] = {}


@dataclass(frozen=True, slots=True)
class Door:
    """An open door as it was read. `current` and `previous` are signing secrets, the latter until `previous_until`;
    `row` is what `IS_STILL` compares. `kept`: it was read for an earlier message."""

    token: str
    connection_id: int
    entity_id: int
    provider: str
    settings: Mapping[str, str]
    previous_until: datetime | None
    current: Mapping[str, str] = field(repr=False)
    previous: Mapping[str, str] = field(repr=False)
    row: tuple[Any, ...] = field(repr=False)
    kept: bool = False

    def valid(self, now: datetime) -> list[Mapping[str, str]]:
        """The sets of secrets that count now, the current one first."""
        late = self.previous_until is None or now >= self.previous_until
        return [values for values in (self.current, {} if late else self.previous) if values]


def find(token: str) -> Door | None:
    """The open door with this token, as this process knows it; read where it does not."""
    return _kept.get(token) or read(token)


def read(token: str) -> Door | None:
    """The open door with this token as it is now: it and its connection are active."""
    _kept.pop(token, None)
    found = first(_READ, [token])
    if not found:
        return None
    connection_id, entity_id, provider, settings, sealed, previous_until = found[0]
    opened = secrets.open_sealed(sealed)
    door = Door(
        token=token,
        connection_id=connection_id,
        entity_id=entity_id,
        provider=provider,
        settings=json.loads(settings),
        previous_until=previous_until,
        current=secrets.part(opened, "current"),
        previous=secrets.part(opened, "previous"),
        row=(token, *found[0]),
    )
    if len(_kept) >= KEPT_MAX:
        _kept.clear()
    _kept[token] = replace(door, kept=True)
    return door


def is_still(door: Door) -> bool:
    """Whether the door is open and as it was read."""
    return bool(first(f"SELECT {IS_STILL}", door.row)[0][0])


def first(query: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """The rows of a statement with which a request may begin. It is itself the question whether the kept link to the
    database is still good, which would else be asked before it; where that broke while nobody used it, the statement
    is said again on a new one. So it must be one that may run twice."""
    fresh = database.connection is None or database.in_atomic_block
    database.health_check_done = True  # type: ignore[attr-defined]
    try:
        return _rows(query, values)
    except OperationalError:
        if fresh:
            raise
        database.close()
        return _rows(query, values)


def _rows(query: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    with database.cursor() as cursor:
        cursor.execute(query, values)
        return list(cursor.fetchall())
