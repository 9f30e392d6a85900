-- Show only the next message of each aggregate, in the stream table next_<inbox>: that with the lowest sequence number of
-- those that wait.
CREATE FUNCTION pgtrickle.enable_inbox_ordering(inbox text, aggregate_id_col text, seq_col text) RETURNS void
LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    box  pgtrickle.pgt_inbox_config := pgtrickle._find_inbox(inbox);
    cols text;
BEGIN
    IF box.priority_col IS NOT NULL THEN
        RAISE EXCEPTION 'inbox ordering and priority config conflict for inbox: %', inbox
            USING ERRCODE = '55000', HINT = 'pgtrickle.disable_inbox_priority(inbox) first.';
    ELSIF box.aggregate_id_col IS NOT NULL THEN
        RAISE EXCEPTION 'ordering is already enabled for inbox: %', inbox USING ERRCODE = '42710';
    END IF;
    PERFORM pgtrickle._assert_inbox_columns(box, ARRAY[aggregate_id_col, seq_col]);
    UPDATE pgtrickle.pgt_inbox_config i
    SET aggregate_id_col = enable_inbox_ordering.aggregate_id_col, sequence_num_col = seq_col WHERE i.inbox_name = inbox;
    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO cols
    FROM pg_attribute a
    WHERE a.attrelid = format('%I.%I', box.inbox_schema, box.table_name)::regclass AND a.attnum > 0 AND NOT a.attisdropped
      AND a.attname <> box.processed_at_column;
    PERFORM pgtrickle.create_stream_table(
        box.inbox_schema || '.next_' || inbox,
        format('SELECT DISTINCT ON (%1$I) %2$s FROM %3$I.%4$I WHERE %5$s ORDER BY %1$I, %6$I, %7$I', aggregate_id_col, cols,
               box.inbox_schema, box.table_name, (pgtrickle._inbox_state(box)).pending, seq_col, box.id_column), box.schedule);
END
$fn$;
