"""Adding, changing and testing connections."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import urlsplit

from django.db import transaction

from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import DomainError
from backoffice.organisation.models import LegalEntity
from integrations import registry
from integrations.models import Connection, FeedState
from integrations.ports import Probe, PspGateway, ServerError, TradeServer
from integrations.services import clocks, secrets

# A clock rule is written out from the past a first load may reach into to well after the next changes.
_RULE_BACK = timedelta(days=800)
_RULE_AHEAD = timedelta(days=800)


class BadConnection(DomainError):
    """A connection whose adapter, settings or secrets are not right; the message names the field."""


@transaction.atomic
def add(
    *,
    actor: Actor,
    entity_id: int,
    name: str,
    adapter: str,
    settings: Mapping[str, str],
    secret_values: Mapping[str, str],
    paired_with_id: int | None = None,
) -> Connection:
    """Add a connection. Secrets are encrypted before they are stored and never come back out."""
    if Connection.objects.filter(name=name).exists():
        raise BadConnection(f"There is a connection named {name!r} already. Choose another name.")
    clean = check(adapter, settings, secret_values)
    connection = Connection.objects.create(
        entity=LegalEntity.objects.get(pk=entity_id),
        name=name,
        adapter=adapter,
        settings=clean,
        secrets=secrets.seal(secret_values),
        paired_with_id=paired_with_id,
        created_at=clock.now(),
    )
    FeedState.objects.create(connection=connection)
    _apply_clock_rule(connection)
    audit.record(
        actor=actor,
        action="connection.added",
        target=connection,
        data={"name": name, "adapter": adapter, "settings": clean, "secrets": sorted(secret_values)},
    )
    return connection


@transaction.atomic
def change(
    *,
    actor: Actor,
    connection_id: int,
    settings: Mapping[str, str],
    secret_values: Mapping[str, str],
    is_active: bool,
) -> Connection:
    """Change settings; secrets that are not given stay as they are."""
    connection = Connection.objects.select_for_update().get(pk=connection_id)
    kept = {**secrets.open_sealed(connection.secrets), **secret_values}
    before = dict(connection.settings)
    connection.settings = check(connection.adapter, settings, kept)
    connection.secrets = secrets.seal(kept)
    connection.is_active = is_active
    connection.save()
    _apply_clock_rule(connection)
    audit.record(
        actor=actor,
        action="connection.changed",
        target=connection,
        data={
            "before": before,
            "after": connection.settings,
            "active": is_active,
            "secrets_changed": sorted(secret_values),
        },
    )
    return connection


def check(adapter: str, settings: Mapping[str, str], secret_values: Mapping[str, str]) -> dict[str, str]:
    """The settings with defaults filled in. Raises BadConnection naming what is missing or wrong."""
    if adapter not in registry.names():
        raise BadConnection(f"There is no adapter {adapter!r}. Choose one of: {', '.join(registry.names())}.")
    known = {setting.name: setting for setting in registry.settings_of(adapter)}
    unknown = sorted((set(settings) | set(secret_values)) - known.keys())
    if unknown:
        raise BadConnection(f"The adapter {adapter} has no setting {', '.join(unknown)}.")
    clean: dict[str, str] = {}
    for setting in known.values():
        value = (secret_values if setting.secret else settings).get(setting.name, "").strip() or setting.default
        if setting.required and not value:
            raise BadConnection(f"{setting.name}: {setting.label} is needed.")
        if setting.name.endswith("url"):
            _check_url(setting.name, value)
        if not setting.secret:
            clean[setting.name] = value
    return clean


def test(*, actor: Actor, connection_id: int) -> list[Probe]:
    """Try a trade server or a PSP: sign-in, rights, clock. Files have nothing to try. Talks to the network."""
    connection = Connection.objects.get(pk=connection_id)
    if not registry.is_server(connection.adapter) and not registry.is_gateway(connection.adapter):
        return [Probe("file reader", True, f"{registry.title(connection.adapter)}: files are handed in")]
    try:
        server = open_server(connection) if registry.is_server(connection.adapter) else open_gateway(connection)
        try:
            probes = server.probe()
        finally:
            server.close()
    except ServerError as error:
        probes = [Probe("sign-in", False, str(error))]
    with transaction.atomic():
        audit.record(
            actor=actor,
            action="connection.tested",
            target=connection,
            data={"probes": [(p.name, p.ok, p.detail) for p in probes]},
        )
    return probes


def open_server(connection: Connection) -> TradeServer:
    """A session with a connection's trade server. The caller closes it."""
    adapter = registry.SERVERS[connection.adapter]
    return adapter.open(connection.settings, secrets.open_sealed(connection.secrets))


def open_gateway(connection: Connection) -> PspGateway:
    """The payout interface of a connection's PSP. The caller closes it."""
    adapter = registry.GATEWAYS[connection.adapter]
    return adapter.open(connection.settings, secrets.open_sealed(connection.secrets))


def _apply_clock_rule(connection: Connection) -> None:
    rule = connection.settings.get("clock_rule", "")
    if rule:
        now = clock.now()
        clocks.set_rule(connection=connection, rule=rule, first=now - _RULE_BACK, last=now + _RULE_AHEAD)


def _check_url(name: str, value: str) -> None:
    """https anywhere; plain http only to this machine, where nobody listens in between."""
    parts = urlsplit(value)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost", "::1"}:
        return
    raise BadConnection(f"{name}: use an https:// address; plain http is only allowed to this machine.")
