-- A reference rate entered by hand is behind an approved request that says the same, and whoever writes it says why.
CREATE FUNCTION ledger_rate_is_agreed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM public.ledger_manualrate m JOIN public.approvals_request r ON r.id = m.request_id
                    WHERE m.rate_id = NEW.id AND r.action = 'ledger.enter_rate' AND r.state = 'EXECUTED'
                      AND (r.payload ->> 'day', r.payload ->> 'base', r.payload ->> 'quote')
                          = (NEW.date::text, NEW.base_id, NEW.quote_id)
                      AND (r.payload ->> 'rate')::numeric = NEW.rate) THEN
        RAISE EXCEPTION 'the rate %/% of % was not agreed to', NEW.base_id, NEW.quote_id, NEW.date
            USING ERRCODE = 'BO128';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER fxrate_agreed AFTER INSERT ON organisation_fxrate
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.source = 'MANUAL') EXECUTE FUNCTION ledger_rate_is_agreed();
ALTER TABLE organisation_fxrate ENABLE ALWAYS TRIGGER fxrate_agreed;

CREATE FUNCTION ledger_guard_manual_rate() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF btrim(NEW.reason) = '' OR NOT EXISTS (
           SELECT FROM public.organisation_fxrate f WHERE f.id = NEW.rate_id AND f.source = 'MANUAL') THEN
        RAISE EXCEPTION 'rate % was not entered by hand, or nobody says why', NEW.rate_id USING ERRCODE = 'BO128';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER manualrate_guard BEFORE INSERT ON ledger_manualrate
    FOR EACH ROW EXECUTE FUNCTION ledger_guard_manual_rate();
ALTER TABLE ledger_manualrate ENABLE ALWAYS TRIGGER manualrate_guard;
