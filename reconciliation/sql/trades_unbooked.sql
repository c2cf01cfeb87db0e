-- Deals of the day that are kept but could not be booked.
INSERT INTO found (class, key, business_date, amount, currency, summary, refs)
SELECT CASE u.reason WHEN 'UNKNOWN_LOGIN' THEN 'UNKNOWN_LOGIN' WHEN 'UNKNOWN_SYMBOL' THEN 'UNKNOWN_SYMBOL'
                     ELSE 'BAD_DEAL' END,
       'deal:' || d.connection_id || ':' || d.ticket, d.business_date,
       d.profit + d.swap + d.commission + d.fee, coalesce(a.currency_id, ''),
       'Deal ' || d.ticket || ': ' || u.detail,
       jsonb_build_object('deal', d.id, 'ticket', d.ticket, 'connection', d.connection_id, 'unbooked', u.id)
  FROM accounts_unbooked u
  JOIN integrations_deal d ON d.entity_id = u.entity_id AND d.id = u.fact_id
  LEFT JOIN accounts_tradingaccount a ON a.connection_id = d.connection_id AND a.login = d.login
 WHERE u.fact_kind = 'deal' AND u.closed_at IS NULL AND u.entity_id = %(entity)s AND u.business_date = %(day)s
   AND d.received_at <= %(cutoff)s
