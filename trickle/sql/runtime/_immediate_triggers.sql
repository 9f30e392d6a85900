-- The triggers by which writes of a source bring IMMEDIATE stream tables up to date: which of them are there, as they
-- should be, and which are wanted; only where the two differ. A partition that was detached may still have some.
-- Statements have them ALWAYS: where a session replays changes the row trigger captures, and the tables must follow.
-- Logical replication applies rows without a statement, and its transaction is looked after when it commits.
CREATE FUNCTION pgtrickle._immediate_triggers(source_id int, relid oid, is_read boolean)
RETURNS TABLE (member oid, trigger_name text, command text, enabled text, is_there boolean, is_wanted boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
    WITH wanted AS (
        SELECT m.member, format(' pgt_immediate_%s_%s', v.kind, _immediate_triggers.source_id) AS name, v.command, v.state
        FROM pgtrickle._members(relid) m
        JOIN pg_class c ON c.oid = m.member
        CROSS JOIN (VALUES
            ('begin', 'A', 'CREATE TRIGGER %I BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s FOR EACH STATEMENT '
                           'EXECUTE FUNCTION pgtrickle._statement_begins(%L)'),
            ('end', 'A', 'CREATE TRIGGER %I AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s FOR EACH STATEMENT '
                         'EXECUTE FUNCTION pgtrickle._statement_ends(%L)'),
            ('commit', 'R', 'CREATE CONSTRAINT TRIGGER %I AFTER INSERT OR UPDATE OR DELETE ON %s '
                            'DEFERRABLE INITIALLY DEFERRED FOR EACH ROW '
                            'WHEN ((length(current_setting(''pg_trickle.statement'', true)) > 0) IS NOT TRUE) '
                            'EXECUTE FUNCTION pgtrickle._rows_applied(%L)')) v(kind, state, command)
        -- Partitions get a row trigger as a clone of their parent's.
        WHERE is_read AND NOT (v.kind = 'commit' AND c.relispartition AND NOT m.is_root)
    ), have AS (
        SELECT t.tgrelid, t.tgname::text AS name, t.tgenabled::text
        FROM pg_depend d JOIN pg_trigger t ON t.oid = d.objid
        WHERE d.classid = 'pg_trigger'::regclass AND d.refclassid = 'pg_proc'::regclass
          AND d.refobjid IN ('pgtrickle._statement_begins()'::regprocedure, 'pgtrickle._statement_ends()'::regprocedure,
                             'pgtrickle._rows_applied()'::regprocedure)
          AND t.tgname LIKE format(' pgt\_immediate\_%%\_%s', _immediate_triggers.source_id)
          AND t.tgparentid = 0
    )
    SELECT coalesce(w.member, h.tgrelid), coalesce(w.name, h.name), w.command,
           CASE w.state WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' END, h.name IS NOT NULL, w.name IS NOT NULL
    FROM wanted w FULL JOIN have h ON h.tgrelid = w.member AND h.name = w.name
    WHERE w.name IS NULL OR h.name IS NULL OR h.tgenabled <> w.state
    ORDER BY 1, 2
$fn$;
