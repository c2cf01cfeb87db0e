-- Whether a door for webhooks is open and exactly as somebody read it earlier: asked inside the statement that stores
-- what came through it, with that statement's snapshot (STABLE). A function, because its plan is kept: planned anew
-- each time, the question costs more than storing does.
CREATE FUNCTION integrations_webhook_door(
    its_token text, its_connection bigint, its_entity bigint, its_provider text, its_settings text, its_secrets text,
    its_previous_until timestamptz
) RETURNS boolean
    LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM integrations_webhookendpoint e JOIN integrations_connection c ON c.id = e.connection_id
         WHERE e.token = its_token AND e.is_active AND c.is_active AND c.id = its_connection
           AND c.entity_id = its_entity AND e.provider = its_provider AND e.settings::text = its_settings
           AND e.secrets = its_secrets AND e.previous_until IS NOT DISTINCT FROM its_previous_until);
END $$;
