CREATE FUNCTION pgtrickle._outbox_status(name text, box pgtrickle.pgt_outbox_config) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    rows record;
BEGIN
    IF box.outbox_name IS NULL THEN
        RETURN jsonb_build_object('enabled', false, 'stream_table', name);
    END IF;
    EXECUTE format('SELECT count(*) AS row_count, min(created_at) AS oldest, max(created_at) AS newest FROM pgtrickle.%I',
                   box.outbox_table_name) INTO rows;
    RETURN jsonb_build_object(
        'enabled', true, 'outbox', box.outbox_name,
        'stream_table', (SELECT s.pgt_schema || '.' || s.pgt_name FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = box.pgt_id),
        'outbox_table', 'pgtrickle.' || box.outbox_table_name, 'row_count', rows.row_count, 'oldest_row', rows.oldest,
        'newest_row', rows.newest, 'oldest_row_age', extract(epoch FROM clock_timestamp() - rows.oldest),
        'retention_hours', box.retention_hours, 'created_at', box.created_at, 'last_drained_at', box.last_drained_at,
        'last_drained_count', box.last_drained_count,
        'consumer_groups', (SELECT coalesce(jsonb_agg(g.group_name ORDER BY g.group_name), '[]')
                            FROM pgtrickle.pgt_consumer_groups g WHERE g.outbox_name = box.outbox_name));
END
$fn$;
