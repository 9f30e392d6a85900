CREATE FUNCTION pgtrickle.get_refresh_history(name text, max_rows int DEFAULT 20)
RETURNS TABLE (refresh_id bigint, data_timestamp timestamptz, start_time timestamptz, end_time timestamptz,
               action text, status text, rows_inserted bigint, rows_deleted bigint, duration_ms float8,
               error_message text, rows_updated bigint, reason text, initiated_by text, changes_seen bigint,
               predicted_differential_ms float8, predicted_full_ms float8)
LANGUAGE plpgsql STABLE STRICT AS $fn$
BEGIN
    RETURN QUERY SELECT * FROM pgtrickle._refresh_history(
        (pgtrickle._resolve(get_refresh_history.name, current_schema()::pg_catalog.text)).pgt_id, max_rows);
END
$fn$;
