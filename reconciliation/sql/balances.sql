-- Balance and credit at the end of a business day: what the server says against what the ledger holds.
--
-- A snapshot is taken a little after the day's end, so deals of the next day that it already contains are
-- taken off again. The ledger's balance of the day is its balance now less what was booked for later days, and what is
-- reserved for a withdrawal counts until the server's own deal has taken it.
WITH snapshots AS (
    SELECT DISTINCT ON (s.connection_id, s.login) s.*
      FROM integrations_accountsnapshot s
     WHERE s.connection_id = ANY (%(servers)s) AND s.business_date = %(day)s AND s.received_at <= %(cutoff)s
     ORDER BY s.connection_id, s.login, s.version DESC
), after_day AS MATERIALIZED (
    SELECT d.connection_id, d.login,
           sum(d.profit + d.swap + d.commission + d.fee) FILTER (WHERE d.kind <> ALL (%(credit_kinds)s)) AS balance,
           sum(d.profit + d.swap + d.commission + d.fee) FILTER (WHERE d.kind = ANY (%(credit_kinds)s)) AS credit
      FROM integrations_deal d
      JOIN snapshots s ON s.connection_id = d.connection_id AND s.login = d.login AND d.dealt_at <= s.taken_at
     WHERE d.business_date > %(day)s AND NOT d.deleted
       AND NOT EXISTS (SELECT FROM integrations_superseded o WHERE o.fact_kind = 'deal' AND o.fact_id = d.id)
     GROUP BY d.connection_id, d.login
), later_lines AS (
    SELECT account_id, sum(amount) AS amount FROM ledger_line
     WHERE entity_id = %(entity)s AND business_date > %(day)s GROUP BY account_id
), ours AS (
    SELECT a.id, a.connection_id, a.login, a.currency_id, a.opened_at,
           -(b.amount - coalesce(lb.amount, 0) + coalesce(r.amount - coalesce(lr.amount, 0), 0)) AS balance,
           -(c.amount - coalesce(lc.amount, 0)) AS credit
      FROM accounts_tradingaccount a
      JOIN ledger_balance b ON b.account_id = a.balance_account_id
      JOIN ledger_balance c ON c.account_id = a.credit_account_id
      LEFT JOIN later_lines lb ON lb.account_id = a.balance_account_id
      LEFT JOIN later_lines lc ON lc.account_id = a.credit_account_id
      LEFT JOIN ledger_balance r ON r.account_id = a.reserved_account_id
      LEFT JOIN later_lines lr ON lr.account_id = a.reserved_account_id
     WHERE a.connection_id = ANY (%(servers)s)
), asked AS (
    SELECT connection_id, max(taken_at) AS at FROM snapshots GROUP BY connection_id
), compared AS MATERIALIZED (
    SELECT coalesce(s.connection_id, o.connection_id) AS connection_id, coalesce(s.login, o.login) AS login,
           s.id AS snapshot_id, o.id AS account_id, s.currency AS server_currency, o.currency_id AS our_currency,
           s.balance - coalesce(d.balance, 0) AS server_balance, o.balance AS our_balance,
           s.credit - coalesce(d.credit, 0) AS server_credit, o.credit AS our_credit
      FROM snapshots s
      LEFT JOIN after_day d ON d.connection_id = s.connection_id AND d.login = s.login
      FULL JOIN ours o ON o.connection_id = s.connection_id AND o.login = s.login
      JOIN asked ON asked.connection_id = coalesce(s.connection_id, o.connection_id)
     -- an account that was opened after the server was asked could not be in its answer
     WHERE s.id IS NOT NULL OR o.opened_at <= asked.at
), differences AS (
    SELECT c.*, v.class, v.amount, v.theirs, v.mine
      FROM compared c
     CROSS JOIN LATERAL (VALUES
         ('ACCOUNT_UNKNOWN', c.server_balance, c.server_balance, NULL::numeric, c.account_id IS NULL),
         ('ACCOUNT_GONE', -c.our_balance, NULL, c.our_balance, c.snapshot_id IS NULL),
         ('ACCOUNT_CURRENCY', NULL, NULL, NULL, c.server_currency <> c.our_currency),
         ('BALANCE', c.server_balance - c.our_balance, c.server_balance, c.our_balance,
                     c.server_currency = c.our_currency AND c.server_balance <> c.our_balance),
         ('CREDIT', c.server_credit - c.our_credit, c.server_credit, c.our_credit,
                    c.server_currency = c.our_currency AND c.server_credit <> c.our_credit)
     ) AS v (class, amount, theirs, mine, applies)
     WHERE v.applies
), broken AS (
    INSERT INTO found (class, key, business_date, amount, currency, summary, refs)
    SELECT class, 'login:' || connection_id || ':' || login || ':' || %(day)s, %(day)s, amount,
           coalesce(server_currency, our_currency),
           'Login ' || login || ': server ' || coalesce(theirs::text, 'nothing') || ', ledger '
               || coalesce(trim_scale(mine)::text, 'nothing'),
           jsonb_strip_nulls(jsonb_build_object('snapshot', snapshot_id, 'trading_account', account_id,
                                                'connection', connection_id, 'login', login, 'ours', mine::text))
      FROM differences
)
SELECT (SELECT count(*) FROM compared),
       (SELECT count(*) FROM compared c WHERE NOT EXISTS (
            SELECT FROM differences d WHERE d.connection_id = c.connection_id AND d.login = c.login))
