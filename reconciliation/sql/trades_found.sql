-- Trade differences as breaks: key, what is at stake, a sentence, and the facts on each side.
INSERT INTO found (class, key, business_date, amount, currency, summary, refs)
SELECT t.class,
       CASE WHEN t.ticket IS NULL THEN 'fill:' || f.connection_id || ':' || f.exec_id
            ELSE 'deal:' || t.connection_id || ':' || t.ticket END,
       %(day)s,
       coalesce(r.amount, d.profit + d.swap + d.commission + d.fee),
       coalesce(a.currency_id, ''),
       CASE WHEN t.ticket IS NULL THEN 'Fill ' || f.exec_id || ' ' || f.side || ' ' || f.quantity_units || ' ' || f.symbol
            ELSE 'Deal ' || t.ticket || ' of login ' || coalesce(r.login, d.login) || ': '
                 || coalesce(r.side, d.side) || ' ' || trim_scale(coalesce(r.volume_lots, d.volume_lots)) || ' '
                 || coalesce(r.symbol, d.symbol) END,
       jsonb_strip_nulls(jsonb_build_object('deal', t.deal_id, 'listing', t.listing_id, 'ticket', t.ticket,
                                            'connection', t.connection_id, 'fill', t.fill_id))
  FROM found_trades t
  LEFT JOIN integrations_deal d ON d.entity_id = %(entity)s AND d.id = t.deal_id
  LEFT JOIN integrations_listingrow r ON r.listing_id = t.listing_id AND r.ticket = t.ticket
  LEFT JOIN integrations_fill f ON f.entity_id = %(entity)s AND f.id = t.fill_id
  LEFT JOIN accounts_tradingaccount a ON a.connection_id = t.connection_id AND a.login = coalesce(r.login, d.login)
 WHERE t.class <> 'elsewhere'
