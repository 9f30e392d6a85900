CREATE FUNCTION pgtrickle._find_inbox(name text, if_exists boolean DEFAULT false) RETURNS pgtrickle.pgt_inbox_config
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    box pgtrickle.pgt_inbox_config;
BEGIN
    SELECT i.* INTO box FROM pgtrickle.pgt_inbox_config i WHERE i.inbox_name = name;
    IF NOT FOUND AND NOT if_exists THEN
        RAISE EXCEPTION 'inbox not found: %', name
            USING ERRCODE = '42704', HINT = 'SELECT inbox_name FROM pgtrickle.inbox_status() lists them.';
    END IF;
    RETURN box;
END
$fn$;
