"""clients: the list of clients and a client's page among 100,000 clients and 1,000,000 audit entries, through every
middleware. Beside them: a view that answers nothing, in the same process, in turns.
"""

from __future__ import annotations

from functools import partial

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.services import clients
from accounts.services.clients import Login
from benchmarks import broker, measure, place
from benchmarks.listing import answer, signed_in

ROUNDS = 101
_CLIENTS = """
INSERT INTO accounts_client (number, name, email, country, category, status, status_at, status_reason, opened_at,
       entity_id)
SELECT 'B-' || n, 'Client ' || n, '', 'CY', 'RETAIL', 'ACTIVE', now(), '', now(), {entity}
  FROM generate_series(1, {rows}) AS n
"""
_ENTRIES = """
INSERT INTO audit_entry (at, actor_kind, actor_label, action, target, entity_id, data, request_id)
SELECT now() - n * interval '1 second', 'SYSTEM', 'system: bench', 'client.noted', 'accounts.client:' || 1 + n % 90000,
       {entity}, '{{}}', ''
  FROM generate_series(1, {rows}) AS n
"""


def run(*, small: bool) -> measure.Table:
    number = 2_000 if small else 100_000
    here = broker.entity()
    server = broker.connection("mt5_webapi", "mt5")
    place.as_owner(_CLIENTS.format(entity=here.pk, rows=number), _ENTRIES.format(entity=here.pk, rows=number * 10))
    client = clients.open_client(
        actor=broker.ROBOT, entity_id=here.pk, number="V-1", name="The one looked at", country="CY"
    )
    clients.open_trading_accounts(
        actor=broker.ROBOT, logins=[Login(client.pk, server.pk, login, "USD") for login in (1001, 1002)]
    )
    place.as_owner("VACUUM ANALYZE")
    visitor = signed_in("view_client", "view_tradingaccount", "view_deal", "view_request")
    table = measure.Table(("page", "median", "95 of 100 within", "aim", "queries", "empty view"))
    for name, address in (
        ("list", reverse("clients")),
        ("list by name", reverse("clients") + "?name=Client 77"),
        ("one client", reverse("client", args=[client.pk])),
    ):
        contenders = [partial(answer, visitor, address), partial(answer, visitor, "/empty/")]
        for contender in contenders:
            contender()
        with CaptureQueriesContext(connection) as asked:
            answer(visitor, address)
        queries = len(asked)  # before the next request begins a new count
        own, empty = measure.in_turns(contenders, rounds=5 if small else ROUNDS)
        slow = sorted(own)[int(len(own) * 0.95)] * 1000
        table.add(
            name,
            f"{measure.median(own) * 1000:.0f} ms",
            f"{slow:.0f} ms",
            f"≤ 200 ms: {'met' if slow <= 200 else '**missed**'}",
            queries,
            f"{measure.median(empty) * 1000:.1f} ms",
        )
    table.notes.append(f"{number:,} clients, {number * 10:,} audit entries.")
    return table
