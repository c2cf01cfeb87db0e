-- What agreed becomes matches, once: one that stands and says the same is left alone, so that a second run over the same
-- facts writes nothing; one whose facts changed, or that does not agree any more, is undone and keeps what it said.
CREATE INDEX ON agreed (key);
ANALYZE agreed;

UPDATE reconciliation_cashmatch m
   SET undone_at = %(now)s, undone_by = %(actor)s,
       undone_reason = CASE WHEN a.key IS NULL THEN 'the sides do not agree any more' ELSE 'other facts than before' END
  FROM reconciliation_cashmatch o
  LEFT JOIN agreed a ON a.key = o.key
 WHERE m.id = o.id AND o.entity_id = %(entity)s AND o.person_id IS NULL AND o.undone_at IS NULL
   AND (a.key IS NOT NULL AND a.evidence <> o.evidence
        OR a.key IS NULL AND EXISTS (SELECT FROM found f WHERE f.key = o.key));

-- Chosen before the first of them is written: a search for each that reads the table they are written to would read
-- every one of them again.
CREATE TEMP TABLE fresh_matches ON COMMIT DROP AS
SELECT a.* FROM agreed a
 WHERE NOT EXISTS (SELECT FROM reconciliation_cashmatch m
                    WHERE m.entity_id = %(entity)s AND m.key = a.key AND m.person_id IS NULL AND m.undone_at IS NULL)
 ORDER BY a.key;
ANALYZE fresh_matches;
ANALYZE parts;

WITH made AS (
    INSERT INTO reconciliation_cashmatch (entity_id, run_id, rule_id, rung, key, currency, amount, difference,
                                          difference_is, evidence, made_by, made_at, booked, undone_by,
                                          undone_reason)
    SELECT %(entity)s, %(run)s, %(rule)s, a.rung, a.key, a.currency, a.amount, a.difference, '', a.evidence,
           %(actor)s, %(now)s, 0, '', ''
      FROM fresh_matches a
    RETURNING id, key
)
INSERT INTO reconciliation_cashallocation (match_id, fact_kind, fact_id, amount)
SELECT made.id, p.fact_kind, p.fact_id, p.amount FROM made JOIN parts p ON p.key = made.key WHERE p.amount <> 0
