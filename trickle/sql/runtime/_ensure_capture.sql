-- Make sure that changes of these columns of a source reach its change buffer, and return the source's id.
-- Cheap when they do already. Otherwise writers are locked out until commit: those already open are waited for, so
-- none of them can commit rows after the fill that lack a new column or miss a trigger.
CREATE FUNCTION pgtrickle._ensure_capture(relid oid, attnums smallint[]) RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    class   pg_class;
    tracked pgtrickle.pgt_change_tracking;
    wanted  smallint[];
    col     record;
    part    record;
    stray   record;
    root_layout text;
BEGIN
    SELECT c.* INTO class FROM pg_class c WHERE c.oid = _ensure_capture.relid;
    IF NOT FOUND OR class.relkind NOT IN ('r', 'p') OR class.relpersistence = 't' THEN
        RAISE EXCEPTION 'changes of % cannot be captured: it is not a permanent table',
            _ensure_capture.relid::regclass USING ERRCODE = '42809';
    END IF;
    wanted := pgtrickle._capturable_attnums(_ensure_capture.relid, _ensure_capture.attnums);
    -- The row stays locked to commit: nobody drops this capture, or prunes past a fill that is to come.
    SELECT t.* INTO tracked FROM pgtrickle.pgt_change_tracking t
    WHERE t.source_relid = _ensure_capture.relid FOR KEY SHARE;
    IF FOUND AND tracked.captured_attnums @> wanted
       AND pgtrickle._capture_fault(_ensure_capture.relid, tracked.source_id) IS NULL THEN
        RETURN tracked.source_id;
    END IF;

    IF NOT pg_has_role(class.relowner, 'USAGE') THEN
        RAISE EXCEPTION 'permission denied: % must act as owner of % to capture its changes',
            current_user, _ensure_capture.relid::regclass
            USING ERRCODE = '42501',
                  HINT = format('Run this as %I, or have %I granted to %I.', pg_get_userbyid(class.relowner),
                                pg_get_userbyid(class.relowner), current_user);
    END IF;
    PERFORM pgtrickle._lock_source(_ensure_capture.relid);

    -- A partitioned stream table is written by MERGE. What PostgreSQL shows to its statement triggers is not what was
    -- written, where rows were inserted first and updated then, or moved; row triggers are shown the truth.
    INSERT INTO pgtrickle.pgt_change_tracking (source_relid, source_schema, source_name, capture_mode)
    VALUES (_ensure_capture.relid, class.relnamespace::regnamespace::text, class.relname,
            CASE WHEN class.relkind = 'p' AND EXISTS (
                     SELECT FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_relid = _ensure_capture.relid) THEN 'row'
                 ELSE pgtrickle._setting('cdc_trigger_mode', 'statement') END)
    ON CONFLICT (source_relid) DO NOTHING;
    SELECT t.* INTO STRICT tracked FROM pgtrickle.pgt_change_tracking t
    WHERE t.source_relid = _ensure_capture.relid FOR KEY SHARE;

    IF to_regclass(format('pgtrickle_changes.changes_%s', tracked.source_id)) IS NULL THEN
        EXECUTE format(
            'CREATE TABLE pgtrickle_changes.changes_%s (seq bigint NOT NULL, xid xid8 NOT NULL, weight smallint NOT NULL) '
            'WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, '
            'autovacuum_vacuum_cost_delay = 0, autovacuum_vacuum_insert_scale_factor = 0, '
            'autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 10000)', tracked.source_id);
        EXECUTE format('CREATE INDEX changes_%1$s_xid_idx ON pgtrickle_changes.changes_%1$s (xid)', tracked.source_id);
        PERFORM pgtrickle._adopt('TABLE', format('pgtrickle_changes.changes_%s', tracked.source_id));
    END IF;
    FOR col IN
        SELECT a.attnum, pgtrickle._base_type(a.atttypid) AS base, c.collname, n.nspname
        FROM pg_attribute a
        LEFT JOIN pg_collation c ON c.oid = a.attcollation
        LEFT JOIN pg_namespace n ON n.oid = c.collnamespace
        WHERE a.attrelid = _ensure_capture.relid AND a.attnum = ANY (wanted)
          AND NOT a.attnum = ANY (tracked.captured_attnums)
        ORDER BY a.attnum
    LOOP
        EXECUTE format('ALTER TABLE pgtrickle_changes.changes_%s ADD COLUMN c%s %s%s', tracked.source_id, col.attnum,
                       format_type(col.base, -1),
                       CASE WHEN col.collname IS NOT NULL THEN format(' COLLATE %I.%I', col.nspname, col.collname)
                       ELSE '' END);
    END LOOP;
    UPDATE pgtrickle.pgt_change_tracking t
    SET captured_attnums = (SELECT array_agg(DISTINCT a ORDER BY a) FROM unnest(tracked.captured_attnums || wanted) a)
    WHERE t.source_id = tracked.source_id AND NOT tracked.captured_attnums @> wanted;

    root_layout := pgtrickle._layout(_ensure_capture.relid);
    FOR part IN
        SELECT m.member, CASE WHEN l.layout = root_layout THEN '' ELSE format('_%s', m.member) END AS suffix, m.is_root
        FROM pgtrickle._members(_ensure_capture.relid) m
        CROSS JOIN LATERAL (SELECT pgtrickle._layout(m.member) AS layout OFFSET 0) l
        ORDER BY m.is_root DESC, m.member
    LOOP
        IF part.is_root OR part.suffix <> '' THEN
            PERFORM pgtrickle._write_capture_functions(tracked.source_id, _ensure_capture.relid, part.member, part.suffix);
        END IF;
        PERFORM pgtrickle._write_capture_triggers(tracked.source_id, _ensure_capture.relid, part.member, part.suffix);
    END LOOP;
    FOR stray IN SELECT s.* FROM pgtrickle._stray_triggers(_ensure_capture.relid, tracked.source_id) s LOOP
        PERFORM pgtrickle._lock_source(stray.stray);
        EXECUTE format('DROP TRIGGER %I ON %s', stray.trigger_name, stray.stray::regclass);
    END LOOP;
    RETURN tracked.source_id;
END
$fn$;
