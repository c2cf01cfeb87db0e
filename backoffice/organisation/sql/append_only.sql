-- One refusal for every append-only table of the house; attached by kernel.tables.append_only().
-- It is a statement trigger, so it also refuses a statement that would have hit no row.
CREATE OR REPLACE FUNCTION house_refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: its rows are append-only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'BO001';
END $$;
