CREATE FUNCTION pgtrickle._exists(name text, default_schema text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT EXISTS (
        SELECT FROM pgtrickle.pgt_stream_tables s
        WHERE ARRAY[s.pgt_schema, s.pgt_name] = pgtrickle._split_name(_exists.name, _exists.default_schema))
$fn$;
