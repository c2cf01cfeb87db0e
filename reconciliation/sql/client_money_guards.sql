-- A calculation stands as it was made; what is added is one signature, by another person.
CREATE FUNCTION reconciliation_guard_client_money() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    later text[] := ARRAY['signed_by_id', 'signed_name', 'signed_at'];
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.signed_at IS NOT NULL OR NEW.signed_by_id IS NOT NULL THEN
            RAISE EXCEPTION 'a calculation is made first and signed by another' USING ERRCODE = 'BO131';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.signed_at IS NOT NULL OR to_jsonb(NEW) - later IS DISTINCT FROM to_jsonb(OLD) - later
       OR NEW.signed_at IS NULL OR NEW.signed_by_id IS NULL THEN
        RAISE EXCEPTION 'client money of % stands as it was calculated', OLD.as_of USING ERRCODE = 'BO131';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER clientmoneyrun_guard BEFORE INSERT OR UPDATE ON reconciliation_clientmoneyrun
    FOR EACH ROW EXECUTE FUNCTION reconciliation_guard_client_money();
ALTER TABLE reconciliation_clientmoneyrun ENABLE ALWAYS TRIGGER clientmoneyrun_guard;

-- Nothing is added to a calculation that is signed. Before that its hash tells (services/client_money.py checks it when
-- it is signed, and `verify` afterwards).
CREATE FUNCTION reconciliation_guard_client_money_part() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM fresh n JOIN public.reconciliation_clientmoneyrun r ON r.id = n.run_id
                WHERE r.signed_at IS NOT NULL) THEN
        RAISE EXCEPTION 'nothing is added to a signed calculation of client money' USING ERRCODE = 'BO132';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER clientmoneyline_guard AFTER INSERT ON reconciliation_clientmoneyline
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION reconciliation_guard_client_money_part();
ALTER TABLE reconciliation_clientmoneyline ENABLE ALWAYS TRIGGER clientmoneyline_guard;
CREATE TRIGGER clientmoneyclient_guard AFTER INSERT ON reconciliation_clientmoneyclient
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION reconciliation_guard_client_money_part();
ALTER TABLE reconciliation_clientmoneyclient ENABLE ALWAYS TRIGGER clientmoneyclient_guard;
CREATE TRIGGER clientmoneyresource_guard AFTER INSERT ON reconciliation_clientmoneyresource
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION reconciliation_guard_client_money_part();
ALTER TABLE reconciliation_clientmoneyresource ENABLE ALWAYS TRIGGER clientmoneyresource_guard;

-- Which accounts hold client money, by which rule it is calculated and what was paid in stand behind executed requests.
CREATE FUNCTION reconciliation_client_money_is_agreed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM public.approvals_request r
                    WHERE r.id = NEW.request_id AND r.action = TG_ARGV[0] AND r.state = 'EXECUTED') THEN
        RAISE EXCEPTION 'this was not agreed to by two people' USING ERRCODE = 'BO133';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER clientmoneyrule_agreed AFTER INSERT ON reconciliation_clientmoneyrule
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    EXECUTE FUNCTION reconciliation_client_money_is_agreed('reconciliation.client_money_rule');
ALTER TABLE reconciliation_clientmoneyrule ENABLE ALWAYS TRIGGER clientmoneyrule_agreed;
CREATE CONSTRAINT TRIGGER segregatedaccount_agreed AFTER INSERT ON reconciliation_segregatedaccount
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    EXECUTE FUNCTION reconciliation_client_money_is_agreed('reconciliation.segregated_account');
ALTER TABLE reconciliation_segregatedaccount ENABLE ALWAYS TRIGGER segregatedaccount_agreed;
CREATE CONSTRAINT TRIGGER topup_agreed AFTER INSERT ON reconciliation_topup
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    EXECUTE FUNCTION reconciliation_client_money_is_agreed('reconciliation.top_up');
ALTER TABLE reconciliation_topup ENABLE ALWAYS TRIGGER topup_agreed;
