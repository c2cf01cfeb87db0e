"""How a journal is spelled for its seal: the journal with its lines, so that a line changed together with its balance,
its journal's hash and everything else that follows from it still shows."""

JOURNALS = """
SELECT j.id AS key, json_build_object('id', j.id, 'entity_id', j.entity_id, 'key', j.key,
       'input_hash', encode(j.input_hash, 'hex'), 'business_date', j.business_date, 'kind', j.kind,
       'description', j.description, 'reference', j.reference, 'actor', j.actor, 'posted_at', j.posted_at,
       'line_count', j.line_count, 'reverses_id', j.reverses_id, 'lines', (
           SELECT json_agg(json_build_array(l.line_no, l.account_id, l.currency, l.amount::text, l.account_seq,
                                            l.balance_after::text) ORDER BY l.line_no)
             FROM ledger_line l
            WHERE l.entity_id = j.entity_id AND l.business_date = j.business_date AND l.journal_id = j.id
       ))::text AS leaf
  FROM ledger_journal j
"""
