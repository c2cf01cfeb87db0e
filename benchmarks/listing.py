"""list: the real page of deals over five million rows, first, middle and last page, through every middleware.

Beside it: a view that answers nothing, and the same columns through django-tables2 as it is shipped (its paginator
counts the rows and skips to the page). All in one process through Django's test client, in turns.
"""

from __future__ import annotations

import re
import time
from functools import partial

from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from guardian.shortcuts import assign_perm

from backoffice.kernel import clock
from backoffice.organisation.models import User
from backoffice.signin.models import Session
from benchmarks import broker, measure, place

ROUNDS = 41
_ROWS = """
INSERT INTO integrations_deal (entity_id, connection_id, version, content_hash, raw_id, raw_line, received_at, ticket,
       login, kind, entry, side, symbol, volume_lots, contract_size, price, profit, swap, commission, fee, position_id,
       order_id, external_id, gateway, reason, comment, modify_flags, deleted, server_time, business_date, dealt_at)
SELECT {entity}, {connection}, 1, sha256(n::text::bytea), n, 0, now(), n, 1000 + n % 20000, 'TRADE', 'IN',
       CASE n % 2 WHEN 0 THEN 'BUY' ELSE 'SELL' END, 'EURUSD', 0.10, 100000, 1.08455, 0, 0, -0.35, 0, n, n, '', '',
       'CLIENT', 'deal ' || n, 0, false, at, at::date, at AT TIME ZONE 'UTC'
  FROM (SELECT n, timestamp '2025-01-01' + n * interval '10 seconds' AS at FROM generate_series(1, {rows}) AS n) s
"""


def run(*, small: bool) -> measure.Table:
    rows = 50_000 if small else 5_000_000
    source = broker.connection("mt5_webapi", "mt5")
    place.as_owner(_ROWS.format(entity=source.entity_id, connection=source.pk, rows=rows), "VACUUM ANALYZE")
    table = measure.Table(
        ("page", "ours, median", "95 of 100 within", "aim", "empty view", "django-tables2", "tables2 / ours", "says")
    )
    client = signed_in("view_deal")
    middle = f"{_moment_of(rows // 2)}~{rows // 2}"
    for name, ours, theirs in (
        ("first", "/deals/", "/tables2/"),
        ("middle", f"/deals/?after={middle}", f"/tables2/?page={rows // 100}"),
        ("last", "/deals/?last=1", f"/tables2/?page={rows // 50}"),
    ):
        said = _rows_shown(client, ours)
        contenders = [partial(answer, client, address) for address in (ours, "/empty/", theirs)]
        for contender in contenders:
            contender()
        own, empty, other = measure.in_turns(contenders, rounds=5 if small else ROUNDS)
        slowest = sorted(own)[int(len(own) * 0.95)] * 1000
        mine, nothing, tables2 = (measure.median(taken) * 1000 for taken in (own, empty, other))
        table.add(
            name,
            f"{mine:.1f} ms",
            f"{slowest:.1f} ms",
            f"≤ 20 ms: {'met' if mine <= 20 else '**missed**'}",
            f"{nothing:.1f} ms",
            f"{tables2:,.1f} ms",
            f"{tables2 / mine:,.1f}",
            said,
        )
    return table


def signed_in(*codenames: str) -> Client:
    """A dealer with these view permissions, in a session with its second factor."""
    user = User.objects.create_user("dealer", "dealer@example.com", "a long enough pass phrase")
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    assign_perm("organisation.work_in_legalentity", user, broker.entity())
    client = Client()
    client.force_login(user)
    Session.objects.filter(user=user).update(verified_at=clock.now())
    return client


def answer(client: Client, address: str) -> float:
    start = time.perf_counter()
    response = client.get(address)
    body = response.content
    taken = time.perf_counter() - start
    assert response.status_code == 200, (address, response.status_code, body[:200])
    return taken


def _rows_shown(client: Client, address: str) -> str:
    """How the page says how many rows there are; fails if it shows none, or it would be quick for nothing."""
    page = client.get(address).content.decode()
    assert page.count("deal ") >= 50, f"{address} shows no full page of deals"
    total = re.search(r'class="total"><strong>([^<]*)', page)
    assert total, f"{address} does not say how many rows there are"
    return total[1]


def _moment_of(ticket: int) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT to_char(dealt_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
                 FROM integrations_deal WHERE id = %s""",
            [ticket],
        )
        return str(cursor.fetchone()[0])
