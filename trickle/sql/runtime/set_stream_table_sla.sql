-- State how old the rows of a stream table may become. The scheduler then starts its refreshes in time for that, however
-- its schedule is written, and tells when it foresees that they take too long. NULL takes the promise back.
CREATE FUNCTION pgtrickle.set_stream_table_sla(name text, sla interval) RETURNS void
LANGUAGE plpgsql AS $fn$
DECLARE
    st pgtrickle.pgt_stream_tables := pgtrickle._resolve(name, current_schema()::pg_catalog.text);
BEGIN
    PERFORM pgtrickle._set_sla(st, sla);
END
$fn$;
