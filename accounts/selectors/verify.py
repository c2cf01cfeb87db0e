"""Every fact is booked, moves no money, or is noted as unbooked; and nothing is booked that is not a fact.

What gave rights back to a client was agreed to by two people; flags are named by number only."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from accounts.models.flags import TWO_PERSONS
from accounts.models.lifecycle import STEPS
from backoffice.kernel.findings import Finding

_LIMIT = 50
_GATED = ", ".join(f"('{before}', '{after}')" for (before, after), two in STEPS.items() if two)
_TWO_KINDS = ", ".join(f"'{kind}'" for kind in TWO_PERSONS)
# The request behind a change: executed for this target by this person, at the same moment.
_AGREED = """
    SELECT FROM approvals_request r JOIN approvals_participation p ON p.request_id = r.id
     WHERE r.state = 'EXECUTED' AND r.target = {target} AND p.person_id = {by} AND p.part IN ('APPROVER', 'EXECUTOR')
       AND r.finished_at BETWEEN {at} - interval '1 minute' AND {at} + interval '1 minute'"""
_RULES = {
    "booking has looked at every fact in order": """
        SELECT c.connection_id || ' ' || c.fact_kind, 'cursor at ' || c.through_id || ', no such fact'
          FROM accounts_bookingcursor c
         WHERE c.through_id > 0 AND NOT EXISTS (
               SELECT FROM integrations_deal f WHERE c.fact_kind = 'deal' AND f.connection_id = c.connection_id AND f.id = c.through_id
               UNION ALL
               SELECT FROM integrations_pspline f WHERE c.fact_kind = 'psp' AND f.connection_id = c.connection_id AND f.id = c.through_id
               UNION ALL
               SELECT FROM integrations_bankline f WHERE c.fact_kind = 'bank' AND f.connection_id = c.connection_id AND f.id = c.through_id
               UNION ALL
               SELECT FROM integrations_fill f WHERE c.fact_kind = 'fill' AND f.connection_id = c.connection_id AND f.id = c.through_id)""",
    "a deal that moves money is in the books, or noted as unbooked": """
        SELECT 'deal ' || d.ticket || ' v' || d.version, 'neither booked nor noted'
          FROM integrations_deal d
          JOIN accounts_bookingcursor c ON c.connection_id = d.connection_id AND c.fact_kind = 'deal' AND d.id <= c.through_id
         WHERE NOT d.deleted AND (d.profit <> 0 OR d.swap <> 0 OR d.commission <> 0 OR d.fee <> 0)
           AND NOT EXISTS (SELECT FROM ledger_journal j WHERE j.entity_id = d.entity_id
                              AND j.key = 'deal:' || d.connection_id || ':' || d.ticket || ':v' || d.version)
           AND NOT EXISTS (SELECT FROM accounts_unbooked u WHERE u.fact_kind = 'deal' AND u.fact_id = d.id)""",
    "a bank line that was proved to be a payout has that payout's amount": """
        SELECT 'bank line ' || r.bank_line_id, 'payout ' || r.psp_line_id || ' is not there or is another amount'
          FROM accounts_payoutreceipt r
         WHERE NOT EXISTS (
               SELECT FROM integrations_bankline b JOIN integrations_pspline p ON p.entity_id = b.entity_id
                WHERE b.entity_id = r.entity_id AND b.id = r.bank_line_id AND p.id = r.psp_line_id
                  AND p.kind = 'PAYOUT' AND -p.net = b.amount AND p.currency = b.currency AND b.currency = r.currency)""",
    "an old version of a deal is reversed": """
        SELECT 'deal ' || d.ticket || ' v' || d.version, 'journal ' || j.id || ' still stands'
          FROM integrations_superseded s
          JOIN integrations_deal d ON s.fact_kind = 'deal' AND d.id = s.fact_id
          JOIN accounts_bookingcursor c ON c.connection_id = d.connection_id AND c.fact_kind = 'deal'
          JOIN ledger_journal j ON j.entity_id = d.entity_id
               AND j.key = 'deal:' || d.connection_id || ':' || d.ticket || ':v' || d.version
         WHERE EXISTS (SELECT FROM integrations_deal n WHERE n.entity_id = d.entity_id AND n.connection_id = d.connection_id
                          AND n.ticket = d.ticket AND n.version = d.version + 1 AND n.id <= c.through_id)
           AND NOT EXISTS (SELECT FROM ledger_journal r WHERE r.entity_id = j.entity_id AND r.reverses_id = j.id)""",
    # Each side is put together by itself first: both are of the size of the books, and a join of all four tables in an
    # order that PostgreSQL picks without statistics would be of their product.
    "a journal of a deal says what the deal says": """
        WITH booked AS MATERIALIZED (
             SELECT j.entity_id, j.id, j.reference, l.account_id, -sum(l.amount) AS amount
               FROM ledger_journal j
               JOIN ledger_line l ON l.entity_id = j.entity_id AND l.business_date = j.business_date AND l.journal_id = j.id
              WHERE j.kind = 'DEAL' AND j.reverses_id IS NULL
              GROUP BY j.entity_id, j.id, j.reference, l.account_id),
        said AS MATERIALIZED (
             SELECT d.entity_id, d.ticket, 'deal:' || d.id AS reference, a.balance_account_id, a.credit_account_id,
                    a.reserved_account_id,
                    d.profit + d.swap + d.commission + d.fee AS amount
               FROM integrations_deal d
               JOIN accounts_tradingaccount a ON a.connection_id = d.connection_id AND a.login = d.login)
        SELECT 'journal ' || b.id, 'client gets ' || sum(b.amount) || ', deal ' || d.ticket || ' says ' || d.amount
          FROM booked b
          JOIN said d ON d.entity_id = b.entity_id AND d.reference = b.reference
               AND b.account_id IN (d.balance_account_id, d.credit_account_id, d.reserved_account_id)
         GROUP BY b.entity_id, b.id, d.ticket, d.amount
        HAVING sum(b.amount) <> d.amount""",
    "what is reserved is what open reservations hold": """
        SELECT 'ledger account ' || o.account_id, 'reserved ' || -coalesce(b.amount, 0) || ', held ' || o.held
          FROM (SELECT p.account_id, coalesce(sum(p.amount), 0) AS held
                  FROM (SELECT w.reserved_id AS account_id, r.amount
                          FROM accounts_wallet w LEFT JOIN accounts_reservation r ON r.wallet_id = w.id AND r.state = 'HELD'
                         UNION ALL
                        SELECT t.reserved_account_id, r.amount
                          FROM accounts_tradingaccount t
                          LEFT JOIN accounts_reservation r ON r.trading_account_id = t.id AND r.state = 'HELD'
                         WHERE t.reserved_account_id IS NOT NULL) p
                 GROUP BY p.account_id) o
          LEFT JOIN ledger_balance b ON b.account_id = o.account_id
         WHERE -coalesce(b.amount, 0) <> o.held""",
    "a client's status is where its steps have led": """
        SELECT 'client ' || s.client_id, s.before || ' to ' || s.after || ' after ' || coalesce(s.was, 'the beginning')
          FROM (SELECT c.*, lag(after) OVER w AS was, lead(before) OVER w AS next, l.status
                  FROM accounts_statuschange c JOIN accounts_client l ON l.id = c.client_id
                WINDOW w AS (PARTITION BY client_id ORDER BY c.id)) s
         WHERE s.was <> s.before OR (s.next IS NULL AND s.after <> s.status)""",
    "a step that takes two was agreed to": f"""
        SELECT 'client ' || c.client_id || ': ' || c.before || ' to ' || c.after, 'no request was executed for it'
          FROM accounts_statuschange c
         WHERE (c.before, c.after) IN ({_GATED})
           AND NOT EXISTS ({_AGREED.format(target="'accounts.client:' || c.client_id", by="c.by_id", at="c.at")})""",
    "a restriction that a person lifted was agreed to": f"""
        SELECT 'restriction ' || x.id, 'no request was executed for it'
          FROM accounts_restriction x
         WHERE x.lifted_by_id IS NOT NULL
           AND NOT EXISTS ({_AGREED.format(target="'accounts.restriction:' || x.id", by="x.lifted_by_id", at="x.lifted_at")})
           AND (x.origin = '' OR NOT EXISTS (SELECT FROM accounts_statuschange c WHERE c.client_id = x.client_id
                   AND c.after = 'ACTIVE' AND c.at BETWEEN x.lifted_at - interval '1 minute' AND x.lifted_at))""",
    "a flag that takes two was agreed to": f"""
        SELECT 'flag ' || f.id, 'no request was executed for it'
          FROM accounts_flag f
         WHERE f.kind IN ({_TWO_KINDS}) AND f.ended_at IS NOT NULL AND f.expires_at IS NULL
           AND NOT EXISTS ({_AGREED.format(target="'accounts.flag:' || f.id", by="f.ended_by_id", at="f.ended_at")})""",
    "personal data was erased by two, and its key with it": """
        SELECT 'client ' || c.id, CASE WHEN k.wrapped IS DISTINCT FROM '' THEN 'erased, and its key still stands'
                                       WHEN c.erased_at IS NULL THEN 'its key is shredded, its row is not erased'
                                       ELSE 'no request was executed for it' END
          FROM accounts_client c LEFT JOIN audit_personkey k ON k.person = 'accounts.client:' || c.id
         WHERE (c.erased_at IS NULL AND k.wrapped = '')
            OR (c.erased_at IS NOT NULL AND (k.wrapped IS DISTINCT FROM '' OR NOT EXISTS (
                   SELECT FROM approvals_request r
                    WHERE r.action = 'accounts.erase' AND r.state = 'EXECUTED' AND r.target = k.person
                      AND r.finished_at BETWEEN c.erased_at - interval '1 minute' AND c.erased_at + interval '1 minute')))""",
    "every login has a desired state within its category's cap": """
        SELECT 'login ' || a.login, coalesce('leverage ' || d.leverage, 'no desired state')
          FROM accounts_tradingaccount a JOIN accounts_client c ON c.id = a.client_id
          LEFT JOIN accounts_desiredstate d ON d.account_id = a.id
          LEFT JOIN LATERAL (
               SELECT max(l.leverage) FILTER (WHERE l.entity_id IS NOT NULL) AS own, max(l.leverage) AS general
                 FROM accounts_leveragecap l
                WHERE l.category = c.category AND (l.entity_id IS NULL OR l.entity_id = a.entity_id)) cap ON true
         WHERE d.id IS NULL OR greatest(d.leverage, d.original_leverage) > coalesce(cap.own, cap.general)""",
}


def findings() -> Iterator[Finding]:
    """At most fifty findings per rule."""
    with connection.cursor() as cursor:
        for rule, query in _RULES.items():
            cursor.execute(f"{query} LIMIT {_LIMIT}")
            for subject, detail in cursor.fetchall():
                yield Finding(rule, subject, detail)
