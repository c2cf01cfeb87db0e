-- Trades of one business day: books against server by ticket, server against liquidity provider by order. Two
-- joins, one row for every deal and fill: without a class it matches, with a class it is a break, and 'elsewhere'
-- is a fill whose deal belongs to another day.
--
-- books   current versions of the deals the feed stored
-- server  the newest listing of the day, read again from the server
-- fills   of the liquidity providers paired with these servers, a day to either side: their days end elsewhere
--
-- How it is written decides between seconds and minutes for a million trades (docs/benchmarks.md): membership is
-- asked by joins, because NOT IN over more than work_mem loops over all rows for each row; and the result is a
-- table made by CREATE TABLE AS, because a query that also inserts is not run in parallel.
CREATE TEMP TABLE found_trades ON COMMIT DROP AS
WITH books AS (
    SELECT d.connection_id, d.ticket, d.id, d.content_hash, d.version, d.deleted, d.entry
      FROM integrations_deal d
     WHERE d.connection_id = ANY (%(servers)s) AND d.business_date = %(day)s AND d.received_at <= %(cutoff)s
       AND NOT EXISTS (SELECT FROM integrations_superseded s WHERE s.fact_kind = 'deal' AND s.fact_id = d.id)
), server AS (
    SELECT l.connection_id, r.ticket, r.listing_id, r.content_hash, r.side, r.price, r.dealt_at,
           m.instrument_id, r.volume_lots * m.contract_size AS units,
           CASE WHEN r.gateway <> '' AND r.kind = 'TRADE' AND r.external_id <> '' THEN r.external_id END AS order_ref
      FROM integrations_listingrow r
      JOIN integrations_serverlisting l ON l.id = r.listing_id
      LEFT JOIN integrations_symbolmapping m ON m.connection_id = l.connection_id AND m.symbol = r.symbol
     WHERE r.listing_id = ANY (%(listings)s)
), fills AS (
    SELECT f.id, f.order_ref, f.side, f.quantity_units AS units, f.price, f.traded_at, m.instrument_id,
           f.trade_date = %(day)s AS today, NULL::numeric AS least, NULL::numeric AS most
      FROM integrations_fill f
      LEFT JOIN integrations_symbolmapping m ON m.connection_id = f.connection_id AND m.symbol = f.symbol
     WHERE f.connection_id = ANY (%(lps)s) AND f.received_at <= %(cutoff)s
       AND f.trade_date BETWEEN %(day)s::date - 1 AND %(day)s::date + 1
       AND NOT EXISTS (SELECT FROM integrations_superseded s WHERE s.fact_kind = 'fill' AND s.fact_id = f.id)
       AND NOT EXISTS (SELECT FROM found_split o WHERE o.order_ref = f.order_ref)
     UNION ALL
    SELECT first_id, order_ref, side, units, price, traded_at, instrument_id, today, least, most FROM found_split
)
SELECT CASE
           WHEN b.id IS NULL AND s.ticket IS NULL THEN
               CASE WHEN f.today THEN 'FILL_WITHOUT_DEAL' ELSE 'elsewhere' END
           WHEN s.ticket IS NULL THEN CASE WHEN b.deleted THEN 'EDITED' ELSE 'MISSING_AT_SERVER' END
           WHEN b.id IS NULL THEN 'MISSING_IN_BOOKS'
           WHEN b.content_hash <> s.content_hash THEN 'EDITED'
           WHEN b.version > 1 AND EXISTS (
               SELECT FROM integrations_deal e
                WHERE e.entity_id = %(entity)s AND e.connection_id = b.connection_id AND e.ticket = b.ticket
                  AND e.version < b.version AND e.entry = b.entry) THEN 'EDITED'
           WHEN s.order_ref IS NULL OR NOT %(lp_ready)s THEN NULL
           WHEN resent.order_ref IS NOT NULL THEN 'DUPLICATE'
           WHEN f.id IS NULL THEN 'MISSING_AT_LP'
           WHEN f.side <> s.side THEN 'SIDE'
           WHEN f.instrument_id IS DISTINCT FROM s.instrument_id THEN 'SYMBOL'
           WHEN f.units <> s.units THEN
               CASE WHEN f.least = s.units AND f.most = s.units THEN 'DUPLICATE' ELSE 'VOLUME' END
           WHEN abs(f.price - s.price) > s.price * %(price_tolerance)s THEN 'PRICE'
           WHEN f.traded_at NOT BETWEEN s.dealt_at - %(late)s::interval AND s.dealt_at + %(late)s::interval THEN 'LATE'
       END AS class,
       coalesce(s.connection_id, b.connection_id) AS connection_id, coalesce(s.ticket, b.ticket) AS ticket,
       b.id AS deal_id, s.listing_id, f.id AS fill_id
  FROM books b
  FULL JOIN server s ON s.connection_id = b.connection_id AND s.ticket = b.ticket
  FULL JOIN fills f ON f.order_ref = s.order_ref
  LEFT JOIN found_resent resent ON resent.order_ref = s.order_ref;

SET LOCAL enable_nestloop = on;
SET LOCAL enable_mergejoin = on
