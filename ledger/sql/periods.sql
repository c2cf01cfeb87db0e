-- A month is closed over closed days: by the closing that holds when it is written.
CREATE FUNCTION ledger_period_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(1, NEW.entity_id::int);
    IF NEW.last_day <> (date_trunc('month', NEW.last_day) + interval '1 month - 1 day')::date OR NOT EXISTS (
           SELECT FROM public.ledger_closing c
            WHERE c.id = NEW.closing_id AND c.entity_id = NEW.entity_id AND c.closed_through >= NEW.last_day
              AND NOT EXISTS (SELECT FROM public.ledger_closing n WHERE n.entity_id = c.entity_id AND n.id > c.id)) THEN
        RAISE EXCEPTION 'the days up to % are not closed', NEW.last_day USING ERRCODE = 'BO126';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ledger_period_guard BEFORE INSERT ON ledger_period
    FOR EACH ROW EXECUTE FUNCTION ledger_period_guard();
ALTER TABLE ledger_period ENABLE ALWAYS TRIGGER ledger_period_guard;

-- Looked at when the transaction ends: two people wanted it.
CREATE FUNCTION ledger_period_is_agreed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM public.approvals_request r
                    WHERE r.id = NEW.request_id AND r.action = 'ledger.close_period' AND r.state = 'EXECUTED'
                      AND r.entity_id = NEW.entity_id AND r.payload ->> 'last_day' = NEW.last_day::text) THEN
        RAISE EXCEPTION 'the month to % was not agreed to', NEW.last_day USING ERRCODE = 'BO126';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledger_period_agreed AFTER INSERT ON ledger_period
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_period_is_agreed();
ALTER TABLE ledger_period ENABLE ALWAYS TRIGGER ledger_period_agreed;
