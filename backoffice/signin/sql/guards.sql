-- What is over stays over: a session that ended, a code or link that is gone, a network that was taken back.
-- TG_ARGV[0] is the column with the moment of the end. Whose row it is never changes either.
CREATE FUNCTION signin_over_is_over() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF to_jsonb(OLD) ->> TG_ARGV[0] IS NOT NULL THEN
        RAISE EXCEPTION '% % is over and cannot be changed', TG_TABLE_NAME, OLD.id USING ERRCODE = 'BO030';
    END IF;
    IF to_jsonb(OLD) ->> 'user_id' IS DISTINCT FROM to_jsonb(NEW) ->> 'user_id'
       OR to_jsonb(OLD) ->> 'role' IS DISTINCT FROM to_jsonb(NEW) ->> 'role'
       OR to_jsonb(OLD) ->> 'started_at' IS DISTINCT FROM to_jsonb(NEW) ->> 'started_at'
       OR to_jsonb(OLD) ->> 'expires_at' IS DISTINCT FROM to_jsonb(NEW) ->> 'expires_at'
       OR to_jsonb(OLD) ->> 'network' IS DISTINCT FROM to_jsonb(NEW) ->> 'network' THEN
        RAISE EXCEPTION '% % keeps its owner and its limits', TG_TABLE_NAME, OLD.id USING ERRCODE = 'BO031';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER session_over BEFORE UPDATE ON signin_session
    FOR EACH ROW EXECUTE FUNCTION signin_over_is_over('ended_at');
ALTER TABLE signin_session ENABLE ALWAYS TRIGGER session_over;
CREATE TRIGGER recoverycode_over BEFORE UPDATE ON signin_recoverycode
    FOR EACH ROW EXECUTE FUNCTION signin_over_is_over('gone_at');
ALTER TABLE signin_recoverycode ENABLE ALWAYS TRIGGER recoverycode_over;
CREATE TRIGGER passwordlink_over BEFORE UPDATE ON signin_passwordlink
    FOR EACH ROW EXECUTE FUNCTION signin_over_is_over('gone_at');
ALTER TABLE signin_passwordlink ENABLE ALWAYS TRIGGER passwordlink_over;
CREATE TRIGGER allowednetwork_over BEFORE UPDATE ON signin_allowednetwork
    FOR EACH ROW EXECUTE FUNCTION signin_over_is_over('removed_at');
ALTER TABLE signin_allowednetwork ENABLE ALWAYS TRIGGER allowednetwork_over;

-- A network is one that PostgreSQL understands, in its one spelling.
ALTER TABLE signin_allowednetwork
    ADD CONSTRAINT network_is_cidr CHECK (network = network::cidr::text);

-- Other roles are another person to the pages: whoever changes them, and however, ends what was opened before.
CREATE FUNCTION signin_roles_changed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    person bigint := CASE TG_OP WHEN 'DELETE' THEN OLD.user_id ELSE NEW.user_id END;
BEGIN
    PERFORM FROM public.organisation_user WHERE id = person FOR NO KEY UPDATE;
    UPDATE public.signin_session SET ended_at = clock_timestamp(), "end" = 'ROLES'
     WHERE user_id = person AND ended_at IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER user_roles_changed AFTER INSERT OR DELETE OR UPDATE ON organisation_user_groups
    FOR EACH ROW EXECUTE FUNCTION signin_roles_changed();
ALTER TABLE organisation_user_groups ENABLE ALWAYS TRIGGER user_roles_changed;
