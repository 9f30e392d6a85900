-- Drop one stream table, its programs, and the capture that nobody uses then; dependents first.
CREATE FUNCTION pgtrickle._drop(pgt_id bigint, cascading boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    st         pgtrickle.pgt_stream_tables;
    dependents text;
    dependent  record;
    sources    int[];
    item       record;
BEGIN
    PERFORM pgtrickle._lock_immediate(s.pgt_id, false) FROM pgtrickle.pgt_stream_tables s
    WHERE s.pgt_id = _drop.pgt_id AND s.refresh_mode = 'IMMEDIATE';
    SELECT s.* INTO st FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = _drop.pgt_id FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;  -- already dropped, as the dependent of another
    END IF;
    PERFORM pgtrickle._assert_owner(st);
    SELECT string_agg(s.pgt_schema || '.' || s.pgt_name, ', ' ORDER BY s.pgt_schema, s.pgt_name) INTO dependents
    FROM pgtrickle.pgt_dependencies d JOIN pgtrickle.pgt_stream_tables s ON s.pgt_id = d.pgt_id
    WHERE d.source_relid = st.pgt_relid AND d.pgt_id <> st.pgt_id;
    IF dependents IS NOT NULL AND NOT cascading THEN
        RAISE EXCEPTION 'cannot drop stream table %.%: % read it', st.pgt_schema, st.pgt_name, dependents
            USING ERRCODE = '22023', HINT = 'Drop them first, or call drop_stream_table(name, cascade => true).';
    END IF;
    SELECT array_agg(d.source_id) INTO sources FROM pgtrickle.pgt_dependencies d
    WHERE d.pgt_id = _drop.pgt_id AND d.source_id IS NOT NULL;
    -- It reads nothing any more: of two that read each other, each would be dropped with the other without end.
    DELETE FROM pgtrickle.pgt_dependencies d WHERE d.pgt_id = _drop.pgt_id;
    FOR dependent IN
        SELECT d.pgt_id FROM pgtrickle.pgt_dependencies d
        WHERE d.source_relid = st.pgt_relid AND d.pgt_id <> st.pgt_id ORDER BY d.pgt_id
    LOOP
        PERFORM pgtrickle._drop(dependent.pgt_id, true);
    END LOOP;

    PERFORM pgtrickle._drop_programs(_drop.pgt_id);
    -- Its own capture goes with it; others' views of it are refused without cascade, by their dependency.
    SELECT array_agg(t.source_id) || coalesce(sources, '{}') INTO sources
    FROM pgtrickle.pgt_change_tracking t WHERE t.source_relid = st.pgt_relid;
    PERFORM pgtrickle._disable_outbox(o) FROM pgtrickle.pgt_outbox_config o WHERE o.pgt_id = _drop.pgt_id;
    PERFORM pgtrickle._drop_snapshot_states(k.snapshot_id) FROM pgtrickle.pgt_snapshots k WHERE k.pgt_id = _drop.pgt_id;
    DELETE FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = _drop.pgt_id;
    PERFORM pgtrickle._mark_cycles();
    IF st.refresh_mode = 'IMMEDIATE' THEN
        PERFORM pgtrickle._arrange_immediate();
    END IF;
    PERFORM pgtrickle._drop_unused_capture(sources);
    IF EXISTS (SELECT FROM pg_class c WHERE c.oid = st.pgt_relid) THEN
        EXECUTE format('DROP TABLE %s%s', st.pgt_relid::regclass, CASE WHEN cascading THEN ' CASCADE' ELSE '' END);
    END IF;
END
$fn$;
