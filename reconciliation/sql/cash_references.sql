-- Cash by reference: what the ledger and the server moved for a client against what PSP and bank delivered.
-- Amounts are signed for the client: a deposit is positive. A reference is on time until its window has passed.
WITH server AS (
    SELECT substring(d.comment FROM %(pattern)s) AS ref, a.currency_id AS currency, count(*) AS items,
           sum(d.profit) AS amount, min(d.business_date) AS day, array_agg(d.id ORDER BY d.id) AS ids,
           array_agg(DISTINCT d.id) FILTER (WHERE u.id IS NULL) AS booked
      FROM integrations_deal d
      JOIN accounts_tradingaccount a ON a.connection_id = d.connection_id AND a.login = d.login
      LEFT JOIN accounts_unbooked u ON u.fact_kind = 'deal' AND u.fact_id = d.id AND u.closed_at IS NULL
     WHERE d.entity_id = %(entity)s AND d.kind = 'BALANCE' AND NOT d.deleted AND d.received_at <= %(cutoff)s
       AND d.business_date BETWEEN %(since)s AND %(day)s AND d.comment ~ %(pattern)s
       AND NOT EXISTS (SELECT FROM integrations_superseded s WHERE s.fact_kind = 'deal' AND s.fact_id = d.id)
     GROUP BY 1, 2
), books AS (
    SELECT substring(j.description FROM %(pattern)s) AS ref, l.currency, sum(l.amount) AS amount,
           min(l.business_date) AS day, array_agg(DISTINCT j.id) AS ids,
           bool_or(j.kind = 'MANUAL') AS by_hand
      FROM ledger_ledgeraccount a
      JOIN ledger_line l ON l.account_id = a.id AND l.business_date BETWEEN %(since)s AND %(day)s
      JOIN ledger_journal j ON j.entity_id = l.entity_id AND j.id = l.journal_id
     WHERE a.entity_id = %(entity)s AND a.code = 'clearing.client_money' AND j.kind IN ('DEAL', 'MANUAL')
       AND j.posted_at <= %(cutoff)s AND j.description ~ %(pattern)s
     GROUP BY 1, 2 HAVING sum(l.amount) <> 0
), psp AS (
    SELECT substring(p.merchant_reference FROM %(pattern)s) AS ref, p.currency, count(*) AS items,
           sum(p.gross) AS amount, min(p.business_date) AS day, array_agg(p.id ORDER BY p.id) AS ids
      FROM integrations_pspline p
     WHERE p.entity_id = %(entity)s AND p.kind IN ('PAYMENT', 'REFUND', 'REFUND_REVERSED')
       AND p.received_at <= %(cutoff)s AND p.business_date BETWEEN %(since)s AND %(day)s::date + 5
       AND p.merchant_reference ~ %(pattern)s
       AND NOT EXISTS (SELECT FROM integrations_superseded s WHERE s.fact_kind = 'psp' AND s.fact_id = p.id)
     GROUP BY 1, 2
), bank AS (
    SELECT substring(b.end_to_end_id || ' ' || b.remittance FROM %(pattern)s) AS ref, b.currency, count(*) AS items,
           sum(b.amount) AS amount, min(b.booking_date) AS day, array_agg(b.id ORDER BY b.id) AS ids,
           bool_or(b.is_reversal) AS returned, sum(b.amount) FILTER (WHERE NOT b.is_reversal) AS sent
      FROM integrations_bankline b
     WHERE b.entity_id = %(entity)s AND b.received_at <= %(cutoff)s
       AND b.booking_date BETWEEN %(since)s AND %(day)s::date + 5
       AND b.end_to_end_id || ' ' || b.remittance ~ %(pattern)s
       AND b.end_to_end_id || ' ' || b.remittance !~ %(payout_pattern)s
       AND NOT EXISTS (SELECT FROM integrations_superseded s WHERE s.fact_kind = 'bank' AND s.fact_id = b.id)
     GROUP BY 1, 2
), refs AS (
    SELECT ref FROM server UNION SELECT ref FROM books UNION SELECT ref FROM psp UNION SELECT ref FROM bank
), sides AS MATERIALIZED (
    SELECT r.ref, s.amount AS server_amount, s.currency AS server_currency, s.items AS server_items, s.ids AS server_ids,
           s.day AS server_day, s.booked, b.amount AS books_amount, b.currency AS books_currency, b.day AS books_day,
           b.ids AS books_ids, b.by_hand, p.amount AS psp_amount, p.currency AS psp_currency, p.items AS psp_items,
           p.ids AS psp_ids, p.day AS psp_day, k.amount AS bank_amount, k.currency AS bank_currency,
           k.items AS bank_items, k.ids AS bank_ids, k.day AS bank_day, k.returned, k.sent,
           least(s.day, b.day, p.day, k.day) AS day,
           coalesce(p.currency, k.currency) AS outside_currency,
           coalesce(p.amount, 0) + coalesce(k.amount, 0) AS outside_amount,
           p.ref IS NOT NULL OR k.ref IS NOT NULL AS has_outside
      FROM refs r
      LEFT JOIN server s ON s.ref = r.ref
      LEFT JOIN books b ON b.ref = r.ref
      LEFT JOIN psp p ON p.ref = r.ref
      LEFT JOIN bank k ON k.ref = r.ref
), classified AS MATERIALIZED (
    SELECT sides.*, CASE
               WHEN day > %(day)s THEN 'later'
               WHEN returned AND coalesce(server_amount, sent) = sent THEN 'RETURNED'
               WHEN psp_items > 1 AND psp_amount <> coalesce(server_amount, 0) THEN 'DUPLICATE_PSP'
               WHEN server_items > 1 AND server_amount <> outside_amount THEN 'DUPLICATE_CREDIT'
               WHEN server_amount IS NULL AND books_amount IS NULL THEN 'MISSING_INTERNAL'
               WHEN server_amount IS NULL THEN 'MISSING_SERVER_OP'
               WHEN booked IS NULL THEN 'later'
               WHEN NOT has_outside THEN
                   CASE WHEN day <= %(overdue)s THEN 'MISSING_EXTERNAL' ELSE 'later' END
               WHEN outside_currency <> server_currency THEN 'CURRENCY'
               WHEN books_amount IS DISTINCT FROM server_amount THEN 'AMOUNT'
               WHEN outside_amount <> server_amount THEN 'AMOUNT'
           END AS class
      FROM sides
), matched AS (
    INSERT INTO reconciliation_cashmatch (entity_id, run_id, step, key, fact_kind, fact_id)
    SELECT %(entity)s, %(run)s, CASE WHEN f.kind = 'bank' THEN 'reference' ELSE 'id' END, 'ref:' || c.ref, f.kind, f.id
      FROM classified c
     CROSS JOIN LATERAL (
         SELECT 'deal' AS kind, unnest(c.server_ids) AS id
         UNION ALL SELECT 'psp', unnest(c.psp_ids) UNION ALL SELECT 'bank', unnest(c.bank_ids)) f
     WHERE c.class IS NULL
    ON CONFLICT (fact_kind, fact_id) DO NOTHING
), broken AS (
    INSERT INTO found (class, key, business_date, amount, currency, summary, refs)
    SELECT class, 'ref:' || ref, day,
           CASE WHEN class = 'RETURNED' THEN bank_amount - sent
                ELSE outside_amount - coalesce(server_amount, books_amount, 0) END,
           coalesce(server_currency, books_currency, outside_currency),
           ref || ': server ' || coalesce(server_amount::text, 'nothing') || ', ledger '
               || coalesce(trim_scale(books_amount)::text, 'nothing') || ', PSP ' || coalesce(psp_amount::text, 'nothing')
               || ', bank ' || coalesce(bank_amount::text, 'nothing'),
           jsonb_strip_nulls(jsonb_build_object('reference', ref, 'deals', server_ids, 'journals', books_ids,
                                                'psp', psp_ids, 'bank', bank_ids))
      FROM classified WHERE class IS NOT NULL AND class <> 'later'
)
SELECT count(*), count(*) FILTER (WHERE class IS NULL) FROM classified
