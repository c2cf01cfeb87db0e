"""Where the webhooks of a connection are taken in: setting up, changing, rolling the signing secret."""

from __future__ import annotations

import secrets as random
from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.db import transaction

from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import DomainError
from integrations import registry
from integrations.models import Connection, WebhookEndpoint
from integrations.ports import Setting
from integrations.services import secrets

# Providers sign with the new secret within a day (Stripe lets an old one count for at most 24 hours).
KEEP_OLD_HOURS = 24


class BadEndpoint(DomainError):
    """Webhooks that cannot be taken in like this; the message names the field."""


@transaction.atomic
def set_up(
    *,
    actor: Actor,
    connection_id: int,
    provider: str,
    settings: Mapping[str, str],
    secret_values: Mapping[str, str],
    is_active: bool = True,
    keep_old_hours: int = KEEP_OLD_HOURS,
) -> WebhookEndpoint:
    """Take in a provider's webhooks for a connection, or change how. Raises BadEndpoint.

    Secrets that are not given stay. A new one counts at once, the one before it for `keep_old_hours` more; 0 ends it
    now, whether a new one is given or not. The address stays the same for good.
    """
    connection = Connection.objects.select_for_update().get(pk=connection_id)
    endpoint = WebhookEndpoint.objects.filter(connection=connection).first()
    known = _known(provider)
    opened = secrets.open_sealed(endpoint.secrets) if endpoint and endpoint.provider == provider else {}
    before = secrets.part(opened, "current")
    given = {name: value.strip() for name, value in secret_values.items() if value.strip()}
    current = {**before, **given}
    clean = _checked(known, settings, current)
    problem = registry.WEBHOOKS[provider].problem(current)
    if problem:
        raise BadEndpoint(problem)
    changed = bool(before) and current != before
    previous = before if changed else secrets.part(opened, "previous")
    if endpoint is None:
        endpoint = WebhookEndpoint(connection=connection, token=random.token_urlsafe(32), created_at=clock.now())
    if not previous or keep_old_hours <= 0:
        previous, endpoint.previous_until = {}, None
    elif changed:
        endpoint.previous_until = clock.now() + timedelta(hours=keep_old_hours)
    endpoint.provider, endpoint.settings, endpoint.is_active = provider, clean, is_active
    endpoint.secrets = secrets.seal(_named(current, "current") | _named(previous, "previous"))
    endpoint.save()
    _note(actor, endpoint, given)
    return endpoint


def _note(actor: Actor, endpoint: WebhookEndpoint, given: Mapping[str, str]) -> None:
    audit.record(
        actor=actor,
        action="webhooks.set_up",
        target=endpoint.connection,
        data={
            "provider": endpoint.provider,
            "settings": endpoint.settings,
            "active": endpoint.is_active,
            "secrets_changed": sorted(given),
            "old_secret_until": endpoint.previous_until,
        },
    )


def _named(values: Mapping[str, str], name: str) -> dict[str, str]:
    return {f"{name}.{key}": value for key, value in values.items()}


def _known(provider: str) -> Sequence[Setting]:
    if provider not in registry.WEBHOOKS:
        raise BadEndpoint(f"There are no webhooks of {provider!r}. Choose one of: {', '.join(registry.WEBHOOKS)}.")
    return registry.WEBHOOKS[provider].settings


def _checked(known: Sequence[Setting], settings: Mapping[str, str], secret_values: Mapping[str, str]) -> dict[str, str]:
    """The settings that are no secret, with defaults filled in."""
    unknown = sorted((set(settings) | set(secret_values)) - {setting.name for setting in known})
    if unknown:
        raise BadEndpoint(f"These webhooks have no setting {', '.join(unknown)}.")
    clean: dict[str, str] = {}
    for setting in known:
        value = (secret_values if setting.secret else settings).get(setting.name, "").strip() or setting.default
        if setting.required and not value:
            raise BadEndpoint(f"{setting.name}: {setting.label} is needed.")
        if not setting.secret:
            clean[setting.name] = value
    return clean
