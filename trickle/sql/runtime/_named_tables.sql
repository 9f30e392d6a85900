-- The numbers of stream tables by name; a NULL among the names is told and left out.
CREATE FUNCTION pgtrickle._named_tables(names text[], default_schema text) RETURNS bigint[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    IF array_position(names, NULL) IS NOT NULL THEN
        RAISE WARNING 'a NULL among the names of stream tables is ignored';
    END IF;
    RETURN ARRAY(SELECT (pgtrickle._resolve(n, default_schema)).pgt_id FROM unnest(names) n WHERE n IS NOT NULL);
END
$fn$;
