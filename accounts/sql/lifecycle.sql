-- The status of a client goes along the legal steps only, each explained by moment, person and reason, and each
-- leaves a row that nobody can write or leave out. The steps are those of accounts/models/lifecycle.py.
CREATE FUNCTION accounts_leverage_cap(p_entity bigint, p_category text) RETURNS int
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT max(leverage) FROM public.accounts_leveragecap
     WHERE category = p_category
       AND entity_id IS NOT DISTINCT FROM (SELECT min(own.entity_id) FROM public.accounts_leveragecap own
                                            WHERE own.entity_id = p_entity AND own.category = p_category)
$$;

CREATE FUNCTION accounts_guard_client() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status NOT IN ('APPLICATION', 'ACTIVE') THEN
            RAISE EXCEPTION 'a client does not begin as %', NEW.status USING ERRCODE = 'BO060';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.category <> OLD.category AND EXISTS (
           SELECT FROM public.accounts_tradingaccount a
             JOIN public.accounts_desiredstate d ON d.account_id = a.id
            WHERE a.client_id = NEW.id
              AND greatest(d.leverage, d.original_leverage) > public.accounts_leverage_cap(a.entity_id, NEW.category)) THEN
        RAISE EXCEPTION 'client % has more leverage than the category % may', NEW.id, NEW.category
            USING ERRCODE = 'BO064';
    END IF;
    IF NEW.status = OLD.status THEN
        IF (NEW.status_at, NEW.status_by_id, NEW.status_reason)
           IS DISTINCT FROM (OLD.status_at, OLD.status_by_id, OLD.status_reason) THEN
            RAISE EXCEPTION 'client %: moment, person and reason of a status stand with it', OLD.id
                USING ERRCODE = 'BO061';
        END IF;
        RETURN NEW;
    END IF;
    IF NOT EXISTS (SELECT FROM (VALUES
           ('APPLICATION', 'PENDING_KYC'), ('PENDING_KYC', 'KYC_REVIEW'), ('KYC_REVIEW', 'PENDING_KYC'),
           ('KYC_REVIEW', 'APPROVED'), ('KYC_REVIEW', 'REJECTED'),
           ('APPLICATION', 'WITHDRAWN'), ('PENDING_KYC', 'WITHDRAWN'), ('KYC_REVIEW', 'WITHDRAWN'),
           ('APPROVED', 'ACTIVE'), ('ACTIVE', 'UNDER_REVIEW'), ('UNDER_REVIEW', 'ACTIVE'),
           ('ACTIVE', 'SUSPENDED'), ('UNDER_REVIEW', 'SUSPENDED'), ('SUSPENDED', 'ACTIVE'),
           ('ACTIVE', 'DORMANT'), ('DORMANT', 'ACTIVE'),
           ('APPROVED', 'CLOSING'), ('ACTIVE', 'CLOSING'), ('UNDER_REVIEW', 'CLOSING'), ('SUSPENDED', 'CLOSING'),
           ('DORMANT', 'CLOSING'), ('CLOSING', 'ACTIVE'), ('CLOSING', 'CLOSED'),
           ('CLOSED', 'UNDER_REVIEW'), ('CLOSED', 'ARCHIVED')
       ) AS step (before, after) WHERE before = OLD.status AND after = NEW.status) THEN
        RAISE EXCEPTION 'client % does not go from % to %', OLD.id, OLD.status, NEW.status USING ERRCODE = 'BO060';
    END IF;
    IF NEW.status_at < OLD.status_at OR NEW.status_reason = '' THEN
        RAISE EXCEPTION 'client %: a step needs its moment and reason', OLD.id USING ERRCODE = 'BO061';
    END IF;
    INSERT INTO public.accounts_statuschange (client_id, before, after, at, by_id, reason)
    VALUES (OLD.id, OLD.status, NEW.status, NEW.status_at, NEW.status_by_id, NEW.status_reason);
    RETURN NEW;
END $$;
CREATE TRIGGER client_guard BEFORE INSERT OR UPDATE ON accounts_client
    FOR EACH ROW EXECUTE FUNCTION accounts_guard_client();
ALTER TABLE accounts_client ENABLE ALWAYS TRIGGER client_guard;

-- A restriction is written once; reviews and the end are added, and after the end nothing.
CREATE FUNCTION accounts_guard_restriction() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    later text[] := ARRAY['review_due_at', 'reviewed_at', 'reviewed_by_id', 'reminded_at',
                          'lifted_at', 'lifted_by_id', 'lift_reason'];
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.lifted_at IS NOT NULL OR NEW.reviewed_at IS NOT NULL THEN
            RAISE EXCEPTION 'a restriction begins in force' USING ERRCODE = 'BO062';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.lifted_at IS NOT NULL OR to_jsonb(NEW) - later IS DISTINCT FROM to_jsonb(OLD) - later THEN
        RAISE EXCEPTION 'restriction % stands as it was written', OLD.id USING ERRCODE = 'BO062';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER restriction_guard BEFORE INSERT OR UPDATE ON accounts_restriction
    FOR EACH ROW EXECUTE FUNCTION accounts_guard_restriction();
ALTER TABLE accounts_restriction ENABLE ALWAYS TRIGGER restriction_guard;
CREATE TRIGGER restriction_kept BEFORE DELETE OR TRUNCATE ON accounts_restriction
    FOR EACH STATEMENT EXECUTE FUNCTION house_refuse_change();
ALTER TABLE accounts_restriction ENABLE ALWAYS TRIGGER restriction_kept;

-- The same for a flag.
CREATE FUNCTION accounts_guard_flag() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    later text[] := ARRAY['ended_at', 'ended_by_id'];
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.ended_at IS NOT NULL THEN
            RAISE EXCEPTION 'a flag begins in force' USING ERRCODE = 'BO063';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.ended_at IS NOT NULL OR to_jsonb(NEW) - later IS DISTINCT FROM to_jsonb(OLD) - later THEN
        RAISE EXCEPTION 'flag % stands as it was written', OLD.id USING ERRCODE = 'BO063';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER flag_guard BEFORE INSERT OR UPDATE ON accounts_flag
    FOR EACH ROW EXECUTE FUNCTION accounts_guard_flag();
ALTER TABLE accounts_flag ENABLE ALWAYS TRIGGER flag_guard;
CREATE TRIGGER flag_kept BEFORE DELETE OR TRUNCATE ON accounts_flag
    FOR EACH STATEMENT EXECUTE FUNCTION house_refuse_change();
ALTER TABLE accounts_flag ENABLE ALWAYS TRIGGER flag_kept;

-- No login is to have more leverage than its client's category may.
CREATE FUNCTION accounts_guard_leverage() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    cap int;
BEGIN
    SELECT public.accounts_leverage_cap(a.entity_id, c.category) INTO cap
      FROM public.accounts_tradingaccount a JOIN public.accounts_client c ON c.id = a.client_id
     WHERE a.id = NEW.account_id;
    IF greatest(NEW.leverage, NEW.original_leverage) > cap THEN
        RAISE EXCEPTION 'leverage % of account % is above the cap of %', NEW.leverage, NEW.account_id, cap
            USING ERRCODE = 'BO064';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER desired_leverage_guard BEFORE INSERT OR UPDATE OF leverage, original_leverage ON accounts_desiredstate
    FOR EACH ROW EXECUTE FUNCTION accounts_guard_leverage();
ALTER TABLE accounts_desiredstate ENABLE ALWAYS TRIGGER desired_leverage_guard;
