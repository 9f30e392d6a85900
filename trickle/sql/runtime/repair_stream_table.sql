-- Have a stream table computed anew by its next refresh, whatever state it is in; also one that is healthy. The refresh
-- repairs the capture of its sources as well. Returns what was found and what will be done.
CREATE FUNCTION pgtrickle.repair_stream_table(name text) RETURNS text
LANGUAGE plpgsql STRICT AS $fn$
DECLARE
    st pgtrickle.pgt_stream_tables := pgtrickle._resolve(name, current_schema()::pg_catalog.text);
BEGIN
    RETURN pgtrickle._repair(st);
END
$fn$;
