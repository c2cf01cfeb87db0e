-- Matches of cash: nothing is deleted, what a match said stands, and no more of a fact is taken than it has.

CREATE FUNCTION reconciliation_keep_match() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    moving text[] := ARRAY['undone_at', 'undone_by', 'undone_reason', 'booked'];
BEGIN
    IF TG_OP <> 'UPDATE' THEN
        RAISE EXCEPTION 'matches are undone, never deleted' USING ERRCODE = 'BO100';
    END IF;
    IF to_jsonb(NEW) - moving IS DISTINCT FROM to_jsonb(OLD) - moving THEN
        RAISE EXCEPTION 'match %: what was matched stands as it was written', OLD.id USING ERRCODE = 'BO100';
    END IF;
    IF OLD.undone_at IS NOT NULL THEN
        RAISE EXCEPTION 'match % is undone already', OLD.id USING ERRCODE = 'BO100';
    END IF;
    IF OLD.booked <> 0 AND NEW.booked <> OLD.booked THEN
        RAISE EXCEPTION 'match %: its journal stands', OLD.id USING ERRCODE = 'BO100';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER reconciliation_cashmatch_keep BEFORE UPDATE OR DELETE ON reconciliation_cashmatch
    FOR EACH ROW EXECUTE FUNCTION reconciliation_keep_match();
ALTER TABLE reconciliation_cashmatch ENABLE ALWAYS TRIGGER reconciliation_cashmatch_keep;
CREATE TRIGGER reconciliation_cashmatch_stays BEFORE TRUNCATE ON reconciliation_cashmatch
    FOR EACH STATEMENT EXECUTE FUNCTION reconciliation_keep_match();
ALTER TABLE reconciliation_cashmatch ENABLE ALWAYS TRIGGER reconciliation_cashmatch_stays;

-- What a fact has, for us: a deposit is positive on every side, a payout of a PSP is money to the bank. A journal stands
-- for its lines on client money on its way and on receipts not yet allocated.
CREATE FUNCTION reconciliation_fact_amounts(of_kind text, ids bigint[])
RETURNS TABLE (fact_id bigint, entity_id bigint, amount numeric)
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT d.id, d.entity_id, d.profit FROM integrations_deal d WHERE of_kind = 'deal' AND d.id = ANY (ids)
    UNION ALL
    SELECT p.id, p.entity_id, CASE WHEN p.kind = 'PAYOUT' THEN -p.net ELSE p.gross END
      FROM integrations_pspline p WHERE of_kind = 'psp' AND p.id = ANY (ids)
    UNION ALL
    SELECT b.id, b.entity_id, b.amount FROM integrations_bankline b WHERE of_kind = 'bank' AND b.id = ANY (ids)
    UNION ALL
    SELECT l.journal_id, l.entity_id, sum(l.amount)
      FROM ledger_journal j
      JOIN ledger_line l ON l.entity_id = j.entity_id AND l.business_date = j.business_date AND l.journal_id = j.id
      JOIN ledger_ledgeraccount a ON a.id = l.account_id
     WHERE of_kind = 'journal' AND j.id = ANY (ids) AND a.code IN ('clearing.client_money', 'clearing.unallocated')
     GROUP BY 1, 2
$$;

-- Two people, or a person and a run, may want the same fact at the same time: allocations of one entity are written one
-- after the other, and each statement after the lock sees what the other wrote (so it must read committed data).
CREATE FUNCTION reconciliation_check_allocations() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    wrong record;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'allocations are written in READ COMMITTED' USING ERRCODE = 'BO101';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('reconciliation_cashallocation', e.entity_id))
       FROM (SELECT DISTINCT m.entity_id FROM fresh f JOIN reconciliation_cashmatch m ON m.id = f.match_id
              ORDER BY 1) e;
    WITH touched AS MATERIALIZED (
        SELECT f.fact_kind, f.fact_id, min(m.entity_id) AS entity_id, max(m.entity_id) AS other_entity
          FROM fresh f JOIN reconciliation_cashmatch m ON m.id = f.match_id
         GROUP BY 1, 2
    ), taken AS MATERIALIZED (
        SELECT t.fact_kind, t.fact_id, t.entity_id, t.other_entity, sum(a.amount) AS amount,
               bool_or(a.amount > 0) AND bool_or(a.amount < 0) AS both_ways
          FROM touched t
          JOIN reconciliation_cashallocation a ON a.fact_kind = t.fact_kind AND a.fact_id = t.fact_id
          JOIN reconciliation_cashmatch m ON m.id = a.match_id AND m.undone_at IS NULL
         GROUP BY 1, 2, 3, 4
    ), has AS MATERIALIZED (
        SELECT k.fact_kind, h.fact_id, h.entity_id, h.amount
          FROM (SELECT fact_kind, array_agg(fact_id) AS ids FROM touched GROUP BY 1) k
         CROSS JOIN LATERAL reconciliation_fact_amounts(k.fact_kind, k.ids) h
    )
    SELECT t.fact_kind, t.fact_id, t.amount AS taken, h.amount AS had INTO wrong
      FROM taken t LEFT JOIN has h ON h.fact_kind = t.fact_kind AND h.fact_id = t.fact_id
     WHERE h.amount IS NULL OR h.entity_id <> t.entity_id OR t.other_entity <> t.entity_id OR t.both_ways
        OR t.amount * sign(h.amount) < 0 OR abs(t.amount) > abs(h.amount)
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '% % has %, and % would be matched', wrong.fact_kind, wrong.fact_id,
            coalesce(wrong.had::text, 'nothing here'), wrong.taken USING ERRCODE = 'BO102';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER reconciliation_cashallocation_fits AFTER INSERT ON reconciliation_cashallocation
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION reconciliation_check_allocations();
ALTER TABLE reconciliation_cashallocation ENABLE ALWAYS TRIGGER reconciliation_cashallocation_fits;
