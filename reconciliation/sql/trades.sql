-- Trades of one business day: books against server by ticket, server against liquidity provider by order.
-- One pass over two joins; what is equal becomes a match, what has a class becomes a break. Duplicates at the
-- liquidity provider are left to trades_duplicates.sql, so that no join multiplies rows.
--
-- books   current versions of the deals the feed stored
-- server  the newest listing of the day, read again from the server
-- fills   of the liquidity providers paired with these servers, a day to either side: their days end elsewhere
WITH books AS (
    SELECT d.connection_id, d.ticket, d.id, d.content_hash, d.version, d.deleted, d.entry
      FROM integrations_deal d
     WHERE d.connection_id = ANY (%(servers)s) AND d.business_date = %(day)s AND d.received_at <= %(cutoff)s
       AND NOT EXISTS (SELECT FROM integrations_superseded s WHERE s.fact_kind = 'deal' AND s.fact_id = d.id)
), server AS (
    SELECT l.connection_id, r.ticket, r.listing_id, r.content_hash, r.side, r.price, r.dealt_at,
           m.instrument_id, r.volume_lots * m.contract_size AS units,
           CASE WHEN r.gateway <> '' AND r.kind = 'TRADE' AND r.external_id <> '' THEN r.external_id END AS order_ref
      FROM integrations_serverlisting l
      JOIN integrations_listingrow r ON r.listing_id = l.id
      LEFT JOIN integrations_symbolmapping m ON m.connection_id = l.connection_id AND m.symbol = r.symbol
     WHERE l.id = ANY (%(listings)s)
), all_fills AS MATERIALIZED (
    SELECT f.id, f.order_ref, f.side, f.quantity_units, f.price, f.traded_at, f.trade_date, m.instrument_id
      FROM integrations_fill f
      LEFT JOIN integrations_symbolmapping m ON m.connection_id = f.connection_id AND m.symbol = f.symbol
     WHERE f.connection_id = ANY (%(lps)s) AND f.received_at <= %(cutoff)s
       AND f.trade_date BETWEEN %(day)s::date - 1 AND %(day)s::date + 1
       AND NOT EXISTS (SELECT FROM integrations_superseded s WHERE s.fact_kind = 'fill' AND s.fact_id = f.id)
), twice_filled AS MATERIALIZED (
    SELECT order_ref FROM all_fills GROUP BY order_ref HAVING count(*) > 1
), twice_dealt AS MATERIALIZED (
    SELECT order_ref FROM server WHERE order_ref IS NOT NULL GROUP BY order_ref HAVING count(*) > 1
), fills AS (
    SELECT * FROM all_fills WHERE order_ref NOT IN (SELECT order_ref FROM twice_filled)
), classified AS MATERIALIZED (
    SELECT CASE
               WHEN b.id IS NULL AND s.ticket IS NULL THEN
                   CASE WHEN f.trade_date = %(day)s THEN 'FILL_WITHOUT_DEAL' ELSE 'elsewhere' END
               WHEN s.ticket IS NULL THEN CASE WHEN b.deleted THEN 'EDITED' ELSE 'MISSING_AT_SERVER' END
               WHEN b.id IS NULL THEN 'MISSING_IN_BOOKS'
               WHEN b.content_hash <> s.content_hash THEN 'EDITED'
               WHEN b.version > 1 AND EXISTS (
                   SELECT FROM integrations_deal e
                    WHERE e.entity_id = %(entity)s AND e.connection_id = b.connection_id AND e.ticket = b.ticket
                      AND e.version < b.version AND e.entry = b.entry) THEN 'EDITED'
               WHEN s.order_ref IS NULL OR NOT %(lp_ready)s THEN NULL
               WHEN s.order_ref IN (SELECT order_ref FROM twice_dealt) THEN 'DUPLICATE'
               WHEN s.order_ref IN (SELECT order_ref FROM twice_filled) THEN 'elsewhere'
               WHEN f.id IS NULL THEN 'MISSING_AT_LP'
               WHEN f.side <> s.side THEN 'SIDE'
               WHEN f.instrument_id IS DISTINCT FROM s.instrument_id THEN 'SYMBOL'
               WHEN f.quantity_units <> s.units THEN 'VOLUME'
               WHEN abs(f.price - s.price) > s.price * %(price_tolerance)s THEN 'PRICE'
               WHEN f.traded_at NOT BETWEEN s.dealt_at - %(late)s::interval AND s.dealt_at + %(late)s::interval
                    THEN 'LATE'
           END AS class,
           coalesce(s.connection_id, b.connection_id) AS connection_id, coalesce(s.ticket, b.ticket) AS ticket,
           b.id AS deal_id, s.listing_id, f.id AS fill_id
      FROM books b
      FULL JOIN server s ON s.connection_id = b.connection_id AND s.ticket = b.ticket
      FULL JOIN fills f ON f.order_ref = s.order_ref
), matched AS (
    INSERT INTO reconciliation_tradematch (entity_id, deal_id, listing_id, fill_id, run_id)
    SELECT %(entity)s, deal_id, listing_id, fill_id, %(run)s FROM classified
     WHERE class IS NULL AND deal_id IS NOT NULL
    ON CONFLICT (entity_id, deal_id) DO NOTHING
), broken AS (
    INSERT INTO found_trades (class, connection_id, ticket, deal_id, listing_id, fill_id)
    SELECT class, connection_id, ticket, deal_id, listing_id, fill_id FROM classified
     WHERE class IS NOT NULL AND class <> 'elsewhere'
)
SELECT count(*) FILTER (WHERE class IS DISTINCT FROM 'elsewhere'), count(*) FILTER (WHERE class IS NULL)
  FROM classified
