-- Remove the capture of a source: triggers, functions, buffer. Nobody may read it any more.
CREATE FUNCTION pgtrickle._drop_capture(source_id int) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
#variable_conflict use_column
DECLARE
    f record;
BEGIN
    PERFORM pgtrickle._write_immediate_triggers(t.source_id, t.source_relid, false)
    FROM pgtrickle.pgt_change_tracking t WHERE t.source_id = _drop_capture.source_id;
    FOR f IN
        SELECT p.oid::regprocedure AS signature FROM pg_proc p
        WHERE p.pronamespace = 'pgtrickle_changes'::regnamespace
          AND (p.proname LIKE format('capture\_%s\_%%', source_id) OR p.proname LIKE format('read\_%s\_%%', source_id))
        ORDER BY p.proname
    LOOP
        EXECUTE format('DROP FUNCTION IF EXISTS %s CASCADE', f.signature);
    END LOOP;
    EXECUTE format('DROP TABLE IF EXISTS pgtrickle_changes.changes_%s', source_id);
    DELETE FROM pgtrickle_changes.markers m WHERE m.source_id = _drop_capture.source_id;
    DELETE FROM pgtrickle.pgt_change_tracking t WHERE t.source_id = _drop_capture.source_id;
END
$fn$;
