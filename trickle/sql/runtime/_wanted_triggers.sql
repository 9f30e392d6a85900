-- The triggers of a way of capturing, and when each fires: for the session's own writes, for those of replication, or always.
CREATE FUNCTION pgtrickle._wanted_triggers(capture_mode text) RETURNS TABLE (kind text, enabled "char")
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT v.kind, v.enabled::"char"
    FROM (VALUES ('statement', 'insert', 'O'), ('statement', 'update', 'O'), ('statement', 'delete', 'O'),
                 ('statement', 'row', 'R'), ('statement', 'truncate', 'A'),
                 ('row', 'row', 'A'), ('row', 'truncate', 'A')) v(mode, kind, enabled)
    WHERE v.mode = _wanted_triggers.capture_mode
$fn$;
