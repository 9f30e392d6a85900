-- Tell what this refresh has changed: the rows that came and went, as users see them. A row that changed is one of each.
-- Read from what was captured on the stream table itself, so it is what was written, whatever way it was refreshed. Where
-- its storage is a new one, with other columns, all rows are told, and `reset` says to forget those told before.
CREATE FUNCTION pgtrickle._write_outbox(st pgtrickle.pgt_stream_tables, is_reset boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    box      pgtrickle.pgt_outbox_config;
    shown    text;
    changes  text;
    inline   bigint := pgtrickle._setting_number('outbox_inline_threshold_rows', '10000');
    came     bigint;
    went     bigint;
    last_one bigint;
    message  bigint;
BEGIN
    SELECT o.* INTO STRICT box FROM pgtrickle.pgt_outbox_config o WHERE o.pgt_id = st.pgt_id;
    SELECT string_agg(format('%L, b.c%s', a.attname, a.attnum), ', ' ORDER BY a.attnum) INTO shown
    FROM pg_attribute a
    WHERE a.attrelid = st.pgt_relid AND a.attnum > 0 AND NOT a.attisdropped AND NOT starts_with(a.attname, '__pgt_');
    -- As texts: a type may have no equality, and equal values may look different.
    changes := CASE WHEN is_reset THEN format(
        'SELECT jsonb_build_object(%s)::text AS data, count(*) AS weight FROM %s b GROUP BY 1',
        (SELECT string_agg(format('%L, b.%I', a.attname, a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
         WHERE a.attrelid = st.pgt_relid AND a.attnum > 0 AND NOT a.attisdropped AND NOT starts_with(a.attname, '__pgt_')),
        st.pgt_relid::regclass) ELSE format(
        'SELECT r.data, sum(r.weight)::bigint AS weight FROM (SELECT jsonb_build_object(%s)::text AS data, b.weight '
        'FROM pgtrickle_changes.changes_%s b WHERE b.xid = pg_current_xact_id() AND b.seq > %s) r '
        'GROUP BY r.data HAVING sum(r.weight) <> 0', shown, box.source_id, box.last_seq) END;
    EXECUTE format('SELECT coalesce(sum(weight) FILTER (WHERE weight > 0), 0), coalesce(-sum(weight) FILTER (WHERE weight < 0), 0) '
                   'FROM (%s) c', changes) INTO came, went;
    EXECUTE format('SELECT max(b.seq) FROM pgtrickle_changes.changes_%s b WHERE b.xid = pg_current_xact_id()', box.source_id)
    INTO last_one;
    IF came + went = 0 AND NOT is_reset AND pgtrickle._setting_flag('outbox_skip_empty_delta', 'on') THEN
        RETURN;
    END IF;
    UPDATE pgtrickle.pgt_outbox_config o SET last_seq = coalesce(greatest(last_seq, last_one), last_seq) WHERE o.outbox_name = box.outbox_name;
    IF inline > 0 AND came + went > inline THEN
        EXECUTE format('INSERT INTO pgtrickle.%I (inserted_count, deleted_count, is_claim_check, headers) '
                       'VALUES ($1, $2, true, $3) RETURNING id', box.outbox_table_name)
        INTO message USING came, went, CASE WHEN is_reset THEN '{"reset": true}'::jsonb END;
        EXECUTE format(
            'INSERT INTO pgtrickle.%I (outbox_id, row_num, row_op, row_data) '
            'SELECT $1, row_number() OVER (ORDER BY c.weight, c.data), CASE WHEN c.weight < 0 THEN ''DELETE'' ELSE ''INSERT'' END, '
            'c.data::jsonb FROM (%s) c CROSS JOIN LATERAL generate_series(1, abs(c.weight))', box.delta_table_name, changes)
        USING message;
    ELSE
        EXECUTE format(
            'INSERT INTO pgtrickle.%I (inserted_count, deleted_count, payload) SELECT $1, $2, jsonb_build_object(''v'', 1, '
            '''inserted'', coalesce(jsonb_agg(c.data::jsonb ORDER BY c.data) FILTER (WHERE c.weight > 0), ''[]''), '
            '''deleted'', coalesce(jsonb_agg(c.data::jsonb ORDER BY c.data) FILTER (WHERE c.weight < 0), ''[]'')) || $3 '
            'FROM (SELECT c.* FROM (%s) c CROSS JOIN LATERAL generate_series(1, abs(c.weight))) c', box.outbox_table_name, changes)
        USING came, went, CASE WHEN is_reset THEN '{"reset": true}'::jsonb ELSE '{}' END;
    END IF;
    PERFORM pg_notify('pgtrickle_outbox_new', box.outbox_table_name);
    IF NOT pg_try_advisory_xact_lock_shared(pgtrickle._outbox_bell_class(), pgtrickle._outbox_bell(box.outbox_name)) THEN
        PERFORM pg_notify('pgtrickle_outbox', pgtrickle._outbox_bell(box.outbox_name) || ' ' || box.outbox_name);
    END IF;
END
$fn$;
