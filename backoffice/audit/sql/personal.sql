-- The key of a person is made once and shredded once; nothing brings it back or puts another in its place.
CREATE FUNCTION audit_guard_personkey() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.wrapped = '' OR NEW.person <> OLD.person OR NEW.created_at <> OLD.created_at
       OR NEW.wrapped <> '' OR NEW.shredded_at IS NULL THEN
        RAISE EXCEPTION 'the key of % can only be shredded', OLD.person USING ERRCODE = 'BO040';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER audit_personkey_guard BEFORE UPDATE ON audit_personkey
    FOR EACH ROW EXECUTE FUNCTION audit_guard_personkey();
ALTER TABLE audit_personkey ENABLE ALWAYS TRIGGER audit_personkey_guard;
CREATE TRIGGER audit_personkey_kept BEFORE DELETE OR TRUNCATE ON audit_personkey
    FOR EACH STATEMENT EXECUTE FUNCTION house_refuse_change();
ALTER TABLE audit_personkey ENABLE ALWAYS TRIGGER audit_personkey_kept;
