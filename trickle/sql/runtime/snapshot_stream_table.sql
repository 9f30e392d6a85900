-- Keep a copy of a stream table, with what it takes to go on from there: restore_from_snapshot puts it back, and the next
-- refresh takes only what has changed since. Returns the name of the copy, an ordinary table.
CREATE FUNCTION pgtrickle.snapshot_stream_table(p_name text, p_target text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql AS $fn$
BEGIN
    RETURN pgtrickle._snapshot(pgtrickle._resolve(p_name, current_schema()::pg_catalog.text), p_target);
END
$fn$;
