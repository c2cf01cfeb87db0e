-- Lines that are a break by themselves: money that says nothing we know, chargebacks, fees that are not the
-- agreed ones, and what could not be booked.
INSERT INTO found (class, key, business_date, amount, currency, summary, refs)
SELECT 'UNIDENTIFIED', 'bank:' || b.connection_id || ':' || b.line_key, b.booking_date, b.amount, b.currency,
       'Bank line ' || b.amount || ' ' || b.currency || ' ' || b.counterparty || ' ' || b.remittance,
       jsonb_build_object('bank', jsonb_build_array(b.id))
  FROM integrations_bankline b
 WHERE b.entity_id = %(entity)s AND b.received_at <= %(cutoff)s AND b.booking_date BETWEEN %(since)s AND %(day)s
   AND b.end_to_end_id || ' ' || b.remittance !~ %(pattern)s
   AND b.end_to_end_id || ' ' || b.remittance !~ %(payout_pattern)s
   AND b.bank_code NOT LIKE '%%CHRG%%'
   AND NOT EXISTS (SELECT FROM integrations_superseded s WHERE s.fact_kind = 'bank' AND s.fact_id = b.id)
   AND NOT EXISTS (SELECT FROM accounts_unbooked u
                    WHERE u.fact_kind = 'bank' AND u.fact_id = b.id AND u.closed_at IS NULL)
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
       p.fee - round(p.gross * %(fee_rate)s, c.exponent), p.currency,
       'Fee ' || p.fee || ' ' || p.currency || ' on ' || p.gross || ' of ' || p.merchant_reference || ', agreed '
           || round(p.gross * %(fee_rate)s, c.exponent),
       jsonb_build_object('psp', jsonb_build_array(p.id), 'reference', p.merchant_reference)
  FROM integrations_pspline p
  JOIN organisation_currency c ON c.code = p.currency
 WHERE p.entity_id = %(entity)s AND p.kind = 'PAYMENT' AND p.received_at <= %(cutoff)s AND %(fee_rate)s > 0
   AND p.business_date BETWEEN %(since)s AND %(day)s
   AND abs(p.fee - round(p.gross * %(fee_rate)s, c.exponent)) > %(fee_tolerance)s
   AND NOT EXISTS (SELECT FROM integrations_superseded s WHERE s.fact_kind = 'psp' AND s.fact_id = p.id)
UNION ALL
SELECT CASE u.reason WHEN 'UNKNOWN_CURRENCY' THEN 'UNKNOWN_CURRENCY' ELSE 'BAD_LINE' END,
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
