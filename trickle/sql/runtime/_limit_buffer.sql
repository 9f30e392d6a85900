-- Nothing of a buffer can be removed: tell who is in the way, and when it has grown beyond max_buffer_rows, let go the
-- snapshots, and the stream tables that have not kept up. They are computed in full the next time, and what they had not
-- consumed is free.
CREATE FUNCTION pgtrickle._limit_buffer(source_id int, consumers bigint[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    allowed constant bigint := pgtrickle._setting_number('max_buffer_rows', '1000000');
    buffer  regclass := format('pgtrickle_changes.changes_%s', _limit_buffer.source_id);
    source  text := (SELECT t.source_schema || '.' || t.source_name FROM pgtrickle.pgt_change_tracking t
                     WHERE t.source_id = _limit_buffer.source_id);
    pause   float8 := pgtrickle._setting_seconds('schedule_alert_cooldown_seconds', '300');
    held_by record;
    st      pgtrickle.pgt_stream_tables;
    is_over boolean;
BEGIN
    -- The oldest open transaction hides what was written since, whoever has refreshed. Not ours: it began just now.
    SELECT a.pid, extract(epoch FROM clock_timestamp() - a.xact_start) AS seconds, a.state INTO held_by
    FROM pg_stat_activity a
    WHERE a.backend_xid IS NOT NULL AND a.pid <> pg_backend_pid() AND a.datname = current_database()
    ORDER BY a.xact_start LIMIT 1;
    IF held_by.seconds > pgtrickle._setting_seconds('frontier_holdback_warn_seconds', '60') THEN
        PERFORM pgtrickle._alert_seldom('frontier_holdback', NULL, _limit_buffer.source_id, jsonb_build_object(
            'source_table', source, 'pid', held_by.pid, 'state', held_by.state, 'open_seconds', round(held_by.seconds)), pause);
    END IF;

    IF allowed <= 0 THEN
        RETURN;
    END IF;
    EXECUTE format('SELECT EXISTS (SELECT FROM %s ORDER BY xid OFFSET $1 LIMIT 1)', buffer) INTO is_over USING allowed;
    IF NOT is_over THEN
        RETURN;
    END IF;
    UPDATE pgtrickle.pgt_snapshots s SET is_held = false WHERE s.pgt_id = ANY (consumers) AND s.is_held;
    -- Not those that are being refreshed just now.
    FOR st IN
        SELECT s.* FROM pgtrickle.pgt_stream_tables s
        WHERE s.pgt_id IN (SELECT f.pgt_id FROM pgtrickle.pgt_frontiers f
                           WHERE f.pgt_id = ANY (consumers) AND f.snapshot IS NOT NULL
                           ORDER BY f.pgt_id FOR NO KEY UPDATE SKIP LOCKED)
          AND (pgtrickle._count_changes(_limit_buffer.source_id, s.pgt_id, allowed::int)).pending_rows > allowed
    LOOP
        UPDATE pgtrickle.pgt_frontiers f SET snapshot = NULL WHERE f.pgt_id = st.pgt_id;
        UPDATE pgtrickle.pgt_stream_tables s SET needs_reinit = true WHERE s.pgt_id = st.pgt_id;
        PERFORM pgtrickle._alert('change_buffer_released', st, jsonb_build_object(
            'source_table', source, 'max_buffer_rows', allowed,
            'reason', 'it has not kept up with its source and will be computed in full'));
    END LOOP;
END
$fn$;
