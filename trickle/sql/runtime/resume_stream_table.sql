-- Let a stream table that was suspended, or stopped by an error, be refreshed again.
CREATE FUNCTION pgtrickle.resume_stream_table(name text) RETURNS void
LANGUAGE plpgsql STRICT AS $fn$
DECLARE
    st pgtrickle.pgt_stream_tables := pgtrickle._resolve(name, current_schema()::pg_catalog.text);
BEGIN
    PERFORM pgtrickle._resume(st);
END
$fn$;
