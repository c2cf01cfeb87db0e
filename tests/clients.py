"""People and a client for the tests of a client's life: who sets, who asks, who agrees."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import Group

from accounts.models import Client, DesiredState, TradingAccount
from accounts.services import clients
from accounts.services.clients import Login
from backoffice.approvals.models import Request
from backoffice.approvals.services import requests
from backoffice.kernel.actor import Person
from backoffice.organisation.models import LegalEntity
from integrations import registry
from integrations.models import Connection, ServerUser
from tests.builders import ROBOT, entity, person, user
from tests.worlds import connection

GROUP = "real\\STD-USD"
CLOSING = "real\\CLOSE-{currency}"


def member(name: str, *roles: str, here: LegalEntity | None = None) -> Person:
    """Somebody with the rights of some roles, as `manage load_roles` made them."""
    found = user(name, entities=(here or entity(),))
    found.groups.add(*Group.objects.filter(name__in=roles))
    return person(found)


@dataclass
class Floor:
    """A client with two logins on a server that is never asked, and the staff."""

    here: LegalEntity
    server: Connection
    client: Client
    logins: list[TradingAccount]
    people: dict[str, Person] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Person:
        try:
            return self.people[name]
        except KeyError:
            raise AttributeError(name) from None

    def ask(self, who: Person, action: str, payload: Any) -> Request:
        return requests.submit(actor=who, action=action, payload=payload, reason="as the test wants it")

    def agree(self, who: Person, request: Request) -> Request:
        return requests.approve(actor=who, request_id=request.pk, seen_hash=request.payload_hash)

    def both(self, asker: Person, decider: Person, action: str, payload: Any) -> Request:
        return self.agree(decider, self.ask(asker, action, payload))

    def status(self) -> str:
        self.client.refresh_from_db()
        return self.client.status

    def state(self, number: int = 0) -> DesiredState:
        return DesiredState.objects.get(account=self.logins[number])

    def confirm(self) -> None:
        """The server has done what was wanted of every login."""
        for account in self.logins:
            state = DesiredState.objects.get(account=account)
            if state.is_pending:
                reading = ServerUser(connection=self.server, login=account.login, rights=1, leverage=state.leverage)
                registry.confirmed(self.server.pk, account.login, state.command_key, reading)


STAFF = {
    "dana": ("DLR",),
    "fred": ("FMK",),
    "fiona": ("FAP",),
    "pat": ("PAY",),
    "carl": ("CMP",),
    "cora": ("CMP",),
    "mona": ("CMP", "MLRO"),
    "sue": ("SUP",),
    "ian": ("IBM",),
    "mia": ("MGT",),
    "sam": ("SYS",),
    "ada": ("AUD",),
}


def floor(*, group: str = GROUP, leverage: int = 30) -> Floor:
    here = entity("CY")
    server = connection("mt5_webapi", "mt5")
    server.settings = {"close_only_group": CLOSING}
    server.save()
    client = clients.open_client(actor=ROBOT, entity_id=here.pk, number="C-1", name="Ada Lovelace", country="GB")
    logins = [Login(client.pk, server.pk, login, "USD", group, leverage) for login in (1001, 1002)]
    accounts = clients.open_trading_accounts(actor=ROBOT, logins=logins)
    people = {name: member(name, *roles, here=here) for name, roles in STAFF.items()}
    return Floor(here, server, client, accounts, people)
