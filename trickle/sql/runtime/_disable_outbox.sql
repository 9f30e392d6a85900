CREATE FUNCTION pgtrickle._disable_outbox(box pgtrickle.pgt_outbox_config) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    st pgtrickle.pgt_stream_tables;
BEGIN
    IF box.outbox_name IS NULL THEN
        RETURN;
    END IF;
    SELECT s.* INTO st FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = box.pgt_id;
    IF FOUND THEN
        PERFORM pgtrickle._assert_owner(st);
        UPDATE pgtrickle.pgt_stream_tables s SET has_outbox = false, updated_at = clock_timestamp() WHERE s.pgt_id = st.pgt_id;
    END IF;
    DELETE FROM pgtrickle.pgt_outbox_config o WHERE o.outbox_name = box.outbox_name;
    EXECUTE format('DROP VIEW pgtrickle.%I', 'pgt_' || box.outbox_table_name);
    IF box.delta_table_name IS NOT NULL THEN
        EXECUTE format('DROP TABLE pgtrickle.%I', box.delta_table_name);
    END IF;
    EXECUTE format('DROP TABLE pgtrickle.%I', box.outbox_table_name);
    IF box.source_id IS NOT NULL THEN
        PERFORM pgtrickle._drop_unused_capture(ARRAY[box.source_id]);
    END IF;
END
$fn$;
