-- How an inbox is: what waits and for how long, what is dead, what was processed. WARNING when as much is dead as
-- inbox_dlq_alert_max_per_refresh.
CREATE FUNCTION pgtrickle.inbox_health(name text) RETURNS jsonb
LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    box   pgtrickle.pgt_inbox_config := pgtrickle._find_inbox(name);
    most  bigint := pgtrickle._setting_number('inbox_dlq_alert_max_per_refresh', '10');
    state record;
    n     record;
BEGIN
    SELECT * INTO state FROM pgtrickle._inbox_state(box);
    EXECUTE format(
        'SELECT count(*) AS total, count(*) FILTER (WHERE %s) AS pending, count(*) FILTER (WHERE %s) AS dead, count(%I) AS processed, '
        '%s AS oldest FROM %I.%I', state.pending, state.dead, box.processed_at_column,
        CASE WHEN box.received_at_column IS NULL THEN 'NULL::float8'
             ELSE format('extract(epoch FROM now() - min(%I) FILTER (WHERE %s))', box.received_at_column, state.pending) END,
        box.inbox_schema, box.table_name) INTO n;
    RETURN jsonb_build_object(
        'inbox_name', name, 'inbox_schema', box.inbox_schema, 'status', CASE WHEN most > 0 AND n.dead >= most THEN 'WARNING' ELSE 'OK' END,
        'total_messages', n.total, 'pending_messages', n.pending, 'dlq_messages', n.dead, 'processed_messages', n.processed,
        'oldest_pending_age_seconds', n.oldest, 'max_retries', box.max_retries, 'retention_hours', box.retention_hours);
END
$fn$;
