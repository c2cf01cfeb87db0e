"""Clients and their trading accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from accounts.models import Client, ClientCategory, ClientStatus, TradingAccount, What
from accounts.services import desired
from accounts.services.locked import user_id
from accounts.services.restrictions import require_all_may
from accounts.services.terms import require_within_caps
from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import DomainError
from integrations.models import Connection
from ledger.models import Kind, LedgerAccount
from ledger.services import chart

BALANCE_CODE = "client.balance"
CREDIT_CODE = "client.credit"


class LoginTaken(DomainError):
    """The login belongs to another client."""


@dataclass(frozen=True, slots=True)
class Login:
    """A login to open in the books: on which server, in which currency."""

    client_id: int
    connection_id: int
    login: int
    currency: str
    group: str = ""
    leverage: int = 0


@transaction.atomic
def open_client(
    *,
    actor: Actor,
    entity_id: int,
    number: str,
    name: str,
    country: str,
    email: str = "",
    category: ClientCategory = ClientCategory.RETAIL,
    desk_id: int | None = None,
) -> Client:
    """Register somebody who trades already with an entity; applicants begin in services/onboarding.py."""
    now = clock.now()
    client = Client.objects.create(
        entity_id=entity_id,
        desk_id=desk_id,
        number=number,
        name=name,
        country=country,
        email=email,
        category=category,
        status=ClientStatus.ACTIVE,
        status_at=now,
        status_by_id=user_id(actor),
        opened_at=now,
    )
    audit.record(actor=actor, action="client.opened", target=client, data={"number": number})
    return client


@transaction.atomic
def open_trading_accounts(*, actor: Actor, logins: Sequence[Login]) -> list[TradingAccount]:
    """Open logins in the books: the house's accounts of their currency, then balance and credit of each.

    Known logins are returned as they stand; a login of another client is refused, and so is a new one of a client who
    may have none or with more leverage than the client's category may.
    """
    connections = Connection.objects.in_bulk({login.connection_id for login in logins})
    for entity_id, currency in sorted({(connections[x.connection_id].entity_id, x.currency) for x in logins}):
        chart.open_house(actor=actor, entity_id=entity_id, currency=currency)
    ledger_accounts = _ledger_accounts(actor, logins, connections)
    known = {
        (row.connection_id, row.login): row
        for row in TradingAccount.objects.filter(
            connection_id__in=connections, login__in={login.login for login in logins}
        )
    }
    for login in logins:
        taken = known.get((login.connection_id, login.login))
        if taken is not None and taken.client_id != login.client_id:
            raise LoginTaken(f"Login {login.login} on {connections[login.connection_id]} belongs to another client.")
    fresh = [x for x in logins if (x.connection_id, x.login) not in known]
    clients = require_all_may(client_ids={x.client_id for x in fresh}, what=What.NEW_ACCOUNT)
    require_within_caps([(clients[x.client_id], x.leverage) for x in fresh])
    created = TradingAccount.objects.bulk_create(
        TradingAccount(
            entity_id=connections[x.connection_id].entity_id,
            client_id=x.client_id,
            connection_id=x.connection_id,
            login=x.login,
            currency_id=x.currency,
            group=x.group,
            leverage=x.leverage,
            balance_account=ledger_accounts[BALANCE_CODE, x.connection_id, x.login],
            credit_account=ledger_accounts[CREDIT_CODE, x.connection_id, x.login],
            opened_at=clock.now(),
        )
        for x in fresh
    )
    if created:
        desired.new_states(client_of=clients, accounts=created)
        audit.record(
            actor=actor,
            action="trading_accounts.opened",
            entity_id=created[0].entity_id,
            data={"logins": [row.login for row in created]},
        )
    known.update({(row.connection_id, row.login): row for row in created})
    return [known[x.connection_id, x.login] for x in logins]


def _ledger_accounts(
    actor: Actor, logins: Sequence[Login], connections: dict[int, Connection]
) -> dict[tuple[str, int, int], LedgerAccount]:
    """Balance and credit account of each login; one call for all."""
    keys: list[tuple[str, int, int]] = []
    wanted: list[LedgerAccount] = []
    for login in logins:
        connection = connections[login.connection_id]
        for code, name in ((BALANCE_CODE, "Balance"), (CREDIT_CODE, "Credit")):
            keys.append((code, login.connection_id, login.login))
            wanted.append(
                LedgerAccount(
                    entity_id=connection.entity_id,
                    code=f"{code}:{connection.name}:{login.login}",
                    currency_id=login.currency,
                    name=f"{name} of login {login.login}",
                    kind=Kind.LIABILITY,
                    holder=f"login:{connection.pk}:{login.login}",
                )
            )
    by_entity: dict[int, list[int]] = {}
    for index, account in enumerate(wanted):
        by_entity.setdefault(account.entity_id, []).append(index)
    opened: dict[tuple[str, int, int], LedgerAccount] = {}
    for indexes in by_entity.values():
        rows = chart.open_many(actor=actor, accounts=[wanted[i] for i in indexes])
        opened.update({keys[i]: row for i, row in zip(indexes, rows, strict=True)})
    return opened
