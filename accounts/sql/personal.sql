-- What is kept under a client's key: a value for some of the named columns, each a ciphertext that names this client
-- and nothing else. So a clear value does not get in, whoever writes it.
CREATE FUNCTION accounts_is_under_key(p_kept jsonb, p_client bigint, VARIADIC p_names text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN jsonb_typeof(p_kept) <> 'object' THEN false ELSE NOT EXISTS (
        SELECT FROM jsonb_each(p_kept) AS kept (name, value)
         WHERE kept.name <> ALL (p_names)
            OR CASE WHEN jsonb_typeof(kept.value) <> 'object' THEN true
                    ELSE kept.value - ARRAY['personal_of', 'personal'] <> '{}'
                         OR kept.value ->> 'personal_of' IS DISTINCT FROM 'accounts.client:' || p_client
                         OR coalesce(kept.value ->> 'personal', '') !~ '^[A-Za-z0-9+/]{38,}={0,2}$' END) END
$$;
ALTER TABLE accounts_historicalclient ADD CONSTRAINT historicalclient_under_key
    CHECK (accounts_is_under_key(under_key, id, 'name', 'email'));
ALTER TABLE accounts_note ADD CONSTRAINT note_under_key
    CHECK (accounts_is_under_key(under_key, client_id, 'text'));
ALTER TABLE accounts_document ADD CONSTRAINT document_under_key
    CHECK (accounts_is_under_key(under_key, client_id, 'name', 'sha256'));
ALTER TABLE accounts_kycresult ADD CONSTRAINT kycresult_under_key
    CHECK (accounts_is_under_key(under_key, client_id, 'reference'));
ALTER TABLE accounts_flag ADD CONSTRAINT flag_under_key
    CHECK (accounts_is_under_key(under_key, client_id, 'note'));

-- Mails to clients that wait, or were sent, name the client instead of the address.
UPDATE outbox_message m
   SET kind = 'client-mail', payload = (m.payload - 'to') || jsonb_build_object('client_id', n.client_id)
  FROM accounts_notice n
 WHERE m.kind = 'mail' AND m.key = 'client-notice:' || n.id;

-- Erased is for good: no moment is taken back or moved (client_erased_for_good holds the values themselves).
CREATE FUNCTION accounts_guard_erased() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'the personal data of client % was erased for good', OLD.id USING ERRCODE = 'BO069';
END $$;
CREATE TRIGGER client_erased BEFORE UPDATE OF erased_at ON accounts_client
    FOR EACH ROW WHEN (OLD.erased_at IS NOT NULL AND NEW.erased_at IS DISTINCT FROM OLD.erased_at)
    EXECUTE FUNCTION accounts_guard_erased();
ALTER TABLE accounts_client ENABLE ALWAYS TRIGGER client_erased;
