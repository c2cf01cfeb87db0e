"""Recompute everything the ledger promises, from the lines up, and name what does not hold.

Nothing here trusts a trigger: it is what finds a database where one was switched off.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from backoffice.kernel.findings import Finding

_LIMIT = 50


def findings() -> Iterator[Finding]:
    """At most fifty findings per rule; none when the books are sound."""
    with connection.cursor() as cursor:
        for rule, query in _RULES.items():
            cursor.execute(f"{query} LIMIT {_LIMIT}")
            for subject, detail in cursor.fetchall():
                yield Finding(rule, subject, detail)


_RULES = {
    "the lines of a journal sum to zero per currency": """
        SELECT 'journal ' || journal_id, 'off by ' || sum(amount) || ' ' || currency
          FROM ledger_line GROUP BY entity_id, journal_id, currency HAVING sum(amount) <> 0""",
    "a journal has all its lines": """
        SELECT 'journal ' || j.id, coalesce(l.lines, 0) || ' of ' || j.line_count || ' lines'
          FROM ledger_journal j
          LEFT JOIN (SELECT entity_id, journal_id, count(*) AS lines FROM ledger_line GROUP BY 1, 2) l
            ON l.entity_id = j.entity_id AND l.journal_id = j.id
         WHERE l.lines IS DISTINCT FROM j.line_count::bigint""",
    "a line belongs to a journal of its day": """
        SELECT 'line ' || l.journal_id || '.' || l.line_no, 'journal is of ' || coalesce(j.business_date::text, 'nowhere')
          FROM ledger_line l
          LEFT JOIN ledger_journal j ON j.entity_id = l.entity_id AND j.id = l.journal_id
         WHERE j.business_date IS DISTINCT FROM l.business_date""",
    "a line fits its account": """
        SELECT 'line ' || l.journal_id || '.' || l.line_no, 'account ' || l.account_id
          FROM ledger_line l
          LEFT JOIN ledger_ledgeraccount a ON a.id = l.account_id
         WHERE a.id IS NULL OR a.entity_id <> l.entity_id OR a.currency_id <> l.currency
            OR scale(trim_scale(l.amount)) > a.exponent OR a.striped = (l.account_seq IS NOT NULL)""",
    "a balance row says what its account says": """
        SELECT 'account ' || a.id, count(b.stripe) || ' balance rows, not all as the account is'
          FROM ledger_ledgeraccount a LEFT JOIN ledger_balance b ON b.account_id = a.id
         GROUP BY a.id
        HAVING count(b.stripe) <> CASE WHEN a.striped THEN 16 ELSE 1 END
            OR bool_or((b.stripe = -1) = a.striped OR b.entity_id <> a.entity_id OR b.currency <> a.currency_id
                       OR b.exponent <> a.exponent OR b.floor IS DISTINCT FROM a.floor
                       OR b.sign <> CASE WHEN a.kind IN ('ASSET', 'EXPENSE') THEN 1 ELSE -1 END
                       OR b.is_open <> (a.closed_at IS NULL))""",
    "a balance is the sum of its lines": """
        SELECT 'account ' || coalesce(b.account_id, l.account_id),
               'stored ' || coalesce(b.amount::text, 'nothing') || ', lines sum to ' || coalesce(l.amount, 0)
          FROM (SELECT account_id, sum(amount) AS amount, sum(version) AS lines FROM ledger_balance GROUP BY 1) b
          FULL JOIN (SELECT account_id, sum(amount) AS amount, count(*) AS lines FROM ledger_line GROUP BY 1) l
            ON l.account_id = b.account_id
         WHERE b.account_id IS NULL OR b.amount <> coalesce(l.amount, 0) OR b.lines <> coalesce(l.lines, 0)""",
    "lines of an account are numbered without a gap, each with the balance after it": """
        SELECT 'line ' || w.journal_id || '.' || w.line_no, 'account ' || w.account_id || ' number ' || w.account_seq
          FROM (SELECT l.*, row_number() OVER s AS number, sum(l.amount) OVER s AS running
                  FROM ledger_line l WHERE l.account_seq IS NOT NULL
                WINDOW s AS (PARTITION BY l.account_id ORDER BY l.account_seq)) w
         WHERE w.number <> w.account_seq OR w.running <> w.balance_after""",
    "an account with a floor is not below it": """
        SELECT 'account ' || account_id, 'balance ' || sign * amount || ' is below ' || floor
          FROM ledger_balance WHERE floor IS NOT NULL AND sign * amount < floor""",
    "a journal is what was asked to be posted": """
        SELECT 'journal ' || j.id, 'content does not match its hash'
          FROM ledger_journal j
          JOIN (SELECT entity_id, journal_id,
                       string_agg(account_id || ':' || trim_scale(amount)::text, E'\\x1f' ORDER BY line_no) AS lines
                  FROM ledger_line GROUP BY 1, 2) l ON l.entity_id = j.entity_id AND l.journal_id = j.id
         WHERE j.input_hash <> sha256(convert_to(concat_ws(E'\\x1f', j.key, j.kind, j.description, j.reference,
                   concat_ws(' ', length(j.key), length(j.kind), length(j.description)), j.business_date::text,
                   coalesce(j.reverses_id::text, 'None'), l.lines), 'UTF8'))""",
    "nothing was posted on a closed day": """
        SELECT 'journal ' || j.id, 'is of ' || j.business_date || ', closed through ' || c.closed_through || ' by then'
          FROM ledger_journal j
          JOIN LATERAL (SELECT closed_through FROM ledger_closing c
                         WHERE c.entity_id = j.entity_id AND c.last_journal_id < j.id ORDER BY c.id DESC LIMIT 1) c ON true
         WHERE j.business_date <= c.closed_through""",
    "days opened again stand on an executed request": """
        SELECT 'closing ' || w.id, 'opened again after ' || w.closed_through || ' by ' || w.actor
          FROM (SELECT c.*, row_number() OVER (PARTITION BY entity_id, closed_through ORDER BY id) AS number
                  FROM (SELECT k.*, lag(closed_through) OVER (PARTITION BY entity_id ORDER BY id) AS before
                          FROM ledger_closing k) c
                 WHERE c.closed_through < c.before) w
         WHERE w.number > (SELECT count(*) FROM approvals_request r
                            WHERE r.action = 'ledger.reopen' AND r.state = 'EXECUTED' AND r.entity_id = w.entity_id
                              AND r.payload ->> 'through' = w.closed_through::text)""",
    "the balance kept of a closed day is the sum of its lines": """
        SELECT 'account ' || account_id, 'kept ' || kept || ' for ' || day || ', lines sum to ' || running
          FROM (SELECT account_id, day, kept,
                       sum(amount) OVER (PARTITION BY account_id ORDER BY day, kept IS NOT NULL) AS running
                  FROM (SELECT account_id, business_date AS day, sum(amount) AS amount, NULL::numeric AS kept
                          FROM ledger_line GROUP BY 1, 2
                         UNION ALL
                        SELECT d.account_id, d.date, 0, d.amount
                          FROM ledger_daybalance d JOIN ledger_closing k ON k.id = d.closing_id
                         WHERE NOT EXISTS (SELECT FROM ledger_closing c WHERE c.entity_id = k.entity_id
                                              AND c.id > k.id AND c.closed_through < d.date)) moves) w
         WHERE kept <> running""",
    "a reversal is the exact opposite of its journal": """
        SELECT DISTINCT 'journal ' || r.id, 'reverses ' || r.reverses_id
          FROM ledger_journal r
          LEFT JOIN ledger_journal o ON o.entity_id = r.entity_id AND o.id = r.reverses_id
          LEFT JOIN ledger_line a ON a.entity_id = r.entity_id AND a.journal_id = r.id
          LEFT JOIN ledger_line b ON b.entity_id = r.entity_id AND b.journal_id = o.id AND b.line_no = a.line_no
         WHERE r.reverses_id IS NOT NULL
           AND (o.line_count IS DISTINCT FROM r.line_count OR b.account_id IS DISTINCT FROM a.account_id
                OR b.amount IS DISTINCT FROM -a.amount)""",
}
