-- Whether a right needs consent now: the set-up has ended, and it is not the owner of the tables who writes.
CREATE FUNCTION access_needs_consent() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT EXISTS (SELECT FROM public.access_setupend)
       AND NOT pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = 'public.access_grant'::regclass), 'MEMBER')
$$;

-- What an approved request says, if it is about this person: enough people have agreed who may, none of them its maker
-- and none the person who gets the right.
CREATE FUNCTION access_consent(wanted bigint, wanted_action text, receiver bigint) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT r.payload FROM public.approvals_request r
     WHERE r.id = wanted AND r.action = wanted_action AND r.state IN ('PENDING', 'APPROVED')
       AND (r.payload ->> 'user_id')::bigint = receiver
       AND r.approvals_needed <= (
           SELECT count(DISTINCT p.person_id) FROM public.approvals_participation p
             JOIN public.organisation_user u ON u.id = p.person_id AND u.is_active
            WHERE p.request_id = r.id AND p.part = 'APPROVER' AND p.payload_hash = r.payload_hash
              AND p.person_id NOT IN (r.maker_id, receiver)
              AND EXISTS (
                  SELECT FROM public.auth_permission a
                    JOIN public.django_content_type c ON c.id = a.content_type_id AND c.app_label = 'access'
                   WHERE a.codename = 'approve_grant'
                     AND (EXISTS (SELECT FROM public.organisation_user_user_permissions d
                                   WHERE d.user_id = u.id AND d.permission_id = a.id)
                       OR EXISTS (SELECT FROM public.organisation_user_groups g
                                    JOIN public.auth_group_permissions gp ON gp.group_id = g.group_id
                                   WHERE g.user_id = u.id AND gp.permission_id = a.id))))
$$;

-- A grant is what an approved request says, byte for byte, and is only ever ended.
CREATE FUNCTION access_guard_grant() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    asked jsonb;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL
           OR (to_jsonb(NEW) - ARRAY['ended_at', 'end_reason']) IS DISTINCT FROM (to_jsonb(OLD) - ARRAY['ended_at', 'end_reason']) THEN
            RAISE EXCEPTION 'grant % is frozen: it can only be ended, once', OLD.id USING ERRCODE = 'BO070';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.ended_at IS NOT NULL THEN
        RAISE EXCEPTION 'a grant begins before it ends' USING ERRCODE = 'BO070';
    END IF;
    IF NEW.kind = 'SETUP' THEN
        IF public.access_needs_consent() THEN
            RAISE EXCEPTION 'the set-up has ended: a role needs a request and a second person' USING ERRCODE = 'BO071';
        END IF;
        RETURN NEW;
    END IF;
    asked := public.access_consent(
        NEW.request_id, CASE NEW.kind WHEN 'GRANT' THEN 'access.grant' ELSE 'access.break_glass' END, NEW.user_id);
    IF asked IS NULL
       OR (asked ->> 'role', asked -> 'entities', asked -> 'desks', (asked ->> 'until')::timestamptz)
          IS DISTINCT FROM (NEW.role::text, to_jsonb(NEW.entities), to_jsonb(NEW.desks), NEW.until) THEN
        RAISE EXCEPTION 'no approved request gives % to user %', NEW.role, NEW.user_id USING ERRCODE = 'BO071';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER grant_guard BEFORE INSERT OR UPDATE ON access_grant
    FOR EACH ROW EXECUTE FUNCTION access_guard_grant();
ALTER TABLE access_grant ENABLE ALWAYS TRIGGER grant_guard;
CREATE TRIGGER grant_kept BEFORE DELETE OR TRUNCATE ON access_grant
    FOR EACH STATEMENT EXECUTE FUNCTION house_refuse_change();
ALTER TABLE access_grant ENABLE ALWAYS TRIGGER grant_kept;

-- A waiver likewise.
CREATE FUNCTION access_guard_waiver() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    asked jsonb;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL
           OR (to_jsonb(NEW) - 'ended_at') IS DISTINCT FROM (to_jsonb(OLD) - 'ended_at') THEN
            RAISE EXCEPTION 'waiver % is frozen: it can only be ended, once', OLD.id USING ERRCODE = 'BO070';
        END IF;
        RETURN NEW;
    END IF;
    asked := public.access_consent(NEW.request_id, 'access.waive', NEW.user_id);
    IF asked IS NULL OR NEW.ended_at IS NOT NULL
       OR ((asked ->> 'pair')::int, (asked ->> 'until')::timestamptz) IS DISTINCT FROM (NEW.pair::int, NEW.until) THEN
        RAISE EXCEPTION 'no approved request waives pair % for user %', NEW.pair, NEW.user_id USING ERRCODE = 'BO071';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER waiver_guard BEFORE INSERT OR UPDATE ON access_waiver
    FOR EACH ROW EXECUTE FUNCTION access_guard_waiver();
ALTER TABLE access_waiver ENABLE ALWAYS TRIGGER waiver_guard;
CREATE TRIGGER waiver_kept BEFORE DELETE OR TRUNCATE ON access_waiver
    FOR EACH STATEMENT EXECUTE FUNCTION house_refuse_change();
ALTER TABLE access_waiver ENABLE ALWAYS TRIGGER waiver_kept;

-- A role enters with a grant in force behind it, and never beside a role that a forbidden pair keeps apart from it.
CREATE FUNCTION access_guard_role() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    given text;
    clash record;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        RAISE EXCEPTION 'a role is given or taken, never changed' USING ERRCODE = 'BO070';
    END IF;
    -- Two roles given at the same moment must see each other.
    PERFORM FROM public.organisation_user WHERE id = NEW.user_id FOR NO KEY UPDATE;
    SELECT name INTO given FROM public.auth_group WHERE id = NEW.group_id;
    IF public.access_needs_consent() AND NOT EXISTS (
        SELECT FROM public.access_grant g WHERE g.user_id = NEW.user_id AND g.role = given AND g.ended_at IS NULL) THEN
        RAISE EXCEPTION 'no grant gives % to user %', given, NEW.user_id USING ERRCODE = 'BO071';
    END IF;
    SELECT c.pair, other.name INTO clash
      FROM public.organisation_user_groups held
      JOIN public.auth_group other ON other.id = held.group_id
      JOIN public.access_conflict c ON (c.role, c.other) IN ((given, other.name), (other.name, given))
     WHERE held.user_id = NEW.user_id
       AND c.version = (SELECT max(version) FROM public.access_conflict)
       AND NOT EXISTS (SELECT FROM public.access_waiver w
                        WHERE w.user_id = NEW.user_id AND w.pair = c.pair AND w.ended_at IS NULL)
       AND NOT (c.pair <= 8 AND EXISTS (
           SELECT FROM public.access_grant g
            WHERE g.user_id = NEW.user_id AND g.kind = 'BREAK_GLASS' AND g.ended_at IS NULL
              AND g.role IN (given, other.name)))
     ORDER BY c.pair LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'pair %: one person must not hold % and %', clash.pair, given, clash.name
            USING ERRCODE = 'BO072';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER role_guard BEFORE INSERT OR UPDATE ON organisation_user_groups
    FOR EACH ROW EXECUTE FUNCTION access_guard_role();
ALTER TABLE organisation_user_groups ENABLE ALWAYS TRIGGER role_guard;

-- Rights come from roles: after the set-up nobody gets a permission of their own.
CREATE FUNCTION access_guard_permission() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF public.access_needs_consent() THEN
        RAISE EXCEPTION 'permissions come from roles, and roles from a request' USING ERRCODE = 'BO071';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER permission_guard BEFORE INSERT OR UPDATE ON organisation_user_user_permissions
    FOR EACH ROW EXECUTE FUNCTION access_guard_permission();
ALTER TABLE organisation_user_user_permissions ENABLE ALWAYS TRIGGER permission_guard;

-- A place likewise comes with a grant that names it.
CREATE FUNCTION access_guard_place() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF public.access_needs_consent() AND NOT EXISTS (
        SELECT FROM public.access_grant g
         WHERE g.user_id = NEW.user_id AND g.ended_at IS NULL
           AND NEW.content_object_id = ANY (CASE TG_TABLE_NAME WHEN 'organisation_deskaccess' THEN g.desks ELSE g.entities END)) THEN
        RAISE EXCEPTION 'no grant takes user % to this place', NEW.user_id USING ERRCODE = 'BO071';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER entity_place_guard BEFORE INSERT OR UPDATE ON organisation_entityaccess
    FOR EACH ROW EXECUTE FUNCTION access_guard_place();
ALTER TABLE organisation_entityaccess ENABLE ALWAYS TRIGGER entity_place_guard;
CREATE TRIGGER desk_place_guard BEFORE INSERT OR UPDATE ON organisation_deskaccess
    FOR EACH ROW EXECUTE FUNCTION access_guard_place();
ALTER TABLE organisation_deskaccess ENABLE ALWAYS TRIGGER desk_place_guard;

-- Nobody becomes a superuser, and who comes back comes back without rights.
CREATE FUNCTION access_guard_user() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.is_superuser AND public.access_needs_consent() THEN
        RAISE EXCEPTION 'there are no superusers' USING ERRCODE = 'BO071';
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.is_active AND NOT OLD.is_active AND public.access_needs_consent() AND (
        EXISTS (SELECT FROM public.organisation_user_groups WHERE user_id = NEW.id)
        OR EXISTS (SELECT FROM public.organisation_user_user_permissions WHERE user_id = NEW.id)) THEN
        RAISE EXCEPTION 'user % comes back without roles', NEW.id USING ERRCODE = 'BO071';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER user_guard BEFORE INSERT OR UPDATE ON organisation_user
    FOR EACH ROW EXECUTE FUNCTION access_guard_user();
ALTER TABLE organisation_user ENABLE ALWAYS TRIGGER user_guard;
