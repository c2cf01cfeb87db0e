-- A run compares whole days: memory for hash joins, and neither loops nor sorts of a million rows where statistics
-- are old.
SET LOCAL work_mem = '128MB';
SET LOCAL enable_nestloop = off;
SET LOCAL enable_mergejoin = off;

-- Orders that are not one deal and one fill: with several fills (parts of it, or the same fill again), or sent by
-- several deals. Kept apart, and counted before the joins, so that no join multiplies rows.
--
-- Counted first, without looking at versions, then looked at closely: nearly all orders have one fill.
CREATE TEMP TABLE found_repeated ON COMMIT DROP AS
SELECT order_ref FROM integrations_fill
 WHERE connection_id = ANY (%(lps)s) AND received_at <= %(cutoff)s AND order_ref <> ''
   AND trade_date BETWEEN %(day)s::date - 1 AND %(day)s::date + 1
 GROUP BY order_ref HAVING count(*) > 1;

CREATE TEMP TABLE found_split ON COMMIT DROP AS
SELECT f.order_ref, min(f.id) AS first_id, count(*) AS fills, sum(f.quantity_units) AS units,
       min(f.quantity_units) AS least, max(f.quantity_units) AS most,
       sum(f.quantity_units * f.price) / nullif(sum(f.quantity_units), 0) AS price, max(f.traded_at) AS traded_at,
       CASE WHEN min(f.side) = max(f.side) THEN min(f.side) ELSE 'BOTH' END AS side,
       CASE WHEN count(m.instrument_id) = count(*) AND min(m.instrument_id) = max(m.instrument_id)
            THEN min(m.instrument_id) END AS instrument_id,
       bool_or(f.trade_date = %(day)s) AS today
  FROM found_repeated r
  JOIN integrations_fill f ON f.order_ref = r.order_ref
  LEFT JOIN integrations_symbolmapping m ON m.connection_id = f.connection_id AND m.symbol = f.symbol
 WHERE f.connection_id = ANY (%(lps)s) AND f.received_at <= %(cutoff)s
   AND f.trade_date BETWEEN %(day)s::date - 1 AND %(day)s::date + 1
   AND NOT EXISTS (SELECT FROM integrations_superseded s WHERE s.fact_kind = 'fill' AND s.fact_id = f.id)
 GROUP BY f.order_ref HAVING count(*) > 1;

CREATE TEMP TABLE found_resent ON COMMIT DROP AS
SELECT external_id AS order_ref
  FROM integrations_listingrow
 WHERE listing_id = ANY (%(listings)s) AND gateway <> '' AND kind = 'TRADE' AND external_id <> ''
 GROUP BY external_id HAVING count(*) > 1;

ANALYZE found_split;
ANALYZE found_resent
