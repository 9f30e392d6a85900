CREATE FUNCTION pgtrickle._assert_inbox_name(name text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    IF name IS NULL OR name !~ '^[A-Za-z_][A-Za-z0-9_]{0,49}$' THEN
        RAISE EXCEPTION 'invalid argument: % is no name for an inbox', coalesce(quote_literal(name), 'NULL')
            USING ERRCODE = '22023', HINT = 'Use up to 50 letters, digits and underscores, a digit not first.';
    ELSIF EXISTS (SELECT FROM pgtrickle.pgt_inbox_config i WHERE i.inbox_name = name) THEN
        RAISE EXCEPTION 'inbox already exists: %', name USING ERRCODE = '42710';
    END IF;
END
$fn$;
