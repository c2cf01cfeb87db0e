-- How many approvals a request still lacks. An approver holds the permission of the approvers (FIRST), that of the
-- second approver (SECOND) or both, and fills one place: people with one permission first, the others where it is open.
CREATE FUNCTION approvals_missing(wanted bigint) RETURNS int
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT firsts + seconds - (least(firsts, f) + least(seconds, s)
           + least(b, greatest(firsts - f, 0) + greatest(seconds - s, 0)))::int
      FROM (SELECT r.approvals_needed - (r.second_permission <> '')::int AS firsts,
                   (r.second_permission <> '')::int AS seconds,
                   count(p.id) FILTER (WHERE p.covers = 'FIRST') AS f,
                   count(p.id) FILTER (WHERE p.covers = 'SECOND') AS s,
                   count(p.id) FILTER (WHERE p.covers = 'BOTH') AS b
              FROM public.approvals_request r
              LEFT JOIN public.approvals_participation p
                     ON p.request_id = r.id AND p.part = 'APPROVER' AND p.payload_hash = r.payload_hash
             WHERE r.id = wanted
             GROUP BY r.id, r.approvals_needed, r.second_permission) counted
$$;

-- The maker is written by the database, so that nobody can be forgotten as one. A new version belongs to a request
-- that was returned to the same person for change.
CREATE OR REPLACE FUNCTION approvals_add_maker() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    old public.approvals_request;
BEGIN
    IF NEW.state <> 'PENDING' THEN
        RAISE EXCEPTION 'a request starts as PENDING' USING ERRCODE = 'BO020';
    END IF;
    IF NEW.replaces_id IS NOT NULL THEN
        SELECT * INTO old FROM public.approvals_request WHERE id = NEW.replaces_id;
        IF NOT FOUND OR old.state <> 'RETURNED' OR NEW.version <> old.version + 1
           OR (old.maker_id, old.action, old.entity_id) IS DISTINCT FROM (NEW.maker_id, NEW.action, NEW.entity_id) THEN
            RAISE EXCEPTION 'request % is not the next version of %', NEW.id, NEW.replaces_id USING ERRCODE = 'BO024';
        END IF;
    ELSIF NEW.version <> 1 THEN
        RAISE EXCEPTION 'a first version has the number 1' USING ERRCODE = 'BO024';
    END IF;
    INSERT INTO public.approvals_participation (request_id, person_id, part, payload_hash, at, reason)
    VALUES (NEW.id, NEW.maker_id, 'MAKER', NEW.payload_hash, NEW.requested_at, NEW.reason);
    RETURN NULL;
END $$;

-- Only the state of a request changes, along the arrows, and EXECUTED needs its people.
CREATE OR REPLACE FUNCTION approvals_guard_request() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    missing int;
BEGIN
    IF (to_jsonb(NEW) - ARRAY['state', 'finished_at', 'result'])
       IS DISTINCT FROM (to_jsonb(OLD) - ARRAY['state', 'finished_at', 'result']) THEN
        RAISE EXCEPTION 'request % is frozen: what was asked cannot be changed', OLD.id USING ERRCODE = 'BO021';
    END IF;
    IF NEW.state = OLD.state THEN
        RAISE EXCEPTION 'request % is %', OLD.id, OLD.state USING ERRCODE = 'BO022';
    END IF;
    IF NEW.state NOT IN ('APPROVED', 'EXECUTED', 'REJECTED', 'WITHDRAWN', 'EXPIRED', 'RETURNED')
       OR OLD.state NOT IN ('PENDING', 'APPROVED') THEN
        RAISE EXCEPTION 'request % cannot go from % to %', OLD.id, OLD.state, NEW.state USING ERRCODE = 'BO022';
    END IF;
    IF NEW.state IN ('APPROVED', 'EXECUTED') THEN
        missing := public.approvals_missing(OLD.id);
        IF missing > 0 THEN
            RAISE EXCEPTION 'request % lacks % of % approvals', OLD.id, missing, OLD.approvals_needed
                USING ERRCODE = 'BO023';
        END IF;
        IF NEW.state = 'EXECUTED' AND OLD.execute_permission <> '' AND NOT EXISTS (
            SELECT FROM public.approvals_participation WHERE request_id = OLD.id AND part = 'EXECUTOR') THEN
            RAISE EXCEPTION 'request % needs a third person to execute it', OLD.id USING ERRCODE = 'BO023';
        END IF;
    END IF;
    IF NEW.state IN ('REJECTED', 'RETURNED') AND NOT EXISTS (
        SELECT FROM public.approvals_participation WHERE request_id = OLD.id
           AND part = CASE NEW.state WHEN 'REJECTED' THEN 'REJECTER' ELSE 'RETURNER' END) THEN
        RAISE EXCEPTION 'nobody has decided that request % is %', OLD.id, NEW.state USING ERRCODE = 'BO023';
    END IF;
    RETURN NEW;
END $$;

-- Parts are taken while the request is open; the maker's own is written above.
CREATE OR REPLACE FUNCTION approvals_guard_part() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    request_state text;
    maker bigint;
BEGIN
    SELECT state, maker_id INTO request_state, maker FROM public.approvals_request WHERE id = NEW.request_id FOR UPDATE;
    -- Nobody's part comes before the request: its maker's is the first.
    IF NOT FOUND OR (NEW.part = 'MAKER' AND NEW.person_id <> maker) THEN
        RAISE EXCEPTION 'the maker of a request is written with it' USING ERRCODE = 'BO020';
    END IF;
    IF NEW.part = 'EXECUTOR' AND request_state <> 'APPROVED' THEN
        RAISE EXCEPTION 'request % is %, not APPROVED', NEW.request_id, request_state USING ERRCODE = 'BO022';
    END IF;
    IF NEW.part IN ('APPROVER', 'REJECTER', 'RETURNER') AND request_state NOT IN ('PENDING', 'APPROVED') THEN
        RAISE EXCEPTION 'request % is already %', NEW.request_id, request_state USING ERRCODE = 'BO022';
    END IF;
    RETURN NEW;
END $$;

-- A rule of approval says exactly what an approved request says, and is only ever ended, by another such request.
CREATE FUNCTION approvals_guard_policy() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    asked public.approvals_request;
    rule jsonb;
    ending boolean := TG_OP = 'UPDATE';
BEGIN
    IF ending AND (OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL OR (to_jsonb(NEW) - ARRAY['ended_at', 'ended_by_id'])
                   IS DISTINCT FROM (to_jsonb(OLD) - ARRAY['ended_at', 'ended_by_id'])) THEN
        RAISE EXCEPTION 'rule % is frozen: it can only be ended, once', OLD.id USING ERRCODE = 'BO025';
    END IF;
    IF NOT ending AND NEW.ended_at IS NOT NULL THEN
        RAISE EXCEPTION 'a rule begins before it ends' USING ERRCODE = 'BO025';
    END IF;
    SELECT * INTO asked FROM public.approvals_request
     WHERE id = CASE WHEN ending THEN NEW.ended_by_id ELSE NEW.request_id END;
    IF NOT FOUND OR asked.action <> 'approvals.policy' OR asked.state NOT IN ('PENDING', 'APPROVED')
       OR public.approvals_missing(asked.id) > 0 THEN
        RAISE EXCEPTION 'a rule of approval changes only by an approved request' USING ERRCODE = 'BO026';
    END IF;
    IF ending THEN
        IF (asked.payload ->> 'replaces')::bigint IS DISTINCT FROM OLD.id THEN
            RAISE EXCEPTION 'request % is not about rule %', asked.id, OLD.id USING ERRCODE = 'BO026';
        END IF;
        RETURN NEW;
    END IF;
    rule := asked.payload -> 'rule';
    IF jsonb_typeof(rule) IS DISTINCT FROM 'object'
       OR (rule ->> 'action', (rule ->> 'entity_id')::bigint, (rule ->> 'from_amount')::numeric, rule ->> 'risk_flag',
           (rule ->> 'approvers')::int, rule ->> 'approve_permission', rule ->> 'second_permission',
           rule ->> 'execute_permission', (rule ->> 'expires_after_hours')::int, (rule ->> 'sla_hours')::int,
           (rule ->> 'bulk')::boolean)
          IS DISTINCT FROM
          (NEW.action::text, NEW.entity_id, NEW.from_amount, NEW.risk_flag::text,
           NEW.approvers::int, NEW.approve_permission::text, NEW.second_permission::text,
           NEW.execute_permission::text, NEW.expires_after_hours::int, NEW.sla_hours::int,
           NEW.bulk) THEN
        RAISE EXCEPTION 'the rule is not what request % says', asked.id USING ERRCODE = 'BO026';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER policy_guard BEFORE INSERT OR UPDATE ON approvals_policy
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_policy();
ALTER TABLE approvals_policy ENABLE ALWAYS TRIGGER policy_guard;

CREATE TRIGGER policy_kept BEFORE DELETE OR TRUNCATE ON approvals_policy
    FOR EACH STATEMENT EXECUTE FUNCTION house_refuse_change();
ALTER TABLE approvals_policy ENABLE ALWAYS TRIGGER policy_kept;

-- A file belongs to what is asked: its maker adds it, and before anybody approved.
CREATE FUNCTION approvals_guard_attachment() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    asked public.approvals_request;
BEGIN
    SELECT * INTO asked FROM public.approvals_request WHERE id = NEW.request_id FOR UPDATE;
    IF NOT FOUND OR asked.state <> 'PENDING' OR asked.maker_id <> NEW.added_by_id OR EXISTS (
        SELECT FROM public.approvals_participation WHERE request_id = NEW.request_id AND part = 'APPROVER') THEN
        RAISE EXCEPTION 'request % takes no file from %', NEW.request_id, NEW.added_by_id USING ERRCODE = 'BO027';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER attachment_guard BEFORE INSERT ON approvals_attachment
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_attachment();
ALTER TABLE approvals_attachment ENABLE ALWAYS TRIGGER attachment_guard;

ALTER TABLE approvals_blob
    ADD CONSTRAINT blob_is_its_hash CHECK (hash = encode(sha256(content), 'hex')),
    ADD CONSTRAINT blob_is_small CHECK (octet_length(content) BETWEEN 1 AND 5242880);

-- A notice says once who was told what; only its reading is added.
CREATE FUNCTION approvals_guard_notice() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF (to_jsonb(NEW) - 'read_at') IS DISTINCT FROM (to_jsonb(OLD) - 'read_at') OR OLD.read_at IS NOT NULL THEN
        RAISE EXCEPTION 'notice % is frozen', OLD.id USING ERRCODE = 'BO028';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER notice_guard BEFORE UPDATE ON approvals_notice
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_notice();
ALTER TABLE approvals_notice ENABLE ALWAYS TRIGGER notice_guard;
