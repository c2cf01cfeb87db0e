-- PSP payouts against the bank, by the reference the PSP prints in the remittance, or by what the booking proved of the
-- line (accounts: booking/payouts.py): a whole group, per currency.
CREATE TEMP TABLE payout_sides ON COMMIT DROP AS
WITH payouts AS (
    SELECT p.id, p.connection_id, p.payout_key, p.currency, -p.net AS amount, p.business_date AS day,
           coalesce(substring(p.bank_reference FROM %(payout_pattern)s), nullif(p.bank_reference, ''), p.line_key) AS token
      FROM integrations_pspline p
     WHERE p.entity_id = %(entity)s AND p.kind = 'PAYOUT' AND p.received_at <= %(cutoff)s
       AND p.business_date BETWEEN %(since)s AND %(day)s
       AND NOT EXISTS (SELECT FROM integrations_superseded s WHERE s.fact_kind = 'psp' AND s.fact_id = p.id)
), bank AS (
    SELECT coalesce(r.token, substring(b.end_to_end_id || ' ' || b.remittance FROM %(payout_pattern)s)) AS token, b.currency,
           sum(b.amount) AS amount, min(b.booking_date) AS day, array_agg(b.line_id ORDER BY b.line_id, b.amount) AS ids,
           array_agg(b.amount ORDER BY b.line_id, b.amount) AS amounts
      FROM integrations_bank_parts(%(entity)s, %(since)s, %(day)s::date + 30, %(cutoff)s) b
      LEFT JOIN accounts_payoutreceipt r ON r.entity_id = %(entity)s AND r.bank_line_id = b.line_id
     WHERE b.end_to_end_id || ' ' || b.remittance ~ %(payout_pattern)s OR r.token IS NOT NULL
     GROUP BY 1, 2
)
SELECT coalesce(p.token, b.token) AS token, p.id AS psp_id, b.ids AS bank_ids, b.amounts AS bank_amounts,
       p.amount AS paid, b.amount AS arrived, coalesce(p.currency, b.currency) AS currency,
       coalesce(p.day, b.day) AS day, p.payout_key,
       'payout:' || coalesce(p.token, b.token) || ':' || coalesce(p.currency, b.currency) AS key,
       CASE
           WHEN p.id IS NULL AND b.day > %(payout_overdue)s THEN 'later'
           WHEN p.id IS NULL THEN CASE WHEN b.day <= %(day)s THEN 'PAYOUT_UNKNOWN' ELSE 'later' END
           WHEN b.token IS NULL THEN CASE WHEN p.day <= %(payout_overdue)s THEN 'PAYOUT_MISSING' ELSE 'later' END
           WHEN p.amount <> b.amount THEN 'PAYOUT_AMOUNT'
           WHEN count(*) OVER (PARTITION BY p.token, p.currency) > 1 THEN 'AMBIGUOUS'
       END AS class
  FROM payouts p
  FULL JOIN bank b ON b.token = p.token AND b.currency = p.currency;

INSERT INTO agreed (key, rung, currency, amount, difference, evidence)
SELECT key, 'GROUP', currency, paid, 0,
       jsonb_strip_nulls(jsonb_build_object('payout', token, 'group', payout_key, 'psp', trim_scale(paid)::text,
                                            'bank', trim_scale(arrived)::text, 'psp_lines', jsonb_build_array(psp_id),
                                            'bank_lines', bank_ids))
  FROM payout_sides WHERE class IS NULL;

INSERT INTO parts (key, fact_kind, fact_id, amount)
SELECT key, 'psp', psp_id, paid FROM payout_sides WHERE class IS NULL
UNION ALL
SELECT key, 'bank', f.id, sum(f.amount)
  FROM payout_sides CROSS JOIN LATERAL unnest(bank_ids, bank_amounts) AS f (id, amount)
 WHERE class IS NULL GROUP BY 1, 3;

INSERT INTO found (class, key, business_date, amount, currency, summary, refs)
SELECT DISTINCT ON (class, key) class, key, day, coalesce(arrived, 0) - coalesce(paid, 0), currency,
       'Payout ' || token || ' ' || coalesce(payout_key, '') || ': PSP paid ' || coalesce(paid::text, 'nothing')
           || ', bank received ' || coalesce(arrived::text, 'nothing'),
       jsonb_strip_nulls(jsonb_build_object('reference', token,
                                            'psp', CASE WHEN psp_id IS NOT NULL THEN jsonb_build_array(psp_id) END,
                                            'bank', bank_ids))
  FROM payout_sides WHERE class IS NOT NULL AND class <> 'later' ORDER BY class, key, psp_id;

SELECT count(*), count(*) FILTER (WHERE class IS NULL) FROM payout_sides
