-- The triggers by which statements on a source bring IMMEDIATE stream tables up to date: which of them are there, as
-- they should be, and which are wanted; only where the two differ. A partition that was detached may still have some.
-- They are enabled ALWAYS: in a session that replays changes the row trigger captures, and the table must follow.
CREATE FUNCTION pgtrickle._immediate_triggers(source_id int, relid oid, is_read boolean)
RETURNS TABLE (member oid, trigger_name text, clause text, is_there boolean, is_wanted boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    WITH wanted AS (
        SELECT m.member, format(' pgt_immediate_%s_%s', v.kind, _immediate_triggers.source_id) AS name, v.clause
        FROM pgtrickle._members(relid) m, (VALUES
            ('begin', 'BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s FOR EACH STATEMENT '
                      'EXECUTE FUNCTION pgtrickle._statement_begins'),
            ('end', 'AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s FOR EACH STATEMENT '
                    'EXECUTE FUNCTION pgtrickle._statement_ends')) v(kind, clause)
        WHERE is_read
    ), have AS (
        SELECT t.tgrelid, t.tgname::text AS name, t.tgenabled
        FROM pg_depend d JOIN pg_trigger t ON t.oid = d.objid
        WHERE d.classid = 'pg_trigger'::regclass AND d.refclassid = 'pg_proc'::regclass
          AND d.refobjid IN ('pgtrickle._statement_begins()'::regprocedure, 'pgtrickle._statement_ends()'::regprocedure)
          AND t.tgname LIKE format(' pgt\_immediate\_%%\_%s', _immediate_triggers.source_id)
    )
    SELECT coalesce(w.member, h.tgrelid), coalesce(w.name, h.name), w.clause, h.name IS NOT NULL, w.name IS NOT NULL
    FROM wanted w FULL JOIN have h ON h.tgrelid = w.member AND h.name = w.name
    WHERE w.name IS NULL OR h.name IS NULL OR h.tgenabled <> 'A'
    ORDER BY 1, 2
$fn$;
