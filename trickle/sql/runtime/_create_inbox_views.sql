-- The stream tables of an inbox, in the schema of its table.
CREATE FUNCTION pgtrickle._create_inbox_views(name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    box   pgtrickle.pgt_inbox_config := pgtrickle._find_inbox(name);
    state record;
    every text := format('%I.%I', box.inbox_schema, box.table_name);
    cols  text;
BEGIN
    SELECT * INTO state FROM pgtrickle._inbox_state(box);
    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO cols
    FROM pg_attribute a
    WHERE a.attrelid = every::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> box.processed_at_column;
    PERFORM pgtrickle.create_stream_table(
        box.inbox_schema || '.' || name || '_pending', format('SELECT %s FROM %s WHERE %s', cols, every, state.pending), box.schedule);
    IF box.with_dead_letter THEN
        PERFORM pgtrickle.create_stream_table(
            box.inbox_schema || '.' || name || '_dlq', format('SELECT %s FROM %s WHERE %s', cols, every, state.dead), box.schedule);
    END IF;
    IF box.with_stats THEN
        PERFORM pgtrickle.create_stream_table(
            box.inbox_schema || '.' || name || '_stats',
            format('SELECT %1$I AS event_type, count(*) AS message_count, count(%2$I) AS processed_count, '
                   'count(*) FILTER (WHERE %3$s) AS dlq_count FROM %4$s GROUP BY %1$I',
                   box.event_type_column, box.processed_at_column, state.dead, every), box.schedule);
    END IF;
END
$fn$;
