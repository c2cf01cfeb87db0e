"""The list of clients, and everything about one client on one screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse

from accounts import filters, tables
from accounts.models import Client, ClientStatus, TradingAccount
from accounts.models.clients import ERASABLE
from accounts.models.lifecycle import legal
from accounts.selectors import visible
from accounts.selectors.timeline import timeline
from accounts.views.logins import LATEST, with_balances
from backoffice.approvals.models import OPEN, Request
from backoffice.approvals.selectors import sight
from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.organisation.selectors import scope
from backoffice.ui.requests import actor_of
from backoffice.ui.views import Button, Crumb, DetailPage, ListPage
from integrations.models import Deal

SAME_READING = timedelta(hours=1)
# Counted per row that is shown: a join with GROUP BY would read every client to show fifty.
_LOGINS = Coalesce(
    Subquery(
        TradingAccount.objects.filter(client=OuterRef("pk"))
        .order_by()
        .values("client")
        .annotate(n=Count("pk"))
        .values("n")
    ),
    0,
)
_APPLYING = (ClientStatus.APPLICATION, ClientStatus.PENDING_KYC, ClientStatus.KYC_REVIEW)
_SUSPENDED = (ClientStatus.UNDER_REVIEW, ClientStatus.SUSPENDED, ClientStatus.CLOSING)


def _can(status: ClientStatus) -> Any:
    return lambda client: legal(client.status, status)


def _is(*statuses: ClientStatus) -> Any:
    return lambda client: client.status in statuses


def _reopens(client: Client) -> bool:
    return client.status == ClientStatus.CLOSED and client.erased_at is None


def _erasable(client: Client) -> bool:
    return client.status in ERASABLE and client.erased_at is None


STEPS = (
    Button("Application", "client-application", "accounts.onboard_client", when=_is(*_APPLYING)),
    Button("Decide", "decide-application", "accounts.record_kyc", when=_is(ClientStatus.KYC_REVIEW)),
    Button("Put under review", "review-client", "accounts.review_client", when=_is(ClientStatus.ACTIVE)),
    Button("Suspend", "suspend-client", "accounts.suspend_client", "danger", when=_can(ClientStatus.SUSPENDED)),
    Button("Restrict", "restrict-client", "accounts.restrict_client"),
    Button("Ask for protection", "ask-protect", "accounts.ask_protect", when=_is(ClientStatus.ACTIVE)),
    Button("Ask to reactivate", "reactivate-client", "accounts.ask_lift", when=_is(*_SUSPENDED)),
    Button("Ask to wake", "wake-client", "accounts.ask_wake", when=_is(ClientStatus.DORMANT)),
    Button("Start closing", "start-closing", "accounts.start_closing", when=_can(ClientStatus.CLOSING)),
    Button("Ask to close", "close-client", "accounts.ask_close", when=_is(ClientStatus.CLOSING)),
    Button("Ask to open again", "reopen-client", "accounts.ask_reopen_client", when=_reopens),
    Button("Ask to erase", "erase-client", "accounts.ask_erase", "danger", when=_erasable),
)
PAPERS = {
    "flag_links": Button("Set a flag", "set-flag", "accounts.set_flag"),
    "note_links": Button("Write a note", "add-note", "accounts.write_note"),
    "document_links": Button("Enter a document", "add-document", "accounts.add_client_document"),
    "kyc_links": Button("Record a check", "record-kyc", "accounts.record_kyc"),
    "category_links": Button("Ask for another", "change-category", "accounts.ask_category"),
}


class ClientList(ListPage):
    title = "Clients"
    table = tables.ClientTable
    filters = filters.ClientFilters
    permission = "accounts.view_client"

    def rows(self) -> QuerySet[Client]:
        return visible.annotated(Client.objects.select_related("entity").annotate(logins=_LOGINS), self.user)


class ClientDetail(DetailPage):
    queryset = Client.objects.select_related("entity", "desk", "status_by")
    template = "accounts/client.html"
    permission = "accounts.view_client"
    nav = "clients"
    buttons = STEPS

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Clients", reverse("clients")),)

    def heading(self) -> str:
        return str(self.row.name)

    def subtitle(self) -> str:
        return f"{self.row.number} · {self.row.entity.name}"

    def context(self, row: Client, tab: str) -> Mapping[str, Any]:
        self.note_reading(row)
        accounts = list(with_balances(row.trading_accounts.select_related("connection", "client", "entity")))
        return {
            **{name: self.links([button], row) for name, button in PAPERS.items()},
            "tones": tables.CLIENT_TONES,
            "labels": dict(ClientStatus.choices),
            "restrictions": row.restrictions.filter(lifted_at=None).select_related("set_by", "reviewed_by", "account"),
            "may_lift": scope.may(self.user, "accounts.ask_lift"),
            "may_lift_trading": scope.may(self.user, "accounts.ask_lift_trading"),
            "may_confirm": scope.may(self.user, "accounts.confirm_restriction"),
            "now": clock.now(),
            "knows_kyc": scope.may(self.user, visible.VIEW_KYC),
            "flags": visible.flags_of(self.user, row),
            "kyc": visible.kyc_of(self.user, row),
            "documents": visible.documents_of(row),
            "notes": visible.notes_of(self.user, row),
            "requests": self.requests(row),
            "accounts": tables.TradingAccountTable().html(accounts, caption="Trading accounts"),
            "deals": tables.DealTable().html(latest_deals(accounts), caption="Latest deals"),
            "timeline": timeline(self.user, row),
        }

    def note_reading(self, row: Client) -> None:
        """Who opens a client of a desk that is not theirs leaves a line in the audit log, once an hour."""
        if scope.beyond_desk(self.user, row.entity_id, row.desk_id):
            actor = actor_of(self.request)
            data = {"desk": row.desk_id}
            audit.read_once(actor=actor, what="client_of_another_desk", target=row, within=SAME_READING, data=data)

    def requests(self, row: Client) -> list[tuple[Request, bool]]:
        """Requests about the client that the reader may see, newest first, and whether each waits for somebody."""
        if not scope.may(self.user, sight.VIEW):
            return []
        rows = sight.visible(self.user, Request.objects.filter(client=audit.name_of(row)))
        return [(item, item.state in OPEN) for item in rows.select_related("maker").order_by("-pk")[:10]]


def latest_deals(accounts: Sequence[TradingAccount]) -> list[Deal]:
    """The newest deals of these logins. A login is one of its own server: another may use the same number."""
    found: list[Deal] = []
    for connection_id in sorted({account.connection_id for account in accounts}):
        logins = [account.login for account in accounts if account.connection_id == connection_id]
        deals = Deal.objects.filter(connection_id=connection_id, login__in=logins).select_related("connection")
        found += deals.order_by("-dealt_at", "-id")[:LATEST]
    return sorted(found, key=lambda deal: (deal.dealt_at, deal.pk), reverse=True)[:LATEST]
