-- Payment files, as PostgreSQL holds them. The steps are those of payments/models/files.py; a test compares them.

-- A file: what it is stands as it was made, with the hash of its bytes; the state goes along the steps.
CREATE FUNCTION payments_guard_file() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'MADE' OR NEW.sha256 <> encode(sha256(NEW.content), 'hex') THEN
            RAISE EXCEPTION 'a payment file begins as MADE with the hash of its bytes' USING ERRCODE = 'BO120';
        END IF;
        RETURN NEW;
    END IF;
    IF to_jsonb(NEW) - 'state' - 'state_at' IS DISTINCT FROM to_jsonb(OLD) - 'state' - 'state_at' THEN
        RAISE EXCEPTION 'payment file % stands as it was made', OLD.message_id USING ERRCODE = 'BO120';
    END IF;
    IF NEW.state <> OLD.state AND NOT EXISTS (SELECT FROM (VALUES
           ('MADE', 'SENT'), ('MADE', 'REJECTED'),
           ('SENT', 'ACCEPTED'), ('SENT', 'PARTLY'), ('SENT', 'REJECTED'),
           ('ACCEPTED', 'PARTLY'), ('ACCEPTED', 'REJECTED'),
           ('PARTLY', 'REJECTED')
       ) AS step (before, after) WHERE before = OLD.state AND after = NEW.state) THEN
        RAISE EXCEPTION 'payment file % does not go from % to %', OLD.message_id, OLD.state, NEW.state
            USING ERRCODE = 'BO120';
    END IF;
    IF NEW.state = 'SENT' AND OLD.state = 'MADE'
       AND NOT EXISTS (SELECT FROM public.payments_fileexport e WHERE e.file_id = NEW.id) THEN
        RAISE EXCEPTION 'payment file % was handed out to nobody', OLD.message_id USING ERRCODE = 'BO120';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER paymentfile_guard BEFORE INSERT OR UPDATE ON payments_paymentfile
    FOR EACH ROW EXECUTE FUNCTION payments_guard_file();
ALTER TABLE payments_paymentfile ENABLE ALWAYS TRIGGER paymentfile_guard;
CREATE TRIGGER paymentfile_kept BEFORE DELETE OR TRUNCATE ON payments_paymentfile
    FOR EACH STATEMENT EXECUTE FUNCTION house_refuse_change();
ALTER TABLE payments_paymentfile ENABLE ALWAYS TRIGGER paymentfile_kept;

-- A payment of a file is a payout of its entity and currency, of the same amount, and of no other file.
CREATE FUNCTION payments_guard_file_line() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (
           SELECT FROM public.payments_paymentfile f JOIN public.payments_payout p ON p.id = NEW.payout_id
            WHERE f.id = NEW.file_id AND p.way = 'FILE' AND f.state = 'MADE'
              AND (p.entity_id, p.currency_id) = (f.entity_id, f.currency_id)
              AND (p.amount, p.reference, p.file_reference) = (NEW.amount, NEW.end_to_end_id, f.message_id)) THEN
        RAISE EXCEPTION '% is not what its payout is', NEW.end_to_end_id USING ERRCODE = 'BO121';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER paymentfileline_guard BEFORE INSERT ON payments_paymentfileline
    FOR EACH ROW EXECUTE FUNCTION payments_guard_file_line();
ALTER TABLE payments_paymentfileline ENABLE ALWAYS TRIGGER paymentfileline_guard;

-- Looked at when the transaction ends: the file was agreed to, and its lines are what its head says.
CREATE FUNCTION payments_file_is_agreed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM public.approvals_request r
                    WHERE r.id = NEW.approval_id AND r.action = 'payments.make_file' AND r.state = 'EXECUTED'
                      AND r.entity_id = NEW.entity_id AND r.maker_id = NEW.made_by_id) THEN
        RAISE EXCEPTION 'payment file % was not agreed to', NEW.message_id USING ERRCODE = 'BO122';
    END IF;
    IF (SELECT (count(*), coalesce(sum(amount), 0)) FROM public.payments_paymentfileline WHERE file_id = NEW.id)
       IS DISTINCT FROM (NEW.number::bigint, NEW.total) THEN
        RAISE EXCEPTION 'payment file %: lines and head differ', NEW.message_id USING ERRCODE = 'BO122';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER paymentfile_agreed AFTER INSERT ON payments_paymentfile
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payments_file_is_agreed();
ALTER TABLE payments_paymentfile ENABLE ALWAYS TRIGGER paymentfile_agreed;

-- Bytes leave unchanged, one export after the other, and not by the hand of who approved the file.
CREATE FUNCTION payments_guard_export() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    file record;
BEGIN
    SELECT f.sha256, f.approval_id, (SELECT count(*) FROM public.payments_fileexport e WHERE e.file_id = f.id) AS before
      INTO file FROM public.payments_paymentfile f WHERE f.id = NEW.file_id FOR UPDATE;
    IF NEW.sha256 <> file.sha256 OR NEW.number <> file.before + 1 THEN
        RAISE EXCEPTION 'export % of file % is not its bytes, or not the next one', NEW.number, NEW.file_id
            USING ERRCODE = 'BO123';
    END IF;
    IF EXISTS (SELECT FROM public.approvals_participation a
                WHERE a.request_id = file.approval_id AND a.person_id = NEW.by_id AND a.part = 'APPROVER') THEN
        RAISE EXCEPTION 'person % approved file %', NEW.by_id, NEW.file_id USING ERRCODE = 'BO123';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER fileexport_guard BEFORE INSERT ON payments_fileexport
    FOR EACH ROW EXECUTE FUNCTION payments_guard_export();
ALTER TABLE payments_fileexport ENABLE ALWAYS TRIGGER fileexport_guard;

-- A status is of a payment in the report's own file.
CREATE FUNCTION payments_guard_line_status() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM public.payments_statusreport r JOIN public.payments_paymentfileline l ON l.id = NEW.line_id
                    WHERE r.id = NEW.report_id AND r.file_id = l.file_id) THEN
        RAISE EXCEPTION 'report % is about another file', NEW.report_id USING ERRCODE = 'BO124';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER linestatus_guard BEFORE INSERT ON payments_linestatus
    FOR EACH ROW EXECUTE FUNCTION payments_guard_line_status();
ALTER TABLE payments_linestatus ENABLE ALWAYS TRIGGER linestatus_guard;

-- An account to pay from: in the books of its entity, behind an executed request.
CREATE FUNCTION payments_own_bank_is_agreed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM public.approvals_request r
                    WHERE r.id = NEW.request_id AND r.action = 'payments.change_own_bank' AND r.state = 'EXECUTED'
                      AND r.entity_id = NEW.entity_id)
       OR NOT EXISTS (SELECT FROM public.ledger_ledgeraccount a
                       WHERE a.id = NEW.account_id AND a.code LIKE 'bank.%'
                         AND (a.entity_id, a.currency_id) = (NEW.entity_id, NEW.currency_id)) THEN
        RAISE EXCEPTION 'the account % to pay from was not agreed to', NEW.account_id USING ERRCODE = 'BO125';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ownbank_agreed AFTER INSERT ON payments_ownbank
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payments_own_bank_is_agreed();
ALTER TABLE payments_ownbank ENABLE ALWAYS TRIGGER ownbank_agreed;
