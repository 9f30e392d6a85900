CREATE FUNCTION pgtrickle._enable_outbox(st pgtrickle.pgt_stream_tables, retention_hours int) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    id     int;
    made   text;
BEGIN
    PERFORM pgtrickle._assert_owner(st);
    IF EXISTS (SELECT FROM pgtrickle.pgt_outbox_config o WHERE o.pgt_id = st.pgt_id) THEN
        RAISE EXCEPTION 'outbox already enabled for stream table %.%', st.pgt_schema, st.pgt_name USING ERRCODE = '42710';
    ELSIF st.refresh_mode = 'IMMEDIATE' THEN
        RAISE EXCEPTION 'stream table %.% is IMMEDIATE: its writers bring it up to date, and there is no refresh to tell of',
            st.pgt_schema, st.pgt_name
            USING ERRCODE = '0A000', HINT = 'Use refresh_mode => ''DIFFERENTIAL'' with a short schedule.';
    END IF;
    id := pgtrickle._capture_for_outbox(st.pgt_relid);
    made := pgtrickle._create_outbox_tables(st.pgt_schema || '.' || st.pgt_name, st.pgt_name, true);
    INSERT INTO pgtrickle.pgt_outbox_config (outbox_name, pgt_id, source_id, outbox_table_name, delta_table_name, retention_hours)
    VALUES (st.pgt_schema || '.' || st.pgt_name, st.pgt_id, id, made, replace(made, 'outbox_', 'outbox_delta_rows_'),
            pgtrickle._retention_hours(_enable_outbox.retention_hours));
    UPDATE pgtrickle.pgt_stream_tables s SET has_outbox = true, updated_at = clock_timestamp() WHERE s.pgt_id = st.pgt_id;
END
$fn$;
