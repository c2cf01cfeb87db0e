-- A decision is about exactly what was asked: request and hash together.
ALTER TABLE approvals_participation
    ADD CONSTRAINT participation_of_this_content FOREIGN KEY (request_id, payload_hash)
    REFERENCES approvals_request (id, payload_hash);

-- The maker is written by the database, so that nobody can be forgotten as one.
CREATE FUNCTION approvals_add_maker() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.state <> 'PENDING' THEN
        RAISE EXCEPTION 'a request starts as PENDING' USING ERRCODE = 'BO020';
    END IF;
    INSERT INTO public.approvals_participation (request_id, person_id, part, payload_hash, at, reason)
    VALUES (NEW.id, NEW.maker_id, 'MAKER', NEW.payload_hash, NEW.requested_at, NEW.reason);
    RETURN NULL;
END $$;
CREATE TRIGGER request_add_maker AFTER INSERT ON approvals_request
    FOR EACH ROW EXECUTE FUNCTION approvals_add_maker();
ALTER TABLE approvals_request ENABLE ALWAYS TRIGGER request_add_maker;

-- Only the state of a request changes, along the arrows, and EXECUTED needs its people.
CREATE FUNCTION approvals_guard_request() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    approvals int;
    executors int;
BEGIN
    IF (to_jsonb(NEW) - ARRAY['state', 'finished_at', 'result'])
       IS DISTINCT FROM (to_jsonb(OLD) - ARRAY['state', 'finished_at', 'result']) THEN
        RAISE EXCEPTION 'request % is frozen: what was asked cannot be changed', OLD.id USING ERRCODE = 'BO021';
    END IF;
    IF NEW.state = OLD.state THEN
        RAISE EXCEPTION 'request % is %', OLD.id, OLD.state USING ERRCODE = 'BO022';
    END IF;
    IF NEW.state NOT IN ('APPROVED', 'EXECUTED', 'REJECTED', 'WITHDRAWN', 'EXPIRED')
       OR OLD.state NOT IN ('PENDING', 'APPROVED') THEN
        RAISE EXCEPTION 'request % cannot go from % to %', OLD.id, OLD.state, NEW.state USING ERRCODE = 'BO022';
    END IF;
    IF NEW.state IN ('APPROVED', 'EXECUTED') THEN
        SELECT count(*) FILTER (WHERE part = 'APPROVER'), count(*) FILTER (WHERE part = 'EXECUTOR')
          INTO approvals, executors
          FROM public.approvals_participation WHERE request_id = OLD.id;
        IF approvals < OLD.approvals_needed THEN
            RAISE EXCEPTION 'request % has % of % approvals', OLD.id, approvals, OLD.approvals_needed
                USING ERRCODE = 'BO023';
        END IF;
        IF NEW.state = 'EXECUTED' AND OLD.execute_permission <> '' AND executors = 0 THEN
            RAISE EXCEPTION 'request % needs a third person to execute it', OLD.id USING ERRCODE = 'BO023';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER request_guard BEFORE UPDATE ON approvals_request
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_request();
ALTER TABLE approvals_request ENABLE ALWAYS TRIGGER request_guard;

CREATE TRIGGER request_kept BEFORE DELETE OR TRUNCATE ON approvals_request
    FOR EACH STATEMENT EXECUTE FUNCTION house_refuse_change();
ALTER TABLE approvals_request ENABLE ALWAYS TRIGGER request_kept;

-- Parts are taken while the request is open; the maker's own is written above.
CREATE FUNCTION approvals_guard_part() RETURNS trigger
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
    IF NEW.part IN ('APPROVER', 'REJECTER') AND request_state NOT IN ('PENDING', 'APPROVED') THEN
        RAISE EXCEPTION 'request % is already %', NEW.request_id, request_state USING ERRCODE = 'BO022';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER participation_guard BEFORE INSERT ON approvals_participation
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_part();
ALTER TABLE approvals_participation ENABLE ALWAYS TRIGGER participation_guard;
