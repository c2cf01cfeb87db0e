-- A row about every statement that changes a watched table, whoever sent it: the application, a migration, a person
-- with psql. Written with the owner's rights, so the application's role needs none on audit_change; there is no
-- session variable that silences it. Attached to tables by `manage protect` (services/watching.py).
-- Arguments: the table's key columns, columns shown as a mark, columns whose change alone is no change.
CREATE FUNCTION audit_note_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    total bigint;
    befores jsonb := '[]';
    afters jsonb := '[]';
    names text[] := '{}';
    said jsonb := '[]';
BEGIN
    IF TG_OP = 'DELETE' THEN
        SELECT count(*) INTO total FROM old_rows;
    ELSE
        SELECT count(*) INTO total FROM new_rows;
    END IF;
    IF total = 0 THEN
        RETURN NULL;
    END IF;
    IF total <= 1000 THEN
        IF TG_OP <> 'INSERT' THEN
            SELECT jsonb_agg(to_jsonb(o)) INTO befores FROM old_rows o;
        END IF;
        IF TG_OP <> 'DELETE' THEN
            SELECT jsonb_agg(to_jsonb(n)) INTO afters FROM new_rows n;
        END IF;
        SELECT array_agg(c.name ORDER BY c.name), jsonb_agg(c.content ORDER BY c.name) INTO names, said
          FROM public.audit_compare(befores, afters, TG_ARGV[0]::text[], TG_ARGV[1]::text[], TG_ARGV[2]::text[]) c;
        IF names IS NULL THEN
            RETURN NULL;
        END IF;
        total := cardinality(names);
        IF total > 100 THEN
            said := '[]';
        END IF;
    END IF;
    INSERT INTO public.audit_change (at, xid, table_name, operation, rows, keys, content, role, address)
    VALUES (clock_timestamp(), pg_current_xact_id()::text::bigint, TG_TABLE_NAME, TG_OP, total, names, said,
            session_user, inet_client_addr());
    RETURN NULL;
END $$;

-- What differs between two sets of rows, by key: only the columns that do, with marks for what must not be read.
CREATE FUNCTION audit_compare(
    befores jsonb, afters jsonb, key_columns text[], hidden text[], quiet text[], OUT name text, OUT content jsonb
) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    WITH old AS (
        SELECT r.value AS content, (SELECT string_agg(r.value ->> k, '/') FROM unnest(key_columns) k) AS name
          FROM jsonb_array_elements(befores) r
    ), new AS (
        SELECT r.value AS content, (SELECT string_agg(r.value ->> k, '/') FROM unnest(key_columns) k) AS name
          FROM jsonb_array_elements(afters) r
    ), pair AS (
        SELECT coalesce(n.name, o.name) AS name, o.content AS before, n.content AS after
          FROM old o FULL JOIN new n ON n.name = o.name
         WHERE (o.content - quiet) IS DISTINCT FROM (n.content - quiet)
    )
    SELECT p.name, jsonb_build_object('key', p.name, 'before', shown.before, 'after', shown.after)
      FROM pair p
     CROSS JOIN LATERAL (
         SELECT jsonb_object_agg(c, CASE WHEN c = ANY (hidden) AND p.before ->> c <> '' THEN '"(hidden)"'
                                         ELSE p.before -> c END) FILTER (WHERE p.before IS NOT NULL) AS before,
                jsonb_object_agg(c, CASE WHEN c = ANY (hidden) AND p.after ->> c <> '' THEN '"(hidden)"'
                                         ELSE p.after -> c END) FILTER (WHERE p.after IS NOT NULL) AS after
           FROM jsonb_object_keys(coalesce(p.after, p.before)) c
          WHERE p.before IS NULL OR p.after IS NULL OR p.before -> c IS DISTINCT FROM p.after -> c
     ) shown
$$;
