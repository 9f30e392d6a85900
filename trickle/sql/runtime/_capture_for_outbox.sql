-- Capture all that users see of a stream table, and return the number of its buffer. Cheap when it is captured already.
CREATE FUNCTION pgtrickle._capture_for_outbox(relid oid) RETURNS int
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT pgtrickle._ensure_capture(relid, ARRAY(
        SELECT a.attnum FROM pg_attribute a
        WHERE a.attrelid = relid AND a.attnum > 0 AND NOT a.attisdropped AND NOT starts_with(a.attname, '__pgt_')
        ORDER BY a.attnum))
$fn$;
