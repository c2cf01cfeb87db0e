-- Fraud rules and alerts as PostgreSQL holds them, whoever writes.

-- An alert stands as it was found; people only assign and close it, and closed is the end.
CREATE FUNCTION payments_guard_alert() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    moving text[] := ARRAY['state', 'outcome', 'assignee_id', 'closed_at', 'closed_by_id'];
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'OPEN' OR NEW.assignee_id IS NOT NULL THEN
            RAISE EXCEPTION 'an alert begins as OPEN and nobody''s' USING ERRCODE = 'BO120';
        END IF;
        RETURN NEW;
    END IF;
    IF to_jsonb(NEW) - moving IS DISTINCT FROM to_jsonb(OLD) - moving OR OLD.state = 'CLOSED'
       OR (NEW.state = 'OPEN' AND OLD.state <> 'OPEN') THEN
        RAISE EXCEPTION 'alert % stands as it was found, and closed is its end', OLD.id USING ERRCODE = 'BO120';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER fraudalert_guard BEFORE INSERT OR UPDATE ON payments_fraudalert
    FOR EACH ROW EXECUTE FUNCTION payments_guard_alert();
ALTER TABLE payments_fraudalert ENABLE ALWAYS TRIGGER fraudalert_guard;
CREATE TRIGGER fraudalert_kept BEFORE DELETE OR TRUNCATE ON payments_fraudalert
    FOR EACH STATEMENT EXECUTE FUNCTION house_refuse_change();
ALTER TABLE payments_fraudalert ENABLE ALWAYS TRIGGER fraudalert_kept;
ALTER TABLE payments_fraudevent ADD CONSTRAINT fraudevent_under_key
    CHECK (accounts_is_under_key(under_key, client_id, 'text'));

-- Every later version of a rule was agreed to by two.
CREATE FUNCTION payments_fraudrule_is_agreed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM public.approvals_request r
                    WHERE r.id = NEW.request_id AND r.action = 'payments.change_fraudrule' AND r.state = 'EXECUTED') THEN
        RAISE EXCEPTION 'this version of a fraud rule was not agreed to' USING ERRCODE = 'BO121';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER fraudrule_agreed AFTER INSERT ON payments_fraudrule
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payments_fraudrule_is_agreed();
ALTER TABLE payments_fraudrule ENABLE ALWAYS TRIGGER fraudrule_agreed;
