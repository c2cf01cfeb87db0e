-- Orders of money to the outside: what was asked for stays as it is, and what came of it is written once.

CREATE FUNCTION integrations_operation_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    free text[] := ARRAY['state', 'ticket', 'duplicates', 'sent_at'];
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'OPEN' OR NEW.sent_at IS NOT NULL THEN
            RAISE EXCEPTION 'an operation begins open and unsent' USING ERRCODE = 'BO085';
        END IF;
    ELSIF OLD.state <> 'OPEN' THEN
        RAISE EXCEPTION 'operation % is %: its outcome stands', OLD.id, OLD.state USING ERRCODE = 'BO085';
    ELSIF to_jsonb(NEW) - free <> to_jsonb(OLD) - free THEN
        RAISE EXCEPTION 'operation %: what was asked for stays as it is', OLD.id USING ERRCODE = 'BO085';
    ELSIF NEW.state = 'DONE' AND NEW.sent_at IS NULL THEN
        RAISE EXCEPTION 'operation % was never sent', OLD.id USING ERRCODE = 'BO085';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER integrations_operation_guard BEFORE INSERT OR UPDATE ON integrations_serveroperation
    FOR EACH ROW EXECUTE FUNCTION integrations_operation_guard();
ALTER TABLE integrations_serveroperation ENABLE ALWAYS TRIGGER integrations_operation_guard;

CREATE FUNCTION integrations_payout_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    free text[] := ARRAY['state', 'psp_reference', 'duplicates', 'error', 'sent_at', 'state_at', 'look_at', 'looks'];
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'OPEN' OR NEW.sent_at IS NOT NULL THEN
            RAISE EXCEPTION 'a payout begins open and unsent' USING ERRCODE = 'BO086';
        END IF;
        RETURN NEW;
    END IF;
    IF to_jsonb(NEW) - free <> to_jsonb(OLD) - free THEN
        RAISE EXCEPTION 'payout %: what was ordered stays as it is', OLD.reference USING ERRCODE = 'BO086';
    ELSIF OLD.psp_reference <> '' AND NEW.psp_reference <> OLD.psp_reference THEN
        RAISE EXCEPTION 'payout %: it is % at the PSP', OLD.reference, OLD.psp_reference USING ERRCODE = 'BO086';
    ELSIF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('OPEN', 'SENT'), ('OPEN', 'PAID'), ('OPEN', 'FAILED'), ('OPEN', 'RETURNED'),
        ('SENT', 'PAID'), ('SENT', 'FAILED'), ('SENT', 'RETURNED'), ('PAID', 'RETURNED')
    ) THEN
        RAISE EXCEPTION 'payout % is %: it does not become %', OLD.reference, OLD.state, NEW.state
            USING ERRCODE = 'BO086';
    ELSIF NEW.state IN ('SENT', 'PAID', 'RETURNED') AND NEW.sent_at IS NULL THEN
        RAISE EXCEPTION 'payout % was never sent', OLD.reference USING ERRCODE = 'BO086';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER integrations_payout_guard BEFORE INSERT OR UPDATE ON integrations_payoutorder
    FOR EACH ROW EXECUTE FUNCTION integrations_payout_guard();
ALTER TABLE integrations_payoutorder ENABLE ALWAYS TRIGGER integrations_payout_guard;
