-- The posting functions: the only way in for the application's role, and for everybody else.
--
-- Arrays, not a staging table: a SECURITY DEFINER function must not read what its caller can redefine. For the
-- same reason pg_temp stands last in every search_path: left out, it would be searched first, and a caller's
-- domain named "text" with a CHECK of his own would run that check with the owner's rights.
-- Order of locks: the entity's day, balance rows by account, then keys in ascending order (docs/locks.md).

-- Many journals of one entity, all or none. Returns, in the order of the keys, each journal's id and whether
-- this call posted it.
CREATE FUNCTION ledger_post(
    p_entity bigint, p_posted_at timestamptz, p_actor text,
    p_keys text[], p_hashes bytea[], p_dates date[], p_kinds text[], p_descriptions text[],
    p_references text[], p_counts smallint[], p_reverses bigint[],
    p_ord int[], p_line_nos smallint[], p_accounts bigint[], p_amounts numeric[],
    OUT ids bigint[], OUT posted boolean[]
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    mark text := set_config('ledger.posting', 'on', true);
    written int;
    promised int;
    fresh bigint[];
    clash text;
BEGIN
    IF cardinality(p_keys) <> ANY (ARRAY[cardinality(p_hashes), cardinality(p_dates), cardinality(p_kinds),
           cardinality(p_descriptions), cardinality(p_references), cardinality(p_counts), cardinality(p_reverses)])
       OR cardinality(p_ord) <> ANY (
           ARRAY[cardinality(p_line_nos), cardinality(p_accounts), cardinality(p_amounts)]) THEN
        RAISE EXCEPTION 'the arrays of a posting differ in length' USING ERRCODE = 'BO014';
    END IF;
    -- Shared with other postings; closing a day takes it alone and waits for us.
    PERFORM pg_advisory_xact_lock_shared(1, p_entity::int);
    PERFORM FROM (
        SELECT 1 FROM public.ledger_balance b
         WHERE b.account_id = ANY (p_accounts) AND b.stripe IN (-1, pg_backend_pid() % 16)
         ORDER BY b.account_id FOR UPDATE
    ) locked;

    WITH journal AS (
        INSERT INTO public.ledger_journal (entity_id, id, key, input_hash, business_date, kind, description,
                                           reference, actor, posted_at, line_count, reverses_id)
        SELECT p_entity, nextval('public.ledger_journal_id_seq'), k.key, k.hash, k.day, k.kind, k.description,
               k.reference, p_actor, p_posted_at, k.lines, k.reverses
          FROM unnest(p_keys, p_hashes, p_dates, p_kinds, p_descriptions, p_references, p_counts, p_reverses)
               AS k (key, hash, day, kind, description, reference, lines, reverses)
         ORDER BY k.key
        ON CONFLICT (entity_id, key) DO NOTHING
        RETURNING ledger_journal.id, ledger_journal.key, ledger_journal.business_date, ledger_journal.line_count
    ), numbered AS (
        SELECT j.id, j.business_date, j.line_count, k.ord
          FROM journal j
          JOIN unnest(p_keys) WITH ORDINALITY AS k (key, ord) ON k.key = j.key
    ), line AS (
        INSERT INTO public.ledger_line (entity_id, business_date, journal_id, line_no, account_id, currency, amount,
                                        account_seq, balance_after)
        SELECT p_entity, n.business_date, n.id, l.line_no, l.account, b.currency, l.amount,
               CASE WHEN b.stripe = -1 THEN b.version + row_number() OVER w END,
               CASE WHEN b.stripe = -1 THEN b.amount + sum(l.amount) OVER w END
          FROM unnest(p_ord, p_line_nos, p_accounts, p_amounts) AS l (ord, line_no, account, amount)
          JOIN numbered n ON n.ord = l.ord
          JOIN public.ledger_balance b ON b.account_id = l.account AND b.stripe IN (-1, pg_backend_pid() % 16)
        WINDOW w AS (PARTITION BY l.account ORDER BY n.id, l.line_no)
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM line), coalesce(sum(n.line_count), 0), coalesce(array_agg(n.id ORDER BY n.ord), '{}')
      INTO written, promised, fresh FROM numbered n;
    mark := set_config('ledger.posting', 'off', true);
    -- With the trigger on lines this means: no journal without its lines, no line on an unknown account.
    IF written <> promised THEN
        RAISE EXCEPTION '% of % lines name no account', promised - written, promised USING ERRCODE = 'BO014';
    END IF;

    IF cardinality(fresh) = cardinality(p_keys) THEN
        IF written <> cardinality(p_ord) THEN
            RAISE EXCEPTION '% lines belong to no journal', cardinality(p_ord) - written USING ERRCODE = 'BO014';
        END IF;
        ids := fresh;
        posted := array_fill(true, ARRAY[cardinality(p_keys)]);
        RETURN;
    END IF;

    -- A key that was there before must have meant the same.
    SELECT k.key INTO clash
      FROM unnest(p_keys, p_hashes) AS k (key, hash)
      JOIN public.ledger_journal j ON j.entity_id = p_entity AND j.key = k.key
     WHERE j.input_hash <> k.hash
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the key % was used before for another posting', clash USING ERRCODE = 'BO019';
    END IF;
    SELECT array_agg(j.id ORDER BY k.ord), array_agg(f.id IS NOT NULL ORDER BY k.ord) INTO ids, posted
      FROM unnest(p_keys) WITH ORDINALITY AS k (key, ord)
      JOIN public.ledger_journal j ON j.entity_id = p_entity AND j.key = k.key
      LEFT JOIN unnest(fresh) AS f (id) ON f.id = j.id;
END $$;

-- The same for one journal: plans are made once per session, which is most of the cost of a single posting.
CREATE FUNCTION ledger_post_one(
    p_entity bigint, p_posted_at timestamptz, p_actor text, p_key text, p_hash bytea, p_day date, p_kind text,
    p_description text, p_reference text, p_reverses bigint, p_accounts bigint[], p_amounts numeric[],
    OUT id bigint, OUT posted boolean
)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    mark text := set_config('ledger.posting', 'on', true);
    written int;
    known_hash bytea;
BEGIN
    IF cardinality(p_accounts) <> cardinality(p_amounts) THEN
        RAISE EXCEPTION 'the arrays of a posting differ in length' USING ERRCODE = 'BO014';
    END IF;
    PERFORM pg_advisory_xact_lock_shared(1, p_entity::int);
    PERFORM FROM (
        SELECT 1 FROM public.ledger_balance b
         WHERE b.account_id = ANY (p_accounts) AND b.stripe IN (-1, pg_backend_pid() % 16)
         ORDER BY b.account_id FOR UPDATE
    ) locked;

    WITH journal AS (
        INSERT INTO public.ledger_journal AS j (entity_id, id, key, input_hash, business_date, kind, description,
                                                reference, actor, posted_at, line_count, reverses_id)
        VALUES (p_entity, nextval('public.ledger_journal_id_seq'), p_key, p_hash, p_day, p_kind, p_description,
                p_reference, p_actor, p_posted_at, cardinality(p_accounts), p_reverses)
        ON CONFLICT (entity_id, key) DO NOTHING
        RETURNING j.id
    ), line AS (
        INSERT INTO public.ledger_line (entity_id, business_date, journal_id, line_no, account_id, currency, amount,
                                        account_seq, balance_after)
        SELECT p_entity, p_day, j.id, l.line_no, l.account, b.currency, l.amount,
               CASE WHEN b.stripe = -1 THEN b.version + row_number() OVER w END,
               CASE WHEN b.stripe = -1 THEN b.amount + sum(l.amount) OVER w END
          FROM journal j
         CROSS JOIN unnest(p_accounts, p_amounts) WITH ORDINALITY AS l (account, amount, line_no)
          JOIN public.ledger_balance b ON b.account_id = l.account AND b.stripe IN (-1, pg_backend_pid() % 16)
        WINDOW w AS (PARTITION BY l.account ORDER BY l.line_no)
        RETURNING 1
    )
    SELECT journal.id, (SELECT count(*) FROM line), true INTO id, written, posted FROM journal;
    mark := set_config('ledger.posting', 'off', true);

    IF id IS NULL THEN
        posted := false;
        SELECT j.id, j.input_hash INTO id, known_hash
          FROM public.ledger_journal j WHERE j.entity_id = p_entity AND j.key = p_key;
        IF known_hash <> p_hash THEN
            RAISE EXCEPTION 'the key % was used before for another posting', p_key USING ERRCODE = 'BO019';
        END IF;
    ELSIF written <> cardinality(p_accounts) THEN
        RAISE EXCEPTION '% of % lines name no account', cardinality(p_accounts) - written, cardinality(p_accounts)
            USING ERRCODE = 'BO014';
    END IF;
END $$;
