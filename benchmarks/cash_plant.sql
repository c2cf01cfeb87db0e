-- A month of cash: of every 100 lines of the PSP 96 are payments and 4 are payouts of 24 payments each. Half of the
-- payments go to a wallet, half to the trade server. Bank: the payouts, a wire for every 100th line. 0.5 % are wrong:
-- `fault` numbers the classes of benchmarks/cash.py. Amounts in USD.
CREATE TABLE bench_pay AS
SELECT n, 'D-' || lpad(n::text, 8, '0') AS ref, 10 + n % 9990 + (n % 90) / 100.0 AS amount, n % 2 = 0 AS to_wallet,
       100000 + n % 1000 AS login, n / 24 AS batch, CASE WHEN n % 200 = 77 THEN n / 200 % 10 END AS fault,
       :day:::date - 12 - (n % 30)::int AS day
  FROM generate_series(0, :payments: - 1) AS n;

UPDATE bench_pay SET to_wallet = false WHERE fault IN (4, 5);

UPDATE bench_pay SET day = :day: WHERE fault = 9;

CREATE TABLE bench_out AS
SELECT batch, 'TX' || lpad(batch::text, 6, '0') || 'XT' AS token, sum(round(amount * 0.98, 2)) AS net,
       CASE WHEN batch % 200 = 55 THEN batch / 200 % 3 END AS fault, :day:::date - 8 - (batch % 20)::int AS day
  FROM bench_pay GROUP BY batch;

CREATE TABLE bench_wire AS
SELECT n, 'W-' || lpad(n::text, 8, '0') AS ref, -(20 + n % 5000 + (n % 90) / 100.0) AS amount, 100000 + n % 1000 AS login,
       CASE WHEN n % 200 = 33 THEN n / 200 % 4 END AS fault, :day:::date - 9 - (n % 25)::int AS day
  FROM generate_series(0, :wires: - 1) AS n;

CREATE TABLE bench_inside AS
SELECT n, 'T-' || lpad(n::text, 8, '0') AS ref, 30 + n % 700 AS amount, 100000 + n % 1000 AS login,
       :day:::date - 9 - (n % 25)::int AS day
  FROM generate_series(0, :transfers: - 1) AS n;

-- What the trade server did: payments that go there, once more where it was repeated, withdrawals, both ends of transfers.
CREATE TABLE bench_op AS
SELECT ref, amount, login, CASE WHEN fault = 9 THEN day + 1 ELSE day END AS day, copy
  FROM bench_pay, generate_series(1, CASE WHEN fault = 4 THEN 2 ELSE 1 END) AS copy
 WHERE NOT to_wallet AND fault IS DISTINCT FROM 0 AND fault IS DISTINCT FROM 5
UNION ALL
SELECT ref, amount, login, day, 1 FROM bench_wire WHERE fault IS NULL OR fault IN (1, 3)
UNION ALL
SELECT ref, CASE side WHEN 1 THEN amount ELSE -amount END, login, day, side FROM bench_inside, generate_series(1, 2) AS side;

INSERT INTO integrations_deal (entity_id, connection_id, version, content_hash, raw_id, raw_line, received_at, ticket, login,
    kind, entry, side, symbol, volume_lots, contract_size, price, profit, swap, commission, fee, position_id, order_id,
    external_id, gateway, reason, comment, modify_flags, deleted, server_time, business_date, dealt_at)
SELECT :entity:, :server:, 1, sha256(ref::bytea), 1, 0, now() - interval '1 hour', row_number() OVER (ORDER BY day, ref, copy), login,
    'BALANCE', 'NONE', 'NONE', '', 0, 0, 0, amount, 0, 0, 0, 0, 0, '', '', 'DEALER', ref || ' card', 0, false,
    day + time '12:00', day, (day + time '12:00') AT TIME ZONE 'UTC'
  FROM bench_op;

-- What was posted: a movement per payment, withdrawal and end of a transfer, and what each PSP line booked.
CREATE TABLE bench_posted AS
SELECT row_number() OVER (ORDER BY day, kind, ref, copy) AS id, * FROM (
    SELECT 'DEAL' AS kind, 'Deal balance ' || ref || ' card' AS said, ref, copy, amount, login, day FROM bench_op
    UNION ALL
    SELECT 'DEAL', 'Deal balance ' || ref || ' card', ref, 1, amount, login, day FROM bench_pay WHERE fault = 5
    UNION ALL
    SELECT 'WALLET', 'Deposit ' || ref || ' to wallet', ref, 1, amount, login, CASE WHEN fault = 9 THEN day + 1 ELSE day END
      FROM bench_pay WHERE to_wallet AND fault IS DISTINCT FROM 0
    UNION ALL
    SELECT 'PSP', 'Settled ' || ref, ref, 1, -amount, login, day FROM bench_pay WHERE fault IS DISTINCT FROM 1
) every;

INSERT INTO ledger_journal (entity_id, id, key, input_hash, business_date, kind, description, reference, actor, posted_at, line_count)
SELECT :entity:, id, 'bench:' || id, sha256(id::text::bytea), day, kind, said, '', 'bench', now() - interval '1 hour', 2
  FROM bench_posted ORDER BY id;

INSERT INTO ledger_line (entity_id, business_date, journal_id, line_no, account_id, currency, amount)
SELECT :entity:, day, p.id, side, CASE side WHEN 1 THEN :clearing: ELSE a.balance_account_id END, 'USD',
       CASE side WHEN 1 THEN amount ELSE -amount END
  FROM bench_posted p JOIN accounts_tradingaccount a ON a.login = p.login, generate_series(1, 2) AS side ORDER BY p.id;

CREATE TABLE bench_line AS
SELECT 'PAYMENT' AS kind, 'P' || n || '-' || copy AS line_key, ref, copy,
       CASE fault WHEN 2 THEN amount + 1 WHEN 7 THEN -amount ELSE amount END AS gross,
       CASE fault WHEN 8 THEN round(amount * 0.02, 2) + 0.5 WHEN 2 THEN round((amount + 1) * 0.02, 2)
                  WHEN 7 THEN -round(amount * 0.02, 2) ELSE round(amount * 0.02, 2) END AS fee,
       CASE WHEN fault = 6 THEN 'EUR' ELSE 'USD' END AS currency, '' AS bank_reference, day, batch
  FROM bench_pay, generate_series(1, CASE WHEN fault = 3 THEN 2 ELSE 1 END) AS copy WHERE fault IS DISTINCT FROM 1
UNION ALL
SELECT 'PAYOUT', 'O' || batch, '', 1, -net, 0, 'USD', token, day, batch FROM bench_out WHERE fault IS DISTINCT FROM 2;

INSERT INTO integrations_pspline (entity_id, connection_id, version, content_hash, raw_id, raw_line, received_at, line_key, kind,
    provider_type, psp_reference, merchant_reference, modification_reference, gross, fee, net, currency, gross_original,
    currency_original, exchange_rate, payout_key, bank_reference, method, booked_at, booked_zone, business_date)
SELECT :entity:, :psp:, 1, sha256(line_key::bytea), 1, 0, now() - interval '1 hour', line_key, kind, 'Settled', line_key,
    ref, '', gross, fee, gross - fee, currency, 0, '', '', batch::text, bank_reference, 'visa',
    (day + time '12:00') AT TIME ZONE 'UTC', 'UTC', day
  FROM bench_line l ORDER BY l.day, l.line_key;

CREATE TABLE bench_bank AS
SELECT 'B' || batch AS line_key, CASE WHEN fault = 1 THEN net - 2 ELSE net END AS amount, '' AS end_to_end_id,
       'SETTLEMENT ' || token || ' BATCH ' || batch AS remittance, day + 1 AS day
  FROM bench_out WHERE fault IS DISTINCT FROM 0
UNION ALL
SELECT 'R' || n, CASE WHEN fault = 1 THEN amount - 3 ELSE amount END, CASE WHEN fault = 2 THEN '' ELSE ref END,
       CASE WHEN fault = 2 THEN 'to a payee' ELSE 'withdrawal' END, day + 1
  FROM bench_wire WHERE fault IS NULL OR fault <> 3;

INSERT INTO integrations_bankline (entity_id, connection_id, version, content_hash, raw_id, raw_line, received_at, line_key, account,
    statement_id, amount, currency, booking_date, value_date, bank_reference, end_to_end_id, remittance, counterparty,
    counterparty_account, is_reversal, bank_code, details)
SELECT :entity:, :bank:, 1, sha256(line_key::bytea), 1, 0, now() - interval '1 hour', line_key, 'IBAN', day::text, amount,
    'USD', day, day, line_key, end_to_end_id, remittance, 'somebody', '', false, 'PMNT/RCDT/ESCT', '{}'
  FROM bench_bank b ORDER BY b.day, b.line_key;

-- What has to be found, and nothing else.
CREATE TABLE bench_planted AS
SELECT (ARRAY['MISSING_INTERNAL', 'MISSING_EXTERNAL', 'AMOUNT', 'DUPLICATE_PSP', 'DUPLICATE_CREDIT', 'MISSING_SERVER_OP',
              'CURRENCY', 'DIRECTION', 'FEE', 'TIMING'])[fault + 1] AS class,
       CASE fault WHEN 8 THEN 'psp::psp::P' || n || '-1' ELSE 'ref:' || ref END AS key
  FROM bench_pay WHERE fault IS NOT NULL
UNION ALL
SELECT (ARRAY['PAYOUT_MISSING', 'PAYOUT_AMOUNT', 'PAYOUT_UNKNOWN'])[fault + 1], 'payout:' || token || ':USD'
  FROM bench_out WHERE fault IS NOT NULL
UNION ALL
SELECT CASE fault WHEN 0 THEN 'MISSING_INTERNAL' WHEN 1 THEN 'AMOUNT' WHEN 3 THEN 'MISSING_EXTERNAL' ELSE 'UNIDENTIFIED' END,
       CASE fault WHEN 2 THEN 'bank::bank::R' || n ELSE 'ref:' || ref END
  FROM bench_wire WHERE fault IS NOT NULL;

CREATE INDEX ON bench_planted (class, key);

DROP TABLE bench_pay, bench_out, bench_wire, bench_inside, bench_op;

GRANT ALL ON bench_planted, bench_posted, bench_line, bench_bank TO PUBLIC
