-- Give a stream table another defining query. With the same columns the difference is written into its storage; with
-- others its storage is replaced. Readers see what it held until this transaction commits, and then what it is to hold.
CREATE FUNCTION pgtrickle._change_query(
    st pgtrickle.pgt_stream_tables, query text, creator_path text, asked_mode text,
    reparted boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    label    text := st.pgt_schema || '.' || st.pgt_name;
    next_oid oid;
    view_oid oid;
    checked  record;
    mode     text;
    former   int[];
    same     boolean;
    changed  pgtrickle.pgt_stream_tables;
BEGIN
    -- Bound apart first: the old view cannot be replaced by one with other columns, nor lost to a bad query.
    next_oid := pgtrickle._bind_query(format('next_%s', st.pgt_id), label, query, creator_path);
    same := pgtrickle._output_columns(next_oid) = pgtrickle._output_columns(st.pgt_relid);
    EXECUTE format('DROP VIEW pgtrickle_programs.next_%s', st.pgt_id);
    SELECT array_agg(d.source_id) INTO former FROM pgtrickle.pgt_dependencies d
    WHERE d.pgt_id = st.pgt_id AND d.source_id IS NOT NULL;

    IF NOT same OR reparted THEN
        PERFORM pgtrickle._assert_replaceable(st);
    END IF;
    PERFORM pgtrickle._strip_program(st.pgt_id);
    IF to_regclass(format('pgtrickle_programs.query_%s', st.pgt_id)) IS NOT NULL THEN
        EXECUTE format('DROP VIEW pgtrickle_programs.query_%s', st.pgt_id);
    END IF;
    view_oid := pgtrickle._bind_query(format('query_%s', st.pgt_id), label, query, creator_path);
    PERFORM pgtrickle._hand_over('VIEW', view_oid::regclass::text, st.pgt_relid);
    SELECT * INTO checked FROM pgtrickle._check_query(view_oid, label);
    mode := pgtrickle._mode_for(asked_mode, checked.volatility, checked.reason, label);

    UPDATE pgtrickle.pgt_stream_tables s
    SET defining_query = pgtrickle._canonical_query(view_oid), original_query = query, refresh_mode = mode,
        query_volatility = checked.volatility, volatility_reason = checked.reason,
        functions_used = checked.functions, function_oids = checked.function_oids,
        session_settings = pgtrickle._query_settings(checked.volatility),
        status = CASE WHEN s.status IN ('ERROR', 'SUSPENDED') THEN CASE WHEN s.is_populated THEN 'ACTIVE' ELSE 'INITIALIZING' END
                      ELSE s.status END,
        consecutive_errors = 0, last_error_message = NULL, last_error_at = NULL, updated_at = now()
    WHERE s.pgt_id = st.pgt_id
    RETURNING s.* INTO changed;
    UPDATE pgtrickle.pgt_frontiers f SET snapshot = NULL WHERE f.pgt_id = st.pgt_id;
    PERFORM pgtrickle._register_sources(st.pgt_id);
    IF 'IMMEDIATE' IN (st.refresh_mode, mode) THEN
        PERFORM pgtrickle._arrange_immediate();
    END IF;
    PERFORM pgtrickle._assert_no_cycle(st.pgt_id);
    PERFORM pgtrickle._mark_cycles();
    PERFORM pgtrickle._restamp(st.pgt_id);
    IF same AND NOT reparted THEN
        PERFORM pgtrickle._merge_query(st.pgt_id);
    ELSE
        PERFORM pgtrickle._replace_storage(changed, CASE WHEN same THEN 'partitions' ELSE 'columns' END);
    END IF;
    PERFORM pgtrickle._drop_unused_capture(former);
END
$fn$;
