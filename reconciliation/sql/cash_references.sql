-- Cash by reference, four ways: what the ledger and the server moved against what PSP and bank delivered, into the table
-- `sides`. Amounts are signed for the client: a deposit is positive. A reference is on time until its window has passed.
--
-- D and W come from or go to the outside; T, A, C, F and X move inside and must net to nothing on client money on its
-- way; P is money of the house, whose two bank lines do the same. What a wallet gets or gives has books and no server
-- operation; what was debited at the server and then could not be paid, or came back, has both and counts with both.
-- A bank line says its reference itself, in a part that a notice tells, through a person's match, or because a receipt
-- was allocated to a deposit.
CREATE TEMP TABLE sides ON COMMIT DROP AS
WITH server AS (
    SELECT substring(d.comment FROM %(pattern)s) AS ref, a.currency_id AS currency, count(*) AS items,
           sum(d.profit) AS amount, min(d.business_date) AS day, min(d.login) AS login,
           array_agg(d.id ORDER BY d.id) AS ids, array_agg(d.profit ORDER BY d.id) AS amounts,
           array_agg(DISTINCT d.id) FILTER (WHERE u.id IS NULL) AS booked
      FROM integrations_deal d
      JOIN accounts_tradingaccount a ON a.connection_id = d.connection_id AND a.login = d.login
      LEFT JOIN accounts_unbooked u ON u.fact_kind = 'deal' AND u.fact_id = d.id AND u.closed_at IS NULL
     WHERE d.entity_id = %(entity)s AND d.kind = 'BALANCE' AND NOT d.deleted AND d.received_at <= %(cutoff)s
       AND d.business_date BETWEEN %(since)s AND %(day)s AND d.comment ~ %(pattern)s
       AND NOT EXISTS (SELECT FROM integrations_superseded s WHERE s.fact_kind = 'deal' AND s.fact_id = d.id)
     GROUP BY 1, 2
), moved AS (
    SELECT substring(j.description FROM %(pattern)s) AS ref, l.currency, j.id, j.kind, l.business_date AS day,
           sum(l.amount) AS amount
      FROM ledger_ledgeraccount a
      JOIN ledger_line l ON l.account_id = a.id AND l.business_date BETWEEN %(since)s AND %(day)s
      JOIN ledger_journal j ON j.entity_id = l.entity_id AND j.id = l.journal_id
     WHERE a.entity_id = %(entity)s AND j.posted_at <= %(cutoff)s AND j.description ~ %(pattern)s
       AND (a.code = 'clearing.client_money' AND j.kind IN ('DEAL', 'MANUAL', 'WALLET')
            OR a.code = 'clearing.unallocated' AND j.kind = 'WALLET')
     GROUP BY 1, 2, 3, 4, 5
), books AS (
    SELECT ref, currency, sum(amount) AS amount, min(day) AS day, array_agg(DISTINCT id) AS ids,
           coalesce(sum(amount) FILTER (WHERE kind = 'WALLET'), 0) <> 0 AS by_wallet,
           coalesce(sum(amount) FILTER (WHERE kind = 'WALLET'), 0) AS wallet_amount,
           array_agg(id ORDER BY id) FILTER (WHERE kind = 'WALLET' AND amount <> 0) AS wallet_ids,
           array_agg(amount ORDER BY id) FILTER (WHERE kind = 'WALLET' AND amount <> 0) AS wallet_amounts
      FROM moved GROUP BY 1, 2
), hand AS MATERIALIZED (
    SELECT m.id, substring(m.key FROM 5) AS ref, m.currency, m.amount, m.made_at
      FROM reconciliation_cashmatch m
     WHERE m.entity_id = %(entity)s AND m.person_id IS NOT NULL AND m.undone_at IS NULL AND m.key LIKE 'ref:%%'
       AND m.made_at <= %(cutoff)s
), hand_facts AS MATERIALIZED (
    SELECT DISTINCT h.id, h.ref, h.currency, h.amount, a.fact_kind, a.fact_id
      FROM hand h JOIN reconciliation_cashallocation a ON a.match_id = h.id AND a.fact_kind IN ('psp', 'bank')
), psp_said AS (
    SELECT substring(p.merchant_reference FROM %(pattern)s) AS ref, p.currency, p.id, p.gross AS amount,
           p.gross AS own, p.business_date AS day, p.fee, p.gross_original, p.currency_original
      FROM integrations_pspline p
     WHERE p.entity_id = %(entity)s AND p.kind IN ('PAYMENT', 'REFUND', 'REFUND_REVERSED')
       AND p.received_at <= %(cutoff)s AND p.business_date BETWEEN %(since)s AND %(day)s::date + 5
       AND p.merchant_reference ~ %(pattern)s
       AND NOT EXISTS (SELECT FROM integrations_superseded s WHERE s.fact_kind = 'psp' AND s.fact_id = p.id)
       AND NOT EXISTS (SELECT FROM hand_facts h WHERE h.fact_kind = 'psp' AND h.fact_id = p.id)
    UNION ALL
    -- A person's match says how much of ours a line is, in our currency, whatever the line's own is.
    SELECT h.ref, h.currency, p.id, h.amount, 0, p.business_date, 0, 0, ''
      FROM hand_facts h JOIN integrations_pspline p ON h.fact_kind = 'psp' AND p.id = h.fact_id
     WHERE p.business_date <= %(day)s::date + 5
), psp AS (
    SELECT ref, currency, count(*) AS items, sum(amount) AS amount, min(day) AS day,
           array_agg(id ORDER BY id) AS ids, array_agg(own ORDER BY id) AS amounts, sum(fee) AS fee,
           sum(gross_original) AS original, max(currency_original) AS original_currency
      FROM psp_said GROUP BY 1, 2
), bank_said AS (
    SELECT substring(b.end_to_end_id || ' ' || b.remittance FROM %(pattern)s) AS ref, b.currency, b.line_id AS id,
           b.amount, b.amount AS own, b.booking_date AS day, b.is_reversal,
           b.end_to_end_id ~ %(pattern)s AS by_id
      FROM integrations_bank_parts(%(entity)s, %(since)s, %(day)s::date + 5, %(cutoff)s) b
     WHERE b.end_to_end_id || ' ' || b.remittance ~ %(pattern)s
       AND b.end_to_end_id || ' ' || b.remittance !~ %(payout_pattern)s
       AND NOT EXISTS (SELECT FROM hand_facts h WHERE h.fact_kind = 'bank' AND h.fact_id = b.line_id)
    UNION ALL
    SELECT h.ref, h.currency, b.id, h.amount, 0, b.booking_date, b.is_reversal, false
      FROM hand_facts h JOIN integrations_bankline b ON h.fact_kind = 'bank' AND b.id = h.fact_id
     WHERE b.booking_date <= %(day)s::date + 5
    UNION ALL
    SELECT r.reference, b.currency, b.id, b.amount, b.amount, b.booking_date, false, false
      FROM payments_evidence e
      JOIN payments_moneyrequest r ON r.id = e.request_id AND r.reason = %(allocated)s
           AND r.state NOT IN ('REJECTED', 'WITHDRAWN', 'SPLIT')
      JOIN integrations_bankline b ON e.fact_kind = 'bank' AND b.id = e.fact_id
     WHERE r.entity_id = %(entity)s AND e.seen_at <= %(cutoff)s
       AND b.booking_date BETWEEN %(since)s AND %(day)s::date + 5
       AND b.end_to_end_id || ' ' || b.remittance !~ %(pattern)s
       AND NOT EXISTS (SELECT FROM hand_facts h WHERE h.fact_kind = 'bank' AND h.fact_id = b.id)
), bank AS (
    SELECT ref, currency, count(*) AS items, sum(amount) AS amount, min(day) AS day,
           array_agg(DISTINCT id) AS ids, array_agg(id ORDER BY id, own) AS part_ids,
           array_agg(own ORDER BY id, own) AS amounts, bool_or(is_reversal) AS returned,
           sum(amount) FILTER (WHERE NOT is_reversal) AS sent, bool_and(by_id) AS by_id
      FROM bank_said GROUP BY 1, 2
), refs AS (
    -- What moves inside is compared per currency: a conversion has two.
    SELECT ref, CASE WHEN ref ~ '^[^DW]' THEN currency END AS currency
      FROM (SELECT ref, currency FROM server UNION SELECT ref, currency FROM books
            UNION SELECT ref, currency FROM psp UNION SELECT ref, currency FROM bank) every
     GROUP BY 1, 2
), together AS MATERIALIZED (
    SELECT r.ref, r.currency AS inside_currency, 'ref:' || r.ref || coalesce(':' || r.currency, '') AS key,
           s.amount AS server_amount, s.currency AS server_currency, s.items AS server_items, s.ids AS server_ids,
           s.amounts AS server_amounts, s.booked, s.login, b.amount AS books_amount, b.currency AS books_currency,
           b.ids AS books_ids, coalesce(b.by_wallet, false) AS by_wallet, coalesce(b.wallet_amount, 0) AS wallet_amount, b.wallet_ids, b.wallet_amounts,
           p.amount AS psp_amount, p.currency AS psp_currency, p.items AS psp_items, p.ids AS psp_ids,
           p.amounts AS psp_amounts, p.fee AS psp_fee, p.original, p.original_currency, k.amount AS bank_amount, k.ids AS bank_ids, k.part_ids, k.amounts AS bank_amounts,
           k.returned, k.sent, k.by_id, least(s.day, b.day, p.day, k.day) AS day,
           coalesce(s.amount + coalesce(b.wallet_amount, 0), b.amount) AS inside, coalesce(s.currency, b.currency) AS own_currency,
           coalesce(p.currency, k.currency) AS outside_currency,
           coalesce(p.amount, 0) + coalesce(k.amount, 0) AS outside,
           p.ref IS NOT NULL OR k.ref IS NOT NULL AS has_outside,
           EXISTS (SELECT FROM hand h WHERE h.ref = r.ref) AS by_hand
      FROM refs r
      LEFT JOIN server s ON s.ref = r.ref AND (r.currency IS NULL OR s.currency = r.currency)
      LEFT JOIN books b ON b.ref = r.ref AND (r.currency IS NULL OR b.currency = r.currency)
      LEFT JOIN psp p ON p.ref = r.ref AND (r.currency IS NULL OR p.currency = r.currency)
      LEFT JOIN bank k ON k.ref = r.ref AND (r.currency IS NULL OR k.currency = r.currency)
)
SELECT together.*, CASE
           WHEN day > %(day)s THEN 'later'
           WHEN inside_currency IS NOT NULL THEN
               CASE WHEN coalesce(books_amount, 0) = outside THEN NULL
                    WHEN day <= %(internal_overdue)s THEN 'INTERNAL' ELSE 'later' END
           WHEN coalesce(inside, 0) = 0 AND outside = 0 THEN NULL
           WHEN returned AND coalesce(inside, sent) = sent THEN 'RETURNED'
           WHEN psp_items > 1 AND psp_amount <> coalesce(inside, 0) THEN 'DUPLICATE_PSP'
           WHEN server_items > 1 AND server_amount <> outside THEN 'DUPLICATE_CREDIT'
           WHEN inside IS NULL THEN 'MISSING_INTERNAL'
           WHEN server_amount IS NULL AND NOT by_wallet THEN 'MISSING_SERVER_OP'
           WHEN server_amount IS NOT NULL AND booked IS NULL THEN 'later'
           WHEN NOT has_outside THEN CASE WHEN day <= %(overdue)s THEN 'MISSING_EXTERNAL' ELSE 'later' END
           WHEN outside_currency <> own_currency THEN 'CURRENCY'
           WHEN server_amount IS NOT NULL AND books_amount IS DISTINCT FROM server_amount + wallet_amount THEN 'AMOUNT'
           WHEN outside * inside < 0 THEN 'DIRECTION'
           WHEN abs(outside - inside) > coalesce((%(tolerances)s::jsonb ->> own_currency)::numeric, 0) THEN 'AMOUNT'
       END AS class
  FROM together;

-- How much of a line its parts say, where the line itself says nothing (cash_single.sql).
CREATE TEMP TABLE told ON COMMIT DROP AS
SELECT b.line_id, sum(b.amount) AS amount
  FROM integrations_bank_parts(%(entity)s, %(since)s, %(day)s, %(cutoff)s) b
  JOIN integrations_bankline l ON l.id = b.line_id
 WHERE b.notice_id IS NOT NULL AND b.end_to_end_id || ' ' || b.remittance ~ (%(pattern)s || '|' || %(payout_pattern)s)
   AND l.end_to_end_id || ' ' || l.remittance !~ (%(pattern)s || '|' || %(payout_pattern)s)
 GROUP BY 1
