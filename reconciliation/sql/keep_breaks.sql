-- What was found becomes breaks that keep their identity: a known difference is the same break, a difference
-- that is gone resolves by itself, one that comes back opens again. What a person closed with a reason stays
-- closed as long as the difference is the same. Where a difference is not an amount (by_summary), its summary says
-- whether it is the same, and one that comes back is as old as its return.
WITH fresh AS (
    INSERT INTO reconciliation_break (entity_id, kind, klass, key, business_date, summary, amount, currency, refs, state,
                                      resolution, owner_role, explanation, opened_at, opened_by_id, seen_by_id)
    SELECT %(entity)s, %(kind)s, f.class, f.key, f.business_date, left(f.summary, 300), f.amount, f.currency, f.refs,
           'OPEN', '', o.role, '', %(now)s, %(run)s, %(run)s
      FROM found f
      JOIN unnest(%(classes)s::text[], %(owners)s::text[]) AS o (class, role) ON o.class = f.class
    ON CONFLICT (entity_id, kind, klass, key) DO NOTHING
    RETURNING id
), again AS (
    UPDATE reconciliation_break b
       SET seen_by_id = %(run)s, amount = f.amount, currency = f.currency, summary = left(f.summary, 300), refs = f.refs,
           state = CASE WHEN b.state IN ('OPEN', 'ASSIGNED', 'EXPLAINED') THEN b.state ELSE 'OPEN' END,
           business_date = CASE WHEN %(by_summary)s AND b.closed_at IS NOT NULL THEN f.business_date
                                ELSE b.business_date END,
           resolution = '', closed_at = NULL,
           assignee_id = CASE WHEN b.state IN ('OPEN', 'ASSIGNED', 'EXPLAINED') THEN b.assignee_id END,
           -- One that opens again is graded anew, with all of its time.
           severity_at = CASE WHEN b.closed_at IS NULL THEN b.severity_at END
      FROM found f, reconciliation_break before
     WHERE b.entity_id = %(entity)s AND b.kind = %(kind)s AND b.klass = f.class AND b.key = f.key AND before.id = b.id
       AND (b.state IN ('OPEN', 'ASSIGNED', 'EXPLAINED') OR b.resolution = 'BY_ITSELF'
            OR b.amount IS DISTINCT FROM f.amount OR (%(by_summary)s AND b.summary <> left(f.summary, 300)))
    RETURNING b.id, before.state AS was, before.amount AS amount_before, b.amount,
              before.summary AS summary_before, b.summary
), gone AS (
    UPDATE reconciliation_break b
       SET state = 'RESOLVED', resolution = 'BY_ITSELF', closed_at = %(now)s, seen_by_id = %(run)s
     WHERE b.entity_id = %(entity)s AND b.kind = %(kind)s AND b.state IN ('OPEN', 'ASSIGNED', 'EXPLAINED')
       AND b.business_date BETWEEN %(first_day)s AND %(day)s
       AND NOT EXISTS (SELECT FROM found f WHERE f.class = b.klass AND f.key = b.key)
    RETURNING b.id
), history AS (
    INSERT INTO reconciliation_breakevent (item_id, at, actor, event, data)
    SELECT id, %(now)s, %(actor)s, 'OPENED', jsonb_build_object('run', %(run)s) FROM fresh
    UNION ALL
    SELECT id, %(now)s, %(actor)s, 'REOPENED', jsonb_build_object('run', %(run)s, 'from', amount_before::text,
           'to', amount::text, 'summary_from', summary_before) FROM again
     WHERE was IN ('RESOLVED', 'WRITTEN_OFF')
    UNION ALL
    SELECT id, %(now)s, %(actor)s, 'CHANGED',
           jsonb_build_object('run', %(run)s, 'from', amount_before::text, 'to', amount::text,
                                             'summary_from', summary_before) FROM again
     WHERE was NOT IN ('RESOLVED', 'WRITTEN_OFF')
       AND (amount_before IS DISTINCT FROM amount OR summary_before <> summary)
    UNION ALL
    SELECT id, %(now)s, %(actor)s, 'RESOLVED', jsonb_build_object('run', %(run)s, 'how', 'BY_ITSELF') FROM gone
)
SELECT (SELECT count(*) FROM fresh), (SELECT count(*) FROM again), (SELECT count(*) FROM gone)
