-- Relations that still write to the buffer of a source though they are no part of it any more: detached partitions.
CREATE FUNCTION pgtrickle._stray_triggers(relid oid, source_id int) RETURNS TABLE (stray oid, trigger_name name)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
    SELECT t.tgrelid, t.tgname
    FROM pg_proc p
    JOIN pg_depend d ON d.classid = 'pg_trigger'::regclass AND d.refclassid = 'pg_proc'::regclass AND d.refobjid = p.oid
    JOIN pg_trigger t ON t.oid = d.objid
    WHERE p.pronamespace = 'pgtrickle_changes'::regnamespace
      AND p.proname LIKE format('capture\_%s\_%%', _stray_triggers.source_id)
      AND NOT EXISTS (SELECT FROM pgtrickle._members(_stray_triggers.relid) m WHERE m.member = t.tgrelid)
$fn$;
