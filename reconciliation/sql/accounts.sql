-- What we want of each login against what its server last said of it. Rights are compared by the bits we set: 1 is
-- ENABLED, 4 is TRADE_DISABLED, which is inverted; 65536 (TECHNICAL) and 131072 (EXCLUDE_REPORTS) go together
-- (integrations.records.Right).
--
-- A login whose command is under way and young is left out: the difference is on its way to be settled. A login
-- without a reading since the last whole one began was not there then, unless it was opened later.
WITH wanted AS MATERIALIZED (
    SELECT a.id AS account_id, a.connection_id, a.login, a.opened_at, a.technical, d.enabled, d.trading, d."group" AS group_name,
           d.leverage, f.users_read_at,
           EXISTS (SELECT FROM integrations_servercommand c JOIN outbox_message m ON m.id = c.message_id
                    WHERE c.connection_id = a.connection_id AND c.login = a.login AND c.asked_at > %(young_since)s
                      AND m.state IN ('QUEUED', 'SENDING', 'UNKNOWN')) AS pending
      FROM accounts_tradingaccount a
      JOIN integrations_feedstate f ON f.connection_id = a.connection_id
      JOIN accounts_client k ON k.id = a.client_id AND k.status <> 'ARCHIVED'
      JOIN accounts_desiredstate d ON d.account_id = a.id
     WHERE a.connection_id = ANY (%(servers)s)
), read AS MATERIALIZED (
    SELECT w.*, s.id AS reading_id, s.rights & 1 <> 0 AS has_enabled, s.rights & 4 = 0 AS has_trading,
           s.rights & 65536 <> 0 AS has_technical, s.rights & 131072 <> 0 AS has_excluded,
           s."group" AS has_group, s.leverage AS has_leverage,
           coalesce(s.read_at < w.users_read_at, s.id IS NULL AND w.opened_at <= w.users_read_at, false) AS missing
      FROM wanted w
      LEFT JOIN integrations_serveruser s ON s.connection_id = w.connection_id AND s.login = w.login
), compared AS MATERIALIZED (
    SELECT * FROM read WHERE NOT pending AND (missing OR reading_id IS NOT NULL)
), differences AS (
    SELECT c.*, v.class, v.said
      FROM compared c
     CROSS JOIN LATERAL (VALUES
         ('USER_MISSING', c.missing, 'is not at the server'),
         ('RIGHTS_DRIFT', NOT c.missing AND (c.has_enabled <> c.enabled OR c.has_trading <> c.trading),
          format('wanted log-in %%s, trading %%s; server log-in %%s, trading %%s',
                 CASE WHEN c.enabled THEN 'on' ELSE 'off' END, CASE WHEN c.trading THEN 'on' ELSE 'off' END,
                 CASE WHEN c.has_enabled THEN 'on' ELSE 'off' END, CASE WHEN c.has_trading THEN 'on' ELSE 'off' END)),
         ('GROUP_DRIFT', NOT c.missing AND c.group_name <> '' AND c.has_group <> c.group_name,
          format('wanted group %%s, server %%s', c.group_name, c.has_group)),
         ('LEVERAGE_DRIFT', NOT c.missing AND c.leverage <> 0 AND c.has_leverage <> c.leverage,
          format('wanted leverage 1:%%s, server 1:%%s', c.leverage, c.has_leverage)),
         ('TECHNICAL_DRIFT', NOT c.missing AND (c.has_technical <> c.technical OR c.has_excluded <> c.technical),
          format('wanted %%s; server technical %%s, out of reports %%s',
                 CASE WHEN c.technical THEN 'technical' ELSE 'not technical' END,
                 CASE WHEN c.has_technical THEN 'on' ELSE 'off' END,
                 CASE WHEN c.has_excluded THEN 'on' ELSE 'off' END))
     ) AS v (class, applies, said)
     WHERE v.applies
), broken AS (
    INSERT INTO found (class, key, business_date, amount, currency, summary, refs)
    SELECT class, 'login:' || connection_id || ':' || login, %(day)s, NULL, '', 'Login ' || login || ': ' || said,
           jsonb_build_object('trading_account', account_id, 'connection', connection_id, 'login', login,
               'wanted', jsonb_build_object('enabled', enabled, 'trading', trading, 'group', group_name,
                                            'leverage', leverage, 'technical', technical,
                                            'exclude_reports', technical),
               'found', CASE WHEN NOT missing THEN jsonb_build_object(
                   'enabled', has_enabled, 'trading', has_trading, 'group', has_group, 'leverage', has_leverage,
                   'technical', has_technical, 'exclude_reports', has_excluded) END)
      FROM differences
    UNION ALL
    -- What was open before stays as it is while its command is under way.
    SELECT b.klass, b.key, b.business_date, b.amount, b.currency, b.summary, b.refs
      FROM read r
      JOIN reconciliation_break b ON b.key = 'login:' || r.connection_id || ':' || r.login
     WHERE r.pending AND b.entity_id = %(entity)s AND b.kind = 'accounts' AND b.state IN ('OPEN', 'ASSIGNED', 'EXPLAINED')
)
SELECT (SELECT count(*) FROM compared),
       (SELECT count(*) FROM compared c WHERE NOT EXISTS (SELECT FROM differences d WHERE d.account_id = c.account_id)),
       (SELECT count(*) FROM read WHERE pending),
       (SELECT count(*) FROM accounts_tradingaccount a WHERE a.connection_id = ANY (%(servers)s)
           AND NOT EXISTS (SELECT FROM read r WHERE r.account_id = a.id
                                              AND (r.pending OR r.missing OR r.reading_id IS NOT NULL)))
