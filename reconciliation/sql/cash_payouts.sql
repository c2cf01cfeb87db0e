-- PSP payouts against the bank, by the reference the PSP prints in the remittance.
WITH payouts AS (
    SELECT p.id, p.connection_id, p.payout_key, p.currency, -p.net AS amount, p.business_date AS day,
           substring(p.bank_reference FROM %(payout_pattern)s) AS token
      FROM integrations_pspline p
     WHERE p.entity_id = %(entity)s AND p.kind = 'PAYOUT' AND p.received_at <= %(cutoff)s
       AND p.business_date BETWEEN %(since)s AND %(day)s
       AND NOT EXISTS (SELECT FROM integrations_superseded s WHERE s.fact_kind = 'psp' AND s.fact_id = p.id)
), bank AS (
    SELECT substring(b.end_to_end_id || ' ' || b.remittance FROM %(payout_pattern)s) AS token, b.currency,
           sum(b.amount) AS amount, min(b.booking_date) AS day, array_agg(b.id ORDER BY b.id) AS ids
      FROM integrations_bankline b
     WHERE b.entity_id = %(entity)s AND b.received_at <= %(cutoff)s AND b.booking_date >= %(since)s
       AND b.end_to_end_id || ' ' || b.remittance ~ %(payout_pattern)s
       AND NOT EXISTS (SELECT FROM integrations_superseded s WHERE s.fact_kind = 'bank' AND s.fact_id = b.id)
     GROUP BY 1, 2
), classified AS MATERIALIZED (
    SELECT coalesce(p.token, b.token) AS token, p.id AS psp_id, b.ids AS bank_ids, p.amount AS paid, b.amount AS arrived,
           coalesce(p.currency, b.currency) AS currency, coalesce(p.day, b.day) AS day, p.payout_key,
           CASE
               WHEN p.id IS NULL AND b.day > %(payout_overdue)s THEN 'later'
               WHEN p.id IS NULL THEN CASE WHEN b.day <= %(day)s THEN 'PAYOUT_UNKNOWN' ELSE 'later' END
               WHEN b.token IS NULL THEN CASE WHEN p.day <= %(payout_overdue)s THEN 'PAYOUT_MISSING' ELSE 'later' END
               WHEN p.amount <> b.amount THEN 'PAYOUT_AMOUNT'
           END AS class
      FROM payouts p
      FULL JOIN bank b ON b.token = p.token AND b.currency = p.currency
), matched AS (
    INSERT INTO reconciliation_cashmatch (entity_id, run_id, step, key, fact_kind, fact_id)
    SELECT %(entity)s, %(run)s, 'payout', 'payout:' || c.token, f.kind, f.id
      FROM classified c
     CROSS JOIN LATERAL (SELECT 'psp' AS kind, c.psp_id AS id UNION ALL SELECT 'bank', unnest(c.bank_ids)) f
     WHERE c.class IS NULL
    ON CONFLICT (fact_kind, fact_id) DO NOTHING
), broken AS (
    INSERT INTO found (class, key, business_date, amount, currency, summary, refs)
    SELECT class, 'payout:' || token || ':' || currency, day, coalesce(arrived, 0) - coalesce(paid, 0), currency,
           'Payout ' || token || ' ' || coalesce(payout_key, '') || ': PSP paid ' || coalesce(paid::text, 'nothing')
               || ', bank received ' || coalesce(arrived::text, 'nothing'),
           jsonb_strip_nulls(jsonb_build_object('psp', CASE WHEN psp_id IS NOT NULL THEN jsonb_build_array(psp_id) END,
                                                'bank', bank_ids))
      FROM classified WHERE class IS NOT NULL AND class <> 'later'
)
SELECT count(*), count(*) FILTER (WHERE class IS NULL) FROM classified
