-- What a difference is, where the data held say it: `kinds` gives references of `sides` a class of their own, a few words,
-- an amount in the currency of ours, and the facts of a later cut-off.

-- The amount is short by the fee: of the PSP's line, of the schedule, or the charge that the bank names.
INSERT INTO kinds (key, class, why)
SELECT s.key, 'FEE_TAKEN', 'short by ' || trim_scale(abs(s.outside - s.inside))::text || ', ' || w.why
  FROM sides s
 CROSS JOIN LATERAL (
       SELECT CASE
           WHEN s.psp_fee > 0 AND abs(s.outside - s.inside) = s.psp_fee THEN 'the fee of the PSP'
           WHEN s.psp_amount IS NOT NULL AND s.psp_fee = 0 AND %(fee_rate)s > 0 AND s.inside > s.outside
                AND abs(s.inside - s.outside - (s.inside * %(fee_rate)s + %(fee_fixed)s)) <= %(fee_tolerance)s
               THEN 'the agreed fee'
           WHEN s.bank_amount IS NOT NULL AND EXISTS (
                    SELECT FROM integrations_bankline b
                    CROSS JOIN LATERAL (SELECT coalesce(b.details::jsonb ->> 'charges', b.details::jsonb ->> 'entry_charges')) d (said)
                     WHERE b.entity_id = %(entity)s AND b.id = ANY (s.bank_ids)
                       AND substring(d.said FROM '^([0-9]+([.][0-9]+)?) [A-Z]{3}$')::numeric = abs(s.outside - s.inside)
                       AND right(d.said, 3) = b.currency)
               THEN 'the charge that the bank names'
       END AS why) w
 WHERE s.class = 'AMOUNT' AND w.why IS NOT NULL AND s.inside * s.outside > 0 AND s.own_currency = s.outside_currency
   AND (s.server_amount IS NULL OR s.books_amount IS NOT DISTINCT FROM s.server_amount + s.wallet_amount);

-- The amount is what it would be at another rate: the PSP converted our amount, or the rate lies within the band, or we
-- converted at the day's rate what the PSP converted at its own.
INSERT INTO kinds (key, class, why, amount)
SELECT s.key, 'FX_DIFF', 'at the rate of ' || round(r.rate, 6) || ' of ' || r.day || ' ' || round(v.ours, c.exponent)
           || ' ' || s.own_currency,
       CASE WHEN s.class = 'CURRENCY' THEN round(v.ours, c.exponent) - s.inside ELSE s.outside - s.inside END
  FROM sides s
  JOIN unnest(%(bases)s::text[], %(quotes)s::text[], %(days)s::date[], %(rates)s::numeric[]) AS r (base, quote, day, rate)
         ON r.quote = s.own_currency AND r.day = s.day
        AND r.base = CASE WHEN s.class = 'CURRENCY' THEN s.outside_currency ELSE s.original_currency END
  JOIN organisation_currency c ON c.code = s.own_currency
 CROSS JOIN LATERAL (SELECT CASE WHEN s.class = 'CURRENCY' THEN s.outside ELSE s.original END * r.rate AS ours) v
 WHERE s.inside * s.outside > 0
   AND (s.class = 'CURRENCY' AND (s.original_currency = s.own_currency AND s.original = s.inside
                                  OR abs(v.ours - s.inside) <= abs(s.inside) * %(fx_band)s / 10000)
        OR s.class = 'AMOUNT' AND abs(v.ours - s.inside) <= abs(s.inside) * %(fx_points)s / 10000)
ON CONFLICT DO NOTHING;

-- PSP or bank have it, and the books or the server have it on a later day.
INSERT INTO kinds (key, class, why, deals, journals)
SELECT s.key, 'TIMING', 'ours is of ' || min(n.day), array_agg(n.id) FILTER (WHERE n.kind = 'deal'),
       array_agg(n.id) FILTER (WHERE n.kind = 'journal')
  FROM sides s
  JOIN (SELECT 'deal' AS kind, d.id, substring(d.comment FROM %(pattern)s) AS ref, d.business_date AS day
          FROM integrations_deal d
         WHERE d.connection_id = ANY (%(connections)s) AND d.business_date > %(day)s AND d.business_date <= %(day)s::date + 5
           AND d.kind = 'BALANCE' AND NOT d.deleted AND d.received_at <= %(cutoff)s AND d.comment ~ %(pattern)s
           AND NOT EXISTS (SELECT FROM integrations_superseded x WHERE x.fact_kind = 'deal' AND x.fact_id = d.id)
        UNION ALL
        SELECT DISTINCT 'journal', j.id, substring(j.description FROM %(pattern)s), j.business_date
          FROM ledger_ledgeraccount a
          JOIN ledger_line l ON l.account_id = a.id AND l.business_date > %(day)s AND l.business_date <= %(day)s::date + 5
          JOIN ledger_journal j ON j.entity_id = l.entity_id AND j.id = l.journal_id
         WHERE a.entity_id = %(entity)s AND a.code = 'clearing.client_money' AND j.posted_at <= %(cutoff)s
           AND j.kind IN ('DEAL', 'MANUAL', 'WALLET') AND j.description ~ %(pattern)s) n ON n.ref = s.ref
 WHERE s.class = 'MISSING_INTERNAL'
 GROUP BY s.key;

-- We have it, and a PSP or a bank has told of it in the days it may take, though not yet settled or booked it.
INSERT INTO kinds (key, class, why, psp)
SELECT s.key, 'TIMING', 'the PSP has it as ' || (array_agg(p.provider_type ORDER BY p.booked_at DESC, p.id DESC))[1] || ' since '
           || min(p.business_date), array_agg(p.id)
  FROM sides s
  JOIN integrations_pspline p ON p.merchant_reference = s.ref
 WHERE s.class = 'MISSING_EXTERNAL' AND p.entity_id = %(entity)s AND p.received_at <= %(cutoff)s
   AND (p.kind = 'PAYMENT_STATE' AND p.business_date > %(overdue)s OR p.kind = 'PAYMENT' AND p.business_date > %(day)s)
   AND NOT EXISTS (SELECT FROM integrations_superseded x WHERE x.fact_kind = 'psp' AND x.fact_id = p.id)
 GROUP BY s.key
HAVING (array_agg(p.provider_type ORDER BY p.booked_at DESC, p.id DESC))[1] = ANY (%(on_its_way)s)
    OR bool_or(p.kind = 'PAYMENT')
ON CONFLICT DO NOTHING;

INSERT INTO kinds (key, class, why)
SELECT s.key, 'TIMING', 'a notice of the bank has it since ' || min(n.booking_date)
  FROM sides s
  JOIN integrations_banknotice n ON substring(n.end_to_end_id || ' ' || n.remittance FROM %(pattern)s) = s.ref
 WHERE s.class = 'MISSING_EXTERNAL' AND n.entity_id = %(entity)s AND n.received_at <= %(cutoff)s
   AND n.booking_date > %(overdue)s AND n.booking_date <= %(day)s::date + 5 AND NOT n.is_reversal
   AND n.currency = s.own_currency AND n.amount * s.inside > 0
   AND NOT EXISTS (SELECT FROM integrations_superseded x WHERE x.fact_kind = 'notice' AND x.fact_id = n.id)
 GROUP BY s.key
ON CONFLICT DO NOTHING
