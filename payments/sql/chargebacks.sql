-- Chargeback cases as PostgreSQL holds them, whoever writes. The steps are those of payments/models/chargebacks.py; a
-- test compares the tables.

CREATE FUNCTION payments_guard_case() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    moving text[] := ARRAY['state', 'state_at', 'ended_at', 'deadline_at', 'amount', 'currency_id', 'reason_code', 'reason_text',
                           'method', 'mid'];
    -- Written once: what is only known later.
    late text[] := ARRAY['client_id', 'deposit_id', 'dispute_reference', 'psp_reference', 'our_reference', 'paid_at',
                         'taken_at'];
    name text;
    was jsonb := to_jsonb(OLD);
    new_row jsonb := to_jsonb(NEW);
BEGIN
    IF new_row - moving - late IS DISTINCT FROM was - moving - late THEN
        RAISE EXCEPTION 'case % stands as it was opened', OLD.id USING ERRCODE = 'BO110';
    END IF;
    FOREACH name IN ARRAY late LOOP
        IF was -> name IS DISTINCT FROM new_row -> name AND was ->> name <> '' THEN
            RAISE EXCEPTION 'case %: % is written once', OLD.id, name USING ERRCODE = 'BO110';
        END IF;
    END LOOP;
    IF (NEW.amount, NEW.currency_id) IS DISTINCT FROM (OLD.amount, OLD.currency_id)
       AND EXISTS (SELECT FROM payments_caseposting WHERE case_id = OLD.id) THEN
        RAISE EXCEPTION 'case %: the amount stands, something was booked', OLD.id USING ERRCODE = 'BO110';
    END IF;
    IF NEW.state_at < OLD.state_at OR (NEW.state = OLD.state AND NEW.state_at <> OLD.state_at) THEN
        RAISE EXCEPTION 'case %: moment and state go together, forward', OLD.id USING ERRCODE = 'BO111';
    END IF;
    IF NEW.state <> OLD.state AND (
           (OLD.state IN ('WON', 'EXPIRED', 'PREVENTED') AND NEW.state_at <= OLD.state_at)
        OR NOT EXISTS (SELECT FROM (VALUES
           ('FRAUD_NOTICE', 'INQUIRY'), ('FRAUD_NOTICE', 'NOTIFIED'), ('FRAUD_NOTICE', 'CHARGED_BACK'),
           ('FRAUD_NOTICE', 'DEFENDED'), ('FRAUD_NOTICE', 'REVERSED'), ('FRAUD_NOTICE', 'PRE_ARBITRATION'),
           ('FRAUD_NOTICE', 'SECOND_ROUND'), ('FRAUD_NOTICE', 'ARBITRATION'), ('FRAUD_NOTICE', 'WON'),
           ('FRAUD_NOTICE', 'LOST'), ('FRAUD_NOTICE', 'ACCEPTED'), ('FRAUD_NOTICE', 'EXPIRED'),
           ('FRAUD_NOTICE', 'PREVENTED'),
           ('INQUIRY', 'NOTIFIED'), ('INQUIRY', 'CHARGED_BACK'), ('INQUIRY', 'REVERSED'),
           ('INQUIRY', 'PRE_ARBITRATION'), ('INQUIRY', 'SECOND_ROUND'), ('INQUIRY', 'ARBITRATION'),
           ('INQUIRY', 'WON'), ('INQUIRY', 'LOST'), ('INQUIRY', 'ACCEPTED'), ('INQUIRY', 'EXPIRED'),
           ('INQUIRY', 'PREVENTED'),
           ('NOTIFIED', 'CHARGED_BACK'), ('NOTIFIED', 'DEFENDED'), ('NOTIFIED', 'REVERSED'),
           ('NOTIFIED', 'PRE_ARBITRATION'), ('NOTIFIED', 'SECOND_ROUND'), ('NOTIFIED', 'ARBITRATION'),
           ('NOTIFIED', 'WON'), ('NOTIFIED', 'LOST'), ('NOTIFIED', 'ACCEPTED'), ('NOTIFIED', 'EXPIRED'),
           ('NOTIFIED', 'PREVENTED'),
           ('CHARGED_BACK', 'DEFENDED'), ('CHARGED_BACK', 'REVERSED'), ('CHARGED_BACK', 'PRE_ARBITRATION'),
           ('CHARGED_BACK', 'SECOND_ROUND'), ('CHARGED_BACK', 'ARBITRATION'), ('CHARGED_BACK', 'WON'),
           ('CHARGED_BACK', 'LOST'), ('CHARGED_BACK', 'ACCEPTED'), ('CHARGED_BACK', 'EXPIRED'),
           ('DEFENDED', 'REVERSED'), ('DEFENDED', 'PRE_ARBITRATION'), ('DEFENDED', 'SECOND_ROUND'),
           ('DEFENDED', 'ARBITRATION'), ('DEFENDED', 'WON'), ('DEFENDED', 'LOST'), ('DEFENDED', 'ACCEPTED'),
           ('DEFENDED', 'EXPIRED'),
           ('REVERSED', 'PRE_ARBITRATION'), ('REVERSED', 'SECOND_ROUND'), ('REVERSED', 'ARBITRATION'),
           ('REVERSED', 'WON'), ('REVERSED', 'LOST'), ('REVERSED', 'ACCEPTED'), ('REVERSED', 'EXPIRED'),
           ('PRE_ARBITRATION', 'SECOND_ROUND'), ('PRE_ARBITRATION', 'ARBITRATION'), ('PRE_ARBITRATION', 'WON'),
           ('PRE_ARBITRATION', 'LOST'), ('PRE_ARBITRATION', 'ACCEPTED'), ('PRE_ARBITRATION', 'EXPIRED'),
           ('SECOND_ROUND', 'ARBITRATION'), ('SECOND_ROUND', 'WON'), ('SECOND_ROUND', 'LOST'),
           ('SECOND_ROUND', 'ACCEPTED'), ('SECOND_ROUND', 'EXPIRED'),
           ('ARBITRATION', 'WON'), ('ARBITRATION', 'LOST'), ('ARBITRATION', 'ACCEPTED'),
           ('WON', 'PRE_ARBITRATION'), ('WON', 'SECOND_ROUND'), ('WON', 'ARBITRATION'), ('WON', 'LOST'),
           ('EXPIRED', 'NOTIFIED'), ('EXPIRED', 'CHARGED_BACK'), ('EXPIRED', 'REVERSED'), ('EXPIRED', 'WON'),
           ('EXPIRED', 'LOST'),
           ('PREVENTED', 'NOTIFIED'), ('PREVENTED', 'CHARGED_BACK')
       ) AS step (before, after) WHERE before = OLD.state AND after = NEW.state)) THEN
        RAISE EXCEPTION 'case % does not go from % to %', OLD.id, OLD.state, NEW.state USING ERRCODE = 'BO111';
    END IF;
    IF (NEW.ended_at IS NULL) = (NEW.state IN ('WON', 'LOST', 'ACCEPTED', 'EXPIRED', 'PREVENTED')) THEN
        RAISE EXCEPTION 'case %: an end has its moment', OLD.id USING ERRCODE = 'BO111';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER case_guard BEFORE UPDATE ON payments_chargebackcase
    FOR EACH ROW EXECUTE FUNCTION payments_guard_case();
ALTER TABLE payments_chargebackcase ENABLE ALWAYS TRIGGER case_guard;
CREATE TRIGGER case_kept BEFORE DELETE OR TRUNCATE ON payments_chargebackcase
    FOR EACH STATEMENT EXECUTE FUNCTION house_refuse_change();
ALTER TABLE payments_chargebackcase ENABLE ALWAYS TRIGGER case_kept;

-- The client, the deposit and the provider's connection are of the case's entity; a step has its event.
CREATE FUNCTION payments_case_fits() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM public.accounts_client c WHERE c.id = NEW.client_id AND c.entity_id <> NEW.entity_id)
       OR EXISTS (SELECT FROM public.integrations_connection c
                   WHERE c.id = NEW.connection_id AND c.entity_id <> NEW.entity_id)
       OR EXISTS (SELECT FROM public.payments_moneyrequest m WHERE m.id = NEW.deposit_id
                     AND (m.kind <> 'D' OR m.entity_id <> NEW.entity_id OR m.client_id IS DISTINCT FROM NEW.client_id))
    THEN
        RAISE EXCEPTION 'case %: client, deposit and provider do not fit', NEW.id USING ERRCODE = 'BO112';
    END IF;
    IF (SELECT e.after FROM public.payments_caseevent e WHERE e.case_id = NEW.id ORDER BY e.id DESC LIMIT 1)
       IS DISTINCT FROM (SELECT c.state FROM public.payments_chargebackcase c WHERE c.id = NEW.id) THEN
        RAISE EXCEPTION 'case %: a step without its event', NEW.id USING ERRCODE = 'BO112';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER case_fits AFTER INSERT OR UPDATE ON payments_chargebackcase
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payments_case_fits();
ALTER TABLE payments_chargebackcase ENABLE ALWAYS TRIGGER case_fits;
ALTER TABLE payments_caseevent ADD CONSTRAINT caseevent_under_key
    CHECK (CASE WHEN client_id IS NULL THEN under_key = '{}' ELSE accounts_is_under_key(under_key, client_id, 'text') END);

-- A posting: of the case's client and currency, agreed to by two, never more than is disputed, each charge given back
-- once and in full. The journal is there and belongs to the entity.
CREATE FUNCTION payments_guard_posting() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    booked numeric;
    about public.payments_chargebackcase;
BEGIN
    SELECT * INTO about FROM public.payments_chargebackcase WHERE id = NEW.case_id FOR UPDATE;
    IF NOT EXISTS (SELECT FROM public.accounts_wallet w WHERE w.id = NEW.wallet_id AND w.client_id = about.client_id
                      AND w.currency_id = NEW.currency_id AND NEW.currency_id = about.currency_id)
       OR (NEW.kind = 'RETURN' AND NOT EXISTS (
              SELECT FROM public.payments_caseposting p WHERE p.id = NEW.reverses_id AND p.kind = 'CHARGE'
                 AND (p.case_id, p.wallet_id, p.amount) = (NEW.case_id, NEW.wallet_id, NEW.amount))) THEN
        RAISE EXCEPTION 'case %: the posting does not fit', NEW.case_id USING ERRCODE = 'BO113';
    END IF;
    SELECT coalesce(sum(CASE kind WHEN 'CHARGE' THEN amount ELSE -amount END), 0) INTO booked
      FROM public.payments_caseposting WHERE case_id = NEW.case_id;
    IF NEW.kind = 'CHARGE' AND (about.amount IS NULL OR booked + NEW.amount > about.amount) THEN
        RAISE EXCEPTION 'case %: more than is disputed', NEW.case_id USING ERRCODE = 'BO113';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER caseposting_guard BEFORE INSERT ON payments_caseposting
    FOR EACH ROW EXECUTE FUNCTION payments_guard_posting();
ALTER TABLE payments_caseposting ENABLE ALWAYS TRIGGER caseposting_guard;
CREATE FUNCTION payments_posting_is_agreed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM public.approvals_request r
                    WHERE r.id = NEW.approval_id AND r.state = 'EXECUTED'
                      AND r.target = 'payments.chargebackcase:' || NEW.case_id
                      AND r.action = CASE NEW.kind WHEN 'CHARGE' THEN 'payments.charge_chargeback'
                                                   ELSE 'payments.return_chargeback' END)
       OR NOT EXISTS (SELECT FROM public.ledger_journal j JOIN public.payments_chargebackcase c ON c.id = NEW.case_id
                       WHERE j.id = NEW.journal_id AND j.entity_id = c.entity_id) THEN
        RAISE EXCEPTION 'case %: this posting was not agreed to', NEW.case_id USING ERRCODE = 'BO114';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER caseposting_agreed AFTER INSERT ON payments_caseposting
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payments_posting_is_agreed();
ALTER TABLE payments_caseposting ENABLE ALWAYS TRIGGER caseposting_agreed;
