-- What clients are owed at the close of a business day, part by part, with what was known at the cut-off. One row per
-- part: client, part, what, amount, currency, source. Amounts are positive where the house owes.
WITH logins AS (
    SELECT a.id, a.login, a.client_id, a.currency_id, a.connection_id, a.balance_account_id, a.reserved_account_id
      FROM accounts_tradingaccount a
     WHERE a.entity_id = %(entity)s AND a.opened_at <= %(cutoff)s AND NOT a.technical
), readings AS (
    SELECT DISTINCT ON (s.connection_id, s.login) s.id, s.connection_id, s.login, s.equity - s.credit AS amount, s.currency
      FROM integrations_accountsnapshot s
     WHERE s.entity_id = %(entity)s AND s.business_date = %(day)s AND s.received_at <= %(cutoff)s
     ORDER BY s.connection_id, s.login, s.version DESC
), accounts AS (
    SELECT balance_account_id AS id FROM logins UNION SELECT reserved_account_id FROM logins
    UNION SELECT account_id FROM accounts_wallet WHERE entity_id = %(entity)s
    UNION SELECT reserved_id FROM accounts_wallet WHERE entity_id = %(entity)s
    UNION SELECT id FROM ledger_ledgeraccount WHERE entity_id = %(entity)s AND code = 'clearing.unallocated'
), later AS (
    -- What was booked for a later day, or became known after the cut-off, is taken off again.
    SELECT l.account_id, sum(l.amount) AS amount
      FROM ledger_line l JOIN ledger_journal j ON j.entity_id = l.entity_id AND j.id = l.journal_id
     WHERE l.entity_id = %(entity)s AND (l.business_date > %(day)s OR j.posted_at > %(cutoff)s)
       AND l.account_id IN (SELECT id FROM accounts)
     GROUP BY l.account_id
), owed AS (
    SELECT b.account_id AS id, -(sum(b.amount) - coalesce(min(l.amount), 0)) AS amount
      FROM ledger_balance b LEFT JOIN later l ON l.account_id = b.account_id
     WHERE b.account_id IN (SELECT id FROM accounts)
     GROUP BY b.account_id
)
SELECT t.client_id, 'ACCOUNT', 'Login ' || t.login || CASE WHEN r.id IS NULL THEN ' (books: the server was not read)' ELSE '' END,
       coalesce(r.amount, coalesce(b.amount, 0) + coalesce(h.amount, 0)), coalesce(r.currency, t.currency_id),
       CASE WHEN r.id IS NULL THEN 'account:' || t.balance_account_id ELSE 'snapshot:' || r.id END
  FROM logins t
  LEFT JOIN readings r ON r.connection_id = t.connection_id AND r.login = t.login
  LEFT JOIN owed b ON b.id = t.balance_account_id
  LEFT JOIN owed h ON h.id = t.reserved_account_id
UNION ALL
SELECT w.client_id, 'WALLET', 'Wallet ' || w.currency_id, coalesce(a.amount, 0) + coalesce(h.amount, 0), w.currency_id,
       'account:' || w.account_id
  FROM accounts_wallet w
  LEFT JOIN owed a ON a.id = w.account_id
  LEFT JOIN owed h ON h.id = w.reserved_id
 WHERE w.entity_id = %(entity)s AND w.opened_at <= %(cutoff)s
UNION ALL
SELECT v.client_id, 'IN_FLIGHT', 'Withdrawal ' || v.reference, v.amount, v.currency_id, 'reservation:' || v.id
  FROM accounts_reservation v
  JOIN ledger_journal j ON j.entity_id = v.entity_id AND j.id = v.ended_journal_id
 WHERE v.entity_id = %(entity)s AND v.reference LIKE 'W-%%' AND v.state = 'USED'
   AND j.business_date <= %(day)s AND j.posted_at <= %(cutoff)s
   AND NOT EXISTS (SELECT FROM payments_moneyrequest m
                     JOIN payments_evidence e ON e.request_id = m.id AND e.amount < 0
                    WHERE m.reference = v.reference AND e.booked_date <= %(day)s AND e.seen_at <= %(cutoff)s)
   AND NOT EXISTS (SELECT FROM payments_moneyrequest m
                    WHERE m.reference = v.reference AND m.state IN ('FAILED', 'RETURNED') AND m.ended_at <= %(cutoff)s)
UNION ALL
SELECT m.client_id, 'RECEIPT', 'Deposit ' || m.reference, sum(e.amount), e.currency_id, 'request:' || m.id
  FROM payments_moneyrequest m JOIN payments_evidence e ON e.request_id = m.id AND e.amount > 0
 WHERE m.entity_id = %(entity)s AND m.kind = 'D' AND e.booked_date <= %(day)s AND e.seen_at <= %(cutoff)s
   AND (m.state <> 'DONE' OR m.ended_at > %(cutoff)s OR m.ended_at::date > %(day)s)
   AND m.state NOT IN ('REJECTED', 'RETURNED')
 GROUP BY m.id, m.client_id, m.reference, e.currency_id
UNION ALL
SELECT NULL, 'RECEIPT', 'Receipts nobody is named in', o.amount, a.currency_id, 'account:' || a.id
  FROM ledger_ledgeraccount a JOIN owed o ON o.id = a.id
 WHERE a.entity_id = %(entity)s AND a.code = 'clearing.unallocated' AND o.amount > 0
 ORDER BY 1, 2, 3
