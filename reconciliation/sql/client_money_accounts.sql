-- Bank and PSP accounts in the books at the close of a day: segregated or not, and what the bank's own lines come to.
WITH money AS (
    SELECT a.id, a.code, a.name, a.currency_id, g.bank,
           g.id IS NOT NULL AND g.since <= %(day)s AND (g.until IS NULL OR g.until >= %(day)s) AS segregated
      FROM ledger_ledgeraccount a LEFT JOIN reconciliation_segregatedaccount g ON g.account_id = a.id
     WHERE a.entity_id = %(entity)s AND (a.code LIKE 'bank.%%' OR a.code LIKE 'psp.%%')
), later AS (
    SELECT l.account_id, sum(l.amount) AS amount
      FROM ledger_line l JOIN ledger_journal j ON j.entity_id = l.entity_id AND j.id = l.journal_id
     WHERE l.entity_id = %(entity)s AND (l.business_date > %(day)s OR j.posted_at > %(cutoff)s)
       AND l.account_id IN (SELECT id FROM money)
     GROUP BY l.account_id
), booked AS (
    SELECT b.account_id AS id, sum(b.amount) - coalesce(min(l.amount), 0) AS amount
      FROM ledger_balance b LEFT JOIN later l ON l.account_id = b.account_id
     WHERE b.account_id IN (SELECT id FROM money)
     GROUP BY b.account_id
), lines AS (
    SELECT 'bank.' || k.account AS code, k.currency, sum(k.amount) AS amount
      FROM integrations_bankline k
     WHERE k.entity_id = %(entity)s AND k.booking_date <= %(day)s AND k.received_at <= %(cutoff)s
       AND NOT EXISTS (SELECT FROM integrations_superseded s WHERE s.fact_kind = 'bank' AND s.fact_id = k.id)
     GROUP BY k.account, k.currency
)
SELECT m.id, m.code, coalesce(m.bank, m.name), m.segregated, coalesce(b.amount, 0), m.currency_id, n.amount
  FROM money m
  LEFT JOIN booked b ON b.id = m.id
  LEFT JOIN lines n ON n.code = m.code AND n.currency = m.currency_id
 WHERE m.segregated OR coalesce(b.amount, 0) <> 0
 ORDER BY m.segregated DESC, m.code, m.currency_id
