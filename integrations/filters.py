"""How the lists of connections and imports narrow."""

from __future__ import annotations

from typing import Any

from backoffice.outbox.models import State
from backoffice.ui import filters
from integrations.models import Connection, ImportState


class FileImportFilters(filters.Filters):
    state = filters.MultiChoice("state", "State", ImportState.choices)
    file = filters.Exact("filename", "File name")
    received = filters.MomentRange("received_at", "Received")
    entity = filters.Entities()


class ServerCommandFilters(filters.Filters):
    state = filters.MultiChoice("message__state", "State", State.choices)
    login = filters.Whole("login", "Login")
    asked = filters.MomentRange("asked_at", "Asked")
    entity = filters.Entities()


class SymbolMappingFilters(filters.Filters):
    symbol = filters.Exact("symbol", "Symbol")
    source = filters.Exact("connection__name", "Source")


def sources(entity_ids: list[int]) -> Any:
    """Connections that files can be handed in for."""
    return Connection.objects.filter(entity_id__in=entity_ids).order_by("name")
