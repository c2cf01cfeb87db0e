-- The same rule as in allocations.sql, for a run that writes millions of parts at once: what the facts have is joined as a
-- set. As a dynamic statement it is planned for the rows of this call; a plan kept from a call with two rows, or made while
-- the tables were empty, would take hours for a million.
CREATE OR REPLACE FUNCTION reconciliation_check_allocations() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp SET work_mem = '64MB' AS $$
DECLARE
    wrong record;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'allocations are written in READ COMMITTED' USING ERRCODE = 'BO101';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('reconciliation_cashallocation', e.entity_id))
       FROM (SELECT DISTINCT m.entity_id FROM fresh f JOIN reconciliation_cashmatch m ON m.id = f.match_id
              ORDER BY 1) e;
    -- What a part and its match refer to is never deleted: it is there for good if it is there now.
    PERFORM FROM (SELECT DISTINCT m.id IS NULL AS lost, m.entity_id, m.rule_id
                    FROM fresh f LEFT JOIN reconciliation_cashmatch m ON m.id = f.match_id) f
      LEFT JOIN organisation_legalentity e ON e.id = f.entity_id
      LEFT JOIN reconciliation_rule r ON r.id = f.rule_id
     WHERE f.lost OR e.id IS NULL OR r.id IS NULL;
    IF FOUND THEN
        RAISE EXCEPTION 'a part of a match that does not exist, or of one without entity or rule'
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    EXECUTE $check$
    WITH touched AS MATERIALIZED (
        SELECT f.fact_kind, f.fact_id, min(m.entity_id) AS entity_id, max(m.entity_id) AS other_entity
          FROM fresh f JOIN reconciliation_cashmatch m ON m.id = f.match_id
         GROUP BY 1, 2
    ), every AS (
        -- One pass over what was taken and what there is: no join between two sets whose size the planner can only guess.
        SELECT t.fact_kind, t.fact_id, a.amount AS taken, NULL::numeric AS had
          FROM touched t
          JOIN reconciliation_cashallocation a ON a.fact_kind = t.fact_kind AND a.fact_id = t.fact_id
          JOIN reconciliation_cashmatch m ON m.id = a.match_id AND m.undone_at IS NULL
        UNION ALL
        SELECT t.fact_kind, t.fact_id, NULL, d.profit
          FROM touched t JOIN integrations_deal d ON d.id = t.fact_id AND d.entity_id = t.entity_id
         WHERE t.fact_kind = 'deal' AND t.other_entity = t.entity_id
        UNION ALL
        SELECT t.fact_kind, t.fact_id, NULL, CASE WHEN p.kind = 'PAYOUT' THEN -p.net ELSE p.gross END
          FROM touched t JOIN integrations_pspline p ON p.id = t.fact_id AND p.entity_id = t.entity_id
         WHERE t.fact_kind = 'psp' AND t.other_entity = t.entity_id
        UNION ALL
        SELECT t.fact_kind, t.fact_id, NULL, b.amount
          FROM touched t JOIN integrations_bankline b ON b.id = t.fact_id AND b.entity_id = t.entity_id
         WHERE t.fact_kind = 'bank' AND t.other_entity = t.entity_id
        UNION ALL
        SELECT t.fact_kind, t.fact_id, NULL, l.amount
          FROM touched t
          JOIN ledger_journal j ON j.id = t.fact_id AND j.entity_id = t.entity_id
          JOIN ledger_line l ON l.entity_id = j.entity_id AND l.business_date = j.business_date AND l.journal_id = j.id
         WHERE t.fact_kind = 'journal' AND t.other_entity = t.entity_id
           AND l.account_id = ANY (ARRAY(SELECT a.id FROM ledger_ledgeraccount a
                                          WHERE a.code IN ('clearing.client_money', 'clearing.unallocated')))
    )
    SELECT fact_kind, fact_id, sum(taken) AS taken, sum(had) AS had
      FROM every
     GROUP BY fact_kind, fact_id
    HAVING count(had) = 0 OR bool_or(taken > 0) AND bool_or(taken < 0)
        OR sum(taken) * sign(sum(had)) < 0 OR abs(sum(taken)) > abs(sum(had))
     LIMIT 1
    $check$ INTO wrong;
    IF wrong.fact_id IS NOT NULL THEN
        RAISE EXCEPTION '% % has %, and % would be matched', wrong.fact_kind, wrong.fact_id,
            coalesce(wrong.had::text, 'nothing here'), coalesce(wrong.taken::text, 'nothing') USING ERRCODE = 'BO102';
    END IF;
    RETURN NULL;
END $$;
