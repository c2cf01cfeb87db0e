"""What each fraud rule looks for: one statement per rule that names the clients of an entity it speaks about.

Each gives (client, subject, evidence). A subject names the row that completed the picture, so that the same picture is
found once and the next one is another alert. Evidence is references and numbers. Requests that were refused or undone
count for nothing but velocity and splitting, where trying is what is looked for. The parts of a withdrawal that the
desk split are not the client's doing; the whole counts there.

Amounts are compared within one currency. A shared destination is found by the keyed digest of IBAN, card token,
e-wallet or address; a shared device by that of what the trade server says a login was last signed in from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.db import connection as database

from payments.models.fraud import FraudKind
from payments.models.requests import UNDONE_STATES
from payments.services.destinations import name_match

# How far back requests are looked at, in days; what is older was looked at when it was new.
LOOK_BACK = 30
Finding = tuple[int, str, Mapping[str, Any]]  # client, subject, evidence
_K = FraudKind

RULES: Mapping[str, str] = {
    _K.SHARED_PAYEE: """
        SELECT p.client_id, 'payee:' || p.id,
               jsonb_build_object('payee', p.id, 'clients', count(DISTINCT o.client_id) + 1,
                                  'other payees', jsonb_agg(DISTINCT o.id))
          FROM payments_payee p
          JOIN payments_payee o ON o.fingerprint = p.fingerprint AND o.entity_id = p.entity_id
                               AND o.client_id <> p.client_id
         WHERE p.entity_id = %(entity)s AND p.state <> 'RETIRED'
         GROUP BY p.id HAVING count(DISTINCT o.client_id) + 1 >= %(clients)s""",
    _K.CRYPTO_OUT: """
        SELECT w.client_id, 'request:' || w.id,
               jsonb_build_object('withdrawal', w.reference, 'deposits', jsonb_agg(d.reference ORDER BY d.id))
          FROM payments_moneyrequest w
          JOIN payments_moneyrequest d ON d.client_id = w.client_id AND d.kind = 'D' AND d.method = 'CARD'
                AND d.state <> ALL (%(undone)s) AND d.asked_at <= w.asked_at
                AND d.asked_at >= w.asked_at - %(days)s * interval '1 day'
         WHERE w.entity_id = %(entity)s AND w.kind = 'W' AND w.method = 'CRYPTO' AND w.state <> ALL (%(undone)s)
           AND w.asked_at >= %(now)s - %(look_back)s * interval '1 day'
         GROUP BY w.id""",
    _K.NO_TRADING: """
        SELECT w.client_id, 'request:' || w.id,
               jsonb_build_object('withdrawal', w.reference, 'deposit', d.reference,
                                  'days', extract(day FROM w.asked_at - d.asked_at))
          FROM payments_moneyrequest w
         CROSS JOIN LATERAL (
               SELECT x.reference, x.asked_at FROM payments_moneyrequest x
                WHERE x.client_id = w.client_id AND x.kind = 'D' AND x.state = 'DONE' AND x.currency_id = w.currency_id
                  AND x.asked_at <= w.asked_at AND x.asked_at >= w.asked_at - %(days)s * interval '1 day'
                  AND w.amount >= x.amount * %(share)s / 100
                ORDER BY x.id DESC LIMIT 1) d
         WHERE w.entity_id = %(entity)s AND w.kind = 'W' AND w.state <> ALL (%(undone)s)
           AND w.asked_at >= %(now)s - %(look_back)s * interval '1 day'
           AND NOT EXISTS (
               SELECT FROM accounts_tradingaccount a JOIN integrations_deal t
                   ON t.entity_id = a.entity_id AND t.connection_id = a.connection_id AND t.login = a.login
                WHERE a.client_id = w.client_id AND t.kind = 'TRADE' AND NOT t.deleted
                  AND t.dealt_at BETWEEN d.asked_at AND w.asked_at)""",
    _K.SPLIT: """
        SELECT r.client_id, 'request:' || r.id,
               jsonb_build_object('requests', jsonb_agg(o.reference ORDER BY o.id), 'limit', %(limit)s,
                                  'sum', sum(o.amount), 'currency', r.currency_id)
          FROM payments_moneyrequest r
          JOIN payments_moneyrequest o ON o.client_id = r.client_id AND o.kind = r.kind AND o.id <= r.id
                AND o.currency_id = r.currency_id AND o.asked_at >= r.asked_at - %(hours)s * interval '1 hour'
                AND o.amount < %(limit)s AND o.amount >= %(limit)s * (100 - %(band)s) / 100.0
                AND o.split_from_id IS NULL
         WHERE r.entity_id = %(entity)s AND r.kind IN ('D', 'W') AND r.split_from_id IS NULL
           AND r.asked_at >= %(now)s - %(look_back)s * interval '1 day'
           AND r.amount < %(limit)s AND r.amount >= %(limit)s * (100 - %(band)s) / 100.0
         GROUP BY r.id HAVING count(*) >= %(number)s""",
    _K.VELOCITY: """
        SELECT r.client_id, 'request:' || r.id,
               jsonb_build_object('requests', count(*), 'hours', %(hours)s, 'last', r.reference)
          FROM payments_moneyrequest r
          JOIN payments_moneyrequest o ON o.client_id = r.client_id AND o.kind IN ('D', 'W') AND o.id <= r.id
                AND o.asked_at >= r.asked_at - %(hours)s * interval '1 hour' AND o.split_from_id IS NULL
         WHERE r.entity_id = %(entity)s AND r.kind IN ('D', 'W') AND r.split_from_id IS NULL
           AND r.asked_at >= %(now)s - %(look_back)s * interval '1 day'
         GROUP BY r.id HAVING count(*) = %(number)s""",
    _K.NAME: """
        SELECT p.client_id, 'payee:' || p.id, jsonb_build_object('payee', p.id, 'names agree, of 100', p.name_match)
          FROM payments_payee p
         WHERE p.entity_id = %(entity)s AND p.state <> 'RETIRED' AND p.name_match < %(fit)s""",
    _K.CARDS: """
        SELECT p.client_id, 'cards:' || max(p.id),
               jsonb_build_object('cards', count(DISTINCT p.fingerprint), 'payees', jsonb_agg(p.id ORDER BY p.id))
          FROM payments_payee p
         WHERE p.entity_id = %(entity)s AND p.kind = 'CARD'
           AND p.proposed_at >= %(now)s - %(days)s * interval '1 day'
         GROUP BY p.client_id HAVING count(DISTINCT p.fingerprint) >= %(number)s""",
    _K.DEVICE: """
        WITH seen AS (
            SELECT a.client_id, a.login, m.what, m.mark
              FROM accounts_tradingaccount a
              JOIN accounts_client c ON c.id = a.client_id AND c.erased_at IS NULL
              JOIN integrations_serveruser s ON s.connection_id = a.connection_id AND s.login = a.login
             CROSS JOIN LATERAL (VALUES ('device', s.device), ('address', s.address)) AS m (what, mark)
             WHERE a.entity_id = %(entity)s AND m.mark <> ''
        ), shared AS (
            SELECT what, mark, count(DISTINCT client_id) AS clients FROM seen GROUP BY what, mark
            HAVING count(DISTINCT client_id) >= CASE what WHEN 'device' THEN %(clients)s ELSE %(addresses)s END
        )
        SELECT seen.client_id, shared.what || ':' || left(shared.mark, 16),
               jsonb_build_object('shared', shared.what, 'clients', shared.clients,
                                  'logins', jsonb_agg(DISTINCT seen.login))
          FROM shared JOIN seen USING (what, mark)
         GROUP BY seen.client_id, shared.what, shared.mark, shared.clients""",
}
# Whose name stood on money that came: banks say it, PSPs do not.
_SENDERS = """
SELECT c.id, e.fact_id, m.reference, c.name, b.counterparty
  FROM payments_evidence e
  JOIN payments_moneyrequest m ON m.id = e.request_id AND m.kind = 'D'
  JOIN accounts_client c ON c.id = m.client_id AND c.erased_at IS NULL
  JOIN integrations_bankline b ON b.id = e.fact_id AND b.entity_id = m.entity_id
 WHERE e.fact_kind = 'bank' AND m.entity_id = %(entity)s AND b.counterparty <> ''
   AND e.seen_at >= %(now)s - %(look_back)s * interval '1 day'
 ORDER BY e.id
"""


def findings(kind: str, values: Mapping[str, Any]) -> list[Finding]:
    """What a rule finds with these values: entity, now, look_back and the rule's own parameters."""
    with database.cursor() as cursor:
        cursor.execute(RULES[kind], {**values, "undone": list(UNDONE_STATES)})
        found: list[Finding] = [(client, subject, _loaded(said)) for client, subject, said in cursor.fetchall()]
        if kind == FraudKind.NAME:
            cursor.execute(_SENDERS, dict(values))
            found += [
                (client, f"bank:{fact}", {"deposit": reference, "bank line": fact, "names agree, of 100": fit})
                for client, fact, reference, name, sender in cursor.fetchall()
                if (fit := name_match(sender, name)) < values["fit"]
            ]
    return found


def _loaded(said: Any) -> Mapping[str, Any]:
    return json.loads(said) if isinstance(said, str) else dict(said)
