-- What is wrong with the capture triggers of a source, in words, or NULL. Origin writes reach the statement triggers
-- of the level named in the statement; applied and replica-role writes only the row trigger; TRUNCATE always its own.
CREATE FUNCTION pgtrickle._capture_fault(relid oid, source_id int) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
    WITH wanted AS (
        SELECT w.kind, w.enabled
        FROM pgtrickle.pgt_change_tracking t CROSS JOIN LATERAL pgtrickle._wanted_triggers(t.capture_mode) w
        WHERE t.source_relid = relid AND t.source_id = _capture_fault.source_id
    )
    SELECT fault FROM (
        SELECT CASE WHEN t.oid IS NULL THEN format('capture trigger for %s is missing on %s', w.kind, m.member::regclass)
                    ELSE format('capture trigger for %s on %s was switched to %L', w.kind, m.member::regclass, t.tgenabled)
               END AS fault, NOT m.is_root AS below, m.member, w.kind
        FROM pgtrickle._members(relid) m
        CROSS JOIN wanted w
        LEFT JOIN pg_trigger t ON t.tgrelid = m.member AND t.tgname = ' pgt_capture_' || w.kind
             AND EXISTS (SELECT FROM pg_proc p
                         WHERE p.oid = t.tgfoid AND p.pronamespace = 'pgtrickle_changes'::regnamespace
                           AND p.proname LIKE format('capture\_%s\_%%', _capture_fault.source_id))
        WHERE t.oid IS NULL OR t.tgenabled <> w.enabled
        UNION ALL
        SELECT format('capture trigger was left on %s', s.stray::regclass), true, s.stray, ''
        FROM pgtrickle._stray_triggers(relid, _capture_fault.source_id) s) f
    ORDER BY below, member, kind
    LIMIT 1
$fn$;
