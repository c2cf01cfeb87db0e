-- Requests for money, payees and payouts, as PostgreSQL holds them, whoever writes. The steps are those of
-- payments/models/requests.py and payments/models/payouts.py; a test compares the tables.

-- A request: what was asked stands as it was written, the state goes along the steps.
CREATE FUNCTION payments_guard_request() RETURNS trigger
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
           ('ASKED', 'DONE'),
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
          (NEW.state NOT IN ('DONE', 'REJECTED', 'WITHDRAWN', 'FAILED', 'RETURNED')) THEN
        RAISE EXCEPTION 'request %: a state has its moment, an end has its own', OLD.reference USING ERRCODE = 'BO090';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER moneyrequest_guard BEFORE INSERT OR UPDATE ON payments_moneyrequest
    FOR EACH ROW EXECUTE FUNCTION payments_guard_request();
ALTER TABLE payments_moneyrequest ENABLE ALWAYS TRIGGER moneyrequest_guard;
CREATE TRIGGER moneyrequest_kept BEFORE DELETE OR TRUNCATE ON payments_moneyrequest
    FOR EACH STATEMENT EXECUTE FUNCTION house_refuse_change();
ALTER TABLE payments_moneyrequest ENABLE ALWAYS TRIGGER moneyrequest_kept;

-- Everything a request names is of its client and entity; money leaves to a verified payee of the same currency.
CREATE FUNCTION payments_guard_parts() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.kind = 'W' AND (NEW.payee_id IS NULL OR (NEW.source_wallet_id IS NULL AND NEW.source_account_id IS NULL)) THEN
        RAISE EXCEPTION 'withdrawal % has no payee or no source', NEW.reference USING ERRCODE = 'BO092';
    END IF;
    IF NOT EXISTS (SELECT FROM public.accounts_client c WHERE c.id = NEW.client_id AND c.entity_id = NEW.entity_id)
       OR EXISTS (SELECT FROM public.accounts_wallet w
                   WHERE w.id = NEW.source_wallet_id
                     AND (w.client_id, w.currency_id) IS DISTINCT FROM (NEW.client_id, NEW.currency_id))
       OR EXISTS (SELECT FROM public.accounts_tradingaccount a
                   WHERE a.id = NEW.source_account_id
                     AND (a.client_id, a.currency_id) IS DISTINCT FROM (NEW.client_id, NEW.currency_id))
       OR EXISTS (SELECT FROM public.payments_payee p
                   WHERE p.id = NEW.payee_id
                     AND (p.client_id, p.currency_id, p.state)
                         IS DISTINCT FROM (NEW.client_id, NEW.currency_id, 'VERIFIED'::varchar)) THEN
        RAISE EXCEPTION 'request % names what is not the client''s, not verified or of another currency', NEW.reference
            USING ERRCODE = 'BO092';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER moneyrequest_parts BEFORE INSERT ON payments_moneyrequest
    FOR EACH ROW EXECUTE FUNCTION payments_guard_parts();
ALTER TABLE payments_moneyrequest ENABLE ALWAYS TRIGGER moneyrequest_parts;

-- Looked at when the transaction ends: a step has left its event, and a withdrawal that goes on was agreed to.
CREATE FUNCTION payments_step_is_explained() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM public.payments_requestevent e
                    WHERE e.request_id = NEW.id AND e.after = NEW.state AND e.at = NEW.state_at) THEN
        RAISE EXCEPTION 'request %: no event says why it is %', NEW.reference, NEW.state USING ERRCODE = 'BO093';
    END IF;
    IF NEW.kind = 'W' AND NEW.state IN ('APPROVED', 'AT_SERVER', 'TO_PAY', 'PAYING', 'SENT', 'DONE', 'RETURNED')
       AND NOT EXISTS (SELECT FROM public.approvals_request r
                        WHERE r.id = NEW.approval_id AND r.action = 'payments.pay_withdrawal' AND r.state = 'EXECUTED'
                          AND r.target = 'payments.moneyrequest:' || NEW.id) THEN
        RAISE EXCEPTION 'withdrawal % was not approved', NEW.reference USING ERRCODE = 'BO094';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER moneyrequest_explained AFTER INSERT OR UPDATE OF state ON payments_moneyrequest
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payments_step_is_explained();
ALTER TABLE payments_moneyrequest ENABLE ALWAYS TRIGGER moneyrequest_explained;

-- A payee: what it is never changes; it is verified once, behind a request, and retired once.
CREATE FUNCTION payments_guard_payee() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    moving text[] := ARRAY['state', 'verified_by_id', 'verified_at', 'approval_id', 'retired_by_id', 'retired_at'];
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'PROPOSED' OR NEW.verified_at IS NOT NULL OR NEW.retired_at IS NOT NULL THEN
            RAISE EXCEPTION 'a payee begins as proposed' USING ERRCODE = 'BO095';
        END IF;
        RETURN NEW;
    END IF;
    IF to_jsonb(NEW) - moving IS DISTINCT FROM to_jsonb(OLD) - moving THEN
        RAISE EXCEPTION 'payee % stands as it was proposed; another one replaces it', OLD.id USING ERRCODE = 'BO095';
    END IF;
    IF (OLD.state, NEW.state) NOT IN (('PROPOSED', 'PROPOSED'), ('PROPOSED', 'VERIFIED'), ('PROPOSED', 'RETIRED'),
                                      ('VERIFIED', 'RETIRED'))
       OR (OLD.verified_at IS NOT NULL AND (NEW.verified_at, NEW.verified_by_id, NEW.approval_id)
           IS DISTINCT FROM (OLD.verified_at, OLD.verified_by_id, OLD.approval_id))
       OR (NEW.state = 'VERIFIED' AND (NEW.approval_id IS NULL OR NEW.verified_by_id IS NULL)) THEN
        RAISE EXCEPTION 'payee % does not go from % to % like that', OLD.id, OLD.state, NEW.state USING ERRCODE = 'BO095';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payee_guard BEFORE INSERT OR UPDATE ON payments_payee
    FOR EACH ROW EXECUTE FUNCTION payments_guard_payee();
ALTER TABLE payments_payee ENABLE ALWAYS TRIGGER payee_guard;
CREATE TRIGGER payee_kept BEFORE DELETE OR TRUNCATE ON payments_payee
    FOR EACH STATEMENT EXECUTE FUNCTION house_refuse_change();
ALTER TABLE payments_payee ENABLE ALWAYS TRIGGER payee_kept;
CREATE FUNCTION payments_payee_is_agreed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.state = 'VERIFIED' AND NOT EXISTS (
           SELECT FROM public.approvals_request r
            WHERE r.id = NEW.approval_id AND r.action = 'payments.verify_payee' AND r.state = 'EXECUTED'
              AND r.target = 'payments.payee:' || NEW.id) THEN
        RAISE EXCEPTION 'payee % was not agreed to', NEW.id USING ERRCODE = 'BO095';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER payee_agreed AFTER UPDATE OF state ON payments_payee
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payments_payee_is_agreed();
ALTER TABLE payments_payee ENABLE ALWAYS TRIGGER payee_agreed;
ALTER TABLE payments_payee ADD CONSTRAINT payee_under_key CHECK (accounts_is_under_key(
    under_key, client_id, 'holder', 'label', 'iban', 'account', 'bic', 'bank', 'town', 'country', 'token', 'last4',
    'brand', 'address', 'network', 'tag'));
ALTER TABLE payments_requestevent ADD CONSTRAINT requestevent_under_key
    CHECK (accounts_is_under_key(under_key, client_id, 'text'));

-- Who proposed or verified a payee neither approves nor executes a payment to it (forbidden pair 1).
CREATE FUNCTION payments_guard_part() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM public.approvals_request r
                 JOIN public.payments_moneyrequest m ON r.target = 'payments.moneyrequest:' || m.id
                 JOIN public.payments_payee p ON p.id = m.payee_id
                WHERE r.id = NEW.request_id AND r.action = 'payments.pay_withdrawal'
                  AND NEW.person_id IN (p.proposed_by_id, p.verified_by_id)) THEN
        RAISE EXCEPTION 'person % had a hand in the payee of request %', NEW.person_id, NEW.request_id
            USING ERRCODE = 'BO096';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER participation_payee BEFORE INSERT ON approvals_participation
    FOR EACH ROW WHEN (NEW.part IN ('APPROVER', 'EXECUTOR')) EXECUTE FUNCTION payments_guard_part();
ALTER TABLE approvals_participation ENABLE ALWAYS TRIGGER participation_payee;

-- A payout: one per withdrawal, of its amount to its payee, sent by somebody who neither asked nor approved nor had a
-- hand in the payee. From UNKNOWN it goes on by an answer only.
CREATE FUNCTION payments_guard_payout() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    moving text[] := ARRAY['state', 'state_at', 'provider_reference', 'file_reference', 'error'];
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'READY' OR NEW.executed_by_id IS NULL OR NOT EXISTS (
               SELECT FROM public.payments_moneyrequest m JOIN public.payments_payee p ON p.id = m.payee_id
                WHERE m.id = NEW.request_id AND m.kind = 'W' AND p.state = 'VERIFIED'
                  AND m.state IN ('APPROVED', 'AT_SERVER', 'TO_PAY', 'PAYING')
                  AND (m.reference, m.amount, m.currency_id, m.payee_id, m.entity_id)
                      = (NEW.reference, NEW.amount, NEW.currency_id, NEW.payee_id, NEW.entity_id)
                  AND NEW.executed_by_id IS DISTINCT FROM m.asked_by_id
                  AND NEW.executed_by_id IS DISTINCT FROM p.proposed_by_id
                  AND NEW.executed_by_id IS DISTINCT FROM p.verified_by_id
                  AND NOT EXISTS (SELECT FROM public.approvals_participation a
                                   WHERE a.request_id = m.approval_id AND a.person_id = NEW.executed_by_id
                                     AND a.part IN ('MAKER', 'APPROVER'))) THEN
            RAISE EXCEPTION 'payout % is not what was approved, or is sent by somebody who took part', NEW.reference
                USING ERRCODE = 'BO097';
        END IF;
        RETURN NEW;
    END IF;
    IF to_jsonb(NEW) - moving IS DISTINCT FROM to_jsonb(OLD) - moving
       OR (OLD.provider_reference <> '' AND NEW.provider_reference <> OLD.provider_reference)
       OR (OLD.file_reference <> '' AND NEW.file_reference <> OLD.file_reference) THEN
        RAISE EXCEPTION 'payout % stands as it was made', OLD.reference USING ERRCODE = 'BO097';
    END IF;
    IF NEW.state <> OLD.state AND NOT EXISTS (SELECT FROM (VALUES
           ('READY', 'SENDING'), ('READY', 'FAILED'),
           ('SENDING', 'UNKNOWN'), ('SENDING', 'SENT'), ('SENDING', 'PAID'), ('SENDING', 'FAILED'), ('SENDING', 'RETURNED'),
           ('UNKNOWN', 'SENDING'), ('UNKNOWN', 'SENT'), ('UNKNOWN', 'PAID'), ('UNKNOWN', 'FAILED'), ('UNKNOWN', 'RETURNED'),
           ('SENT', 'PAID'), ('SENT', 'FAILED'), ('SENT', 'RETURNED'),
           ('PAID', 'RETURNED')
       ) AS step (before, after) WHERE before = OLD.state AND after = NEW.state) THEN
        RAISE EXCEPTION 'payout % does not go from % to %', OLD.reference, OLD.state, NEW.state USING ERRCODE = 'BO098';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payout_guard BEFORE INSERT OR UPDATE ON payments_payout
    FOR EACH ROW EXECUTE FUNCTION payments_guard_payout();
ALTER TABLE payments_payout ENABLE ALWAYS TRIGGER payout_guard;
CREATE TRIGGER payout_kept BEFORE DELETE OR TRUNCATE ON payments_payout
    FOR EACH STATEMENT EXECUTE FUNCTION house_refuse_change();
ALTER TABLE payments_payout ENABLE ALWAYS TRIGGER payout_kept;

-- The rules of the desk: each version behind an executed request; the first one came with the installation.
CREATE FUNCTION payments_rule_is_agreed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM public.approvals_request r
                    WHERE r.id = NEW.request_id AND r.action = 'payments.change_rule' AND r.state = 'EXECUTED') THEN
        RAISE EXCEPTION 'these rules of the payments desk were not agreed to' USING ERRCODE = 'BO099';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER paymentrule_agreed AFTER INSERT ON payments_paymentrule
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payments_rule_is_agreed();
ALTER TABLE payments_paymentrule ENABLE ALWAYS TRIGGER paymentrule_agreed;
