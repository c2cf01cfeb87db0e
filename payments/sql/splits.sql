-- A withdrawal that goes back to several sources is split into a request for each. The steps of a request as
-- sql/requests.sql has them, with this one more end.
CREATE OR REPLACE FUNCTION payments_guard_request() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    moving text[] := ARRAY['state', 'state_at', 'ended_at', 'reason', 'approval_id'];
    -- Written once: what is only known later.
    late text[] := ARRAY['amount_to', 'currency_to_id', 'rate', 'rate_source', 'method', 'connection_id',
                         'psp_reference', 'original_id', 'target_wallet_id', 'target_account_id'];
    name text;
    was jsonb;
    new_row jsonb := to_jsonb(NEW);
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'ASKED' OR NEW.ended_at IS NOT NULL OR NEW.reference !~ ('^' || NEW.kind || '-[0-9A-Z]{8}$') THEN
            RAISE EXCEPTION 'a request begins as ASKED with a reference of its kind' USING ERRCODE = 'BO090';
        END IF;
        RETURN NEW;
    END IF;
    was := to_jsonb(OLD);
    IF new_row - moving - late IS DISTINCT FROM was - moving - late THEN
        RAISE EXCEPTION 'request % stands as it was asked', OLD.reference USING ERRCODE = 'BO091';
    END IF;
    FOREACH name IN ARRAY late LOOP
        IF was -> name IS DISTINCT FROM new_row -> name AND was ->> name <> '' THEN
            RAISE EXCEPTION 'request %: % is written once', OLD.reference, name USING ERRCODE = 'BO091';
        END IF;
    END LOOP;
    IF NEW.approval_id IS DISTINCT FROM OLD.approval_id AND OLD.state NOT IN ('ASKED', 'IN_REVIEW') THEN
        RAISE EXCEPTION 'request %: the approval stands', OLD.reference USING ERRCODE = 'BO091';
    END IF;
    IF NEW.state = OLD.state THEN
        IF (NEW.state_at, NEW.ended_at) IS DISTINCT FROM (OLD.state_at, OLD.ended_at) THEN
            RAISE EXCEPTION 'request %: moment and state go together', OLD.reference USING ERRCODE = 'BO090';
        END IF;
        RETURN NEW;
    END IF;
    IF NOT EXISTS (SELECT FROM (VALUES
           ('ASKED', 'IN_REVIEW'), ('ASKED', 'WITHDRAWN'), ('ASKED', 'REJECTED'), ('ASKED', 'AT_SERVER'),
           ('ASKED', 'DONE'), ('ASKED', 'SPLIT'),
           ('IN_REVIEW', 'APPROVED'), ('IN_REVIEW', 'REJECTED'), ('IN_REVIEW', 'WITHDRAWN'), ('IN_REVIEW', 'ASKED'),
           ('IN_REVIEW', 'AT_SERVER'), ('IN_REVIEW', 'TO_PAY'), ('IN_REVIEW', 'DONE'),
           ('APPROVED', 'AT_SERVER'), ('APPROVED', 'TO_PAY'), ('APPROVED', 'PAYING'), ('APPROVED', 'DONE'),
           ('APPROVED', 'FAILED'), ('APPROVED', 'REJECTED'), ('APPROVED', 'WITHDRAWN'),
           ('AT_SERVER', 'TO_PAY'), ('AT_SERVER', 'PAYING'), ('AT_SERVER', 'DONE'), ('AT_SERVER', 'FAILED'),
           ('TO_PAY', 'PAYING'), ('TO_PAY', 'FAILED'),
           ('PAYING', 'SENT'), ('PAYING', 'DONE'), ('PAYING', 'TO_PAY'), ('PAYING', 'FAILED'),
           ('SENT', 'DONE'), ('SENT', 'FAILED'), ('SENT', 'RETURNED'),
           ('DONE', 'RETURNED')
       ) AS step (before, after) WHERE before = OLD.state AND after = NEW.state) THEN
        RAISE EXCEPTION 'request % does not go from % to %', OLD.reference, OLD.state, NEW.state USING ERRCODE = 'BO090';
    END IF;
    IF NEW.state_at < OLD.state_at
       OR (NEW.ended_at IS NULL) IS DISTINCT FROM
          (NEW.state NOT IN ('DONE', 'REJECTED', 'WITHDRAWN', 'FAILED', 'RETURNED', 'SPLIT')) THEN
        RAISE EXCEPTION 'request %: a state has its moment, an end has its own', OLD.reference USING ERRCODE = 'BO090';
    END IF;
    RETURN NEW;
END $$;

-- Looked at when the transaction ends: the parts are withdrawals of the same money, and their sum is the whole.
CREATE FUNCTION payments_split_fits() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    whole public.payments_moneyrequest;
BEGIN
    SELECT * INTO whole FROM public.payments_moneyrequest
     WHERE id = CASE WHEN NEW.state = 'SPLIT' THEN NEW.id ELSE NEW.split_from_id END;
    IF whole.kind <> 'W' OR whole.state <> 'SPLIT' OR whole.split_from_id IS NOT NULL
       OR (SELECT (count(*) >= 2, sum(m.amount), bool_and(
                      (m.kind, m.client_id, m.entity_id, m.currency_id, m.source_wallet_id, m.source_account_id)
                      IS NOT DISTINCT FROM (whole.kind, whole.client_id, whole.entity_id, whole.currency_id,
                                            whole.source_wallet_id, whole.source_account_id)))
             FROM public.payments_moneyrequest m WHERE m.split_from_id = whole.id)
          IS DISTINCT FROM (true, whole.amount, true) THEN
        RAISE EXCEPTION 'the parts of withdrawal % are not the whole of it', whole.reference USING ERRCODE = 'BO127';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER moneyrequest_split AFTER INSERT OR UPDATE OF state ON payments_moneyrequest
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state = 'SPLIT' OR NEW.split_from_id IS NOT NULL)
    EXECUTE FUNCTION payments_split_fits();
ALTER TABLE payments_moneyrequest ENABLE ALWAYS TRIGGER moneyrequest_split;
