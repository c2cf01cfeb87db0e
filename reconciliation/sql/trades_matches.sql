-- What matches, once and for all. Runs of a kind take turns, so nothing can come between looking and adding.
WITH matched AS (
    INSERT INTO reconciliation_tradematch (entity_id, deal_id, listing_id, fill_id, run_id)
    SELECT %(entity)s, t.deal_id, t.listing_id, t.fill_id, %(run)s
      FROM found_trades t
     WHERE t.class IS NULL
       AND NOT EXISTS (SELECT FROM reconciliation_tradematch m WHERE m.entity_id = %(entity)s AND m.deal_id = t.deal_id)
     ORDER BY t.deal_id  -- an index filled from one end
)
SELECT count(*) FILTER (WHERE class IS DISTINCT FROM 'elsewhere'), count(*) FILTER (WHERE class IS NULL)
  FROM found_trades
