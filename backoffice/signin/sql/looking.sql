-- Who looks as whom: of a session of their own that is open, at nobody who administers or who knows what must not be
-- told; what began it stays as it was, and what is over stays over.
CREATE FUNCTION signin_impersonation_begins() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM FROM public.signin_session WHERE id = NEW.session_id AND user_id = NEW.by_id AND ended_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'one looks from an open session of one''s own' USING ERRCODE = 'BO032';
    END IF;
    IF EXISTS (SELECT FROM public.organisation_user u WHERE u.id = NEW.user_id AND (u.is_superuser OR NOT u.is_active))
       OR EXISTS (SELECT FROM public.organisation_user_groups g JOIN public.auth_group a ON a.id = g.group_id
                   WHERE g.user_id = NEW.user_id AND a.name IN ('SYS', 'CMP', 'MLRO')) THEN
        RAISE EXCEPTION 'nobody looks as this person' USING ERRCODE = 'BO033';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER impersonation_begins BEFORE INSERT ON signin_impersonation
    FOR EACH ROW EXECUTE FUNCTION signin_impersonation_begins();
ALTER TABLE signin_impersonation ENABLE ALWAYS TRIGGER impersonation_begins;

CREATE FUNCTION signin_impersonation_kept() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.ended_at IS NOT NULL
       OR to_jsonb(OLD) - 'ended_at' - 'end' IS DISTINCT FROM to_jsonb(NEW) - 'ended_at' - 'end' THEN
        RAISE EXCEPTION 'signin_impersonation % stays as it was', OLD.id USING ERRCODE = 'BO034';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER impersonation_kept BEFORE UPDATE OR DELETE ON signin_impersonation
    FOR EACH ROW EXECUTE FUNCTION signin_impersonation_kept();
ALTER TABLE signin_impersonation ENABLE ALWAYS TRIGGER impersonation_kept;

-- A session takes with it what was looked at from it, whoever ends it and however.
CREATE FUNCTION signin_session_ends_looking() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE public.signin_impersonation SET ended_at = NEW.ended_at, "end" = 'SESSION'
     WHERE session_id = NEW.id AND ended_at IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER session_ends_looking AFTER UPDATE OF ended_at ON signin_session
    FOR EACH ROW WHEN (OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL)
    EXECUTE FUNCTION signin_session_ends_looking();
ALTER TABLE signin_session ENABLE ALWAYS TRIGGER session_ends_looking;
