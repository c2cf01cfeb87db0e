-- A day of trades with differences: number modulo 200 says which (benchmarks/recon.py names them in this order).
CREATE TABLE bench_trade AS
SELECT n::bigint AS ticket, n % 200 AS fault, 'X' || n AS order_ref,
       CASE WHEN n % 3 = 0 THEN 'SELL' ELSE 'BUY' END AS side, CASE WHEN n % 5 = 0 THEN 'GBPUSD' ELSE 'EURUSD' END AS symbol,
       (1 + n % 50) / 100.0 AS lots, 1.05 + (n % 2000) / 100000.0 AS price,
       :day:::timestamp + n * interval '1 ms' * (86000000.0 / :trades:) AS traded_at
  FROM generate_series(0, :trades: - 1) AS n;

INSERT INTO integrations_deal (entity_id, connection_id, version, content_hash, raw_id, raw_line, received_at, ticket, login,
    kind, entry, side, symbol, volume_lots, contract_size, price, profit, swap, commission, fee, position_id, order_id,
    external_id, gateway, reason, comment, modify_flags, deleted, server_time, business_date, dealt_at)
SELECT :entity:, :server:, 1, sha256(ticket::text::bytea), 1, 0, now() - interval '1 hour', ticket, 100000 + ticket % 5000,
    'TRADE', 'OUT', side, symbol, lots, 100000, price, 1.5, 0, 0, 0, ticket, ticket,
    order_ref, 'LP', 'CLIENT', '', 0, false, traded_at, :day:, traded_at AT TIME ZONE 'UTC'
  FROM bench_trade WHERE fault NOT IN (0, 3);

INSERT INTO integrations_listingrow (listing_id, ticket, content_hash, raw_id, login, kind, side, symbol, volume_lots,
    contract_size, price, amount, external_id, gateway, comment, dealt_at)
SELECT :listing:, ticket, sha256((ticket::text || CASE WHEN fault = 9 THEN 'edited' ELSE '' END)::bytea), 1,
    100000 + ticket % 5000, 'TRADE', side, symbol, lots, 100000, price, 1.5, order_ref, 'LP', '', traded_at AT TIME ZONE 'UTC'
  FROM bench_trade WHERE fault NOT IN (1, 3);

CREATE TABLE bench_fill AS
SELECT t.*, CASE WHEN fault = 4 THEN CASE side WHEN 'BUY' THEN 'SELL' ELSE 'BUY' END ELSE side END AS lp_side,
       CASE WHEN fault = 5 THEN CASE symbol WHEN 'EURUSD' THEN 'GBPUSD' ELSE 'EURUSD' END ELSE symbol END AS lp_symbol,
       CASE WHEN fault = 6 THEN lots + 0.01 ELSE lots END AS lp_lots,
       CASE WHEN fault = 7 THEN price * 1.01 ELSE price END AS lp_price,
       traded_at + CASE WHEN fault = 8 THEN interval '5 minutes' ELSE interval '0.2 s' END AS lp_time, copy
  FROM bench_trade t, generate_series(1, CASE WHEN fault = 10 THEN 2 ELSE 1 END) AS copy
 WHERE fault NOT IN (1, 2);

INSERT INTO integrations_fill (entity_id, connection_id, version, content_hash, raw_id, raw_line, received_at, exec_id, occurrence,
    order_ref, symbol, side, quantity_units, price, commission, commission_currency, account, traded_at, trade_date)
SELECT :entity:, :lp:, 1, sha256(ticket::text::bytea), 1, 0, now() - interval '1 hour', 'E' || ticket || '-' || copy, 1,
    order_ref, lp_symbol || '.x', lp_side, lp_lots * 100000, lp_price, 0, 'USD', 'A', lp_time AT TIME ZONE 'UTC', :day:
  FROM bench_fill;

CREATE TABLE bench_books AS
SELECT ticket, side, symbol, lots AS volume, price, traded_at FROM bench_trade WHERE fault NOT IN (0, 3);

CREATE TABLE bench_server AS
SELECT ticket, order_ref AS order_ref_s, side, symbol, lots AS volume,
       CASE WHEN fault = 9 THEN price + 0.0001 ELSE price END AS price, traded_at
  FROM bench_trade WHERE fault NOT IN (1, 3);

CREATE TABLE bench_lp AS
SELECT order_ref, 'E' || ticket || '-' || copy AS exec_id, lp_side AS side, lp_symbol AS symbol, lp_lots AS volume,
       lp_price AS price, lp_time AS traded_at
  FROM bench_fill;

DROP TABLE bench_trade, bench_fill;

CREATE TABLE bench_match (ticket bigint NOT NULL, exec_id text NOT NULL, PRIMARY KEY (ticket));

CREATE TABLE bench_break (class text NOT NULL, key text NOT NULL, PRIMARY KEY (class, key));

GRANT ALL ON bench_books, bench_server, bench_lp, bench_match, bench_break TO PUBLIC
