-- Relations that still write to the buffer of a source though they are no part of it any more: detached partitions.
-- Step by step, each by an index, whatever a planner believes of the catalogs: the functions by the first letters of their
-- names (the letter after _ is `), what depends on them, and of that the triggers.
CREATE FUNCTION pgtrickle._stray_triggers(relid oid, source_id int) RETURNS TABLE (stray oid, trigger_name name)
LANGUAGE sql STABLE ROWS 1 SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_hashjoin = off
SET enable_mergejoin = off AS $fn$
    SELECT t.tgrelid, t.tgname
    FROM (SELECT p.oid FROM pg_proc p
          WHERE p.proname >= format('capture_%s_', _stray_triggers.source_id)::name
            AND p.proname < format('capture_%s`', _stray_triggers.source_id)::name
            AND p.pronamespace = 'pgtrickle_changes'::regnamespace OFFSET 0) p
    CROSS JOIN LATERAL (SELECT d.objid, d.classid FROM pg_depend d
                        WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid = p.oid OFFSET 0) d
    JOIN pg_trigger t ON t.oid = d.objid
    WHERE d.classid = 'pg_trigger'::regclass
      AND NOT EXISTS (SELECT FROM pgtrickle._members(_stray_triggers.relid) m WHERE m.member = t.tgrelid)
$fn$;
