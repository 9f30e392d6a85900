-- A stream table by name: `schema.table`, split at the first dot, or a table of the caller's current schema.
CREATE FUNCTION pgtrickle._resolve(name text, default_schema text) RETURNS pgtrickle.pgt_stream_tables
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    st pgtrickle.pgt_stream_tables;
    wanted text[] := pgtrickle._split_name(name, default_schema);
BEGIN
    SELECT s.* INTO st FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_schema = wanted[1] AND s.pgt_name = wanted[2];
    IF NOT FOUND THEN
        -- Renamed or moved by ALTER TABLE since the names were last read.
        SELECT s.* INTO st FROM pgtrickle.pgt_stream_tables s
        WHERE s.pgt_relid = to_regclass(format('%I.%I', wanted[1], wanted[2]));
    END IF;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'stream table not found: %.%', wanted[1], wanted[2]
            USING ERRCODE = '42P01', HINT = 'SELECT name FROM pgtrickle.pgt_status() lists those that exist.';
    END IF;
    RETURN st;
END
$fn$;
