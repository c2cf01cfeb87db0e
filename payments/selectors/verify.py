"""What the payments desk promises, recomputed from the rows: steps, reservations, payouts and credits."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from backoffice.kernel.findings import Finding
from payments.models import chargebacks
from payments.models.requests import STEPS

_LIMIT = 50
_STEPS = ", ".join(f"('{before}', '{after}')" for before, afters in STEPS.items() for after in sorted(afters))
_CASE_STEPS = ", ".join(
    f"('{before}', '{after}')" for before, afters in chargebacks.STEPS.items() for after in sorted(afters)
)
_RULES = {
    "a chargeback case is where its events have led, by legal steps": f"""
        WITH steps AS (
             SELECT e.case_id, e.before, e.after, lag(e.after) OVER w AS was, lead(e.id) OVER w AS next
               FROM payments_caseevent e WINDOW w AS (PARTITION BY e.case_id ORDER BY e.id))
        SELECT 'CB-' || c.id, coalesce(s.was, 'nothing') || ' / ' || s.before || ' to ' || s.after || ', now ' || c.state
          FROM payments_chargebackcase c LEFT JOIN steps s ON s.case_id = c.id
         WHERE s.case_id IS NULL OR coalesce(s.was, '') <> s.before
            OR (s.before NOT IN ('', s.after) AND (s.before, s.after) NOT IN ({_CASE_STEPS}))
            OR (s.next IS NULL AND s.after <> c.state)""",
    "what a chargeback charged to a client stands in the books and is no more than was disputed": """
        SELECT 'CB-' || p.case_id, p.kind || ' ' || p.amount || ', journal ' || p.journal_id
          FROM payments_caseposting p JOIN payments_chargebackcase c ON c.id = p.case_id
          JOIN accounts_wallet w ON w.id = p.wallet_id
         WHERE (SELECT sum(l.amount) FROM ledger_line l
                 WHERE l.entity_id = c.entity_id AND l.journal_id = p.journal_id AND l.account_id = w.account_id)
               IS DISTINCT FROM CASE p.kind WHEN 'CHARGE' THEN p.amount ELSE -p.amount END
            OR w.client_id <> c.client_id
            OR (SELECT sum(CASE x.kind WHEN 'CHARGE' THEN x.amount ELSE -x.amount END)
                  FROM payments_caseposting x WHERE x.case_id = p.case_id) NOT BETWEEN 0 AND c.amount""",
    "a request is where its events have led, by legal steps": f"""
        WITH steps AS (
             SELECT e.request_id, e.before, e.after, e.id,
                    lag(e.after) OVER w AS was, lead(e.id) OVER w AS next
               FROM payments_requestevent e WHERE e.before <> e.after
             WINDOW w AS (PARTITION BY e.request_id ORDER BY e.id))
        SELECT m.reference, coalesce(s.was, 'nothing') || ' / ' || s.before || ' to ' || s.after || ', now ' || m.state
          FROM payments_moneyrequest m JOIN steps s ON s.request_id = m.id
         WHERE coalesce(s.was, '') <> s.before
            OR (s.before = '' AND s.after <> 'ASKED')
            OR (s.before <> '' AND (s.before, s.after) NOT IN ({_STEPS}))
            OR (s.next IS NULL AND s.after <> m.state)""",
    "a withdrawal holds what it promised, and nothing when it is over": """
        SELECT m.reference, m.state || ', reservation ' || coalesce(r.state, 'missing') || ' of ' || coalesce(r.amount, 0)
          FROM payments_moneyrequest m LEFT JOIN accounts_reservation r ON r.reference = m.reference
         WHERE m.kind = 'W' AND (
               r.id IS NULL OR r.amount <> m.amount OR r.currency_id <> m.currency_id
            OR (m.state IN ('ASKED', 'IN_REVIEW', 'APPROVED') AND r.state <> 'HELD')
            OR (m.state IN ('REJECTED', 'WITHDRAWN', 'SPLIT') AND r.state <> 'RELEASED')
            OR (m.state IN ('SENT', 'DONE', 'RETURNED') AND m.source_wallet_id IS NOT NULL AND r.state <> 'USED'))""",
    "a withdrawal that was split is its parts, to the cent": """
        SELECT m.reference, m.amount || ', its ' || count(p.id) || ' parts ' || coalesce(sum(p.amount), 0)
          FROM payments_moneyrequest m LEFT JOIN payments_moneyrequest p ON p.split_from_id = m.id
         GROUP BY m.id
        HAVING (m.state = 'SPLIT') <> (count(p.id) >= 2) OR (m.state = 'SPLIT' AND sum(p.amount) <> m.amount)
            OR count(p.id) FILTER (WHERE (p.kind, p.client_id, p.currency_id) <> (m.kind, m.client_id, m.currency_id)) > 0
        """,
    "a withdrawal goes to a payee whose keepers neither approved nor sent it": """
        SELECT m.reference, 'person ' || a.person_id
          FROM payments_moneyrequest m JOIN payments_payee p ON p.id = m.payee_id
          JOIN LATERAL (
               SELECT person_id FROM approvals_participation
                WHERE request_id = m.approval_id AND part IN ('APPROVER', 'EXECUTOR')
               UNION SELECT executed_by_id FROM payments_payout WHERE request_id = m.id) a ON true
         WHERE m.kind = 'W' AND a.person_id IN (p.proposed_by_id, p.verified_by_id)""",
    "who sent a withdrawal neither entered nor approved it": """
        SELECT m.reference, 'person ' || o.executed_by_id
          FROM payments_payout o JOIN payments_moneyrequest m ON m.id = o.request_id
         WHERE o.executed_by_id = m.asked_by_id
            OR EXISTS (SELECT FROM approvals_participation a WHERE a.request_id = m.approval_id
                          AND a.person_id = o.executed_by_id AND a.part IN ('MAKER', 'APPROVER'))""",
    "a payout and its request say the same": """
        SELECT o.reference, 'payout ' || o.state || ', request ' || m.state
          FROM payments_payout o JOIN payments_moneyrequest m ON m.id = o.request_id
         WHERE (o.amount, o.currency_id, o.payee_id, o.reference)
               IS DISTINCT FROM (m.amount, m.currency_id, m.payee_id, m.reference)
            OR (o.state IN ('SENT', 'PAID') AND m.state NOT IN ('SENT', 'DONE'))
            OR (o.state = 'FAILED' AND m.state <> 'FAILED')
            OR (o.state = 'RETURNED' AND m.state <> 'RETURNED')
            OR (o.state IN ('SENDING', 'UNKNOWN') AND m.state <> 'PAYING')""",
    "a PSP was asked to pay what the payout says": """
        SELECT o.reference, 'ordered ' || x.amount || ' ' || x.currency || ', payout ' || o.amount || ' ' || o.currency_id
          FROM integrations_payoutorder x LEFT JOIN payments_payout o ON o.reference = x.reference
         WHERE x.reference LIKE 'W-%' AND (o.amount, o.currency_id) IS DISTINCT FROM (x.amount, x.currency::varchar)""",
    "money that came back is in the wallet": """
        SELECT m.reference, 'no journal credits it'
          FROM payments_moneyrequest m JOIN accounts_reservation r ON r.reference = m.reference
         WHERE m.kind = 'W' AND m.state IN ('RETURNED', 'FAILED') AND r.state <> 'RELEASED'
           AND NOT EXISTS (SELECT FROM ledger_journal j WHERE j.entity_id = m.entity_id
                              AND j.key = 'money:' || m.reference || ':back')""",
    "a deposit is credited once it is done, and not before": """
        SELECT m.reference, m.state
          FROM payments_moneyrequest m
         WHERE m.kind = 'D' AND (m.state = 'DONE') <> (
               EXISTS (SELECT FROM ledger_journal j WHERE j.entity_id = m.entity_id AND j.key = 'money:' || m.reference)
            OR EXISTS (SELECT FROM integrations_serveroperation s
                        WHERE s.key = m.reference || ':credit' AND s.state = 'DONE'))""",
    "a payment file is its bytes, its payments and its sum": """
        SELECT f.message_id, f.number || ' payments over ' || f.total || ', lines ' || count(l.id) || ' over '
               || coalesce(sum(l.amount), 0)
          FROM payments_paymentfile f LEFT JOIN payments_paymentfileline l ON l.file_id = f.id
         GROUP BY f.id
        HAVING count(l.id) <> f.number OR coalesce(sum(l.amount), 0) <> f.total
            OR f.sha256 <> encode(sha256(f.content), 'hex')""",
    "a payout says the file that it stands in": """
        SELECT p.reference, 'file ' || coalesce(nullif(p.file_reference, ''), 'none') || ', line in '
               || coalesce(f.message_id, 'none')
          FROM payments_payout p
          LEFT JOIN payments_paymentfileline l ON l.payout_id = p.id
          LEFT JOIN payments_paymentfile f ON f.id = l.file_id
         WHERE p.file_reference <> coalesce(f.message_id, '')
            OR (l.id IS NOT NULL AND (l.amount, l.end_to_end_id) <> (p.amount, p.reference))""",
    "the money of a file is on its way once somebody has the file": """
        SELECT f.message_id, f.state || ', ' || p.reference || ' is ' || p.state
          FROM payments_paymentfile f
          JOIN payments_paymentfileline l ON l.file_id = f.id JOIN payments_payout p ON p.id = l.payout_id
         WHERE (f.state <> 'MADE' AND p.state IN ('READY', 'SENDING', 'UNKNOWN'))
            OR (f.state IN ('SENT', 'ACCEPTED', 'PARTLY')
                AND NOT EXISTS (SELECT FROM payments_fileexport e WHERE e.file_id = f.id))""",
}


def findings() -> Iterator[Finding]:
    """At most fifty findings per rule."""
    with connection.cursor() as cursor:
        for rule, query in _RULES.items():
            cursor.execute(f"{query} LIMIT {_LIMIT}")
            for subject, detail in cursor.fetchall():
                yield Finding(rule, subject, detail)
