-- What must hold of every posting, whoever writes it: checked once per statement on the set of new rows.
-- These run as whoever inserts: the owner, inside the posting functions, or a person at the database.

CREATE FUNCTION ledger_closed_through(p_entity bigint) RETURNS date
LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT closed_through FROM public.ledger_closing
                      WHERE entity_id = p_entity ORDER BY id DESC LIMIT 1), '-infinity'::date)
$$;

-- 1. Lines: whole journals that balance, on open accounts of their entity and currency, on open days.
--    Then each touched balance row is updated once.
--
--    A journal is whole when its lines 1..line_count came in this one statement. The primary key then leaves
--    no number free, so a line can never be added later. NaN and the infinities never sum to zero.
--    What reverses a journal is its exact opposite, or the journal could never be reversed in truth.
--    Joins by probe only: the plan is made once per session, often for one journal, and must do for 20,000.
CREATE FUNCTION ledger_lines_posted() RETURNS trigger LANGUAGE plpgsql
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    seen record;
    updated int;
BEGIN
    -- An older snapshot would not see a closing that has committed since.
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'posting needs a transaction that is READ COMMITTED' USING ERRCODE = 'BO015';
    END IF;
    SELECT bool_and(n.balanced) AS balanced,
           bool_and(coalesce(n.first = 1 AND n.last = j.line_count AND n.lines = j.line_count
                             AND n.first_day = j.business_date AND n.last_day = j.business_date, false)) AS whole,
           bool_or(j.reverses_id IS NOT NULL) AS reverses,
           min(n.first_day) AS first_day, min(n.entity_id) AS entity_id, max(n.entity_id) AS last_entity_id
      INTO seen
      FROM (
          SELECT g.entity_id, g.journal_id, bool_and(g.balanced) AS balanced, sum(g.lines) AS lines,
                 min(g.first) AS first, max(g.last) AS last, min(g.first_day) AS first_day, max(g.last_day) AS last_day
            FROM (
                SELECT entity_id, journal_id, sum(amount) = 0 AND NOT bool_or(amount = 0) AS balanced,
                       count(*)::int AS lines, min(line_no) AS first, max(line_no) AS last,
                       min(business_date) AS first_day, max(business_date) AS last_day
                  FROM new_lines GROUP BY entity_id, journal_id, currency
            ) g
           GROUP BY g.entity_id, g.journal_id
      ) n
      LEFT JOIN LATERAL (
          SELECT line_count, business_date, reverses_id FROM public.ledger_journal j
           WHERE j.entity_id = n.entity_id AND j.id = n.journal_id
          OFFSET 0
      ) j ON true;
    IF NOT seen.balanced THEN
        RAISE EXCEPTION 'the lines of a journal do not sum to zero in each currency' USING ERRCODE = 'BO011';
    ELSIF NOT seen.whole OR seen.entity_id <> seen.last_entity_id THEN
        RAISE EXCEPTION 'the lines of a journal are not whole, or it was posted before' USING ERRCODE = 'BO012';
    ELSIF seen.first_day <= (SELECT closed_through FROM public.ledger_closing
                              WHERE entity_id = seen.entity_id ORDER BY id DESC LIMIT 1) THEN
        RAISE EXCEPTION 'the day is closed' USING ERRCODE = 'BO013';
    ELSIF seen.reverses THEN
        PERFORM FROM new_lines n
          CROSS JOIN LATERAL (
              SELECT reverses_id, line_count FROM public.ledger_journal
               WHERE entity_id = n.entity_id AND id = n.journal_id
              OFFSET 0
          ) r
          LEFT JOIN LATERAL (
              SELECT business_date, line_count FROM public.ledger_journal
               WHERE entity_id = n.entity_id AND id = r.reverses_id
              OFFSET 0
          ) o ON true
          LEFT JOIN LATERAL (
              SELECT account_id, amount FROM public.ledger_line
               WHERE entity_id = n.entity_id AND business_date = o.business_date AND journal_id = r.reverses_id
                 AND line_no = n.line_no
              OFFSET 0
          ) l ON true
         WHERE r.reverses_id IS NOT NULL
           AND (o.line_count IS DISTINCT FROM r.line_count OR l.account_id IS DISTINCT FROM n.account_id
                OR l.amount IS DISTINCT FROM -n.amount)
         LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'a reversal is the exact opposite of the journal it reverses' USING ERRCODE = 'BO012';
        END IF;
    END IF;

    UPDATE public.ledger_balance b
       SET amount = b.amount + m.amount, version = b.version + m.lines
      FROM (
          SELECT account_id, entity_id, currency, sum(amount) AS amount, count(*) AS lines,
                 count(account_seq) AS numbered, max(account_seq) AS last_seq,
                 max(scale(trim_scale(amount))) AS places
            FROM new_lines GROUP BY account_id, entity_id, currency
      ) m
     WHERE b.account_id = m.account_id AND b.stripe IN (-1, pg_backend_pid() % 16)
       AND b.entity_id = m.entity_id AND b.currency = m.currency AND b.is_open AND m.places <= b.exponent
       -- whole accounts have every line numbered without a gap, striped ones none
       AND CASE WHEN b.stripe = -1 THEN m.numbered = m.lines AND b.version + m.lines = m.last_seq
                ELSE m.numbered = 0 END;
    GET DIAGNOSTICS updated = ROW_COUNT;
    IF updated <> (SELECT count(DISTINCT account_id) FROM new_lines) THEN
        SELECT m.account_id, b.currency, b.exponent, b.is_open, b.entity_id = m.entity_id AS own,
               b.currency = m.currency AND scale(trim_scale(m.amount)) <= b.exponent AS fits INTO seen
          FROM new_lines m
          LEFT JOIN public.ledger_balance b
            ON b.account_id = m.account_id AND b.stripe IN (-1, pg_backend_pid() % 16)
         ORDER BY (b.entity_id = m.entity_id AND b.is_open AND b.currency = m.currency
                   AND scale(trim_scale(m.amount)) <= b.exponent) NULLS FIRST
         LIMIT 1;
        RAISE EXCEPTION 'account % %', seen.account_id, CASE
            WHEN seen.own IS NULL THEN 'does not exist'
            WHEN NOT seen.own THEN 'belongs to another legal entity'
            WHEN NOT seen.is_open THEN 'is closed'
            WHEN NOT seen.fits THEN format('takes %s with at most %s decimal places', seen.currency, seen.exponent)
            ELSE 'takes lines in the order of its numbering only'
        END USING ERRCODE = 'BO014';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_lines_posted AFTER INSERT ON ledger_line
    REFERENCING NEW TABLE AS new_lines
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_lines_posted();
ALTER TABLE ledger_line ENABLE ALWAYS TRIGGER ledger_lines_posted;

-- 2. Journals and lines come from the posting functions and from nowhere else, whoever asks. They set
--    ledger.posting for as long as they write; the application's role has no right to insert at all, so this is
--    what stops a person with the owner's rights from doing it by accident.
CREATE FUNCTION ledger_refuse_direct() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% takes rows from the posting functions only', TG_TABLE_NAME USING ERRCODE = 'BO017';
END $$;
CREATE TRIGGER ledger_journal_direct BEFORE INSERT ON ledger_journal FOR EACH STATEMENT
    WHEN (current_setting('ledger.posting', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION ledger_refuse_direct();
ALTER TABLE ledger_journal ENABLE ALWAYS TRIGGER ledger_journal_direct;
CREATE TRIGGER ledger_line_direct BEFORE INSERT ON ledger_line FOR EACH STATEMENT
    WHEN (current_setting('ledger.posting', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION ledger_refuse_direct();
ALTER TABLE ledger_line ENABLE ALWAYS TRIGGER ledger_line_direct;

-- 3. Balances follow lines. Nobody sets one by hand, not even the owner.
CREATE FUNCTION ledger_refuse_by_hand() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'balances follow from lines and are not written by hand' USING ERRCODE = 'BO016';
END $$;
CREATE TRIGGER ledger_balance_by_hand BEFORE INSERT OR UPDATE ON ledger_balance
    FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION ledger_refuse_by_hand();
ALTER TABLE ledger_balance ENABLE ALWAYS TRIGGER ledger_balance_by_hand;
CREATE TRIGGER ledger_balance_kept BEFORE DELETE OR TRUNCATE ON ledger_balance
    FOR EACH STATEMENT EXECUTE FUNCTION house_refuse_change();
ALTER TABLE ledger_balance ENABLE ALWAYS TRIGGER ledger_balance_kept;

-- 4. Closing waits until no posting of the entity is under way, and none starts before it has committed.
--    Its number is given under that lock, so that the newest by number is the newest that committed, and it keeps
--    the last journal before it: what has a larger id was posted after the closing, whatever a clock said.
CREATE FUNCTION ledger_closing_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'closing needs a transaction that is READ COMMITTED' USING ERRCODE = 'BO015';
    END IF;
    PERFORM pg_advisory_xact_lock(1, NEW.entity_id::int);
    IF NEW.reason = '' AND NEW.closed_through <= public.ledger_closed_through(NEW.entity_id) THEN
        RAISE EXCEPTION 'the books are closed through that day already; opening them again needs a reason'
            USING ERRCODE = 'BO013';
    END IF;
    NEW.id := nextval('public.ledger_closing_id_seq');
    NEW.last_journal_id := coalesce((SELECT max(id) FROM public.ledger_journal WHERE entity_id = NEW.entity_id), 0);
    RETURN NEW;
END $$;
CREATE TRIGGER ledger_closing_guard BEFORE INSERT ON ledger_closing
    FOR EACH ROW EXECUTE FUNCTION ledger_closing_guard();
ALTER TABLE ledger_closing ENABLE ALWAYS TRIGGER ledger_closing_guard;

-- 5. A partition takes rows through its parent only: the parent's triggers would not see a direct insert.
-- A month's partition, made before its first line. Attaching takes no lock that a posting waits for.
CREATE FUNCTION ledger_open_month(p_day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    first_day date := date_trunc('month', p_day)::date;
    name text := 'ledger_line_' || to_char(p_day, 'YYYY_MM');
BEGIN
    IF p_day < '1990-01-01' OR p_day >= '2200-01-01' THEN
        RAISE EXCEPTION '% is not a business day', p_day USING ERRCODE = 'BO018';
    END IF;
    IF to_regclass('public.' || name) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(6, 0);
    -- Asked of the table: to_regclass may still remember its first answer.
    PERFORM FROM pg_class c WHERE c.relname = name AND c.relnamespace = 'public'::regnamespace;
    IF FOUND THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE public.%I (LIKE public.ledger_line INCLUDING ALL)', name);
    EXECUTE format('ALTER TABLE public.ledger_line ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
                   name, first_day, (first_day + interval '1 month')::date);
    EXECUTE format('REVOKE ALL ON public.%I FROM PUBLIC', name);
    EXECUTE format('CREATE TRIGGER refuse_direct BEFORE INSERT ON public.%I
                    FOR EACH STATEMENT EXECUTE FUNCTION public.ledger_refuse_direct()', name);
    EXECUTE format('ALTER TABLE public.%I ENABLE ALWAYS TRIGGER refuse_direct', name);
    EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.%I
                    FOR EACH STATEMENT EXECUTE FUNCTION public.house_refuse_change()', name);
    EXECUTE format('ALTER TABLE public.%I ENABLE ALWAYS TRIGGER append_only', name);
END $$;
