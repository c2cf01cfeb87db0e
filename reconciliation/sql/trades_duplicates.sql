-- Orders with several fills. Parts that add up to the deal are a match; the whole again is a duplicate;
-- anything else is a difference of volume. Without a deal they are fills without one.
WITH fills AS (
    SELECT f.order_ref, count(*) AS fills, sum(f.quantity_units) AS units, min(f.id) AS first_id,
           min(f.quantity_units) AS least, max(f.quantity_units) AS most, min(f.side) AS side, max(f.side) AS side2,
           bool_or(f.trade_date = %(day)s) AS today
      FROM integrations_fill f
     WHERE f.connection_id = ANY (%(lps)s) AND f.received_at <= %(cutoff)s
       AND f.trade_date BETWEEN %(day)s::date - 1 AND %(day)s::date + 1
       AND NOT EXISTS (SELECT FROM integrations_superseded s WHERE s.fact_kind = 'fill' AND s.fact_id = f.id)
     GROUP BY f.order_ref HAVING count(*) > 1
), classified AS MATERIALIZED (
    SELECT CASE
               WHEN r.ticket IS NULL THEN CASE WHEN f.today THEN 'FILL_WITHOUT_DEAL' ELSE 'elsewhere' END
               WHEN b.id IS NULL THEN 'elsewhere'
               WHEN f.side <> r.side OR f.side2 <> r.side THEN 'SIDE'
               WHEN f.units = r.volume_lots * m.contract_size THEN NULL
               WHEN f.least = r.volume_lots * m.contract_size AND f.most = f.least THEN 'DUPLICATE'
               ELSE 'VOLUME'
           END AS class, l.connection_id, r.ticket, b.id AS deal_id, r.listing_id, f.first_id AS fill_id
      FROM fills f
      LEFT JOIN (integrations_listingrow r JOIN integrations_serverlisting l
                     ON l.id = r.listing_id AND l.id = ANY (%(listings)s))
        ON r.external_id = f.order_ref AND r.gateway <> '' AND r.kind = 'TRADE'
      LEFT JOIN integrations_symbolmapping m ON m.connection_id = l.connection_id AND m.symbol = r.symbol
      LEFT JOIN LATERAL (
          SELECT d.id FROM integrations_deal d
           WHERE d.entity_id = %(entity)s AND d.connection_id = l.connection_id AND d.ticket = r.ticket
             AND d.received_at <= %(cutoff)s
             -- edited deals are reported as such by trades.sql
             AND d.content_hash = r.content_hash AND d.version = 1
           ORDER BY d.version DESC LIMIT 1) b ON true
), matched AS (
    INSERT INTO reconciliation_tradematch (entity_id, deal_id, listing_id, fill_id, run_id)
    SELECT %(entity)s, deal_id, listing_id, fill_id, %(run)s FROM classified WHERE class IS NULL
    ON CONFLICT (entity_id, deal_id) DO NOTHING
), broken AS (
    INSERT INTO found_trades (class, connection_id, ticket, deal_id, listing_id, fill_id)
    SELECT class, connection_id, ticket, deal_id, listing_id, fill_id FROM classified
     WHERE class IS NOT NULL AND class <> 'elsewhere'
)
SELECT count(*) FILTER (WHERE class IS DISTINCT FROM 'elsewhere'), count(*) FILTER (WHERE class IS NULL)
  FROM classified
