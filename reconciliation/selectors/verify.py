"""What the reconciliation desk promises, recomputed from the rows: matches and what they take and book."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from backoffice.kernel.findings import Finding

_LIMIT = 50
_RULES = {
    "no more of a fact is matched than it has": """
        WITH taken AS (
             SELECT m.entity_id, a.fact_kind, a.fact_id, sum(a.amount) AS amount,
                    bool_or(a.amount > 0) AND bool_or(a.amount < 0) AS both_ways
               FROM reconciliation_cashallocation a
               JOIN reconciliation_cashmatch m ON m.id = a.match_id AND m.undone_at IS NULL
              GROUP BY 1, 2, 3
        ), has AS (
             SELECT entity_id, 'deal' AS fact_kind, id AS fact_id, profit AS amount FROM integrations_deal
              WHERE kind = 'BALANCE'
             UNION ALL
             SELECT entity_id, 'psp', id, CASE WHEN kind = 'PAYOUT' THEN -net ELSE gross END FROM integrations_pspline
             UNION ALL
             SELECT entity_id, 'bank', id, amount FROM integrations_bankline
             UNION ALL
             SELECT l.entity_id, 'journal', l.journal_id, sum(l.amount)
               FROM ledger_line l JOIN ledger_ledgeraccount a ON a.id = l.account_id
              WHERE a.code IN ('clearing.client_money', 'clearing.unallocated') GROUP BY 1, 3
        )
        SELECT t.fact_kind || ' ' || t.fact_id, 'has ' || coalesce(h.amount::text, 'nothing') || ', matched ' || t.amount
          FROM taken t LEFT JOIN has h USING (entity_id, fact_kind, fact_id)
         WHERE h.amount IS NULL OR t.both_ways OR t.amount * sign(h.amount) < 0 OR abs(t.amount) > abs(h.amount)""",
    "a match by hand takes what it says": """
        SELECT 'match ' || m.id, 'says ' || m.amount || ' and ' || m.difference || ', takes ' || coalesce(s.ours, 0) || ' of ours and '
               || coalesce(s.theirs, 0) || ' of ' || coalesce(s.lines, 0) || ' lines of theirs'
          FROM reconciliation_cashmatch m
          LEFT JOIN (SELECT a.match_id, sum(a.amount) FILTER (WHERE a.fact_kind IN ('deal', 'journal')) AS ours,
                            sum(a.amount) FILTER (WHERE a.fact_kind IN ('psp', 'bank')) AS theirs,
                            count(*) FILTER (WHERE a.fact_kind IN ('psp', 'bank')) AS lines
                       FROM reconciliation_cashallocation a GROUP BY 1) s ON s.match_id = m.id
         WHERE m.person_id IS NOT NULL
           AND (s.ours IS DISTINCT FROM m.amount OR s.lines IS DISTINCT FROM 1
                OR m.difference_is <> 'clearing.fx' AND s.theirs <> m.amount + m.difference)""",
    "a match that was accepted has a suggestion, and two people where a person put it together": """
        SELECT 'match ' || m.id, 'suggestion ' || coalesce(s.id::text, 'none') || ', put together by '
               || coalesce(s.person_id::text, 'a run') || ', accepted by ' || m.person_id
          FROM reconciliation_cashmatch m LEFT JOIN reconciliation_suggestion s ON s.id = m.suggestion_id
         WHERE m.person_id IS NOT NULL
           AND (s.id IS NULL OR s.state NOT IN ('ACCEPTED', 'OPEN', 'GONE') OR s.person_id = m.person_id
                OR m.rung = 'HAND' AND s.person_id IS NULL)""",
    "what a match booked stands in the books, and is reversed where it was undone": """
        SELECT 'match ' || m.id, 'journal ' || m.booked || CASE WHEN j.id IS NULL THEN ' is not there' ELSE ' is not reversed' END
          FROM reconciliation_cashmatch m
          LEFT JOIN ledger_journal j ON j.entity_id = m.entity_id AND j.id = m.booked AND j.key = 'match:' || m.id
          LEFT JOIN ledger_journal r ON r.entity_id = m.entity_id AND r.reverses_id = m.booked
         WHERE m.booked <> 0 AND (j.id IS NULL OR (r.id IS NOT NULL) <> (m.undone_at IS NOT NULL))""",
    "a part belongs to a match, and a match to an entity and a rule": """
        SELECT 'part ' || a.id, 'match ' || a.match_id FROM reconciliation_cashallocation a
         WHERE NOT EXISTS (SELECT FROM reconciliation_cashmatch m WHERE m.id = a.match_id)
        UNION ALL
        SELECT 'match ' || m.id, 'entity ' || m.entity_id || ', rule ' || m.rule_id FROM reconciliation_cashmatch m
          LEFT JOIN organisation_legalentity e ON e.id = m.entity_id
          LEFT JOIN reconciliation_rule r ON r.id = m.rule_id
         WHERE e.id IS NULL OR r.id IS NULL""",
}


def findings() -> Iterator[Finding]:
    for rule, query in _RULES.items():
        with connection.cursor() as cursor:
            cursor.execute(f"{query} LIMIT {_LIMIT}")
            for subject, detail in cursor.fetchall():
                yield Finding(rule, subject, detail)
