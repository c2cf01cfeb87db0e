"""The door for webhooks, and the pages on which people look at what came through it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from backoffice.kernel.actor import Person
from backoffice.organisation.selectors import scope
from backoffice.ui.views import ActionPage, Crumb, DetailPage, ListPage
from integrations import filters, forms, registry, tables
from integrations.models import Connection, PspLine, Webhook, WebhookEndpoint
from integrations.ports import Incoming
from integrations.selectors import webhooks as webhook_selectors
from integrations.selectors.events import event_of
from integrations.services import doors, endpoints, webhooks

_NO_DOOR = "there is no such address\n"


# No form of ours, no session, no person: the signature over the bytes is what lets a webhook in.
@csrf_exempt
@login_not_required
@require_POST
def receive(request: HttpRequest, token: str) -> HttpResponse:
    """POST /hooks/<token>/: what a provider says. The length is looked at before anything is read."""
    door = doors.find(token)
    if door is None:
        return _plain(404, _NO_DOOR)
    length = request.META.get("CONTENT_LENGTH", "")
    if not length.isdecimal():
        return _plain(411, "say how long the body is\n")
    if int(length) > webhooks.SIZE_LIMIT:
        return _plain(413, f"at most {webhooks.SIZE_LIMIT} bytes are taken\n")
    try:
        body = request.body
    except UnreadablePostError:
        body = b""
    if len(body) != int(length):
        return _plain(400, "the body ended early\n")
    headers = {name.lower(): value for name, value in request.headers.items()}
    answer = webhooks.receive(door=door, incoming=Incoming(body, headers))
    if answer is None:
        return _plain(404, _NO_DOOR)
    return HttpResponse(answer.body, answer.content_type, answer.status, headers=dict(answer.headers))


def _plain(status: int, words: str) -> HttpResponse:
    return HttpResponse(words, "text/plain", status)


class WebhookList(ListPage):
    title = "Webhooks"
    queryset = Webhook.objects.select_related("connection", "entity").defer("body", "headers")
    table = tables.WebhookTable
    filters = filters.WebhookFilters
    permission = "integrations.view_webhook"


class WebhookDetail(DetailPage):
    queryset = Webhook.objects.select_related("connection", "entity")
    template = "integrations/webhook.html"
    permission = "integrations.view_webhook"
    nav = "webhooks"

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Webhooks", reverse("webhooks")),)

    def heading(self) -> str:
        return f"Webhook {self.row.pk}"

    def subtitle(self) -> str:
        return f"{self.row.connection.name} · {self.row.provider}"

    def context(self, row: Webhook, tab: str) -> Mapping[str, Any]:
        verified = row.verdict == "VERIFIED"
        endpoint = WebhookEndpoint.objects.filter(connection_id=row.connection_id).first()
        may_lines = scope.may(self.user, "integrations.view_pspline")
        lines = scope.visible(self.user, PspLine.objects.all(), "integrations.view_pspline") if may_lines else None
        return {
            "tones": tables.VERDICT_TONES,
            "labels": tables.VERDICT_LABELS,
            "event": tables.event_pairs(event_of(row, endpoint.settings if endpoint else {})) if verified else (),
            "headers": sorted(row.headers.items()),
            "body": bytes(row.body).decode("utf-8", errors="replace"),
            "may_lines": may_lines,
            "agreements": webhook_selectors.agreements(row, lines) if lines is not None else (),
        }


class SetUpWebhooks(ActionPage):
    """Take in webhooks for a connection, change how, or roll the secret."""

    queryset = Connection.objects.select_related("entity")
    permission = "integrations.change_connection"
    form = forms.WebhookForm
    template = "integrations/set_up_webhooks.html"
    nav = "connections"

    def heading(self) -> str:
        return f"Webhooks of {self.target.name}"

    @property
    def endpoint(self) -> WebhookEndpoint | None:
        return WebhookEndpoint.objects.filter(connection=self.target).first()

    @property
    def provider(self) -> str:
        chosen = str(self.request.GET.get("provider", ""))
        known = self.endpoint
        return chosen if chosen in registry.WEBHOOKS else known.provider if known else next(iter(registry.WEBHOOKS))

    def form_arguments(self, target: Connection) -> Mapping[str, Any]:
        return {"provider": self.provider, "endpoint": self.endpoint}

    def consequences(self, target: Connection) -> Sequence[str]:
        return (
            "The address is shown on the connection's page; it stays the same when secrets or the provider change.",
            "A new secret counts at once; the old one goes on for the hours you say, and not after.",
        )

    def page(self, context: Mapping[str, Any], status: int = 200) -> Any:
        choices = [(name, reader.title, name == self.provider) for name, reader in registry.WEBHOOKS.items()]
        return super().page({**context, "providers": choices}, status)

    def run(self, *, actor: Person, form: Any, target: Connection) -> WebhookEndpoint:
        return endpoints.set_up(
            actor=actor,
            connection_id=target.pk,
            provider=self.provider,
            settings=form.values(secret=False),
            secret_values=form.values(secret=True),
            is_active=form.cleaned_data["is_active"],
            keep_old_hours=form.cleaned_data["keep_old_hours"],
        )

    def success_url(self, result: WebhookEndpoint) -> str:
        return reverse("connection", args=[result.connection_id])

    def message(self, result: WebhookEndpoint) -> str:
        return f"Webhooks go to {address_of(result)}"


def address_of(endpoint: WebhookEndpoint) -> str:
    """Where the provider sends them."""
    return f"{settings.SITE_URL}{reverse('receive-webhook', args=[endpoint.token])}"
