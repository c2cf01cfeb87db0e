-- Lines of the sides asked for, with what no standing match has taken of them, by day. A deposit is positive on every side.
-- Ours carry a reference of a deposit or a withdrawal; of theirs, payouts of PSPs and charges are left out.
SELECT kind, id, day, whole, free, currency, said, superseded
  FROM (
    SELECT f.*, f.whole - coalesce((SELECT sum(a.amount)
                                      FROM reconciliation_cashallocation a
                                      JOIN reconciliation_cashmatch m ON m.id = a.match_id AND m.undone_at IS NULL
                                     WHERE a.fact_kind = f.kind AND a.fact_id = f.id), 0) AS free,
           EXISTS (SELECT FROM integrations_superseded s WHERE s.fact_kind = f.kind AND s.fact_id = f.id) AS superseded
      FROM (
        SELECT 'deal' AS kind, d.id, d.business_date AS day, d.profit AS whole, a.currency_id::text AS currency,
               d.comment || ' · login ' || d.login || ', deal ' || d.ticket AS said
          FROM integrations_deal d
          JOIN accounts_tradingaccount a ON a.connection_id = d.connection_id AND a.login = d.login
         WHERE 'deal' = ANY (%(kinds)s) AND d.entity_id = %(entity)s AND d.business_date BETWEEN %(since)s AND %(until)s
           AND (%(ids)s::bigint[] IS NULL OR d.id = ANY (%(ids)s)) AND d.kind = 'BALANCE' AND NOT d.deleted
           AND d.comment ~ %(pattern)s
        UNION ALL
        SELECT 'journal', j.id, l.business_date, sum(l.amount), l.currency, j.description || ' · journal ' || j.id
          FROM ledger_ledgeraccount a
          JOIN ledger_line l ON l.account_id = a.id AND l.business_date BETWEEN %(since)s AND %(until)s
          JOIN ledger_journal j ON j.entity_id = l.entity_id AND j.id = l.journal_id
         WHERE 'journal' = ANY (%(kinds)s) AND a.entity_id = %(entity)s AND a.code = 'clearing.client_money'
           AND (%(ids)s::bigint[] IS NULL OR l.journal_id = ANY (%(ids)s)) AND j.kind = 'WALLET'
           AND j.description ~ %(pattern)s
         GROUP BY j.id, l.business_date, l.currency, j.description
        UNION ALL
        SELECT 'psp', p.id, p.business_date, p.gross, p.currency,
               p.provider_type || ' ' || p.psp_reference || ' ' || p.merchant_reference
          FROM integrations_pspline p
         WHERE 'psp' = ANY (%(kinds)s) AND p.entity_id = %(entity)s AND p.business_date BETWEEN %(since)s AND %(until)s
           AND (%(ids)s::bigint[] IS NULL OR p.id = ANY (%(ids)s)) AND p.kind IN ('PAYMENT', 'REFUND', 'REFUND_REVERSED')
        UNION ALL
        SELECT 'bank', b.id, b.booking_date, b.amount, b.currency,
               concat_ws(' ', nullif(b.counterparty, ''), nullif(b.remittance, ''), nullif(b.end_to_end_id, ''),
                         nullif(b.bank_reference, ''))
          FROM integrations_bankline b
         WHERE 'bank' = ANY (%(kinds)s) AND b.entity_id = %(entity)s AND b.booking_date BETWEEN %(since)s AND %(until)s
           AND (%(ids)s::bigint[] IS NULL OR b.id = ANY (%(ids)s)) AND b.bank_code NOT LIKE '%%CHRG%%'
           AND b.end_to_end_id || ' ' || b.remittance !~ %(payout_pattern)s
      ) f
     WHERE (%(currency)s = '' OR f.currency = %(currency)s)
       AND (%(amount)s::numeric IS NULL OR abs(f.whole) = %(amount)s)
       AND (%(text)s = '' OR position(%(text)s IN lower(f.said)) > 0)
  ) found
 WHERE %(ids)s::bigint[] IS NOT NULL OR free <> 0 AND NOT superseded
 ORDER BY day, kind, id LIMIT %(most)s
