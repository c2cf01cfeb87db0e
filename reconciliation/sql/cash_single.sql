-- Lines that are a break by themselves: money that says nothing we know, chargebacks, fees that are not the
-- agreed ones, and what could not be booked.
INSERT INTO found (class, key, business_date, amount, currency, summary, refs)
SELECT 'UNIDENTIFIED', 'bank:' || b.connection_id || ':' || b.line_key, b.booking_date, b.amount - taken.amount,
       b.currency,
       'Bank line ' || b.amount || ' ' || b.currency || ' ' || b.counterparty || ' ' || b.remittance
           -- A guess, for the person who looks: nothing is booked by it.
           || coalesce((SELECT ', as much as payout ' || p.token FROM payout_sides p
                         WHERE p.psp_id IS NOT NULL AND p.bank_ids IS NULL AND p.paid = b.amount
                           AND p.currency = b.currency AND p.day BETWEEN b.booking_date - 10 AND b.booking_date + 1
                         ORDER BY abs(p.day - b.booking_date), p.token LIMIT 1), ''),
       jsonb_build_object('bank', jsonb_build_array(b.id))
  FROM integrations_bankline b
 CROSS JOIN LATERAL (
       -- What people matched, and the parts of a batch that say more than the line.
       SELECT coalesce((SELECT sum(a.amount) FROM reconciliation_cashallocation a
                          JOIN reconciliation_cashmatch m ON m.id = a.match_id
                         WHERE a.fact_kind = 'bank' AND a.fact_id = b.id AND m.person_id IS NOT NULL AND m.undone_at IS NULL), 0)
            + coalesce((SELECT sum(r.amount) FROM told r WHERE r.line_id = b.id), 0) AS amount) taken
 WHERE b.entity_id = %(entity)s AND b.received_at <= %(cutoff)s AND b.booking_date BETWEEN %(since)s AND %(day)s
   AND (b.end_to_end_id || ' ' || b.remittance !~ %(pattern)s OR taken.amount <> 0)
   AND b.end_to_end_id || ' ' || b.remittance !~ %(payout_pattern)s
   AND NOT EXISTS (SELECT FROM accounts_payoutreceipt t WHERE t.entity_id = b.entity_id AND t.bank_line_id = b.id)
   AND b.bank_code NOT LIKE '%%CHRG%%' AND taken.amount <> b.amount
   AND NOT EXISTS (SELECT FROM integrations_superseded s WHERE s.fact_kind = 'bank' AND s.fact_id = b.id)
   AND NOT EXISTS (SELECT FROM accounts_unbooked u
                    WHERE u.fact_kind = 'bank' AND u.fact_id = b.id AND u.closed_at IS NULL)
   AND NOT EXISTS (SELECT FROM payments_evidence e
                     JOIN payments_moneyrequest r ON r.id = e.request_id AND r.reason = %(allocated)s
                          AND r.state NOT IN ('REJECTED', 'WITHDRAWN', 'SPLIT')
                    WHERE e.fact_kind = 'bank' AND e.fact_id = b.id)
UNION ALL
SELECT 'UNIDENTIFIED', 'psp:' || p.connection_id || ':' || p.line_key, p.business_date, p.gross, p.currency,
       'PSP line ' || p.gross || ' ' || p.currency || ' ' || p.psp_reference || ' ' || p.merchant_reference,
       jsonb_build_object('psp', jsonb_build_array(p.id))
  FROM integrations_pspline p
 WHERE p.entity_id = %(entity)s AND p.kind IN ('PAYMENT', 'REFUND') AND p.received_at <= %(cutoff)s
   AND p.business_date BETWEEN %(since)s AND %(day)s AND p.merchant_reference !~ %(pattern)s
   AND NOT EXISTS (SELECT FROM integrations_superseded s WHERE s.fact_kind = 'psp' AND s.fact_id = p.id)
   AND NOT EXISTS (SELECT FROM accounts_unbooked u
                    WHERE u.fact_kind = 'psp' AND u.fact_id = p.id AND u.closed_at IS NULL)
   AND NOT EXISTS (SELECT FROM reconciliation_cashallocation a JOIN reconciliation_cashmatch m ON m.id = a.match_id
                    WHERE a.fact_kind = 'psp' AND a.fact_id = p.id AND m.person_id IS NOT NULL AND m.undone_at IS NULL)
UNION ALL
SELECT 'CHARGEBACK', 'psp:' || p.connection_id || ':' || p.line_key, p.business_date, p.gross, p.currency,
       'Chargeback ' || p.gross || ' ' || p.currency || ' of ' || p.merchant_reference || ' (' || p.psp_reference || ')',
       jsonb_build_object('psp', jsonb_build_array(p.id), 'reference', p.merchant_reference)
  FROM integrations_pspline p
 WHERE p.entity_id = %(entity)s AND p.kind = 'CHARGEBACK' AND p.received_at <= %(cutoff)s
   AND p.business_date BETWEEN %(since)s AND %(day)s
   AND NOT EXISTS (SELECT FROM integrations_superseded s WHERE s.fact_kind = 'psp' AND s.fact_id = p.id)
UNION ALL
SELECT 'FEE', 'psp:' || p.connection_id || ':' || p.line_key, p.business_date,
       p.fee - round(p.gross * %(fee_rate)s + %(fee_fixed)s, c.exponent), p.currency,
       'Fee ' || p.fee || ' ' || p.currency || ' on ' || p.gross || ' of ' || p.merchant_reference || ', agreed '
           || round(p.gross * %(fee_rate)s + %(fee_fixed)s, c.exponent),
       jsonb_build_object('psp', jsonb_build_array(p.id), 'reference', p.merchant_reference)
  FROM integrations_pspline p
  JOIN organisation_currency c ON c.code = p.currency
 WHERE p.entity_id = %(entity)s AND p.kind = 'PAYMENT' AND p.received_at <= %(cutoff)s AND %(fee_rate)s > 0
   AND p.business_date BETWEEN %(since)s AND %(day)s
   AND abs(p.fee - round(p.gross * %(fee_rate)s + %(fee_fixed)s, c.exponent)) > %(fee_tolerance)s
   AND NOT EXISTS (SELECT FROM integrations_superseded s WHERE s.fact_kind = 'psp' AND s.fact_id = p.id)
UNION ALL
SELECT CASE WHEN p.kind = 'RESERVE' THEN 'RESERVE'
            WHEN u.reason = 'UNKNOWN_CURRENCY' THEN 'UNKNOWN_CURRENCY' ELSE 'BAD_LINE' END,
       u.fact_kind || ':' || u.connection_id || ':' || coalesce(p.line_key, b.line_key), u.business_date,
       coalesce(p.net, b.amount), coalesce(p.currency, b.currency), u.detail,
       jsonb_strip_nulls(jsonb_build_object(
           'psp', CASE WHEN p.id IS NOT NULL THEN jsonb_build_array(p.id) END,
           'bank', CASE WHEN b.id IS NOT NULL THEN jsonb_build_array(b.id) END, 'unbooked', u.id))
  FROM accounts_unbooked u
  LEFT JOIN integrations_pspline p ON u.fact_kind = 'psp' AND p.entity_id = u.entity_id AND p.id = u.fact_id
  LEFT JOIN integrations_bankline b ON u.fact_kind = 'bank' AND b.entity_id = u.entity_id AND b.id = u.fact_id
 WHERE u.entity_id = %(entity)s AND u.closed_at IS NULL AND u.fact_kind IN ('psp', 'bank')
   AND u.business_date BETWEEN %(since)s AND %(day)s AND coalesce(p.received_at, b.received_at) <= %(cutoff)s
