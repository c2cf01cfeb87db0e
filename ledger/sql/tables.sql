-- Journals, lines and balances. The entity is part of every key (decision 0002); it stands behind the id, so
-- that lists over several entities read the index in order.
CREATE SEQUENCE ledger_journal_id_seq;

CREATE TABLE ledger_journal (
    entity_id     bigint NOT NULL,
    id            bigint NOT NULL,
    key           text NOT NULL,
    input_hash    bytea NOT NULL,
    business_date date NOT NULL,
    kind          text NOT NULL,
    description   text NOT NULL,
    reference     text NOT NULL,
    actor         text NOT NULL,
    posted_at     timestamptz NOT NULL,
    line_count    smallint NOT NULL,
    reverses_id   bigint,
    PRIMARY KEY (id, entity_id),
    UNIQUE (entity_id, key),
    CONSTRAINT ledger_journal_sound CHECK (
        line_count >= 2 AND key <> '' AND length(key) <= 200 AND kind <> '' AND actor <> ''
        AND length(input_hash) = 32 AND isfinite(posted_at)
    )
);
-- A journal is reversed at most once.
CREATE UNIQUE INDEX ledger_journal_reversed_once ON ledger_journal (entity_id, reverses_id)
    WHERE reverses_id IS NOT NULL;
CREATE INDEX ledger_journal_by_date ON ledger_journal USING brin (business_date);

CREATE TABLE ledger_line (
    entity_id     bigint NOT NULL,
    business_date date NOT NULL,
    journal_id    bigint NOT NULL,
    line_no       smallint NOT NULL,
    account_id    bigint NOT NULL,
    currency      text NOT NULL,
    amount        numeric NOT NULL,
    account_seq   bigint,
    balance_after numeric,
    PRIMARY KEY (entity_id, business_date, journal_id, line_no)
) PARTITION BY RANGE (business_date);
CREATE INDEX ledger_line_by_account ON ledger_line (account_id, business_date, journal_id) INCLUDE (amount);

-- One row per account, or 16 for a striped one: stripe -1 is the whole of an account, 0..15 are its parts.
-- What a posting must know about an account stands here too, so that it reads one table.
CREATE TABLE ledger_balance (
    account_id bigint NOT NULL REFERENCES ledger_ledgeraccount (id),
    stripe     smallint NOT NULL,
    entity_id  bigint NOT NULL,
    currency   text NOT NULL,
    exponent   smallint NOT NULL,
    sign       smallint NOT NULL,
    floor      numeric,
    is_open    boolean NOT NULL DEFAULT true,
    amount     numeric NOT NULL DEFAULT 0,
    version    bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, stripe),
    CONSTRAINT ledger_balance_floor CHECK (floor IS NULL OR sign * amount >= floor)
) WITH (fillfactor = 50);

-- The last journal an entity had when a day was closed; written by the closing's guard, read by verify.
ALTER TABLE ledger_closing ADD COLUMN last_journal_id bigint NOT NULL DEFAULT 0;

-- Every account has its balance rows from the start: a row that exists can be locked.
CREATE FUNCTION ledger_account_opened() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO public.ledger_balance (account_id, stripe, entity_id, currency, exponent, sign, floor, is_open)
    SELECT n.id, s, n.entity_id, n.currency_id, c.exponent,
           CASE WHEN n.kind IN ('ASSET', 'EXPENSE') THEN 1 ELSE -1 END, n.floor, n.closed_at IS NULL
      FROM new_accounts n
      JOIN public.organisation_currency c ON c.code = n.currency_id
     CROSS JOIN LATERAL generate_series(CASE WHEN n.striped THEN 0 ELSE -1 END,
                                        CASE WHEN n.striped THEN 15 ELSE -1 END) s;
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_account_opened AFTER INSERT ON ledger_ledgeraccount
    REFERENCING NEW TABLE AS new_accounts
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_account_opened();
ALTER TABLE ledger_ledgeraccount ENABLE ALWAYS TRIGGER ledger_account_opened;

-- What an account is never changes; only its name and its closing do, and it closes empty.
CREATE FUNCTION ledger_account_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF (to_jsonb(NEW) - ARRAY['name', 'closed_at']) IS DISTINCT FROM (to_jsonb(OLD) - ARRAY['name', 'closed_at']) THEN
        RAISE EXCEPTION 'account % cannot become another account', OLD.code USING ERRCODE = 'BO010';
    END IF;
    IF (NEW.closed_at IS NULL) <> (OLD.closed_at IS NULL) THEN
        UPDATE public.ledger_balance SET is_open = NEW.closed_at IS NULL WHERE account_id = OLD.id;
        IF NEW.closed_at IS NOT NULL
           AND (SELECT sum(amount) FROM public.ledger_balance WHERE account_id = OLD.id) <> 0 THEN
            RAISE EXCEPTION 'account % has a balance and cannot be closed', OLD.code USING ERRCODE = 'BO010';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ledger_account_guard BEFORE UPDATE ON ledger_ledgeraccount
    FOR EACH ROW EXECUTE FUNCTION ledger_account_guard();
ALTER TABLE ledger_ledgeraccount ENABLE ALWAYS TRIGGER ledger_account_guard;
CREATE TRIGGER ledger_account_kept BEFORE DELETE OR TRUNCATE ON ledger_ledgeraccount
    FOR EACH STATEMENT EXECUTE FUNCTION house_refuse_change();
ALTER TABLE ledger_ledgeraccount ENABLE ALWAYS TRIGGER ledger_account_kept;
