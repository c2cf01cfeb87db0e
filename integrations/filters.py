"""How the lists of connections and imports narrow."""

from __future__ import annotations

from typing import Any

from backoffice.outbox.models import State
from backoffice.ui import filters
from backoffice.ui.requests import entities_of
from integrations.models import EVENT_KINDS, Connection, ImportState, OrderState, ProfileKind, Verdict
from integrations.selectors import orders


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


class ServerOperationFilters(filters.Filters):
    state = filters.MultiChoice("message__state", "State", orders.OPERATION_STATES)
    reference = filters.Exact("reference", "Reference")
    login = filters.Whole("login", "Login")
    asked = filters.MomentRange("asked_at", "Asked")
    entity = filters.Entities()


class PayoutOrderFilters(filters.Filters):
    state = filters.MultiChoice("state", "State", OrderState.choices)
    sending = filters.MultiChoice("message__state", "Sending", State.choices)
    reference = filters.Exact("reference", "Reference")
    asked = filters.MomentRange("asked_at", "Asked")
    entity = filters.Entities()


class SymbolMappingFilters(filters.Filters):
    symbol = filters.Exact("symbol", "Symbol")
    source = filters.Exact("connection__name", "Source")


class WebhookSources(filters.MultiChoice):
    """Some of the connections that take in webhooks, in the entities the person works in."""

    def __init__(self) -> None:
        super().__init__("connection", "Connection", [])

    @property
    def field(self) -> Any:
        if not self.options:
            ids = [pk for pk, _ in entities_of(self.parent.request)]
            known = Connection.objects.filter(entity_id__in=ids, webhooks__isnull=False).order_by("name")
            self.options = [(str(pk), name) for pk, name in known.values_list("pk", "name")]
            self.extra["choices"] = self.options
        return super().field


class WebhookFilters(filters.Filters):
    search = filters.Search(
        ("merchant_reference", "exact"),
        ("psp_reference", "exact"),
        ("original_reference", "exact"),
        label="Reference",
        hint="ours or the provider's",
    )
    connection = WebhookSources()
    verdict = filters.MultiChoice("verdict", "Verdict", Verdict.choices)
    kind = filters.MultiChoice("kind", "Says", EVENT_KINDS)
    received = filters.MomentRange("received_at", "Received")
    entity = filters.Entities()


def sources(entity_ids: list[int]) -> Any:
    """Connections that files can be handed in for."""
    return Connection.objects.filter(entity_id__in=entity_ids).order_by("name")


class FileProfileFilters(filters.Filters):
    search = filters.Search(("name", "icontains"), label="Name")
    kind = filters.MultiChoice("kind", "Rows are of a", ProfileKind.choices)
    entity = filters.Entities()
