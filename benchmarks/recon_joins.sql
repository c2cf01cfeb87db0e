-- The reference: two plain full joins, duplicates found separately, matches and breaks stored.
WITH twice AS MATERIALIZED (
    SELECT order_ref FROM bench_lp GROUP BY order_ref HAVING count(*) > 1
), classified AS MATERIALIZED (
    SELECT CASE
               WHEN b.ticket IS NULL AND s.ticket IS NULL THEN 'FILL_WITHOUT_DEAL'
               WHEN s.ticket IS NULL THEN 'MISSING_AT_SERVER'
               WHEN b.ticket IS NULL THEN 'MISSING_IN_BOOKS'
               WHEN b.side <> s.side OR b.symbol <> s.symbol OR b.volume <> s.volume OR b.price <> s.price
                    OR b.traded_at <> s.traded_at THEN 'EDITED'
               WHEN t.order_ref IS NOT NULL THEN 'DUPLICATE'
               WHEN l.order_ref IS NULL THEN 'MISSING_AT_LP'
               WHEN l.side <> s.side THEN 'SIDE'
               WHEN l.symbol <> s.symbol THEN 'SYMBOL'
               WHEN l.volume <> s.volume THEN 'VOLUME'
               WHEN abs(l.price - s.price) > s.price * 0.001 THEN 'PRICE'
               WHEN l.traded_at NOT BETWEEN s.traded_at - interval '60 s' AND s.traded_at + interval '60 s' THEN 'LATE'
           END AS class, coalesce(s.ticket, b.ticket) AS ticket, l.exec_id
      FROM bench_books b
      FULL JOIN bench_server s ON s.ticket = b.ticket
      FULL JOIN (SELECT * FROM bench_lp f WHERE NOT EXISTS (SELECT FROM twice t WHERE t.order_ref = f.order_ref)) l
             ON l.order_ref = s.order_ref_s
      LEFT JOIN twice t ON t.order_ref = s.order_ref_s
), matched AS (
    INSERT INTO bench_match (ticket, exec_id) SELECT ticket, exec_id FROM classified WHERE class IS NULL ORDER BY ticket
)
INSERT INTO bench_break (class, key)
SELECT class, coalesce(ticket::text, exec_id) FROM classified WHERE class IS NOT NULL
