-- Every capture trigger that ought to be there, on each source and each of its members, and whether it is.
CREATE FUNCTION pgtrickle.trigger_inventory()
RETURNS TABLE (source_table text, source_oid bigint, trigger_name text, trigger_type text, present boolean, enabled boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT m.member::regclass::text, m.member::bigint, ' pgt_capture_' || w.kind,
           CASE w.kind WHEN 'truncate' THEN 'TRUNCATE' ELSE 'DML' END, t.oid IS NOT NULL,
           coalesce(t.tgenabled = w.enabled, false)
    FROM pgtrickle.pgt_change_tracking c
    CROSS JOIN LATERAL pgtrickle._members(c.source_relid) m
    CROSS JOIN LATERAL pgtrickle._wanted_triggers(c.capture_mode) w
    LEFT JOIN pg_trigger t ON t.tgrelid = m.member AND t.tgname = ' pgt_capture_' || w.kind
    ORDER BY 1, 3
$fn$;
