-- What `sides` says, told apart (cash_kinds.sql): what agrees goes to `agreed` and `parts`, what does not to `found`.
INSERT INTO agreed (key, rung, currency, amount, difference, evidence)
SELECT DISTINCT ON (key) key, CASE WHEN psp_ids IS NOT NULL OR by_id THEN 'ID' ELSE 'REFERENCE' END,
       coalesce(inside_currency, own_currency, outside_currency), coalesce(inside, 0), outside - coalesce(inside, 0),
       jsonb_strip_nulls(jsonb_build_object(
           'reference', ref, 'server', trim_scale(server_amount)::text, 'ledger', trim_scale(books_amount)::text,
           'psp', trim_scale(psp_amount)::text, 'bank', trim_scale(bank_amount)::text,
           'deals', server_ids, 'journals', books_ids, 'psp_lines', psp_ids, 'bank_lines', part_ids,
           'tolerance', CASE WHEN outside <> coalesce(inside, 0) AND inside_currency IS NULL
                             THEN %(tolerances)s::jsonb ->> own_currency END))
  FROM sides WHERE class IS NULL AND NOT by_hand
 ORDER BY key;

INSERT INTO parts (key, fact_kind, fact_id, amount)
SELECT key, 'deal', f.id, f.amount FROM sides CROSS JOIN LATERAL unnest(server_ids, server_amounts) AS f (id, amount)
 WHERE class IS NULL AND NOT by_hand
UNION ALL
SELECT key, 'psp', f.id, f.amount FROM sides CROSS JOIN LATERAL unnest(psp_ids, psp_amounts) AS f (id, amount)
 WHERE class IS NULL AND NOT by_hand
UNION ALL
SELECT key, 'bank', f.id, sum(f.amount) FROM sides CROSS JOIN LATERAL unnest(part_ids, bank_amounts) AS f (id, amount)
 WHERE class IS NULL AND NOT by_hand GROUP BY 1, 3
UNION ALL
SELECT key, 'journal', f.id, f.amount
  FROM sides CROSS JOIN LATERAL unnest(wallet_ids, wallet_amounts) AS f (id, amount)
 WHERE class IS NULL AND NOT by_hand AND by_wallet;

INSERT INTO found (class, key, business_date, amount, currency, summary, refs)
SELECT coalesce(k.class, sides.class), key, day,
       CASE WHEN sides.class = 'RETURNED' THEN bank_amount - sent ELSE coalesce(k.amount, outside - coalesce(inside, 0)) END,
       coalesce(inside_currency, own_currency, outside_currency),
       ref || ': server ' || coalesce(server_amount::text, CASE WHEN by_wallet THEN 'not its part' ELSE 'nothing' END)
           || ', ledger ' || coalesce(trim_scale(books_amount)::text, 'nothing')
           || ', PSP ' || coalesce(psp_amount::text, 'nothing') || ', bank ' || coalesce(bank_amount::text, 'nothing')
           || coalesce('; ' || k.why, ''),
       jsonb_strip_nulls(jsonb_build_object('reference', ref, 'deals', coalesce(server_ids, k.deals),
                                            'journals', coalesce(books_ids, k.journals), 'psp', coalesce(psp_ids, k.psp),
                                            'bank', bank_ids))
  FROM sides LEFT JOIN kinds k USING (key) WHERE sides.class IS NOT NULL AND sides.class <> 'later';

SELECT count(*), count(*) FILTER (WHERE class IS NULL) FROM sides
