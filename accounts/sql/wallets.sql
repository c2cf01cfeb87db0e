-- A wallet stands as it was opened; a reservation ends once, with the journal that ended it, and comes back only where
-- that journal (the server's own deal) was reversed.
CREATE FUNCTION accounts_guard_wallet() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        RAISE EXCEPTION 'wallet % stands as it was opened', OLD.id USING ERRCODE = 'BO080';
    END IF;
    IF (SELECT count(*) FROM public.ledger_ledgeraccount a
         WHERE a.id IN (NEW.account_id, NEW.reserved_id) AND a.entity_id = NEW.entity_id AND a.kind = 'LIABILITY'
           AND a.currency_id = NEW.currency_id AND a.floor = 0 AND NOT a.striped) <> 2 THEN
        RAISE EXCEPTION 'a wallet is two liabilities of its entity and currency that cannot go below nought'
            USING ERRCODE = 'BO080';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER wallet_guard BEFORE INSERT OR UPDATE ON accounts_wallet
    FOR EACH ROW EXECUTE FUNCTION accounts_guard_wallet();
ALTER TABLE accounts_wallet ENABLE ALWAYS TRIGGER wallet_guard;

CREATE FUNCTION accounts_guard_reservation() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    later text[] := ARRAY['state', 'ended_at', 'ended_journal_id', 'reason'];
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'HELD' OR NOT EXISTS (
               SELECT FROM public.ledger_journal j
                WHERE j.entity_id = NEW.entity_id AND j.id = NEW.held_journal_id
                  AND j.key = 'reserve:' || NEW.reference || ':hold') THEN
            RAISE EXCEPTION 'reservation %: money is held with its journal', NEW.reference USING ERRCODE = 'BO081';
        END IF;
        RETURN NEW;
    END IF;
    IF to_jsonb(NEW) - later IS DISTINCT FROM to_jsonb(OLD) - later THEN
        RAISE EXCEPTION 'reservation % stands as it was written', OLD.reference USING ERRCODE = 'BO081';
    END IF;
    IF OLD.state = 'HELD' AND NEW.state IN ('USED', 'RELEASED') AND EXISTS (
           SELECT FROM public.ledger_journal j
            WHERE j.entity_id = NEW.entity_id AND j.id = NEW.ended_journal_id
              AND CASE WHEN NEW.state = 'RELEASED' THEN j.key = 'reserve:' || NEW.reference || ':release'
                       WHEN NEW.wallet_id IS NOT NULL THEN j.key = 'reserve:' || NEW.reference || ':use'
                       ELSE j.kind = 'DEAL' END) THEN
        RETURN NEW;
    END IF;
    IF OLD.state = 'USED' AND OLD.trading_account_id IS NOT NULL AND NEW.state IN ('HELD', 'USED') AND EXISTS (
           SELECT FROM public.ledger_journal j
            WHERE j.entity_id = NEW.entity_id AND j.reverses_id = OLD.ended_journal_id) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'reservation % does not go from % to %', OLD.reference, OLD.state, NEW.state USING ERRCODE = 'BO081';
END $$;
CREATE TRIGGER reservation_guard BEFORE INSERT OR UPDATE ON accounts_reservation
    FOR EACH ROW EXECUTE FUNCTION accounts_guard_reservation();
ALTER TABLE accounts_reservation ENABLE ALWAYS TRIGGER reservation_guard;
