-- Severity and limits of the open breaks of an entity: the higher of what the amount and what the age makes of them. A
-- limit runs from the moment its severity was reached; one that became worse keeps the earlier of two limits.
WITH graded AS (
    SELECT b.id, b.severity AS before,
           greatest(a.severity,
                    CASE WHEN coalesce(b.amount, 0) = 0 OR b.currency = '' THEN 1
                         WHEN r.rate IS NULL THEN %(unknown)s
                         ELSE (SELECT coalesce(max(t.severity), 1)
                                 FROM unnest(%(least)s::numeric[]) WITH ORDINALITY AS t (least, severity)
                                WHERE abs(b.amount) * r.rate >= t.least) END)::smallint AS severity
      FROM reconciliation_break b
      JOIN unnest(%(days)s::date[], %(by_age)s::int[]) AS a (day, severity) ON a.day = b.business_date
      LEFT JOIN unnest(%(currencies)s::text[], %(rates)s::numeric[]) AS r (currency, rate) ON r.currency = b.currency
     WHERE b.entity_id = %(entity)s AND b.state = ANY (%(open)s::text[])
), changed AS (
    UPDATE reconciliation_break b
       SET severity = g.severity, severity_at = %(now)s, graded_by_id = %(rule)s,
           own_by = CASE WHEN b.severity_at IS NOT NULL AND g.severity > b.severity THEN least(b.own_by, l.own) ELSE l.own END,
           resolve_by = CASE WHEN b.severity_at IS NOT NULL AND g.severity > b.severity THEN least(b.resolve_by, l.resolve)
                             ELSE l.resolve END
      FROM graded g, unnest(%(classes)s::text[], %(severities)s::int[], %(own)s::timestamptz[], %(resolve)s::timestamptz[])
                     AS l (class, severity, own, resolve)
     WHERE b.id = g.id AND l.class = b.klass AND l.severity = g.severity
       AND (b.severity_at IS NULL OR b.severity <> g.severity)
    RETURNING b.id, g.before, b.severity, b.opened_at < %(now)s AS known
), history AS (
    INSERT INTO reconciliation_breakevent (item_id, at, actor, event, data)
    SELECT id, %(now)s, %(actor)s, 'GRADED', jsonb_build_object('from', (%(names)s::text[])[before], 'to', (%(names)s::text[])[severity])
      FROM changed WHERE known AND before <> severity
)
SELECT count(*) FROM changed
