"""Pages of connections: add, change, test, fetch; what their symbols stand for; raw messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.urls import reverse

from backoffice.kernel.actor import Person
from backoffice.organisation.selectors import scope
from backoffice.ui.views import ActionPage, Button, Crumb, DetailPage, ListPage
from integrations import filters, forms, registry, tables
from integrations.models import Connection, RawMessage, ServerClock, SymbolMapping
from integrations.selectors import feeds as feed_selectors
from integrations.selectors import webhooks as webhook_selectors
from integrations.services import connections, feeds, symbols


class ConnectionList(ListPage):
    title = "Connections"
    queryset = Connection.objects.select_related("entity", "feed", "paired_with")
    table = tables.ConnectionTable
    permission = "integrations.view_connection"
    buttons = (
        Button("Add a connection", "add-connection", "integrations.add_connection"),
        Button("Symbols", "symbols", "integrations.view_symbolmapping"),
    )


class ConnectionDetail(DetailPage):
    queryset = Connection.objects.select_related("entity", "feed", "paired_with")
    template = "integrations/connection.html"
    permission = "integrations.view_connection"
    nav = "connections"
    buttons = (
        Button("Test", "test-connection", "integrations.test_connection"),
        Button(
            "Fetch now",
            "pull-connection",
            "integrations.pull_connection",
            when=lambda c: registry.is_server(c.adapter) and c.is_active,
        ),
        Button(
            "Read logins",
            "pull-logins",
            "integrations.pull_connection",
            when=lambda c: registry.is_server(c.adapter) and c.is_active,
        ),
        Button("Webhooks", "set-up-webhooks", "integrations.change_connection"),
        Button("Change", "change-connection", "integrations.change_connection"),
    )

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Connections", reverse("connections")),)

    def context(self, row: Connection, tab: str) -> Mapping[str, Any]:
        line = next(x for x in feed_selectors.feed_lines([row.entity_id]) if x.connection_id == row.pk)
        known = registry.settings_of(row.adapter)
        labels = {setting.name: setting.label for setting in known}
        secrets = [setting.label for setting in known if setting.secret]
        return {
            "adapter_title": registry.title(row.adapter),
            "line": line,
            "tones": tables.FEED_TONES,
            "settings_rows": [(labels.get(name, name), value) for name, value in sorted(row.settings.items())],
            "secrets": secrets,
            "logins": feed_selectors.logins_of(row) if registry.is_server(row.adapter) else None,
            "command_tones": tables.COMMAND_TONES,
            "command_labels": tables.COMMAND_LABELS,
            "may_commands": scope.may(self.user, "integrations.view_servercommand"),
            "webhooks": webhook_selectors.traffic(row),
            "hooks_at": settings.SITE_URL,
            "may_webhooks": scope.may(self.user, "integrations.view_webhook"),
            "clock": ServerClock.objects.filter(connection=row).order_by("-valid_from")[:6],
        }


class AddConnection(ActionPage):
    title = "Add a connection"
    permission = "integrations.add_connection"
    form = forms.ConnectionForm
    template = "integrations/add_connection.html"
    submit_label = "Add"
    nav = "connections"

    @property
    def adapter(self) -> str:
        chosen = str(self.request.GET.get("adapter", ""))
        return chosen if chosen in registry.names() else "mt5_webapi"

    def form_arguments(self, target: Any) -> Mapping[str, Any]:
        return {
            "adapter": self.adapter,
            "entities": scope.entities_of(self.user),
            "servers": Connection.objects.filter(entity_id__in=scope.entity_ids(self.user)),
        }

    def page(self, context: Mapping[str, Any], status: int = 200) -> Any:
        choices = [(name, registry.title(name), name == self.adapter) for name in registry.names()]
        return super().page({**context, "adapters": choices}, status)

    def run(self, *, actor: Person, form: Any, target: Any) -> Connection:
        data = form.cleaned_data
        return connections.add(
            actor=actor,
            entity_id=data["entity"].pk,
            name=data["name"],
            adapter=self.adapter,
            settings=form.values(secret=False),
            secret_values=form.values(secret=True),
            paired_with_id=data["paired_with"].pk if data["paired_with"] else None,
        )

    def success_url(self, result: Connection) -> str:
        return reverse("connection", args=[result.pk])


class ChangeConnection(ActionPage):
    queryset = Connection.objects.select_related("entity")
    permission = "integrations.change_connection"
    form = forms.ConnectionForm
    nav = "connections"

    def heading(self) -> str:
        return f"Change {self.target.name}"

    def form_arguments(self, target: Connection) -> Mapping[str, Any]:
        return {"connection": target}

    def run(self, *, actor: Person, form: Any, target: Connection) -> Connection:
        return connections.change(
            actor=actor,
            connection_id=target.pk,
            settings=form.values(secret=False),
            secret_values=form.values(secret=True),
            is_active=form.cleaned_data["is_active"],
        )


class TestConnection(ActionPage):
    queryset = Connection.objects.select_related("entity")
    permission = "integrations.test_connection"
    submit_label = "Test now"
    nav = "connections"

    def heading(self) -> str:
        return f"Test {self.target.name}"

    def consequences(self, target: Connection) -> Sequence[str]:
        return ("We sign in and try what the connection needs; nothing is changed at the other side.",)

    def run(self, *, actor: Person, form: Any, target: Connection) -> str:
        probes = connections.test(actor=actor, connection_id=target.pk)
        return "; ".join(f"{'✓' if p.ok else '✗'} {p.name}: {p.detail}" for p in probes)

    def message(self, result: str) -> str:
        return result


class PullConnection(ActionPage):
    queryset = Connection.objects.select_related("entity")
    permission = "integrations.pull_connection"
    submit_label = "Fetch now"
    nav = "connections"

    def heading(self) -> str:
        return f"Fetch from {self.target.name}"

    def run(self, *, actor: Person, form: Any, target: Connection) -> feeds.PullResult:
        return feeds.pull(actor=actor, connection_id=target.pk)

    def message(self, result: feeds.PullResult) -> str:
        return f"{result.read} deals read: {result.new} new, {result.changed} changed, {result.deleted} deleted."


class SymbolList(ListPage):
    title = "Symbols"
    queryset = SymbolMapping.objects.select_related("connection", "instrument")
    table = tables.SymbolMappingTable
    filters = filters.SymbolMappingFilters
    permission = "integrations.view_symbolmapping"
    entity_path = "connection__entity"
    nav = "connections"
    buttons = (Button("Map a symbol", "map-symbol", "integrations.change_symbolmapping"),)


class MapSymbol(ActionPage):
    title = "Map a symbol"
    permission = "integrations.change_symbolmapping"
    form = forms.SymbolMappingForm
    nav = "connections"

    def form_arguments(self, target: Any) -> Mapping[str, Any]:
        return {"sources": filters.sources(scope.entity_ids(self.user)), "initial": self.request.GET.dict()}

    def run(self, *, actor: Person, form: Any, target: Any) -> SymbolMapping:
        data = form.cleaned_data
        return symbols.map_symbol(
            actor=actor,
            connection_id=data["source"].pk,
            symbol=data["symbol"],
            instrument_id=data["instrument"].pk,
            contract_size=data["contract_size"],
        )

    def message(self, result: SymbolMapping) -> str:
        return f"{result.symbol} stands for {result.instrument}. Deals that waited for it are booked within seconds."


class RawMessageDetail(DetailPage):
    queryset = RawMessage.objects.select_related("connection", "entity")
    template = "integrations/raw.html"
    permission = "integrations.view_rawmessage"
    nav = "connections"

    def crumbs(self) -> Sequence[Crumb]:
        if not scope.may(self.user, ConnectionDetail.permission):
            return ()
        return (Crumb(self.row.connection.name, reverse("connection", args=[self.row.connection_id])),)

    def heading(self) -> str:
        return f"{self.row.external_id} v{self.row.version}"

    def subtitle(self) -> str:
        return f"{self.row.connection.name} · as it was received"

    def context(self, row: RawMessage, tab: str) -> Mapping[str, Any]:
        body = bytes(row.body).decode("utf-8", errors="replace") if row.body is not None else ""
        same = RawMessage.objects.filter(
            entity_id=row.entity_id, connection_id=row.connection_id, external_id=row.external_id
        )
        return {"body": body, "versions": same.order_by("version")}
