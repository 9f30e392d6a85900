-- Rows that differ are written and no others, so readers are not kept out and stream tables that read this one see a true
-- change. The sources' rows are locked before the frontier is judged: the pruner, which would remove what it needs, waits.
CREATE FUNCTION pgtrickle._restore_snapshot(st pgtrickle.pgt_stream_tables, source text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    label   text := st.pgt_schema || '.' || st.pgt_name;
    started timestamptz := clock_timestamp();
    found   record;
    fault   text;
    cols    text;
    written bigint;
    memory  text;
BEGIN
    PERFORM pgtrickle._assert_owner(st);
    PERFORM pgtrickle._assert_identity();
    PERFORM pgtrickle._assert_refreshable_here();
    SELECT * INTO found FROM pgtrickle._find_snapshot(source);
    PERFORM pgtrickle._assert_fits(st, found.relid, source);
    PERFORM FROM pgtrickle.pgt_change_tracking t JOIN pgtrickle.pgt_dependencies d USING (source_id)
    WHERE d.pgt_id = st.pgt_id ORDER BY t.source_id FOR KEY SHARE OF t;
    PERFORM FROM pgtrickle.pgt_frontiers t WHERE t.pgt_id = st.pgt_id FOR NO KEY UPDATE;
    fault := CASE WHEN (found.taken).pgt_id <> st.pgt_id THEN 'it was taken of another stream table'
                  ELSE pgtrickle._snapshot_fault(found.taken) END;

    IF st.refresh_mode = 'IMMEDIATE' THEN
        RAISE NOTICE 'stream table % is IMMEDIATE: it is computed from its sources, and never shows what they no longer say', label;
        PERFORM pgtrickle._refresh(st.pgt_id, 'MANUAL', true);
        RETURN;
    END IF;
    SELECT string_agg(quote_ident(c.name), ', ' ORDER BY c.place) INTO cols
    FROM pgtrickle._stored_columns(st.pgt_relid) c JOIN pgtrickle._stored_columns(found.relid) s USING (name);
    PERFORM set_config('pg_trickle.refreshing', st.pgt_id::text, true);
    memory := pgtrickle._grant_memory();
    written := pgtrickle._put_rows(st, found.relid, cols);
    PERFORM set_config('work_mem', memory, true);
    IF fault IS NULL THEN
        PERFORM pgtrickle._put_states(st.pgt_id, (found.taken).snapshot_id);
    END IF;
    PERFORM set_config('pg_trickle.refreshing', '', true);

    UPDATE pgtrickle.pgt_frontiers f
    SET snapshot = CASE WHEN fault IS NULL THEN (found.taken).snapshot END,
        own_xid = CASE WHEN fault IS NULL THEN (found.taken).own_xid ELSE pg_current_xact_id() END,
        own_seq = CASE WHEN fault IS NULL THEN (found.taken).own_seq ELSE nextval('pgtrickle_changes.change_seq') END
    WHERE f.pgt_id = st.pgt_id;
    UPDATE pgtrickle.pgt_stream_tables s
    SET is_populated = true, needs_reinit = fault IS NOT NULL, data_timestamp = (found.about ->> 'data_timestamp')::timestamptz,
        last_refresh_at = (found.about ->> 'taken_at')::timestamptz, updated_at = now(),
        status = CASE s.status WHEN 'INITIALIZING' THEN 'ACTIVE' ELSE s.status END
    WHERE s.pgt_id = st.pgt_id;
    INSERT INTO pgtrickle.pgt_refresh_history
        (pgt_id, data_timestamp, start_time, end_time, action, delta_row_count, reason, status, initiated_by)
    VALUES (st.pgt_id, clock_timestamp(), started, clock_timestamp(), 'RESTORE', written,
            format('from %s; the next refresh is %s', source, coalesce('full: ' || fault, 'differential')), 'COMPLETED', 'MANUAL');
    PERFORM pgtrickle._ring_readers(st.pgt_relid, true);
    IF fault IS NOT NULL THEN
        RAISE NOTICE 'the rows of % are those of %, and the next refresh compares them with its query', label, source
            USING DETAIL = format('Its frontier is not trusted: %s.', fault);
    END IF;
END
$fn$;
